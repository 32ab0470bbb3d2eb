"""Training batches: memories, questions, and which memories each question is answered from."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from universal_memory.rendering.piece_tokens import NONE, spoken
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.text_tower import TextTower, WrittenTexts
from universal_memory.training.binding import Bonds, bonds_of
from universal_memory.training.corpora import EpisodeGenerator, EpisodeSample

MAX_TOKENS = 72
SAID_TOKENS = 63  # of them, of question and answer; a longer template makes room for itself
RECITE = "Recall."
RECITED_TOKENS = 32


@dataclass(frozen=True)
class QuestionSample:
    """One question with its answer, about one of the batch's memories.

    `recited`: the answer is the memory's whole text (its first tokens). A dense signal on the order
    of words, which short answers give little of. `second`: another memory that the answer needs.
    """

    memory: int
    question: str
    answer: str
    recited: bool = False
    second: int | None = None


class Speller:
    """How a language model writes a text piece by piece, a space before it (`piece_tokens`)."""

    def __init__(self, tower: TextTower, tokens: Tensor) -> None:
        self.tower, self.tokens = tower, tokens.cpu()

    def __call__(self, text: str) -> list[int]:
        """Token ids of `text`; what cannot be said is left out."""
        pieces, flags = self.tower.written(text)
        tokens = spoken(self.tokens, pieces, flags[:, 1:] > 0)
        return [int(token) for token in tokens.flatten() if token != NONE]


@dataclass(frozen=True)
class Batch:
    """`texts`: one a memory, `written` in word pieces. `ids` int64 [questions, time], `lengths` of
    them used, padded on the right. (`rows`, `positions`): where the next token is `targets`;
    `recited`: of a recital. `gates` float32 [questions, memories]. `bonds`: what belongs together
    in the texts, where that is known.
    """

    texts: list[str]
    written: WrittenTexts
    questions: list[QuestionSample]
    ids: Tensor
    lengths: Tensor
    rows: Tensor
    positions: Tensor
    targets: Tensor
    recited: Tensor
    gates: Tensor
    bonds: Bonds | None = None


@dataclass(frozen=True)
class BatchShape:
    """What a batch is made of.

    `memories`: number of memory files. `questions`: at most so many a memory, about other facts.
    `composition`: share of questions that are asked with 1-4 other files beside the right one.
    `groups`: share of memories that come in near-duplicate groups of four, `couples`: in twos, of
    one person, about whom a question needs both. `recitals`: so many memories are recited.
    """

    memories: int = 16
    questions: int = 2
    composition: float = 0.35
    groups: float = 0.25
    couples: float = 0.12
    recitals: int = 0
    fact_counts: tuple[float, ...] = (0.55, 0.13, 0.14, 0.08, 0.05, 0.05)


def make_batch(
    generator: EpisodeGenerator,
    shape: BatchShape,
    language_model: LanguageModel,
    speller: Speller,
    rng: random.Random,
) -> Batch:
    """A batch of fresh episodes."""
    episodes: list[EpisodeSample] = []
    group_of: list[int] = []
    questions: list[QuestionSample] = []
    while len(episodes) < shape.memories:
        group = len(episodes)
        room = shape.memories - len(episodes)
        kind = rng.random()
        if room >= 4 and kind < shape.groups / 2:
            new = generator.group(4)
        elif room >= 2 and kind > 1 - shape.couples / 2:
            *new, both = generator.couple()
            questions.append(QuestionSample(group, both.text, both.answers[0], second=group + 1))
        else:
            counts = range(1, len(shape.fact_counts) + 1)
            new = [generator.episode(rng.choices(counts, shape.fact_counts)[0])]
        episodes += new
        group_of += [group] * len(new)
    questions += [
        QuestionSample(memory, question.text, question.answers[0])
        for memory, episode in enumerate(episodes)
        for fact in rng.sample(episode.facts, min(shape.questions, len(episode.facts)))
        for question in [rng.choice(fact.questions)]
    ]
    for memory in rng.sample(range(len(episodes)), min(shape.recitals, len(episodes))):
        questions.append(QuestionSample(memory, RECITE, episodes[memory].text, recited=True))
    gates = torch.zeros(len(questions), len(episodes))
    for row, sample in enumerate(questions):
        gates[row, sample.memory] = 1.0
        if sample.second is not None:
            gates[row, sample.second] = 1.0
        elif not sample.recited and rng.random() < shape.composition:
            gates[row, _distractors(sample.memory, group_of, rng)] = 1.0
    texts = [episode.text for episode in episodes]
    batch = collate(texts, questions, gates, language_model, speller)
    return replace(batch, bonds=bonds_of(episodes, speller.tower))


def collate(
    texts: list[str],
    questions: Sequence[QuestionSample],
    gates: Tensor,
    language_model: LanguageModel,
    speller: Speller,
) -> Batch:
    """Token tensors of `questions`; those that are too long are left out."""
    most = max(MAX_TOKENS, sum(language_model.template_tokens) + SAID_TOKENS)
    kept: list[int] = []
    sequences: list[list[int]] = []
    rows: list[int] = []
    positions: list[int] = []
    targets: list[int] = []
    recited: list[bool] = []
    for index, sample in enumerate(questions):
        prompt = language_model.prompt_ids(sample.question)
        answer = [*speller(sample.answer), language_model.end_id]
        if sample.recited:
            answer = answer[:RECITED_TOKENS]
        if len(prompt) + len(answer) > most:
            continue
        row = len(kept)
        kept.append(index)
        sequences.append(prompt + answer[:-1])
        rows += [row] * len(answer)
        positions += range(len(prompt) - 1, len(prompt) - 1 + len(answer))
        targets += answer
        recited += [sample.recited] * len(answer)
    if not kept:
        raise ValueError(f"every question is longer than {most} tokens: nothing to train on")
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(kept), longest), language_model.end_id)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
    return Batch(
        texts=texts,
        written=speller.tower.write(texts),
        questions=[questions[index] for index in kept],
        ids=ids,
        lengths=torch.tensor([len(sequence) for sequence in sequences]),
        rows=torch.tensor(rows),
        positions=torch.tensor(positions),
        targets=torch.tensor(targets),
        recited=torch.tensor(recited),
        gates=gates[kept],
    )


def _distractors(memory: int, group_of: Sequence[int], rng: random.Random) -> list[int]:
    """One to four other memories, near-duplicates of the right one where there are any."""
    twins = [i for i, g in enumerate(group_of) if g == group_of[memory] and i != memory]
    others = [i for i, g in enumerate(group_of) if g != group_of[memory]]
    count = rng.randint(1, 4)
    chosen = twins[:count] if twins and rng.random() < 0.7 else []
    return chosen + rng.sample(others, min(len(others), count - len(chosen)))
