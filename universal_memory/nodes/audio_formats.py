"""
Sound messages as interleaved PCM16, whichever package they come from. Rate and channel count are
checked where they are used, by the tokenizer.

Three types are understood: our `AudioChunk`, and both packages that are called
`audio_common_msgs`: the one with `AudioStamped` (samples and format in one message) and the one
with `AudioDataStamped` (bytes only; rate and channels are parameters of the node).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from universal_memory_msgs.msg import AudioChunk

# Formats of audio_common's AudioInfo are PortAudio's: field of AudioData, and full scale.
PORT_AUDIO: dict[int, tuple[str, float]] = {
    1: ("float32_data", 1.0),
    2: ("int32_data", 2.0**31),
    4: ("int24_data", 2.0**23),
    8: ("int16_data", 2.0**15),
    16: ("int8_data", 2.0**7),
}


@dataclass(frozen=True)
class Sound:
    """Interleaved int16 `samples`, their `rate` in Hz, and who speaks if the message says it."""

    samples: np.ndarray
    rate: int
    channels: int
    speaker: str = ""


class SoundError(ValueError):
    """A sound message that cannot be heard; `kind` groups the reasons for counting."""

    def __init__(self, kind: str, reason: str) -> None:
        """Keep `kind` beside the message."""
        super().__init__(reason)
        self.kind = kind


def from_chunk(message: AudioChunk) -> Sound:
    """Read our own message."""
    if message.encoding != AudioChunk.PCM16:
        raise SoundError(
            "encoding", f"audio encoding {message.encoding!r}: use {AudioChunk.PCM16!r}"
        )
    samples = np.frombuffer(message.data, dtype=np.int16)
    return Sound(samples, message.sample_rate, message.channels, message.speaker)


def from_audio_stamped(message: Any) -> Sound:
    """Read `audio_common_msgs/AudioStamped`; integer and float samples are scaled to 16 bits."""
    audio, info = message.audio.audio_data, message.audio.info
    if info.format not in PORT_AUDIO:
        raise SoundError(
            "encoding",
            f"PortAudio format {info.format}: {', '.join(map(str, PORT_AUDIO))} are understood",
        )
    field, full_scale = PORT_AUDIO[info.format]
    scaled = np.asarray(getattr(audio, field), dtype=np.float64) * (2.0**15 / full_scale)
    samples = np.clip(np.nan_to_num(scaled), -(2.0**15), 2.0**15 - 1).astype(np.int16)
    return Sound(samples, info.rate, info.channels)


def from_audio_data_stamped(message: Any, rate: int, channels: int) -> Sound:
    """Read `audio_common_msgs/AudioDataStamped` holding signed 16 bit little endian bytes."""
    data = np.frombuffer(bytes(message.audio.data), dtype=np.uint8)
    if data.size % 2:
        raise SoundError("encoding", f"{data.size} bytes are not 16 bit samples: publish S16LE")
    return Sound(data.view("<i2"), rate, channels)


def reader(kind: str, rate: int, channels: int) -> tuple[type, Callable[[Any], Sound]]:
    """
    Return the message type of `kind` ("chunk" or "audio_common") and what reads it.

    `rate` and `channels` serve messages that do not say. Raises `ValueError` with the remedy if
    the package of `kind` is not installed.
    """
    if kind == "chunk":
        return AudioChunk, from_chunk
    try:
        import audio_common_msgs.msg as audio_common
    except ImportError as error:
        raise ValueError(
            "parameter audio_type is 'audio_common' but audio_common_msgs is not installed: "
            "install it with apt or use 'chunk'"
        ) from error
    if hasattr(audio_common, "AudioStamped"):
        return audio_common.AudioStamped, from_audio_stamped
    return audio_common.AudioDataStamped, lambda message: from_audio_data_stamped(
        message, rate, channels
    )
