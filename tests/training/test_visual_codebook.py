"""The codebook finds clusters that are there, the same ones every time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from universal_memory.training.visual_codebook import crops, images_in, train


def patches_of(image: np.ndarray) -> np.ndarray:
    """Return noisy copies of one of four directions, chosen by the image's brightness."""
    kind = int(image.mean()) // 64
    random = np.random.default_rng(image.size)
    noise = random.normal(0, 0.05, (20, 4))
    return (np.eye(4)[kind] + noise).astype(np.float32)


def pictures() -> list[np.ndarray]:
    return [np.full((100 + n, 120, 3), 64 * (n % 4) + 20, dtype=np.uint8) for n in range(12)]


def test_clusters_are_found_and_repeatable():
    book = train(pictures(), patches_of, words=4, crops_per_image=2, rounds=10)
    words = {tuple(sorted(set(book.tokens(patches_of(image))))) for image in pictures()}
    assert len(words) >= 3
    again = train(pictures(), patches_of, words=4, crops_per_image=2, rounds=10)
    assert np.array_equal(book.centroids, again.centroids)
    assert np.linalg.norm(book.centroids, axis=1) == pytest.approx(1, abs=1e-4)


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="0 patches are too few for 4 words"):
        train([], patches_of, words=4)


def test_crops_are_parts_of_the_image():
    image = np.arange(96 * 128 * 3, dtype=np.uint32).astype(np.uint8).reshape(96, 128, 3)
    parts = list(crops(image, 5, np.random.default_rng(0)))
    assert len(parts) == 6 and parts[0] is image
    assert all(part.shape[0] <= 96 and part.shape[1] <= 128 for part in parts)


def test_images_are_found_and_bad_files_passed_over(tmp_path):
    (tmp_path / "a").mkdir()
    cv2.imwrite(str(tmp_path / "a" / "large.png"), np.zeros((1500, 3000, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((20, 20, 3), np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    (image,) = images_in([tmp_path])
    assert image.shape == (512, 1024, 3)
