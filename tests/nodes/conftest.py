"""Fixtures of the node tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from ros_graph import Graph

from universal_memory.routing.passport import WEIGHTS as PASSPORT_WEIGHTS
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.pointer import WEIGHTS as POINTER_WEIGHTS
from universal_memory.routing.pointer import Pointer
from universal_memory.routing.question import QuestionEncoder
from universal_memory.routing.reranker import Reranker
from universal_memory.routing.router import RERANKER_WEIGHTS
from universal_memory.routing.router import WEIGHTS as ROUTER_WEIGHTS
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import READER_WEIGHTS
from universal_memory.space.semantic_space import WEIGHTS as SPACE_WEIGHTS
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.weights import digest, save_weights


@pytest.fixture
def graph() -> Iterator[Graph]:
    """A running graph, closed after the test."""
    made = Graph()
    yield made
    made.close()


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder of random weights: everything works, nothing is understood."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models")
    encoder = UniversalEncoder()
    tower = TextTower()
    reader = SlotReader(tower.codes.codes, encoder.seating)
    save_weights(folder / SPACE_WEIGHTS, encoder, {"space_id": "untrained/1"})
    save_weights(folder / READER_WEIGHTS, reader, {"space_id": "untrained/1"})
    # Every memory is relevant to every question.
    card = {"space_id": "untrained/1", "slope": 1.0, "rivalry": 0.0, "offset": 20.0}
    questions = QuestionEncoder()
    save_weights(folder / ROUTER_WEIGHTS, questions, {"space_id": "untrained/1"})
    reranker = Reranker(questions.pieces)
    save_weights(folder / RERANKER_WEIGHTS, reranker, {**card, "router": digest(questions)})
    passports = PassportEncoder(reader, questions.pieces)
    save_weights(folder / PASSPORT_WEIGHTS, passports, {"space_id": "untrained/1"})
    pointer = Pointer(tower.words)
    save_weights(folder / POINTER_WEIGHTS, pointer, {"space_id": "untrained/1"})
    return folder
