"""Evaluation files: episodes with questions, one JSON object a line, and their compilation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.event import Event, Modality
from universal_memory.runtime.compiler import Compiler
from universal_memory.runtime.speaker import bind_speaker

SECOND = 10**9
PAUSE = 7200.0  # between episodes [s]: longer than any novelty window or episode gap


class DatasetError(ValueError):
    """A line of an evaluation file that cannot be used; the message names it and the remedy."""


@dataclass(frozen=True)
class AskedQuestion:
    """A question about episode number `episode`, with its accepted answers.

    `speaker`: who asks it, blank if nobody says. `labels`: what else the file says of it.
    """

    episode: int
    text: str
    answers: tuple[str, ...]
    speaker: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def bound(self) -> str:
        """The question with its first person bound to the speaker."""
        return bind_speaker(self.text, self.speaker)


@dataclass(frozen=True)
class EvaluationEpisode:
    """What was experienced: (seconds, stream, text) of every event."""

    id: str
    events: tuple[tuple[float, str, str], ...]

    @property
    def text(self) -> str:
        """The episode as one text, for the reading baselines."""
        return " ".join(text for _, _, text in self.events)


@dataclass(frozen=True)
class Dataset:
    """All episodes of a file and all questions about them."""

    episodes: tuple[EvaluationEpisode, ...]
    questions: tuple[AskedQuestion, ...]


def load_dataset(path: Path) -> Dataset:
    """Read an evaluation file. Raises DatasetError with the line's number."""
    episodes: list[EvaluationEpisode] = []
    questions: list[AskedQuestion] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read {path}: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            events = tuple(
                (float(event["t"]), str(event["stream"]), str(event["text"]))
                for event in row["experience"]
            )
            asked = [_question(len(episodes), dict(entry)) for entry in row["questions"]]
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"line {number} of {path}: {error!r}; each line needs id, experience"
                " [{t, stream, text}] and questions [{q, answers}]"
            ) from error
        if not any(text.strip() for _, _, text in events):
            raise DatasetError(f"line {number} of {path} has no experience with text")
        episodes.append(EvaluationEpisode(str(row.get("id", number)), events))
        questions += asked
    if not questions:
        raise DatasetError(f"{path} asks nothing: give at least one line with questions")
    return Dataset(tuple(episodes), tuple(questions))


def _question(episode: int, entry: dict[str, Any]) -> AskedQuestion:
    text, answers = str(entry.pop("q")), tuple(map(str, entry.pop("answers")))
    speaker = str(entry.pop("speaker", ""))
    labels = {str(name): str(value) for name, value in entry.items()}
    return AskedQuestion(episode, text, answers, speaker, labels)


def compile_dataset(dataset: Dataset, compiler: Compiler, buffer: RollingBuffer) -> list[list[str]]:
    """Compile all episodes the way a robot does; the file ids of each episode."""
    starts: list[int] = []
    clock = 0.0
    for episode in dataset.episodes:
        times = [time for time, _, _ in episode.events]
        starts.append(int(clock * SECOND))
        for time, stream, text in sorted(episode.events):
            stamp = int((clock + time - min(times)) * SECOND)
            buffer.append(Event(stamp, stream, _modality(stream), (), text, source=episode.id))
        clock += max(times) - min(times) + PAUSE
    report = compiler.compile(int(clock * SECOND), flush=True)
    files: list[list[str]] = [[] for _ in starts]
    for memory in report.memories:
        place = sum(start <= memory.provenance.start_stamp for start in starts) - 1
        files[place].append(memory.id)
    return files


def _modality(stream: str) -> str:
    kind: Any = stream.split("/")[0]
    return kind if kind in Modality.ALL else Modality.TEXT
