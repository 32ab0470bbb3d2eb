"""README.md says what the code says: parameters, topics, services, commands, links."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from universal_memory.cli import COMMANDS
from universal_memory.node_table import NODE_TABLE

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
NODES = [entry.executable for entry in NODE_TABLE]


def parameter_lines(node: str) -> list[str]:
    """The rows of the README's parameter table of `node`, from the code's own table."""
    from universal_memory.nodes.managed import AUTOSTART

    module = importlib.import_module(f"universal_memory.nodes.{node}")
    lifecycle = next(entry.lifecycle for entry in NODE_TABLE if entry.executable == node)
    rows = [*([AUTOSTART] if lifecycle else []), *module.PARAMETERS]
    lines = []
    for row in rows:
        default = str(row.default).lower() if isinstance(row.default, bool) else row.default
        shown = "" if default in ("", [""]) else f"`{default}`"
        accepted = ", ".join(row.choices)
        if row.low is not None:
            accepted = f"{row.low:,.10g} to {row.high:,.10g}"
        read = "at start" if row.fixed else "when used"
        lines.append(
            f"| `{row.name}` | {shown} | {accepted} | {read} | {row.description} |"
        )
    return lines


@pytest.mark.parametrize("node", NODES)
def test_parameter_table_is_the_codes(node: str) -> None:
    section = README.split(f"#### {node}\n", 1)[1].split("\n#", 1)[0]
    shown = [line for line in section.splitlines() if line.startswith("| `")]
    assert shown == parameter_lines(node)


def test_every_interface_and_input_is_named() -> None:
    names = [path.stem for folder in ("msg", "srv") for path in (ROOT / folder).iterdir()]
    names += [topic for entry in NODE_TABLE for topic, _ in entry.inputs]
    assert [name for name in names if f"`{name}`" not in README] == []


def test_every_command_is_named() -> None:
    modules = {path.stem for path in (ROOT / "universal_memory" / "commands").glob("*.py")}
    there = [name for name in COMMANDS if name in modules]
    assert [name for name in there if f"`./ump {name}`" not in README] == []


@pytest.mark.parametrize("document", [ROOT / "README.md", *TUTORIALS], ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []
