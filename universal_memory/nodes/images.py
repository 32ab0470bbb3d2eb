"""
Camera messages as RGB arrays.

`cv_bridge` is not used: it is missing outside apt and fails on numpy 2, and all it does for these
encodings is a reshape. Every image that cannot be shown is refused with the reason; nothing a
camera driver sends may crash the node.
"""

from __future__ import annotations

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

# encoding: (dtype, channels, conversion to RGB; None is already RGB)
ENCODINGS: dict[str, tuple[str, int, int | None]] = {
    "rgb8": ("u1", 3, None),
    "bgr8": ("u1", 3, cv2.COLOR_BGR2RGB),
    "8UC3": ("u1", 3, cv2.COLOR_BGR2RGB),
    "rgba8": ("u1", 4, cv2.COLOR_RGBA2RGB),
    "bgra8": ("u1", 4, cv2.COLOR_BGRA2RGB),
    "mono8": ("u1", 1, cv2.COLOR_GRAY2RGB),
    "8UC1": ("u1", 1, cv2.COLOR_GRAY2RGB),
    "mono16": ("u2", 1, cv2.COLOR_GRAY2RGB),
    # OpenCV names Bayer patterns by the second row, ROS by the first.
    "bayer_rggb8": ("u1", 1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": ("u1", 1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": ("u1", 1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": ("u1", 1, cv2.COLOR_BayerGB2RGB),
    "yuv422": ("u1", 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": ("u1", 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": ("u1", 2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": ("u1", 2, cv2.COLOR_YUV2RGB_YUY2),
}
MAX_PIXELS = 50_000_000


class ImageError(ValueError):
    """An image message that cannot be shown; `kind` groups the reasons for counting."""

    def __init__(self, kind: str, reason: str) -> None:
        """Keep `kind` beside the message."""
        super().__init__(reason)
        self.kind = kind


def image_to_rgb(message: Image) -> np.ndarray:
    """Return uint8 [H,W,3] RGB. Raises `ImageError` for what no camera should send."""
    if message.encoding not in ENCODINGS:
        raise ImageError(
            "encoding",
            f"image encoding {message.encoding!r} is unknown: "
            f"publish one of {', '.join(ENCODINGS)}",
        )
    height, width, step = message.height, message.width, message.step
    _check_size(height, width)
    letter, channels, conversion = ENCODINGS[message.encoding]
    dtype = np.dtype((">" if message.is_bigendian else "<") + letter)
    row = width * channels * dtype.itemsize
    data = np.frombuffer(message.data, dtype=np.uint8)
    if step < row or data.size < step * height:
        raise ImageError(
            "size",
            f"image says {width}x{height} {message.encoding} with step {step} and carries "
            f"{data.size} bytes: at least {row} a row and {max(step, row) * height} are needed",
        )
    rows = np.ascontiguousarray(data[: step * height].reshape(height, step)[:, :row])
    pixels = rows.view(dtype).reshape(height, width, channels)
    if dtype.itemsize == 2:
        pixels = (pixels >> 8).astype(np.uint8)
    if conversion is None:
        return pixels
    try:
        return cv2.cvtColor(pixels[..., 0] if channels == 1 else pixels, conversion)
    except cv2.error as error:
        raise ImageError("size", f"cannot convert {message.encoding}: {error}") from error


def compressed_to_rgb(message: CompressedImage) -> np.ndarray:
    """Return uint8 [H,W,3] RGB of a JPEG, PNG or other still that OpenCV reads."""
    data = np.frombuffer(message.data, dtype=np.uint8)
    if data.size == 0:
        raise ImageError("size", "compressed image is empty: check the camera driver")
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ImageError(
            "encoding",
            f"compressed image of format {message.format!r}, {data.size} bytes, cannot be decoded: "
            "publish jpeg or png",
        )
    _check_size(*pixels.shape[:2])
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _check_size(height: int, width: int) -> None:
    if height == 0 or width == 0:
        raise ImageError("size", f"image is {width}x{height}: check the camera driver")
    if height * width > MAX_PIXELS:
        raise ImageError(
            "size", f"image is {width}x{height}, more than {MAX_PIXELS} pixels: scale it down"
        )
