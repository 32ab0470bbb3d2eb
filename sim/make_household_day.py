"""Makes `sim/household_day/`: the bag of the day, the questions about it, marker names.

    python -m sim.make_household_day [FOLDER]

Needs mujoco (with EGL), opencv, pillow, scipy, rosbags and espeak-ng; takes a few minutes on two
CPU cores. The result is committed, so only whoever changes the day has to run it.
"""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from sim import script
from sim.bag import ROOT, DayWriter
from sim.camera import Camera, jpeg, stand_at, times
from sim.speech import SAMPLE_RATE, say

QUALITY_STILL, QUALITY_MOVING = 80, 55  # JPEG
CHUNK = SAMPLE_RATE // 5  # samples of one AudioChunk: 200 ms

log = logging.getLogger("household_day")

Message = tuple[float, Callable[[DayWriter], None]]


def make(folder: Path) -> None:
    """Writes the bag and the questions into `folder`, replacing what is there."""
    if folder.exists():
        shutil.rmtree(folder)
    messages = [*sound_messages(), *call_messages()]
    with Camera() as camera, DayWriter(folder) as writer:
        messages += picture_messages(camera)
        for number, (_, write) in enumerate(sorted(messages, key=lambda message: message[0])):
            write(writer)
            if number % 200 == 0:
                log.info("%d of %d messages", number, len(messages))
    questions = folder / "questions.yaml"
    questions.write_text(
        yaml.safe_dump(question_rows(), sort_keys=False, width=100), encoding="utf-8"
    )
    markers = folder / "markers.yaml"
    markers.write_text(yaml.safe_dump(script.MARKER_NAMES), encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir())
    log.info("%s: %.1f s, %.2f MB", folder, script.duration(), size / 1e6)


def sound_messages() -> list[Message]:
    """The whole day of sound in chunks: what people say, and silence between."""
    track = np.zeros(int(script.duration() * SAMPLE_RATE), np.int16)
    speakers: dict[int, str] = {}
    for number, scene in enumerate(script.SCENES):
        said = scene.utterance
        if said is None:
            continue
        start = int((number * script.SCENE_SECONDS + said.at) * SAMPLE_RATE)
        samples = say(said.speaker, said.text)
        track[start : start + len(samples)] = samples
        for chunk in range(start // CHUNK, (start + len(samples)) // CHUNK + 1):
            speakers[chunk] = said.speaker

    def message(chunk: int) -> Message:
        start, samples = chunk * CHUNK / SAMPLE_RATE, track[chunk * CHUNK : (chunk + 1) * CHUNK]
        speaker = speakers.get(chunk, "")
        return start + CHUNK / SAMPLE_RATE, lambda writer: writer.sound(start, samples, speaker)

    return [message(chunk) for chunk in range(len(track) // CHUNK)]


def call_messages() -> list[Message]:
    """The tool calls of the day."""

    def message(seconds: float, call: script.Call) -> Message:
        return seconds, lambda writer: writer.call(seconds, call)

    return [
        message(number * script.SCENE_SECONDS + scene.call.at, scene.call)
        for number, scene in enumerate(script.SCENES)
        if scene.call is not None
    ]


def picture_messages(camera: Camera) -> list[Message]:
    """Pictures of the drive through the home, rendered when they are written."""

    def message(seconds: float, moving: bool) -> Message:
        def write(writer: DayWriter) -> None:
            stand = stand_at(seconds)
            quality = QUALITY_MOVING if moving else QUALITY_STILL
            writer.picture(seconds, jpeg(camera.picture(stand), quality), stand)

        return seconds + 0.03, write

    return [message(seconds, moving) for seconds, moving in times()]


def question_rows() -> list[dict[str, object]]:
    """The questions as the demo reads them."""
    streams = script.streams()
    return [
        {
            "question": question.text,
            "answers": list(question.answers),
            "stream": streams[question.fact] if question.fact else "",
            "fact": question.fact or "",
            "unknown": question.fact is None,
        }
        for question in script.QUESTIONS
    ]


def main() -> None:
    """Command line of this script."""
    parser = argparse.ArgumentParser(description="Make the household day of the demo.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "sim" / "household_day")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    make(parser.parse_args().folder)


if __name__ == "__main__":
    main()
