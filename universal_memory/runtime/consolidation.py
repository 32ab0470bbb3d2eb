"""Consolidation, a robot's sleep: related memory files become fewer, in vector space, without text.

Greedily, the longest first: a file is joined by those of about its time that are nearest to it in
time and in what they say (cosine of passports, which weigh shared names most), as long as they have
room in one. Inside a merged memory its parts are in the order of time. Originals are hidden, not
deleted, until that is confirmed (`memory.merged`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.experience.clock import SECOND
from universal_memory.memory.errors import MemoryNotFound
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.record import Provenance, Record
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.passport import PassportEncoder
from universal_memory.space.merging import PLACES, MergeError, SeatMerger, SlotMerger, seats_needed
from universal_memory.space.semantic_space import SemanticSpace

MOST_FILES = 4  # in one: what has room there, if facts are short
LOOKED_AT = 256  # files beside one in time that may join it
NEAR = 3600 * SECOND  # how far apart in time two files are half as near
LEAST = 0.1  # relatedness of files that are merged
READ_AT_ONCE = 256

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Candidate:
    """A file that may be merged: its ledger row, passport, and word pieces of each of its parts."""

    record: Record
    passport: NDArray[np.float32]
    parts: tuple[int, ...]

    @property
    def start(self) -> int:
        """Stamp of the first event, nanoseconds; 0 if unknown."""
        return self.record.provenance.start_stamp


@dataclass
class Plan:
    """What would be merged: groups in the order of time; `left`: files left alone, by reason."""

    groups: list[list[Candidate]] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)

    def leave(self, reason: str, files: int = 1) -> None:
        """Count files that stay as they are."""
        self.left[reason] = self.left.get(reason, 0) + files


class Merger(Protocol):
    """Makes one USV of several, as `SlotMerger` does."""

    def merge(self, usv: NDArray[np.float32]) -> NDArray[np.float32]:
        """One USV [16, 256] of [memories, 16, 256]. Raises MergeError."""


class Consolidator:
    """Merges files of one store."""

    def __init__(
        self,
        store: MemoryStore,
        space: SemanticSpace,
        merger: Merger,
        passports: PassportEncoder,
    ) -> None:
        self.store, self.space, self.merger, self.passports = store, space, merger, passports

    @classmethod
    def load(
        cls, store: MemoryStore, learned: bool = False, models: Path | None = None
    ) -> Consolidator:
        """With the trained space and passports of the models folder.

        `learned`: with the trained merger, too; else pieces mean what they mean by themselves,
        which is recalled as well (docs/decisions.md).

        Raises FileNotFoundError or WeightsError with the remedy.
        """
        space = SemanticSpace.load(models)
        merger: Merger = SlotMerger.load(space, models) if learned else SeatMerger(space)
        return cls(store, space, merger, PassportEncoder.load(space, models))

    def plan(
        self,
        most: int = MOST_FILES,
        imported: bool = False,
        advance: Advance = lambda stage, done, total: None,
    ) -> Plan:
        """Groups of up to `most` related files that have room in one.

        Never of files that were superseded, or that are merged already and not confirmed;
        `imported`: of other robots' files, too. Raises ValueError for fewer than two.
        """
        if most < 2:
            raise ValueError(f"groups of {most} files merge nothing: allow 2 or more")
        plan = Plan()
        waiting = self._candidates(plan, imported, advance)
        waiting.sort(key=lambda one: (one.start, one.record.counter, one.record.id))
        taken: set[int] = set()
        for seed in sorted(range(len(waiting)), key=lambda row: -_seats([waiting[row]])):
            if seed in taken:
                continue
            first = max(0, seed - LOOKED_AT // 2)
            rows = range(first, min(len(waiting), first + LOOKED_AT))
            group = self._group(waiting, seed, [row for row in rows if row not in taken], most)
            taken.update(group)
            if len(group) > 1:
                plan.groups.append([waiting[row] for row in sorted(group)])
            else:
                plan.leave("nothing related has room beside it")
        plan.groups.sort(key=lambda group: group[0].start)
        return plan

    def consolidate(
        self, plan: Plan, advance: Advance = lambda stage, done, total: None
    ) -> list[MemoryFile]:
        """Write the merged files of a plan, one after another; whoever is killed goes on later."""
        written = []
        for number, group in enumerate(plan.groups, 1):
            try:
                written.append(self._merge([one.record for one in group]))
            except MergeError:
                plan.leave("not readable in one file", len(group))
            except MemoryNotFound:
                plan.leave("forgotten meanwhile", len(group))
            advance("merging", number, len(plan.groups))
        return written

    def _merge(self, records: Sequence[Record]) -> MemoryFile:
        usvs = np.stack([self.store.get(record.id).usv for record in records])
        merged = self.merger.merge(usvs)[None]
        file = MemoryFile.create(
            merged[0],
            self.passports.passports(merged)[0],
            self.space.space_id,
            self.store.next_counter(),
            slot_norm_bounds=self.space.slot_norm_bounds,
        )
        self.store.add(file, origin_of(records), [record.id for record in records])
        return file

    def _candidates(self, plan: Plan, imported: bool, advance: Advance) -> list[Candidate]:
        records = {record.id: record for record in self.store.records()}
        merged = {one.id for one in self.store.merged.all()}
        superseded = superseded_ids(self.store)
        ids = self.store.ids()
        able: list[tuple[Record, MemoryFile]] = []
        found: list[Candidate] = []
        for number, memory_id in enumerate(ids, 1):
            record = records.get(memory_id)
            if record is None:
                plan.leave("of unknown origin")
            elif record.provenance.imported and not imported:
                plan.leave("of another robot")
            elif memory_id in superseded:
                plan.leave("superseded")
            elif memory_id in merged:
                plan.leave("merged, not confirmed")
            elif record.space_id != self.space.space_id:
                plan.leave("of another space")
            else:
                try:
                    able.append((record, self.store.get(memory_id)))
                except ValueError:
                    plan.leave("damaged")
            if able and (len(able) == READ_AT_ONCE or number == len(ids)):
                found += self._read(able)
                able = []
                advance("reading", number, len(ids))
        return found

    def _read(self, files: Sequence[tuple[Record, MemoryFile]]) -> list[Candidate]:
        usvs = torch.from_numpy(np.stack([file.usv for _, file in files]))
        parts = self.space.reader(usvs).parts()
        return [
            Candidate(record, file.passport, tuple(map(len, pieces)))
            for (record, file), pieces in zip(files, parts, strict=True)
        ]

    def _group(
        self, waiting: Sequence[Candidate], seed: int, rows: Sequence[int], most: int
    ) -> list[int]:
        """Rows of a group that `seed` begins: each time the one most related to all in it."""
        group = [seed]
        near = related(waiting[seed], [waiting[row] for row in rows])
        while len(group) < most:
            inside = [waiting[row] for row in group]
            able = [
                place
                for place, row in enumerate(rows)
                if row not in group and _seats([*inside, waiting[row]]) <= PLACES
            ]
            if not able:
                break
            best = max(able, key=lambda place: near[place])
            if near[best] < LEAST * len(group):
                break
            group.append(rows[best])
            near = near + related(waiting[rows[best]], [waiting[row] for row in rows])
        return group


def superseded_ids(store: MemoryStore) -> set[str]:
    """Ids of files that a later one contradicts, by the marks of the ledger."""
    return {mark.superseded for mark in store.marks.all()}


def related(one: Candidate, others: Sequence[Candidate]) -> NDArray[np.float32]:
    """How related files are to one: float32 [others], 0 to 2.

    Cosine of passports, and nearness in time: 1 at once, a half at `NEAR`, 0 where it is unknown.
    """
    cosines = np.stack([other.passport for other in others]) @ one.passport
    starts = np.array([other.start for other in others], np.float64)
    nearness = NEAR / (NEAR + np.abs(starts - one.start))
    known = (starts != 0) & (one.start != 0)
    return np.asarray(np.maximum(cosines, 0.0) + nearness * known, np.float32)


def origin_of(records: Sequence[Record]) -> Provenance:
    """Where a merged memory came from: all that its originals came from, in the order of time.

    Its text is known if theirs all is. It was compiled when the last of them was, and is of another
    robot if one of them is.
    """
    origins = [record.provenance for record in records]
    starts = [origin.start_stamp for origin in origins if origin.start_stamp]
    texts = [origin.text for origin in origins if origin.text is not None]
    poses = [origin.pose for origin in origins if origin.pose is not None]
    return Provenance(
        compiled_stamp=max(origin.compiled_stamp for origin in origins),
        start_stamp=min(starts, default=0),
        end_stamp=max(origin.end_stamp for origin in origins),
        streams=tuple(sorted({stream for origin in origins for stream in origin.streams})),
        source=", ".join(sorted({origin.source for origin in origins if origin.source})),
        pose=poses[0] if poses else None,
        text=" ".join(texts) if len(texts) == len(origins) else None,
        imported=any(origin.imported for origin in origins),
    )


def _seats(files: Sequence[Candidate]) -> int:
    return seats_needed([pieces for file in files for pieces in file.parts])
