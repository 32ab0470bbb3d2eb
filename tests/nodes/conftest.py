"""Fixtures of the node tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ros_graph import Graph


@pytest.fixture
def graph() -> Iterator[Graph]:
    """A running graph, closed after the test."""
    made = Graph()
    yield made
    made.close()
