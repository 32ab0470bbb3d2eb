"""What was asked about already in a set of episodes."""

from __future__ import annotations


class SubjectRegister:
    """Remembers what was asked about, so that no second fact makes a question ambiguous."""

    def __init__(self) -> None:
        self._taken: dict[str, list[frozenset[str]]] = {}

    def admits(self, topic: str, subject: frozenset[str]) -> bool:
        """False when a known subject of the topic contains this one or is contained in it."""
        return not any(subject <= other or other <= subject for other in self._taken.get(topic, ()))

    def add(self, topic: str, subject: frozenset[str]) -> None:
        """Takes a subject."""
        self._taken.setdefault(topic, []).append(subject)
