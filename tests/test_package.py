"""package.xml, the requirement files and the constraints tell the truth."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PREFIXES = (sys.prefix, *os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep))
REQUIREMENTS = sorted(ROOT.glob("requirements*.txt"))
# Guarded imports: used where they are installed, never needed.
OPTIONAL = {"audio_common_msgs", "audio_common_interfaces", "emem"}
# Makes the committed word lists anew, with packages of its own.
APART = ROOT / "universal_memory" / "training" / "corpora" / "make_words.py"
# ROS packages without a wheel, or built here.
UNPACKAGED = {"launch", "launch_ros", "message_filters", "universal_memory_msgs"}
# Programs that the launch files start, not modules.
PROGRAMS = {"ros2bag", "rosbag2_storage_mcap"}


def imports(*folders: str) -> set[str]:
    """Return the top-level modules, not of the standard library or ours, that folders import."""
    found = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        if path == APART:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"universal_memory", "sim"} - OPTIONAL


def is_ros(module: str) -> bool:
    """Return whether a module belongs to ROS 2 rather than to a Python distribution."""
    if module in UNPACKAGED:
        return True
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return False
    package = Path(spec.origin).parent.name
    return any((Path(p) / "share" / package / "package.xml").is_file() for p in PREFIXES)


def exec_depends() -> set[str]:
    tree = ElementTree.parse(ROOT / "package.xml")
    return {element.text for element in tree.findall("exec_depend")}


def names(path: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [re.split(r"[=<>;\[ ]", line)[0].lower() for line in lines if line]


def test_ros_imports_are_exec_depends_and_no_others():
    depends = {name for name in exec_depends() if not name.startswith("python3-")} - PROGRAMS
    assert depends == {name for name in imports("universal_memory", "launch") if is_ros(name)}


def test_other_imports_are_required():
    distributions = importlib.metadata.packages_distributions()
    required = {"torch", *(name for path in REQUIREMENTS for name in names(path))}
    for module in imports("universal_memory", "sim"):
        if not is_ros(module):
            providers = {name.lower().replace("_", "-") for name in distributions[module]}
            assert providers & required, f"{module}: add one of {providers} to a requirements file"


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_every_requirement_is_pinned(path):
    constrained = set(names(ROOT / "constraints.txt"))
    if path.name == "requirements-models.txt":
        lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
        assert all("==" in line for line in lines)
    else:
        assert set(names(path)) <= constrained


def test_constraints_name_each_package_once_per_python():
    for python in ("3.10", "3.11", "3.12"):
        lines = (ROOT / "constraints.txt").read_text().splitlines()
        valid = [
            line.partition("==")[0]
            for line in lines
            if line[0] != "#" and (";" not in line or f'"{python}"' in line)
        ]
        assert len(valid) == len(set(valid)) > 100


def test_interface_package_has_the_root_interfaces():
    package = ROOT / "ros_ws" / "src" / "universal_memory_msgs"
    for folder in ("msg", "srv"):
        assert (package / folder).resolve() == ROOT / folder
        assert any((package / folder).glob(f"*.{folder}"))
    assert (ROOT / "ros_ws" / "src" / "universal_memory").resolve() == ROOT


@pytest.mark.parametrize(
    "path", [*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")], ids=lambda path: path.name
)
def test_every_interface_and_field_is_described(path):
    first, *lines = path.read_text().splitlines()
    assert first.startswith("# ") and first.endswith(".")
    section = ""  # a heading may speak for the constants under it
    for line in filter(None, lines):
        is_constant = "=" in line.partition("#")[0]
        if line.startswith("#"):
            section = line
        elif line != "---":
            assert re.search(r"  # \S", line) or (is_constant and section), line
            section = section if is_constant else ""
