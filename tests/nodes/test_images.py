"""Images of every known encoding arrive as the same picture; everything else is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image

from universal_memory.nodes.images import ENCODINGS, ImageError, compressed_to_rgb, image_to_rgb

RED = np.zeros((4, 6, 3), dtype=np.uint8)
RED[..., 0] = 255


def message(encoding: str, pixels: np.ndarray, padding: int = 0) -> Image:
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    return Image(
        height=height, width=width, encoding=encoding, step=rows.shape[1], data=rows.tobytes()
    )


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RED),
        ("bgr8", RED[..., ::-1]),
        ("8UC3", RED[..., ::-1]),
        ("rgba8", np.dstack([RED, RED[..., :1]])),
        ("bgra8", np.dstack([RED[..., ::-1], RED[..., :1]])),
    ],
)
@pytest.mark.parametrize("padding", [0, 5])
def test_colours_and_row_padding(encoding: str, pixels: np.ndarray, padding: int) -> None:
    np.testing.assert_array_equal(image_to_rgb(message(encoding, pixels, padding)), RED)


def test_grey_of_8_and_16_bits_in_either_byte_order() -> None:
    grey = np.full((2, 2, 1), 0x80, dtype=np.uint8)
    expected = np.full((2, 2, 3), 0x80)
    np.testing.assert_array_equal(image_to_rgb(message("mono8", grey)), expected)
    deep = np.full((2, 2, 1), 0x8001)
    little, big = message("mono16", deep.astype("<u2")), message("mono16", deep.astype(">u2"))
    big.is_bigendian = 1
    np.testing.assert_array_equal(image_to_rgb(little), expected)
    np.testing.assert_array_equal(image_to_rgb(big), expected)


@pytest.mark.parametrize(("encoding", "where"), [("bayer_rggb8", (0, 0)), ("bayer_bggr8", (1, 1)),
                                                ("bayer_gbrg8", (1, 0)), ("bayer_grbg8", (0, 1))])
def test_bayer_pattern_has_red_where_ros_says(encoding: str, where: tuple[int, int]) -> None:
    mosaic = np.zeros((8, 8, 1), dtype=np.uint8)
    mosaic[where[0] :: 2, where[1] :: 2] = 255
    middle = image_to_rgb(message(encoding, mosaic))[4, 4]
    assert middle[0] > 200 and middle[1] < 50 and middle[2] < 50


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"encoding": "xyz9"}, "'xyz9' is unknown"),
        ({"encoding": ""}, "is unknown"),
        ({"height": 0}, "6x0"),
        ({"width": 0}, "0x4"),
        ({"step": 3}, "step 3"),
        ({"data": b""}, "carries 0 bytes"),
        ({"height": 60_000, "width": 60_000}, "more than"),
        ({"width": 2**31}, "more than"),
    ],
)
def test_refused_with_the_reason(change: dict[str, object], reason: str) -> None:
    bad = message("rgb8", RED)
    for name, value in change.items():
        setattr(bad, name, value)
    with pytest.raises(ImageError, match=reason):
        image_to_rgb(bad)


@given(
    encoding=st.sampled_from(sorted(ENCODINGS)),
    height=st.integers(0, 9),
    width=st.integers(0, 9),
    step=st.integers(0, 40),
    data=st.binary(max_size=200),
)
def test_any_image_gives_a_picture_or_a_reason(
    encoding: str, height: int, width: int, step: int, data: bytes
) -> None:
    image = Image(height=height, width=width, encoding=encoding, step=step, data=data)
    try:
        pixels = image_to_rgb(image)
    except ImageError:
        return
    assert pixels.shape == (height, width, 3) and pixels.dtype == np.uint8


def test_compressed_png_and_rubbish() -> None:
    encoded, data = cv2.imencode(".png", RED[..., ::-1])
    assert encoded
    sent = CompressedImage(format="png", data=data.tobytes())
    np.testing.assert_array_equal(compressed_to_rgb(sent), RED)
    for rubbish in (b"", b"not a picture", data.tobytes()[:20]):
        with pytest.raises(ImageError):
            compressed_to_rgb(CompressedImage(format="png", data=rubbish))
