"""Speech of the day, spoken by espeak-ng: mono PCM16 at 16 kHz."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from sim.script import VOICES, Voice

SAMPLE_RATE = 16_000  # [Hz]

Samples = NDArray[np.int16]

_PEAK = 0.55  # of full scale
_TIMEOUT = 30  # seconds for one utterance


def say(speaker: str, text: str) -> Samples:
    """One utterance as int16 [samples], without silence around it.

    Raises:
        ValueError: nobody of that name has a voice.
        RuntimeError: espeak-ng is missing or fails.
    """
    if speaker not in VOICES:
        raise ValueError(f"no voice for {speaker!r}: add one to VOICES, known {sorted(VOICES)}")
    return synthesise(VOICES[speaker], text)


def synthesise(voice: Voice, text: str) -> Samples:
    """`text` in a given voice; see `say`."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise RuntimeError("espeak-ng is not installed: run `apt install espeak-ng`")
    command = [
        program,
        "-v",
        voice.name,
        "-s",
        str(voice.pace),
        "-p",
        str(voice.pitch),
        "--stdout",
        text,
    ]
    done = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT)
    if done.returncode or not done.stdout:
        raise RuntimeError(f"espeak-ng could not say {text!r}: {done.stderr.decode().strip()}")
    # A streamed WAV has a made-up length in its header, so the data is taken to the end.
    with wave.open(io.BytesIO(done.stdout)) as sound:
        rate, raw = sound.getframerate(), sound.readframes(sound.getnframes())
    wide = np.frombuffer(raw, dtype="<i2").astype(np.float64)
    common = int(np.gcd(rate, SAMPLE_RATE))
    samples = resample_poly(wide, SAMPLE_RATE // common, rate // common)
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1]
    return (samples * (_PEAK * 32767 / np.abs(samples).max())).astype(np.int16)
