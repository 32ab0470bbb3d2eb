"""Where somebody speaks: Silero VAD, streaming, and utterances cut at silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from universal_memory.experience.tokenizers.pcm import EMPTY, RATE, Samples
from universal_memory.resources import package_folder

WINDOW = 512  # samples at 16 kHz, as Silero was trained
CONTEXT = 64
SPEECH, SILENCE = 0.5, 0.35  # hysteresis, as in Silero's own iterator


class VoiceActivity:
    """
    Silero VAD v6 (Silero Team 2021), the copy inside faster-whisper, on one thread.

    Call it with consecutive 16 kHz float32 windows of 512 samples; it remembers the past.
    """

    def __init__(self) -> None:
        import onnxruntime

        path = package_folder("faster_whisper", "faster-whisper==1.2.1") / "assets"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            str(path / "silero_vad_v6.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.reset()

    def reset(self) -> None:
        """Forget the past, after a gap in the sound."""
        self._hidden = np.zeros((1, 1, 128), dtype=np.float32)
        self._cell = np.zeros((1, 1, 128), dtype=np.float32)
        self._context = np.zeros(CONTEXT, dtype=np.float32)

    def __call__(self, window: Samples) -> float:
        """Return the probability that this window holds speech."""
        heard = np.concatenate([self._context, window])[np.newaxis]
        output, self._hidden, self._cell = self._session.run(
            None, {"input": heard, "h": self._hidden, "c": self._cell}
        )
        self._context = window[-CONTEXT:]
        return float(np.ravel(output)[0])


@dataclass(frozen=True)
class Utterance:
    """Speech: 16 kHz `samples`, of which the first is number `start` since the last reset."""

    samples: Samples
    start: int


class UtteranceCutter:
    """
    Cuts a 16 kHz stream into utterances: an end is `silence_seconds` without speech, or
    `max_seconds`. Speech shorter than `min_seconds` (a click, a cough) is no utterance.
    `speech` gives the probability of speech of a window and has a `reset()`.
    """

    def __init__(
        self,
        speech: Callable[[Samples], float],
        reset: Callable[[], None] = lambda: None,
        silence_seconds: float = 0.6,
        min_seconds: float = 0.25,
        max_seconds: float = 15.0,
        padding_seconds: float = 0.2,
    ) -> None:
        if not (silence_seconds > 0 and 0 < min_seconds < max_seconds and padding_seconds >= 0):
            raise ValueError(
                f"silence {silence_seconds} s, min {min_seconds} s, max {max_seconds} s, padding"
                f" {padding_seconds} s: all must be positive and min below max"
            )
        self._speech, self._forget = speech, reset
        self._silence = int(silence_seconds * RATE)
        self._min, self._max = int(min_seconds * RATE), int(max_seconds * RATE)
        self._padding = int(padding_seconds * RATE)
        self.reset()

    @property
    def position(self) -> int:
        """Number of samples pushed since the last reset."""
        return self._heard + self._waiting.size

    @property
    def speaking(self) -> bool:
        """Whether an utterance has begun and not ended."""
        return self._first is not None

    def reset(self) -> None:
        """Start a new stream at sample 0; what was not flushed is forgotten."""
        self._forget()
        self._waiting = EMPTY  # shorter than a window
        self._kept = EMPTY  # padding before speech, then the utterance so far
        self._heard = 0  # end of `_kept`
        self._first: int | None = None  # first and last sample of speech, -1 of the end
        self._last = 0

    def push(self, samples: Samples) -> list[Utterance]:
        """Return the utterances that ended."""
        self._waiting = np.concatenate([self._waiting, samples])
        ended = []
        whole = self._waiting.size - self._waiting.size % WINDOW
        windows, self._waiting = self._waiting[:whole], self._waiting[whole:]
        for window in windows.reshape(-1, WINDOW):
            utterance = self._step(window)
            if utterance:
                ended.append(utterance)
        return ended

    def flush(self) -> list[Utterance]:
        """End the current utterance now, and start a new stream."""
        ended = self.push(np.zeros(-self._waiting.size % WINDOW, dtype=np.float32))
        last = self._end()
        self.reset()
        return ended + ([last] if last else [])

    def _step(self, window: Samples) -> Utterance | None:
        probability = self._speech(window)
        self._kept = np.concatenate([self._kept, window])
        self._heard += WINDOW
        if probability >= (SPEECH if self._first is None else SILENCE):
            if self._first is None:
                self._first = self._heard - WINDOW
            self._last = self._heard
        if self._first is None:
            self._kept = self._kept[max(0, self._kept.size - self._padding - WINDOW) :]
            return None
        silent = self._heard - self._last >= self._silence
        if silent or self._heard - self._first >= self._max:
            return self._end()
        return None

    def _end(self) -> Utterance | None:
        """Close the utterance; what follows its padding stays for the next one."""
        if self._first is None:
            return None
        begin = self._heard - self._kept.size
        end = min(self._last + self._padding, self._heard)
        spoken = self._last - self._first
        start = max(begin, self._first - self._padding)
        samples = self._kept[start - begin : end - begin]
        self._kept = self._kept[end - begin :]
        self._first = None
        return Utterance(samples, start) if spoken >= self._min else None
