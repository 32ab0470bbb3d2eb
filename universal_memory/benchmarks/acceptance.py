"""The acceptance test of a renderer: does its model know from files alone, and only from them?

Twenty-four fixed facts (`acceptance.json`, drawn once by `training.corpora`: twelve of trained
words, twelve of held-out words), each in a file of its own. Every question is asked once with its
own file on, at gate 1, and once with the next one's (`shuffled`); nothing is routed. Answers are
greedy and free; exact after SQuAD normalisation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from universal_memory.benchmarks.recall import Case, ask, exact_match
from universal_memory.rendering.fusion import fuse
from universal_memory.rendering.renderer import Renderer
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.semantic_space import SemanticSpace

FACTS = Path(__file__).with_name("acceptance.json")
LEAST_ORACLE, MOST_SHUFFLED = 0.6, 0.05
MAX_TOKENS = 16
BATCH = 8

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class StoredFact:
    """A text that becomes a file, a question about it, the accepted answers."""

    text: str
    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Acceptance:
    """Exact match with the own file on (`oracle`) and with another's (`shuffled`), 0 to 1."""

    questions: int
    oracle: float
    shuffled: float

    @property
    def accepted(self) -> bool:
        """Whether both thresholds are kept."""
        return self.oracle >= LEAST_ORACLE and self.shuffled <= MOST_SHUFFLED

    @property
    def verdict(self) -> str:
        """The figures beside their thresholds, in words."""
        return (
            f"{'accepted' if self.accepted else 'NOT accepted'}: of {self.questions} questions"
            f" {self.oracle:.2f} right from their own file (at least {LEAST_ORACLE:g} wanted),"
            f" {self.shuffled:.2f} from another one (at most {MOST_SHUFFLED:g})"
        )

    def as_dict(self) -> dict[str, Any]:
        """The figures beside their thresholds."""
        return asdict(self) | {"least_oracle": LEAST_ORACLE, "most_shuffled": MOST_SHUFFLED}


def stored_facts() -> list[StoredFact]:
    """The facts of the test."""
    rows = json.loads(FACTS.read_text(encoding="utf-8"))
    return [StoredFact(row["text"], row["question"], tuple(row["answers"])) for row in rows]


def acceptance(
    language_model: LanguageModel,
    renderer: Renderer,
    space: SemanticSpace,
    facts: Sequence[StoredFact] | None = None,
    advance: Advance = lambda mode, done, total: None,
) -> Acceptance:
    """Ask about `facts` (those of the test by default), twice each."""
    facts = stored_facts() if facts is None else facts
    encoded = [torch.from_numpy(space.encode([fact.text])[0]) for fact in facts]
    usvs = [usv.to(language_model.device) for usv in encoded]
    with torch.inference_mode():
        adapters = [fuse([renderer.manner(), renderer.render(usv)]) for usv in usvs]
    shares = {}
    for mode, order in (("oracle", adapters), ("shuffled", [*adapters[1:], adapters[0]])):
        cases = [
            Case(fact.question, (fact.answers,), adapter)
            for fact, adapter in zip(facts, order, strict=True)
        ]
        outcomes = []
        for start in range(0, len(cases), BATCH):
            outcomes += ask(language_model, cases[start : start + BATCH], MAX_TOKENS)
            advance(mode, len(outcomes), len(cases))
        shares[mode] = exact_match(outcomes)
    return Acceptance(len(facts), **shares)
