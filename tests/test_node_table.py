"""The node table agrees with the package, its parameter files and its launch files."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest
import yaml

from universal_memory.node_table import NODE_TABLE, parameters_file

ROOT = Path(__file__).resolve().parents[1]
EXECUTABLES = [entry.executable for entry in NODE_TABLE]
PARAMETER_FILES = sorted((ROOT / "config").glob("*.yaml"))


def constant(path: Path, name: str) -> object:
    """Return the literal assigned to `name` in a Python file, without running it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    raise KeyError(name)


def test_every_node_is_an_entry_point():
    assert list(constant(ROOT / "setup.py", "NODES")) == EXECUTABLES


@pytest.mark.parametrize("executable", EXECUTABLES)
def test_executable_is_a_module_with_main(executable):
    path = ROOT / "universal_memory" / "nodes" / f"{executable}.py"
    functions = [n.name for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)]
    assert "main" in functions


@pytest.mark.parametrize("path", PARAMETER_FILES, ids=lambda path: path.name)
def test_wildcard_section_is_last(path):
    # rcl ignores later overrides where it comes first.
    sections = list(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert sections[-1] == "/**"
    assert set(sections[:-1]) <= {f"/**/{executable}" for executable in EXECUTABLES}


@pytest.mark.parametrize("path", PARAMETER_FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("executable", EXECUTABLES)
def test_parameters_are_declared_and_in_range(path, executable):
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    module = importlib.import_module(f"universal_memory.nodes.{executable}")
    rows = {row.name: row for row in module.PARAMETERS}
    section = yaml.safe_load(path.read_text(encoding="utf-8")).get(f"/**/{executable}", {})
    for name, value in section.get("ros__parameters", {}).items():
        row = rows[name]
        assert type(value) is type(row.default)
        assert not row.choices or value in row.choices
        assert row.low is None or row.low <= value <= row.high
        # robot.yaml promises to show the defaults.
        assert path.name != "robot.yaml" or value == row.default


def test_parameters_file_is_found_and_a_missing_one_is_refused():
    assert parameters_file() == ROOT / "config" / "robot.yaml"
    with pytest.raises(FileNotFoundError, match=r"nothing\.yaml.*remedy"):
        parameters_file("nothing.yaml")


def test_installed_share_is_found(tmp_path, monkeypatch):
    config = tmp_path / "share" / "universal_memory" / "config"
    config.mkdir(parents=True)
    (config / "site.yaml").write_text("{}")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{tmp_path}")
    assert parameters_file("site.yaml") == config / "site.yaml"
