"""Logs of experience: two forms, order of time, and every line that is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from universal_memory.experience.log import LogError, modality_of, read_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "day.jsonl"


def test_json_lines_become_events_in_order_of_time(log: Path) -> None:
    log.write_text(
        '{"t": 12.5, "stream": "audio/kitchen", "text": "Anna said: hello.", "speaker": "Anna"}\n'
        "\n"
        '{"t": 3, "text": "The key is blue.\u2028Really."}\n'
    )
    first, second = read_log(log)
    assert (first.stamp, first.stream, first.modality) == (3_000_000_000, "text", "text")
    assert first.text == "The key is blue.\u2028Really."
    assert (second.stamp, second.modality, second.speaker) == (12_500_000_000, "audio", "Anna")
    assert second.source == "day.jsonl"


def test_plain_text_is_a_line_an_event_and_empty_lines_are_one_pause(log: Path) -> None:
    log.write_text("\n\nThe key   is blue.\nThe box is red.\n\n\nThe cat is grey.\n")
    events = read_log(log)
    assert [event.text for event in events] == [
        "The key is blue.", "The box is red.", "The cat is grey."
    ]
    assert [event.stamp // 10**9 for event in events] == [1, 2, 7202]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"t": 1, "text": "a"', "delimiter"),
        ('{"text": "a"}', "t is None"),
        ('{"t": true, "text": "a"}', "t is True"),
        ('{"t": NaN, "text": "a"}', "t is nan"),
        ('{"t": 1e12, "text": "a"}', "outside"),
        ('{"t": 1e308, "text": "a"}', "infinity"),
        ('{"t": -1, "text": "a"}', "outside"),
        ('{"t": 1}', "text is None"),
        ('{"t": 1, "text": 5}', "text is 5"),
        ('{"t": 1, "text": "\\ud800"}', "surrogates"),
        ('{"t": 1, "text": "a", "stream": ""}', "stream is empty"),
        ('{"t": 1, "text": "a", "modality": "smell"}', "smell"),
        ("[1]", "not an object"),
    ],
)
def test_a_bad_line_is_named_with_the_remedy(log: Path, line: str, reason: str) -> None:
    log.write_text('{"t": 0, "text": "good"}\n' + line + "\n")
    with pytest.raises(LogError, match=r"line 2 of .*day\.jsonl") as refused:
        read_log(log)
    assert reason in str(refused.value) and "remedy" in str(refused.value)


def test_missing_empty_and_binary_logs_are_refused(log: Path, tmp_path: Path) -> None:
    with pytest.raises(LogError, match="cannot read"):
        read_log(log)
    log.write_text("\n  \n")
    with pytest.raises(LogError, match="is empty"):
        read_log(log)
    log.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LogError, match="UTF-8"):
        read_log(log)
    with pytest.raises(LogError, match="cannot read"):
        read_log(tmp_path)


@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(
    lambda text: ("{" + text).encode("utf-8", "replace"))))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_file_is_read_or_refused(log: Path, content: bytes) -> None:
    log.write_bytes(content)
    try:
        events = read_log(log)
    except LogError:
        return
    assert events and all(event.text for event in events)


@pytest.mark.parametrize(
    ("stream", "modality"),
    [("audio", "audio"), ("camera/front", "camera"), ("tools", "text"), ("text", "text")],
)
def test_modality_follows_the_stream(stream: str, modality: str) -> None:
    assert modality_of(stream) == modality
