"""Tool calls: the canonical line, and whatever an untrusted tool may send."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_memory.experience.event import Modality
from universal_memory.experience.tokenizers.tool import ToolTokenizer


def ids(text: str) -> list[int]:
    return [len(word) for word in text.split()]


def line(arguments: str, result: str, success: bool = True, name: str = "set_timer") -> str:
    return ToolTokenizer(ids).tokenize(name, arguments, result, success, stamp=5).text


@pytest.mark.parametrize(
    ("arguments", "result", "success", "expected"),
    [
        (
            '{"label": "oven", "minutes": 25}',
            '{"state": "ok"}',
            True,
            "Tool set_timer(label=oven, minutes=25) returned state=ok.",
        ),
        (
            '{"goal": {"x": 1.50, "room": "hall"}, "via": ["a", "b"]}',
            '{"ok": true, "left": null}',
            True,
            "Tool set_timer(goal.x=1.50, goal.room=hall, via=a/b) returned ok=true, left=null.",
        ),
        (
            '{"items": [{"name": "milk"}, "eggs", ["a", 2]], "empty": {}}',
            "[1, 2, 3]",
            True,
            "Tool set_timer(items.0.name=milk, items.1=eggs, items.2=a/2, empty=) returned 1/2/3.",
        ),
        ("", "", True, "Tool set_timer() returned nothing."),
        ("{}", '"Done."', True, "Tool set_timer() returned Done."),
        ("{}", '{"error": "no route"}', False, "Tool set_timer() failed: error=no route."),
        ("{}", '"no route"', False, "Tool set_timer() failed: error=no route."),
        ("{}", '{"code": 7}', False, "Tool set_timer() failed: code=7."),
        ("{}", "", False, "Tool set_timer() failed: error=unknown."),
        ('{"a": "two\\nlines\\t."}', "1e3", True, "Tool set_timer(a=two lines .) returned 1e3."),
    ],
)  # fmt: skip
def test_canonical_line(arguments, result, success, expected):
    assert line(arguments, result, success) == expected


def test_event_fields():
    event = ToolTokenizer(ids).tokenize("a", "{}", "1", True, 5, stream="tool/arm", source="bag")
    assert (event.stamp, event.stream, event.modality) == (5, "tool/arm", Modality.TOOL)
    assert event.tokens == tuple(ids(event.text)) and event.flags == () and event.source == "bag"


@pytest.mark.parametrize(
    "document",
    ["{oven: 25", "[" * 100_000, "NaN", '{"a": Infinity}', "{}{}", "'x'", '{"a":' * 40 + "}" * 40],
)
def test_what_is_not_json_is_kept_as_text_and_flagged(document):
    event = ToolTokenizer(ids).tokenize("t", document, document, False, 5)
    assert "invalid_json" in event.flags
    assert document[:20] in event.text
    assert event.text.startswith("Tool t(") and ") failed: error=" in event.text


def test_a_huge_result_is_cut_and_flagged():
    event = ToolTokenizer(ids, max_characters=40).tokenize(
        "t", '{"n": ' + "9" * 5000 + "}", '"' + "x" * 10**6 + '"', True, 5
    )
    assert "truncated" in event.flags and len(event.text) < 120
    assert event.text.endswith("...")


def test_a_huge_name_is_cut_and_flagged():
    event = ToolTokenizer(ids, max_characters=40).tokenize("t" * 10**6, "{}", "1", True, 5)
    assert event.flags == ("truncated",) and len(event.text) < 80


def test_a_tool_without_a_name_is_flagged():
    event = ToolTokenizer(ids).tokenize(" \n", "{}", "1", True, 5)
    assert event.text == "Tool unnamed() returned 1." and event.flags == ("unnamed_tool",)


def test_bound_must_leave_room():
    with pytest.raises(ValueError, match="max_characters is 3"):
        ToolTokenizer(ids, max_characters=3)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


@given(JSON, JSON, st.booleans(), st.text())
def test_any_json_gives_one_bounded_line(arguments, result, success, name):
    tokenizer = ToolTokenizer(ids)
    call = (name, json.dumps(arguments), json.dumps(result), success, 5)
    event = tokenizer.tokenize(*call)
    assert event == tokenizer.tokenize(*call)
    assert "invalid_json" not in event.flags
    _check(event.text, name)


@given(st.text(), st.text(), st.booleans(), st.text())
def test_any_text_gives_one_bounded_line(arguments, result, success, name):
    _check(ToolTokenizer(ids).tokenize(name, arguments, result, success, 5).text, name)


def _check(text: str, name: str) -> None:
    assert text.startswith("Tool ") and text.endswith(".")
    assert len(text) <= len(name) + 2 * 240 + 40
    assert text.isprintable() and "  " not in text
    text.encode()  # no lone surrogate reaches the encoder
