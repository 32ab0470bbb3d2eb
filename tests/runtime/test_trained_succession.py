"""The trained weights of supersession, in everyday sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from universal_memory.memory.file import MemoryFile
from universal_memory.memory.record import Provenance
from universal_memory.memory.store import MemoryStore
from universal_memory.resources import models_dir
from universal_memory.routing.index import PassportIndex
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.supersession import WEIGHTS
from universal_memory.runtime.succession import Succession
from universal_memory.space.semantic_space import SemanticSpace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (models_dir() / WEIGHTS).is_file(), reason="no trained supersession in models/"
    ),
]

TEXTS = (
    "Anna said: my tea should be weak.",
    "Anna lives in Paris.",
    "The battery of Anna's drill is at 40 percent.",
    "Ben said: my tea should be strong.",
    "Sign reads: pharmacy room 12.",
    "Anna said: my tea should be strong.",
    "Anna lives in Rome.",
    "The battery of Anna's drill is at 70 percent.",
)
CHANGED = {(0, 5), (1, 6), (2, 7)}


def test_what_changes_is_marked_and_what_is_like_it_is_not(tmp_path: Path) -> None:
    space = SemanticSpace.load()
    passports = PassportEncoder.load(space)
    with MemoryStore(tmp_path / "store") as store:
        ids = []
        for number, text in enumerate(TEXTS, 1):
            usv = space.encode([text])
            file = MemoryFile.create(
                usv[0], passports.passports(usv)[0], space.space_id, number
            )
            ids.append(store.add(file, Provenance(number, number, number)))
        succession = Succession.load(space, store, PassportIndex.open(store))
        assert succession.why == ""
        succession.mark(ids)
        found = {
            (ids.index(mark.superseded), ids.index(mark.superseding))
            for mark in store.marks.all()
        }
    assert len(found & CHANGED) >= 2
    assert not {pair for pair in found if 3 in pair or 4 in pair}  # Ben's tea, the sign
