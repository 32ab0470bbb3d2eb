"""
`audio_ingest`: what is said near a microphone becomes events, one per utterance.

    audio (AudioChunk, or either audio_common_msgs) ──> experience (ExperienceEvent)

Silence and noise give no event. Chunks that wait are bounded by `queue_size`: back-pressure shows
as "waiting" in `/diagnostics`, then as "dropped". A lost chunk costs a syllable, not the utterance.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from universal_memory.experience.event import Event
from universal_memory.experience.tokenizers.audio import AudioTokenizer
from universal_memory.experience.tokenizers.speech import Whisper
from universal_memory.experience.tokenizers.voice_activity import UtteranceCutter, VoiceActivity
from universal_memory.nodes.audio_formats import reader
from universal_memory.nodes.ingest import IngestNode, common_rows
from universal_memory.nodes.parameters import Parameters, Row
from universal_memory.nodes.qos import SOUND
from universal_memory.nodes.spin import run

PARAMETERS = (
    *common_rows("audio"),
    Row("audio_type", "chunk", "Message type of topic audio.", choices=("chunk", "audio_common"),
        fixed=True),
    Row("sample_rate", 16_000, "Rate of messages that do not say it [Hz].", 4_000, 384_000,
        fixed=True),
    Row("channels", 1, "Channels of messages that do not say it.", 1, 64, fixed=True),
    Row("model", "", "Folder of a CTranslate2 Whisper model; empty: the packaged Whisper-tiny.",
        fixed=True),
    Row("language", "en", "Language spoken, as Whisper names it.", fixed=True),
    Row("threads", 1, "CPU threads of Whisper.", 1, 64, fixed=True),
    Row("vad", True, "Cut at voice activity; false: transcribe everything in pieces of "
        "max_utterance_seconds.", fixed=True),
    Row("silence_seconds", 0.6, "Silence that ends an utterance [s].", 0.1, 5.0, fixed=True),
    Row("max_utterance_seconds", 15.0, "An utterance is cut at this length [s].", 1.0, 30.0,
        fixed=True),
    Row("idle_seconds", 2.0, "Without a chunk for this long, the utterance is over [s, wall time].",
        0.2, 60.0, fixed=True),
    Row("queue_size", 2000, "Chunks that may wait; further ones are refused and counted.", 1,
        100_000, fixed=True),
)


class AudioIngest(IngestNode):
    """Turns sound into events, in order."""

    def __init__(self, tokenizer: AudioTokenizer | None = None, **options: Any) -> None:
        """Load voice activity and Whisper (unless a tokenizer is given) and subscribe."""
        super().__init__("audio_ingest", PARAMETERS, **options)
        values = self.parameters
        kind, self._read = reader(values["audio_type"], values["sample_rate"], values["channels"])
        self._tokenizer = tokenizer or make_tokenizer(values)
        self._frame_id = ""
        self._open = False
        self._chunks = self.start(
            self._hear,
            values["queue_size"],
            newest_wins=False,
            idle=self._silence,
            idle_seconds=values["idle_seconds"],
        )
        self.create_subscription(kind, "audio", self._receive, SOUND)

    def values(self) -> dict[str, object]:
        """Return the counters, and how many utterances were not believed, by reason."""
        refused = dict(self._tokenizer.counts)
        return {**super().values(), **{f"utterances {why}": n for why, n in refused.items()}}

    def _receive(self, message: Any) -> None:
        self._chunks.offer((message, self.stamp(message.header)))

    def _hear(self, item: tuple[Any, int]) -> None:
        message, stamp = item
        sound = self._read(message)
        self._frame_id = message.header.frame_id
        self._open = True
        self._publish(
            self._tokenizer.push(sound.samples, sound.rate, sound.channels, stamp, sound.speaker)
        )

    def _silence(self) -> None:
        if self._open:
            self._open = False
            self._publish(self._tokenizer.flush())

    def _publish(self, events: list[Event]) -> None:
        for event in events:
            self.publish_event(event, self._frame_id)


def make_tokenizer(values: Parameters) -> AudioTokenizer:
    """Return the tokenizer that the parameters describe. Raises FileNotFoundError."""
    folder = Path(values["model"]).expanduser() if values["model"] else None
    whisper = Whisper(folder, values["language"], values["threads"])
    bounds = {
        "silence_seconds": values["silence_seconds"],
        "max_seconds": values["max_utterance_seconds"],
    }
    if values["vad"]:
        activity = VoiceActivity()
        cutter = UtteranceCutter(activity, activity.reset, **bounds)
    else:
        cutter = UtteranceCutter(lambda window: 1.0, **bounds)
    return AudioTokenizer(values["stream"], whisper, cutter)


def main() -> int:
    """Run the node until it is told to stop."""
    return run(AudioIngest)


if __name__ == "__main__":
    sys.exit(main())
