"""
Sound as events, in the form `Anna said: my tea should be weak`.

Chunks of PCM16 are pushed in as they arrive. They become one 16 kHz stream, voice activity cuts
utterances out of it, Whisper writes them down. An event is stamped at the start of its utterance
and known at its end. Silence and noise give no event; a transcript not to be believed is counted.

Surprising: lost chunks of up to a second are heard as silence, so an utterance survives them; a
longer gap, or a clock that jumps back, ends it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from universal_memory.experience.event import Event, Modality
from universal_memory.experience.tokenizers.pcm import RATE, Resampler, Samples
from universal_memory.experience.tokenizers.speech import Transcript, Whisper
from universal_memory.experience.tokenizers.voice_activity import (
    Utterance,
    UtteranceCutter,
    VoiceActivity,
)

UNKNOWN_SPEAKER = "Someone"
SECOND = 1_000_000_000
JITTER = SECOND // 5
LONGEST_GAP = SECOND


class AudioTokenizer:
    """
    One microphone: push chunks, receive events. Not thread-safe; one instance per stream.

    Transcribing happens inside `push` and takes about a sixth of the utterance's length, so call
    it from a worker. `counts` holds what gave no event, by reason. The models are loaded on
    construction unless others are given. Call `flush` when no chunk has come for a second, as with
    a push-to-talk microphone.
    """

    def __init__(
        self,
        stream: str = "audio",
        transcribe: Callable[[Samples], Transcript] | None = None,
        cutter: UtteranceCutter | None = None,
        source: str = "",
    ) -> None:
        self.stream, self.source = stream, source
        self.counts: Counter[str] = Counter()
        self._transcribe = transcribe or Whisper()
        if cutter is None:
            activity = VoiceActivity()
            cutter = UtteranceCutter(activity, activity.reset)
        self._cutter = cutter
        self._resampler = Resampler()
        self._speaker = ""
        self._origin = 0  # stamp of the cutter's sample 0
        self._expected: int | None = None  # stamp of the next chunk if nothing is lost

    def push(
        self,
        samples: NDArray[np.int16],
        rate: int,
        channels: int,
        stamp: int,
        speaker: str = "",
    ) -> list[Event]:
        """
        Hear interleaved PCM16 whose first sample was taken at `stamp` (nanoseconds).

        Returns the events of the utterances that ended. Raises ValueError for anything else than
        int16 samples at 4-384 kHz that divide into `channels`; the stream goes on undisturbed.
        """
        heard = self._resampler.push(samples, rate, channels)
        events: list[Event] = []
        gap = 0 if self._expected is None else stamp - self._expected
        changed = bool(speaker and self._speaker and speaker != self._speaker)
        if self._expected is None or changed or not -JITTER <= gap <= LONGEST_GAP:
            events += self._end()
        elif gap > JITTER:
            events += self._cut(np.zeros(gap * RATE // SECOND, dtype=np.float32))
        self._expected = stamp + len(samples) // channels * SECOND // rate
        if speaker or not self._cutter.speaking:
            self._speaker = speaker
        self._origin = stamp - self._cutter.position * SECOND // RATE  # clocks drift: ask each time
        return events + self._cut(heard)

    def flush(self) -> list[Event]:
        """End the stream: return the event of the utterance that is going on, if any."""
        events = self._cut(self._resampler.flush()) + self._end()
        self._expected = None
        return events

    def _cut(self, samples: Samples) -> list[Event]:
        return self._events(self._cutter.push(samples))

    def _end(self) -> list[Event]:
        return self._events(self._cutter.flush())

    def _events(self, utterances: list[Utterance]) -> list[Event]:
        events = []
        for utterance in utterances:
            transcript = self._transcribe(utterance.samples)
            if transcript.refused:
                self.counts[transcript.refused] += 1
                continue
            text = f"{self._speaker or UNKNOWN_SPEAKER} said: {transcript.text}"
            events.append(
                Event(
                    stamp=max(0, self._origin + utterance.start * SECOND // RATE),
                    stream=self.stream,
                    modality=Modality.AUDIO,
                    tokens=transcript.tokens,
                    text=text if text[-1] in ".!?" else f"{text}.",
                    speaker=self._speaker,
                    source=self.source,
                )
            )
        return events
