"""A stretch of a robot's life: half of it matters, half is routine, in an order of its own.

What matters: `news`, facts about what nothing is known of yet, asked for later; and `changed`, what
was known and is otherwise now. Routine: `again`, what was known before, in other words; `echo`,
news of this very stretch, in other words; `polled`, the same readings of the robot's own state with
other numbers. In a `trivial` stretch routine is `unasked` instead: facts as new as the news, of the
same kinds, that nobody ever asks for. No prediction error can tell them from news.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random

from universal_memory.benchmarks.recall import askable_families
from universal_memory.experience.buffered_event import BufferedEvent
from universal_memory.experience.clock import SECOND
from universal_memory.experience.episode import Episode
from universal_memory.experience.event import Event, Modality
from universal_memory.training.corpora import EpisodeGenerator, Fact, SubjectRegister
from universal_memory.training.corpora.evaluation import stream_of
from universal_memory.training.corpora.families import FAMILIES
from universal_memory.training.corpora.updating import thing_of, updates
from universal_memory.training.corpora.vocabulary import content_words

NEWS, CHANGED, AGAIN, ECHO, POLLED, UNASKED = (
    "news", "changed", "again", "echo", "polled", "unasked",
)  # fmt: skip
IMPORTANT = (NEWS, CHANGED)
ROUTINE, TRIVIAL = "routine", "trivial"
PAUSE = (5.0, 40.0)  # seconds between events
TRIES = 40  # facts drawn for each that is wanted
# What a robot reports of itself all day, first as it is known, then with other numbers.
POLLS = (
    "Tool battery_state() returned percent={}, charging=false.",
    "Tool localise() returned x={}.1, y=2.4, quality=good.",
    "Tool disk_usage() returned used={} GB, free=41 GB.",
    "Tool dock_state() returned docked=true, minutes={}.",
    "Camera sees: sofa, table and lamp, {} cm away.",
)


@dataclass(frozen=True)
class Moment:
    """One event of the stretch. `fact`: what is asked for later, of news."""

    kind: str
    text: str
    fact: Fact | None = None


@dataclass(frozen=True)
class Stretch:
    """`known`: texts of the files there are already. `moments`: what comes then, in order."""

    known: tuple[str, ...]
    moments: tuple[Moment, ...]

    def episodes(self, seed: int) -> list[Episode]:
        """The moments as episodes of one event, with pauses between them."""
        random = Random(f"{seed} pauses")
        clock, found = 0.0, []
        for number, moment in enumerate(self.moments):
            clock += random.uniform(*PAUSE)
            stream = stream_of(moment.text)
            event = Event(int(clock * SECOND), stream, Modality.TEXT, (), moment.text)
            found.append(Episode((BufferedEvent(number, 0, event),)))
        return found


def stretch(news: int, split: str, seed: int, kind: str = ROUTINE, run: int = 1) -> Stretch:
    """A stretch with `news` facts to ask for, a fifth as many changes, and as much routine.

    `run`: how many moments that matter come in a row. Raises ValueError where the split has too
    few different facts, and for an unknown kind.
    """
    changes = max(1, news // 5)
    half = news + changes
    again, echoes = (2 * half // 5, half // 5) if kind == ROUTINE else (0, 0)
    if kind not in (ROUTINE, TRIVIAL):
        raise ValueError(f"unknown stream {kind!r}: use {ROUTINE} or {TRIVIAL}")
    unasked = half if kind == TRIVIAL else 0
    random = Random(f"{seed} stretch")
    triples = list(islice(_triples(split, seed), news + changes + again + unasked))
    if len(triples) < news + changes + again + unasked:
        raise ValueError(f"split {split} has no {len(triples) + 1} such facts: ask for less news")
    fresh, old = triples[:news], triples[news : news + changes + again]
    other = triples[news + changes + again :]
    known = [first.statement for first, _, _ in old]
    important = [Moment(NEWS, first.statement, first) for first, _, _ in fresh]
    important += [Moment(CHANGED, changed.statement) for _, _, changed in old[:changes]]
    rest = [Moment(AGAIN, repeated.statement) for _, repeated, _ in old[changes:]]
    rest += [Moment(UNASKED, first.statement) for first, _, _ in other]
    if kind == ROUTINE:
        known += [poll.format(97 - number) for number, poll in enumerate(POLLS)]
        polled = islice(cycle(POLLS), half - again - echoes)
        rest += [Moment(POLLED, poll.format(90 - 2 * n)) for n, poll in enumerate(polled)]
    random.shuffle(important)
    random.shuffle(rest)
    # The first news are said again in the end.
    said_again = {first.statement: repeated.statement for first, repeated, _ in fresh}
    first_news = [moment.text for moment in important if moment.kind == NEWS][:echoes]
    rest += [Moment(ECHO, said_again[text]) for text in first_news]
    return Stretch(tuple(known), tuple(_in_turn(important, rest, run)))


def _in_turn(important: Sequence[Moment], rest: Sequence[Moment], run: int) -> Iterator[Moment]:
    """Both in turn, `run` of each at a time."""
    for start in range(0, max(len(important), len(rest)), run):
        yield from important[start : start + run]
        yield from rest[start : start + run]


def _triples(split: str, seed: int) -> Iterator[tuple[Fact, Fact, Fact]]:
    """Facts, the same in other words, and said otherwise; no two about the same."""
    names = [name for name in askable_families(split) if updates(name)]
    generator = EpisodeGenerator(seed, split, families=names)
    register = SubjectRegister()
    refused = 0
    while refused < TRIES:
        first, again, changed = (one.facts[0] for one in generator.update())
        if again.statement == first.statement:
            continue  # a repeat: dropped before it is compared with anything
        topic = FAMILIES[thing_of(first.family)].topic or thing_of(first.family)
        subject = frozenset(word for name in first.subject for word in content_words(name))
        if register.admits(topic, subject):
            register.add(topic, subject)
            refused = 0
            yield first, again, changed
        else:
            refused += 1
