"""Sound: cut at silence, stamped at its start, whatever the chunks, the rate and the channels."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from universal_memory.experience.event import Modality
from universal_memory.experience.tokenizers.audio import AudioTokenizer
from universal_memory.experience.tokenizers.pcm import RATE, Resampler
from universal_memory.experience.tokenizers.speech import Transcript, judge
from universal_memory.experience.tokenizers.voice_activity import UtteranceCutter, VoiceActivity

FIXTURE = Path(__file__).parent / "fixtures" / "two_statements.ogg"
SECOND = 10**9


def loud(window) -> float:
    """Call everything speech that is not near silence."""
    return float(np.abs(window).max() > 0.05)


def length(samples) -> Transcript:
    """Say how long the utterance is, in tenths of a second."""
    return Transcript(f"{round(len(samples) / RATE * 10)} tenths", (1, 2))


def tokenizer(**keywords) -> AudioTokenizer:
    return AudioTokenizer(transcribe=length, cutter=UtteranceCutter(loud, **keywords))


def tone(seconds: float, rate: int = RATE, level: int = 8000) -> np.ndarray:
    return (level * np.sin(np.arange(int(seconds * rate)) * 0.3)).astype(np.int16)


def silence(seconds: float, rate: int = RATE) -> np.ndarray:
    return np.zeros(int(seconds * rate), dtype=np.int16)


def push_all(ear: AudioTokenizer, sound: np.ndarray, chunk: int = 1600, start: float = 100, **more):
    events = []
    for first in range(0, len(sound), chunk):
        stamp = int(start * SECOND) + first * SECOND // RATE
        events += ear.push(sound[first : first + chunk], RATE, 1, stamp, **more)
    return events


def test_silence_gives_nothing():
    ear = tokenizer()
    assert push_all(ear, silence(5)) == [] and ear.flush() == [] and not ear.counts


def test_an_utterance_ends_with_silence_and_is_stamped_at_its_start():
    (event,) = push_all(tokenizer(), np.concatenate([silence(2), tone(1), silence(1)]))
    assert event.text == "Someone said: 14 tenths." and event.speaker == ""
    assert event.stamp == pytest.approx(101.8 * SECOND, abs=0.05 * SECOND)
    assert (event.modality, event.stream, event.tokens) == (Modality.AUDIO, "audio", (1, 2))


def test_a_short_pause_does_not_end_an_utterance():
    sound = np.concatenate([tone(1), silence(0.4), tone(1), silence(0.8), tone(1), silence(0.8)])
    assert len(push_all(tokenizer(), sound)) == 2


def test_a_click_is_no_utterance():
    assert push_all(tokenizer(), np.concatenate([silence(1), tone(0.1), silence(1)])) == []


def test_a_long_speech_is_cut_without_losing_sound():
    ear = tokenizer(max_seconds=2.0)
    events = push_all(ear, tone(7)) + ear.flush()
    tenths = [int(event.text.split()[2]) for event in events]
    assert sum(tenths) == pytest.approx(70, abs=2) and max(tenths) <= 21


def test_flush_ends_what_is_going_on():
    ear = tokenizer()
    assert push_all(ear, tone(1)) == []
    assert [event.text for event in ear.flush()] == ["Someone said: 10 tenths."]
    assert ear.flush() == []


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5000))
def test_the_size_of_chunks_does_not_matter(chunk):
    sound = np.concatenate([silence(0.5), tone(0.6), silence(0.9), tone(0.4)])
    ear = tokenizer()
    events = push_all(ear, sound, chunk=chunk) + ear.flush()
    assert len(events) == 2
    for event, second in zip(events, (100.3, 101.8), strict=True):
        assert event.stamp == pytest.approx(second * SECOND, abs=0.06 * SECOND)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_channel_count(rate, channels):
    mono = np.concatenate([silence(0.5, rate), tone(1, rate), silence(1, rate)])
    ear = tokenizer()
    events = ear.push(np.repeat(mono, channels), rate, channels, 100 * SECOND)
    assert len(events) == 1 and int(events[0].text.split()[2]) in range(12, 16)


def test_resampling_keeps_the_tone():
    t = np.arange(44100) / 44100
    heard = Resampler().push((10000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16), 44100, 1)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size)))
    assert spectrum.argmax() * RATE / heard.size == pytest.approx(440, abs=2)
    assert np.abs(heard).max() == pytest.approx(10000 / 32768, rel=0.05)


def test_a_rate_that_changes_on_the_way():
    ear = tokenizer()
    ear.push(tone(1), RATE, 1, 100 * SECOND)
    (event,) = ear.push(np.concatenate([tone(1, 48000), silence(1, 48000)]), 48000, 1, 101 * SECOND)
    assert int(event.text.split()[2]) == pytest.approx(22, abs=1)


def test_speakers_are_kept_apart_and_remembered():
    ear = tokenizer()
    push_all(ear, tone(1), speaker="Anna")
    events = push_all(ear, tone(1), start=101, speaker="Ben")
    events += push_all(ear, silence(1), start=102)
    assert [(event.speaker, event.text[:9]) for event in events] == [
        ("Anna", "Anna said"),
        ("Ben", "Ben said:"),
    ]
    (event,) = push_all(ear, np.concatenate([tone(1), silence(1)]), start=103)
    assert event.speaker == ""


def test_lost_chunks_are_silence_and_a_jump_ends_the_utterance():
    ear = tokenizer()
    push_all(ear, tone(1))
    assert push_all(ear, tone(1), start=101.4) == []  # 0.4 s lost: still the same utterance
    (event,) = push_all(ear, tone(1), start=150)
    assert event.text == "Someone said: 24 tenths." and event.stamp == 100 * SECOND
    (event,) = push_all(ear, tone(1), start=20)  # the bag loops
    assert event.stamp == pytest.approx(150 * SECOND, abs=0.05 * SECOND)
    (event,) = ear.flush()
    assert event.stamp == pytest.approx(20 * SECOND, abs=0.05 * SECOND)


def test_stamps_follow_the_clock_of_the_header_when_the_sound_card_drifts():
    ear = tokenizer()
    for number in range(600):  # a card 1 % slow: 0.1 s of sound comes every 0.101 s
        assert ear.push(silence(0.1), RATE, 1, int(number * 0.101 * SECOND)) == []
    ear.push(tone(1), RATE, 1, int(60.6 * SECOND))
    (event,) = ear.flush()
    assert event.stamp == pytest.approx(60.4 * SECOND, abs=0.06 * SECOND)


@pytest.mark.parametrize(
    ("samples", "rate", "channels", "message"),
    [
        (np.zeros(8, dtype=np.float32), RATE, 1, "samples are float32"),
        (np.zeros((4, 2), dtype=np.int16), RATE, 2, r"shape \(4, 2\)"),
        (np.zeros(8, dtype=np.int16), 0, 1, "sample rate 0 Hz"),
        (np.zeros(8, dtype=np.int16), 10**7, 1, "sample rate 10000000 Hz"),
        (np.zeros(8, dtype=np.int16), RATE, 0, "into 0 channels"),
        (np.zeros(7, dtype=np.int16), RATE, 2, "7 samples do not divide into 2 channels"),
    ],
)
def test_bad_chunks_are_refused_and_the_stream_goes_on(samples, rate, channels, message):
    ear = tokenizer()
    push_all(ear, tone(1))
    with pytest.raises(ValueError, match=message):
        ear.push(samples, rate, channels, 101 * SECOND)
    assert ear.push(silence(0), RATE, 1, 101 * SECOND) == []
    assert len(push_all(ear, silence(1), start=101)) == 1


def test_refused_transcripts_are_counted():
    ear = AudioTokenizer(
        transcribe=lambda _: Transcript("you", (), "no_speech"), cutter=UtteranceCutter(loud)
    )
    assert push_all(ear, np.concatenate([tone(1), silence(1)])) == []
    assert ear.counts == {"no_speech": 1}


@pytest.mark.parametrize(
    ("text", "no_speech", "confidence", "compression", "expected"),
    [
        ("My tea should be weak.", 0.1, -0.3, 1.0, ""),
        ("My tea should be weak.", 0.9, -0.3, 1.0, ""),
        ("Thank you.", 0.1, -0.3, 0.6, ""),
        ("Thank you.", 0.7, -0.3, 0.6, "no_speech"),
        ("weak tea", 0.7, -0.9, 0.6, "no_speech"),
        ("zzz grk", 0.1, -1.5, 0.6, "low_confidence"),
        (" ... ", 0.0, -0.3, 0.6, "empty"),
        ("go on, go on, go on, go on.", 0.0, -0.3, 1.5, "repeated"),
        ("so so so so so", 0.0, -0.3, 1.5, "repeated"),
        ("anything", 0.0, -0.3, 2.5, "repeated"),
    ],
)
def test_transcripts_not_to_be_believed(text, no_speech, confidence, compression, expected):
    assert judge(text, no_speech, confidence, compression) == expected


def test_cutter_bounds():
    with pytest.raises(ValueError, match="min 5 s, max 2 s"):
        UtteranceCutter(loud, min_seconds=5, max_seconds=2)


def fixture_sound() -> np.ndarray:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(FIXTURE)) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def test_silero_hears_both_statements_and_nothing_in_noise():
    activity = VoiceActivity()
    cutter = UtteranceCutter(activity, activity.reset)
    sound = fixture_sound().astype(np.float32) / 32768
    utterances = cutter.push(sound) + cutter.flush()
    assert [round(one.start / RATE) for one in utterances] == [0, 4]
    noise = np.random.default_rng(1).normal(0, 0.1, 5 * RATE).astype(np.float32)
    assert cutter.push(noise) + cutter.flush() == []


@pytest.mark.slow
def test_real_speech_in_two_voices():
    ear = AudioTokenizer(stream="audio/hall")
    sound = fixture_sound()
    middle = 4 * RATE
    events = push_all(ear, sound[:middle], speaker="Anna")
    events += push_all(ear, sound[middle:], start=104, speaker="Ben") + ear.flush()
    assert [event.speaker for event in events] == ["Anna", "Ben"]
    assert "kitchen" in events[0].text and events[0].text.startswith("Anna said: ")
    assert "meeting is on Tuesday" in events[1].text
    assert all(len(event.tokens) > 5 for event in events)


@pytest.mark.slow
def test_whisper_says_nothing_over_silence_tone_and_noise():
    ear = AudioTokenizer(cutter=UtteranceCutter(lambda _: 1.0, max_seconds=4))  # no voice activity
    rng = np.random.default_rng(0)
    for sound in (silence(4), tone(4), rng.normal(0, 300, 4 * RATE).astype(np.int16)):
        assert push_all(ear, sound) + ear.flush() == []
    assert sum(ear.counts.values()) >= 3
