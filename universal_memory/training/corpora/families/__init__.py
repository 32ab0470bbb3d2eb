"""The families of facts, one module per theme; each module lists its own in `FAMILIES`."""

from __future__ import annotations

from universal_memory.training.corpora.families import (
    codes,
    health,
    household,
    living,
    people,
    places,
    preferences,
    schedules,
    signs,
    speech,
    states,
    tools,
    trade,
    work,
)
from universal_memory.training.corpora.family import Family

MODULES = (
    places, people, preferences, household, schedules, codes, health, living, states, work, trade,
    speech, signs, tools,
)  # fmt: skip

FAMILIES: dict[str, Family] = {
    family.name: family for module in MODULES for family in module.FAMILIES
}


def family_names() -> tuple[str, ...]:
    """Names of all families, in a fixed order."""
    return tuple(FAMILIES)
