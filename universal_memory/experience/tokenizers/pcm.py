"""PCM of any rate and channel count as one 16 kHz mono stream, which is what speech models hear."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000
SLOWEST, FASTEST = 4_000, 384_000

Samples = NDArray[np.float32]
EMPTY: Samples = np.zeros(0, dtype=np.float32)


class Resampler:
    """Stateful, so that chunk borders leave no clicks. Output is float32 in -1..1 at 16 kHz."""

    def __init__(self) -> None:
        self._resampler: av.AudioResampler | None = None
        self._rate = 0

    def push(self, samples: NDArray[np.int16], rate: int, channels: int) -> Samples:
        """Return the next samples. Raises ValueError when the chunk is not PCM16 as declared."""
        mono = to_mono(samples, rate, channels)
        if not mono.size:
            return EMPTY
        parts = []
        if rate != self._rate:
            parts.append(self.flush())
            self._resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            self._rate = rate
        frame = av.AudioFrame.from_ndarray(mono[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = rate
        parts.append(self._run(frame))
        return np.concatenate(parts)

    def flush(self) -> Samples:
        """Return the last milliseconds still inside, and start afresh."""
        rest = self._run(None) if self._resampler else EMPTY
        self._resampler, self._rate = None, 0
        return rest

    def _run(self, frame: av.AudioFrame | None) -> Samples:
        assert self._resampler is not None
        frames = [out.to_ndarray()[0] for out in self._resampler.resample(frame)]
        if not frames:
            return EMPTY
        heard: Samples = np.divide(np.concatenate(frames), 32768, dtype=np.float32)
        return heard


def to_mono(samples: NDArray[np.int16], rate: int, channels: int) -> NDArray[np.int16]:
    """Average interleaved channels. Raises ValueError with the offending value."""
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise ValueError(
            f"samples are {samples.dtype} of shape {samples.shape}: give interleaved PCM16 as a"
            " one-dimensional int16 array"
        )
    if not SLOWEST <= rate <= FASTEST:
        raise ValueError(f"sample rate {rate} Hz is not in {SLOWEST}..{FASTEST}: check the driver")
    if channels < 1 or samples.size % channels:
        raise ValueError(
            f"{samples.size} samples do not divide into {channels} channels: check `channels`"
        )
    if channels == 1:
        return samples
    mono: NDArray[np.int16] = samples.reshape(-1, channels).mean(axis=1).astype(np.int16)
    return mono
