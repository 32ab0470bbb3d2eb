"""Sound over real DDS: rates, channels, silence, rubbish, and back-pressure that shows."""

from __future__ import annotations

import threading
from array import array
from types import SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from ros_graph import Graph
from std_msgs.msg import Header
from universal_memory_msgs.msg import AudioChunk, ExperienceEvent

from universal_memory.experience.tokenizers.audio import AudioTokenizer
from universal_memory.experience.tokenizers.pcm import Samples
from universal_memory.experience.tokenizers.speech import Transcript
from universal_memory.experience.tokenizers.voice_activity import UtteranceCutter
from universal_memory.nodes.audio_formats import from_audio_data_stamped, from_audio_stamped
from universal_memory.nodes.audio_ingest import AudioIngest

pytestmark = pytest.mark.slow


def loudness_tokenizer() -> AudioTokenizer:
    """Return a tokenizer for which loud is speech, and the words are how long it was."""

    def transcribe(samples: Samples) -> Transcript:
        return Transcript(f"{samples.size / 16_000:.0f} seconds", (1, 2, 3))

    cutter = UtteranceCutter(lambda window: float(np.abs(window).max() > 0.1), padding_seconds=0.0)
    return AudioTokenizer("audio", transcribe, cutter)


def chunk(seconds: float, start: float, rate: int, channels: int, loud: bool) -> AudioChunk:
    time = np.arange(int(seconds * rate)) / rate
    wave = (np.sin(2 * np.pi * 440 * time) * (12_000 if loud else 0)).astype(np.int16)
    stamp = Time(sec=int(start), nanosec=round(start % 1 * 1e9))
    return AudioChunk(
        header=Header(stamp=stamp, frame_id="microphone"),
        sample_rate=rate,
        channels=channels,
        data=array("h", np.repeat(wave, channels).tobytes()),
        speaker="Anna",
    )


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2), (8_000, 1), (44_100, 6)])
def test_speech_of_any_rate_and_channels(graph: Graph, rate: int, channels: int) -> None:
    graph.add(lambda **o: AudioIngest(loudness_tokenizer(), **o), source="day.mcap")
    events = graph.collect(ExperienceEvent, "experience")
    audio = graph.publisher(AudioChunk, "audio")
    for step in range(10):
        audio.publish(chunk(0.2, 50.0 + 0.2 * step, rate, channels, loud=True))
    for step in range(6):
        audio.publish(chunk(0.2, 52.0 + 0.2 * step, rate, channels, loud=False))
    graph.wait(lambda: events, "an event")
    event = events[0]
    assert event.text == "Anna said: 2 seconds."
    assert (event.speaker, event.modality, event.source) == ("Anna", "audio", "day.mcap")
    assert list(event.tokens) == [1, 2, 3] and event.header.frame_id == "microphone"
    assert abs(event.header.stamp.sec + event.header.stamp.nanosec * 1e-9 - 50.0) < 0.2


def test_a_microphone_that_stops_ends_the_utterance(graph: Graph) -> None:
    graph.add(lambda **o: AudioIngest(loudness_tokenizer(), **o), idle_seconds=0.2)
    events = graph.collect(ExperienceEvent, "experience")
    graph.publisher(AudioChunk, "audio").publish(chunk(1.0, 5.0, 16_000, 1, loud=True))
    graph.wait(lambda: events, "an event")
    assert events[0].text == "Anna said: 1 seconds."


def test_rubbish_is_refused_with_the_reason_and_the_next_words_are_heard(graph: Graph) -> None:
    graph.add(lambda **o: AudioIngest(loudness_tokenizer(), **o), idle_seconds=0.2)
    events = graph.collect(ExperienceEvent, "experience")
    audio = graph.publisher(AudioChunk, "audio")
    odd = chunk(0.1, 1.0, 16_000, 1, loud=True)
    odd.channels, odd.data = 2, array("h", [1, 2, 3])
    silent_driver = chunk(0.1, 1.1, 16_000, 1, loud=True)
    silent_driver.channels = 0
    slow = chunk(0.1, 1.2, 16_000, 1, loud=True)
    slow.sample_rate = 0
    opus = chunk(0.1, 1.3, 16_000, 1, loud=True)
    opus.encoding = "opus"
    empty = chunk(0.0, 1.4, 16_000, 1, loud=True)
    for message in (odd, silent_driver, slow, opus, empty):
        audio.publish(message)
    audio.publish(chunk(1.0, 2.0, 16_000, 1, loud=True))
    graph.wait(lambda: events, "an event")
    graph.wait(lambda: graph.value("audio_ingest", "refused input") == "3", "three refusals")
    assert graph.value("audio_ingest", "refused encoding") == "1"
    assert graph.value("audio_ingest", "failed") == "4"
    status = graph.status("audio_ingest")
    assert status is not None and status.level == b"\x01"


def test_back_pressure_is_bounded_and_visible(graph: Graph) -> None:
    opened = threading.Event()
    tokenizer = loudness_tokenizer()
    push = tokenizer.push

    def slow_push(*arguments: object) -> object:
        assert opened.wait(20.0)
        return push(*arguments)

    tokenizer.push = slow_push  # type: ignore[method-assign, assignment]
    graph.add(lambda **o: AudioIngest(tokenizer, **o), queue_size=3)
    audio = graph.publisher(AudioChunk, "audio")
    for step in range(10):
        audio.publish(chunk(0.1, 1.0 + 0.1 * step, 16_000, 1, loud=False))
    graph.wait(lambda: graph.value("audio_ingest", "dropped") == "6", "six dropped chunks")
    assert graph.value("audio_ingest", "waiting") == "3"
    opened.set()
    graph.wait(lambda: graph.value("audio_ingest", "processed") == "4", "the rest")


def test_real_models_hear_silence_and_noise_as_nothing(graph: Graph) -> None:
    node = graph.add(AudioIngest, idle_seconds=0.5)
    events = graph.collect(ExperienceEvent, "experience")
    audio = graph.publisher(AudioChunk, "audio")
    noise = np.random.default_rng(7).normal(0, 300, 16_000).astype(np.int16)
    for second, wave in enumerate([np.zeros(16_000, np.int16), noise, np.zeros(16_000, np.int16)]):
        message = chunk(0.0, 10.0 + second, 16_000, 1, loud=False)
        message.data = array("h", wave.tobytes())
        audio.publish(message)
    graph.wait(lambda: graph.value("audio_ingest", "processed") == "3", "three chunks")
    node.close()
    assert not events and node.health.refused == {}


def test_both_audio_common_flavours() -> None:
    info = SimpleNamespace(format=1, channels=2, rate=44_100)
    data = SimpleNamespace(float32_data=[0.0, 0.5, -1.0, float("nan")])
    stamped = SimpleNamespace(audio=SimpleNamespace(audio_data=data, info=info))
    sound = from_audio_stamped(stamped)
    assert sound.samples.tolist() == [0, 16_384, -32_768, 0]
    assert (sound.rate, sound.channels) == (44_100, 2)
    info.format = 99
    with pytest.raises(ValueError, match="format 99"):
        from_audio_stamped(stamped)
    raw = SimpleNamespace(audio=SimpleNamespace(data=array("B", [1, 0, 255, 255])))
    assert from_audio_data_stamped(raw, 16_000, 1).samples.tolist() == [1, -1]
    raw.audio.data = array("B", [1])
    with pytest.raises(ValueError, match="1 bytes"):
        from_audio_data_stamped(raw, 16_000, 1)
