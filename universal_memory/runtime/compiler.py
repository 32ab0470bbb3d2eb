"""The Compiler: from the rolling buffer to memory files, exactly once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.episode import MAX_EVENTS, OVERSIZE, Episode, EpisodeCutter
from universal_memory.experience.surprise import NoveltyFilter
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.record import Provenance
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.passport import PassportEncoder
from universal_memory.runtime.succession import Succession
from universal_memory.runtime.surprise import SurpriseMeter
from universal_memory.space.semantic_space import SemanticSpace


@dataclass(frozen=True)
class CompiledMemory:
    """A memory file that was just written. `events`: how many it was compiled from."""

    id: str
    counter: int
    events: int
    provenance: Provenance


@dataclass
class CompileReport:
    """What one compilation did.

    `dropped`: events without news; `unsurprising`: those of them that are no repeats, but too well
    known for the surprise budget; `events`: all that were settled; `oversize`: episodes of one
    event that is longer than an episode should be, of which the end may not be read.
    """

    memories: list[CompiledMemory] = field(default_factory=list)
    dropped: int = 0
    events: int = 0
    oversize: int = 0
    unsurprising: int = 0


class Compiler:
    """Compiles pending events of a buffer into files of a store.

    Safe to kill, and to fail, at any point: the buffer's claims are settled before every
    compilation, and a file that no report has named yet is in the next one. `surprise` chooses the
    episodes that are remembered; None: all. The others are settled last: what is cut short may
    remember more, never less. `succession` marks what new files supersede.
    """

    def __init__(
        self,
        space: SemanticSpace,
        passport_encoder: PassportEncoder,
        store: MemoryStore,
        buffer: RollingBuffer,
        cutter: EpisodeCutter | None = None,
        keep_text: bool = True,
        surprise: SurpriseMeter | None = None,
        succession: Succession | None = None,
    ) -> None:
        self.space, self.passport_encoder = space, passport_encoder
        self.store, self.buffer = store, buffer
        self.cutter = cutter or EpisodeCutter(count=space.tower.count)
        self.novelty = NoveltyFilter()
        self.keep_text, self.surprise = keep_text, surprise
        self.succession = succession
        self._unreported: list[CompiledMemory] = []
        self._settle()

    @classmethod
    def load(
        cls,
        store: MemoryStore,
        buffer: RollingBuffer,
        gap_seconds: float = 20.0,
        max_word_pieces: int = 64,
        max_events: int = MAX_EVENTS,
        keep_text: bool = True,
        models: Path | None = None,
        surprise: SurpriseMeter | None = None,
        join_references: bool = True,
    ) -> Compiler:
        """A compiler with the trained space and passports of the models folder."""
        space = SemanticSpace.load(models)
        cutter = EpisodeCutter(
            gap_seconds, max_word_pieces, space.tower.count, max_events, join_references
        )
        passports = PassportEncoder.load(space, models)
        succession = Succession.load(space, store, models=models)
        return cls(space, passports, store, buffer, cutter, keep_text, surprise, succession)

    def compile(self, now: int, flush: bool = False) -> CompileReport:
        """Compile every episode that is complete at `now` (nanoseconds); all of them if `flush`."""
        self._settle()
        kept, dropped = self.novelty.select(self.buffer.pending())
        self.buffer.mark_compiled([row.sequence for row in dropped], None)
        episodes, growing = self.cutter.cut(kept, now)
        if flush:
            episodes += growing
        kept_episodes, left_out = self._by_surprise(episodes)
        for episode in kept_episodes:
            self._unreported.append(self._compile(episode, now))
        unsurprising = self._leave_out(left_out)
        memories, self._unreported = self._unreported, []
        away = len(dropped) + unsurprising
        events = away + sum(memory.events for memory in memories)
        oversize = sum(OVERSIZE in episode.flags for episode in episodes)
        return CompileReport(memories, away, events, oversize, unsurprising)

    def _by_surprise(self, episodes: list[Episode]) -> tuple[list[Episode], list[Episode]]:
        """The episodes that are remembered, and those that are not."""
        if self.surprise is None:
            return episodes, []
        return self.surprise.select(episodes)

    def _leave_out(self, episodes: list[Episode]) -> int:
        """Settle what is not remembered; the number of its events."""
        for episode in episodes:
            self.buffer.mark_compiled(episode.sequences, None)
        if self.surprise is not None:
            self.surprise.settle()
        return sum(len(episode.events) for episode in episodes)

    def _settle(self) -> None:
        """Finish what a crash or a full disk left between the claim and the mark.

        The events of memories that were forgotten go too: their words are still in the buffer.
        """
        if self.succession is not None:
            self.succession.synchronise()
        finished = self.buffer.recover(lambda memory_id: memory_id in self.store)
        if self.succession is not None:
            self.succession.mark(list(finished))
        for memory_id, rows in finished.items():
            record = self.store.record(memory_id)
            if record is not None:
                self._unreported.append(
                    CompiledMemory(memory_id, record.counter, len(rows), record.provenance)
                )
        for memory_id in self.buffer.compiled_ids():
            if memory_id not in self.store:
                self.buffer.forget(memory_id)

    def _compile(self, episode: Episode, now: int) -> CompiledMemory:
        # One at a time: padding in a batch moves the last bits, and with them the id.
        usv = self.space.encode([episode.text])
        file = MemoryFile.create(
            usv[0],
            self.passport_encoder.passports(usv)[0],
            self.space.space_id,
            self.store.next_counter(),
            slot_norm_bounds=self.space.slot_norm_bounds,
        )
        provenance = self._provenance(episode, now)
        self.buffer.claim(episode.sequences, file.id)
        self.store.add(file, provenance)
        if self.succession is not None:
            self.succession.learn(file)
        self.buffer.mark_compiled(episode.sequences, file.id)
        return CompiledMemory(file.id, file.counter, len(episode.events), provenance)

    def _provenance(self, episode: Episode, now: int) -> Provenance:
        poses = [row.event.pose for row in episode.events if row.event.pose is not None]
        sources = sorted({row.event.source for row in episode.events if row.event.source})
        return Provenance(
            compiled_stamp=now,
            start_stamp=episode.start,
            end_stamp=episode.end,
            streams=episode.streams,
            source=", ".join(sources),
            pose=asdict(poses[0]) if poses else None,
            text=episode.text if self.keep_text else None,
        )
