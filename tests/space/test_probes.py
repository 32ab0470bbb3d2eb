"""Labelled probes are their own nearest, and the trained space labels what is like them."""

from __future__ import annotations

import pytest
import torch

from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.probes import PROBES, Probes
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower


def test_a_probe_is_nearest_to_itself(tower: TextTower) -> None:
    torch.manual_seed(0)
    space = SemanticSpace(tower, UniversalEncoder(blocks=1), "test-space")
    probes = Probes(space)
    label, texts = next(iter(PROBES.items()))
    best, second = probes.nearest(space.encode([texts[1]])[0], count=2)
    assert (best.label, best.text) == (label, texts[1])
    assert best.cosine == pytest.approx(1.0, abs=1e-4) and second.cosine < best.cosine


def test_labels_have_several_texts_of_their_own() -> None:
    texts = [text for label in PROBES.values() for text in label]
    assert len(texts) == len(set(texts)) and min(map(len, PROBES.values())) >= 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Tool read_sensor(place=attic, kind=light) returned value=12.5.", "a reading of a tool"),
        ("Tool pick(object=bowl) failed: error=out of reach.", "a tool that failed"),
        ("Sign reads: library, room 9.", "a sign or a label in view"),
        ("Mia works as a plumber.", "work"),
    ],
)
def test_the_trained_space_labels(text: str, label: str) -> None:
    space = SemanticSpace.load()
    assert Probes(space).nearest(space.encode([text])[0])[0].label == label
