"""Text in view: whole signs in reading order, nothing that is cut off or guessed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from universal_memory.experience.tokenizers.ocr import TextReader, clean, join_signs, select_lines


def box(text: str, left: float, top: float, width: float = 100, height: float = 20, p: float = 0.9):
    right, bottom = left + width, top + height
    return ([[left, top], [right, top], [right, bottom], [left, bottom]], text, p)


def read(*found) -> str:
    return join_signs(select_lines(found, 640, 480, min_confidence=0.7))


def test_lines_of_a_sign_are_joined_by_spaces():
    assert read(box("room 12", 105, 128), box("Pharmacy", 100, 100)) == "Pharmacy room 12"


def test_words_of_a_row_are_read_from_the_left():
    assert read(box("expires", 210, 102), box("Milk", 100, 100)) == "Milk expires"


def test_signs_are_separated_by_commas_from_top_left():
    found = [box("lift", 400, 100), box("stairs", 50, 101), box("exit", 50, 300)]
    assert read(*found) == "stairs, lift, exit"


def test_a_sign_cut_off_by_the_edge_is_left_out_as_a_whole():
    assert read(box("Wi", 0, 100), box("password", 60, 125), box("exit", 300, 300)) == "exit"
    for left, top in ((538.5, 100), (100, 1), (100, 459)):
        assert read(box("cut", left, top)) == ""


def test_unsure_lines_and_dirt_are_left_out():
    assert read(box("maybe", 100, 100, p=0.5), box(" -- ", 300, 300), box("x", 300, 100)) == ""


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  Milk  expires , Friday. ", "Milk expires, Friday"),
        ("7", "7"),
        ("|", ""),
        ("a\x07b", "a b"),
        ("«Küche»", "«Küche»"),
        ("厨房", "厨房"),
    ],
)
def test_clean(text, cleaned):
    assert clean(text) == cleaned


def test_the_text_of_a_view_is_bounded():
    assert len(read(*(box("word " * 9, 100, 5 + 40 * row) for row in range(11)))) <= 200


@pytest.mark.slow
def test_a_real_sign_is_read():
    image = np.full((480, 640, 3), 200, dtype=np.uint8)
    image[120:300, 120:520] = (250, 250, 240)
    for row, line in enumerate(("Pharmacy", "room 12")):
        cv2.putText(image, line, (160, 190 + 60 * row), 0, 1.6, (30, 20, 120), 3, cv2.LINE_AA)
    reader = TextReader()
    assert reader(image) == "Pharmacy room 12"
    assert reader(np.full((480, 640, 3), 128, dtype=np.uint8)) == ""
