"""Are passports functional: do memories that lie near each other do the same?

What a file does is measured, not read: the gain in log-probability of every answer, asked with its
adapter on against without. Two files behave alike if their gains over all questions correlate. The
baseline is the cosine of MiniLM's text embeddings, which knows what a text is about. Half of the
files are near-duplicates in groups; the others are single facts of longer episodes, some about one
person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from universal_memory.benchmarks.recall import Advance, fresh_answerer
from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.rendering.fusion import fuse
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.training.batches import Speller
from universal_memory.training.corpora import EpisodeGenerator, Fact

SEED = 20261125
GROUP = 4
FACTS = 3  # of the episodes that are taken apart
ASKED_AT_ONCE = 16


def passports(model: str, files: int, advance: Advance, split: str = "held_out") -> dict[str, Any]:
    """How nearness goes with behaviour, for passports and for text embeddings."""
    facts = probe_facts(files, split)
    with fresh_answerer(model) as answerer:
        usvs = answerer.space.encode([fact.statement for fact in facts])
        spell = Speller(answerer.space.tower, answerer.renderer.tokens)
        gained = gains(answerer, usvs, facts, spell, advance)
        given = answerer.passport_encoder.passports(usvs)
        asked = [fact.questions[0].text for fact in facts]
        routed = answerer.router.route(asked)
        texts = _embedded(answerer, [fact.statement for fact in facts])
        questions = _embedded(answerer, asked)
    return {
        "files": len(facts),
        "questions": len(facts),
        "seed": SEED,
        "split": split,
        "gain": {
            "own": float(np.diag(gained).mean()),
            "other": float(gained[~np.eye(len(facts), dtype=bool)].mean()),
        },
        "agreement": agreement(
            gained,
            {"passports": given @ given.T, "text": texts @ texts.T},
            {"passports": given @ routed.T, "text": texts @ questions.T},
        ),
    }


def agreement(
    gained: NDArray[np.float64],
    near: dict[str, NDArray[np.float32]],
    meets: dict[str, NDArray[np.float32]],
) -> dict[str, dict[str, float]]:
    """How cosines go with gains [files, questions], by the name of what was compared.

    `near` [files, files], `meets` [files, questions]: cosines of passports and of texts. Over all
    pairs, rank correlations weigh files that are beside the question as much as the one that
    helps; the others see mostly that one.
    """
    pairs = np.triu_indices(len(gained), 1)
    alike = np.asarray(np.corrcoef(gained))[pairs]  # of the files' gains over all questions
    columns = range(gained.shape[1])

    def over_questions(
        measure: Callable[[NDArray[Any], NDArray[Any]], float], cosine: NDArray[np.float32]
    ) -> float:
        return float(np.mean([measure(cosine[:, one], gained[:, one]) for one in columns]))

    return {
        "two files: Spearman, cosine and likeness of gains": {
            name: spearman(cosine[pairs], alike) for name, cosine in near.items()
        },
        "question and file: Spearman, all pairs": {
            name: spearman(cosine.ravel(), gained.ravel()) for name, cosine in meets.items()
        },
        "question and file: Spearman, mean over questions": {
            name: over_questions(spearman, cosine) for name, cosine in meets.items()
        },
        "question and file: Pearson, mean over questions": {
            name: over_questions(pearson, cosine) for name, cosine in meets.items()
        },
        "nearest file is the one that gains most": {
            name: float((cosine.argmax(0) == gained.argmax(0)).mean())
            for name, cosine in meets.items()
        },
    }


def probe_facts(files: int, split: str) -> list[Fact]:
    """One fact a file: half of them in groups of near-duplicates."""
    generator = EpisodeGenerator(SEED, split)
    found: dict[str, Fact] = {}
    while len(found) < files:
        if len(found) < files / 2:
            facts = [episode.facts[0] for episode in generator.group(GROUP)]
        else:
            facts = list(generator.episode(FACTS).facts)
        found.update({fact.statement: fact for fact in facts})
    return list(found.values())[:files]


@torch.inference_mode()
def gains(
    answerer: Answerer,
    usvs: NDArray[np.float32],
    facts: Sequence[Fact],
    spell: Callable[[str], list[int]],
    advance: Advance,
) -> NDArray[np.float64]:
    """Gain in log-probability of every answer through every file: [files, questions].

    Against the manner of answering alone, which belongs to the renderer and to no memory. `spell`:
    tokens of an answer as the renderer says it.
    """
    model = answerer.language_model
    manner = answerer.renderer.manner()
    without = _log_probabilities(model, facts, spell, manner)
    rows = []
    for number, usv in enumerate(usvs):
        adapter = fuse([manner, answerer.renderer.render(torch.from_numpy(usv))])
        rows.append(_log_probabilities(model, facts, spell, adapter) - without)
        advance("behaviour", number + 1, len(usvs))
    return np.stack(rows)


def _log_probabilities(
    model: LanguageModel, facts: Sequence[Fact], spell: Callable[[str], list[int]], adapter: Adapter
) -> NDArray[np.float64]:
    """Of the canonical answer to the first wording of every fact: [facts]."""
    found: list[float] = []
    with attach(model.model, model.architecture, adapter):
        for start in range(0, len(facts), ASKED_AT_ONCE):
            part = [fact.questions[0] for fact in facts[start : start + ASKED_AT_ONCE]]
            prompts = [model.prompt_ids(question.text) for question in part]
            answers = [[*spell(question.answers[0]), model.end_id] for question in part]
            found += _answered(model, prompts, answers).tolist()
    return np.array(found)


def _answered(model: LanguageModel, prompts: list[list[int]], answers: list[list[int]]) -> Tensor:
    whole = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    longest = max(map(len, whole))
    ids = torch.tensor([row + [model.end_id] * (longest - len(row)) for row in whole])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in whole])
    logits = model.model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
    said = F.log_softmax(logits, dim=-1).gather(2, ids[:, 1:].unsqueeze(-1)).squeeze(-1)
    place = torch.arange(1, longest)
    starts = torch.tensor([len(prompt) for prompt in prompts]).unsqueeze(1)
    ends = torch.tensor([len(row) for row in whole]).unsqueeze(1)
    return (said * ((place >= starts) & (place < ends))).sum(1)


def _embedded(answerer: Answerer, texts: Sequence[str]) -> NDArray[np.float32]:
    pooled = answerer.space.tower(list(texts)).pooled()
    return np.asarray(F.normalize(pooled, dim=-1).cpu().numpy())


def pearson(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Correlation of two rows of numbers."""
    return float(np.corrcoef(one, other)[0, 1])


def spearman(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Rank correlation of two rows of numbers."""
    first, second = (np.argsort(np.argsort(row, kind="stable")) for row in (one, other))
    return pearson(first, second)
