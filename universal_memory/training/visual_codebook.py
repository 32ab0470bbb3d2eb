"""
Trains the visual codebook: spherical k-means over patch features of a frozen network.

    python -m universal_memory.training.visual_codebook FOLDER... [--words 512] [--models models]

Every image gives itself and random crops of it, some mirrored, at sizes from a third to all of it.
k-means runs on the unit sphere (Dhillon and Modha 2001), starts from random patches, and gives a
centroid that has become empty the patch that fits worst. Same images and seed, same codebook.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from universal_memory.experience.tokenizers.codebook import Codebook, Vector, unit
from universal_memory.experience.tokenizers.visual_network import VisualNetwork

Image = NDArray[np.uint8]

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
LONGEST_SIDE = 1024
SMALLEST_SIDE = 96

logger = logging.getLogger(__name__)


def images_in(folders: Iterable[Path]) -> Iterator[Image]:
    """Yield the colour images of the folders as RGB uint8, in order of their paths."""
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None or min(image.shape[:2]) < SMALLEST_SIDE:
            continue
        shrink = min(1.0, LONGEST_SIDE / max(image.shape[:2]))
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        yield np.ascontiguousarray(image[:, :, ::-1], dtype=np.uint8)


def crops(image: Image, count: int, random: np.random.Generator) -> Iterator[Image]:
    """Yield the image and `count` random parts of it."""
    yield image
    for _ in range(count):
        height, width = (int(side * random.uniform(0.33, 1.0)) for side in image.shape[:2])
        top = random.integers(0, image.shape[0] - height + 1)
        left = random.integers(0, image.shape[1] - width + 1)
        part = image[top : top + height, left : left + width]
        yield np.ascontiguousarray(part[:, ::-1] if random.random() < 0.5 else part)


def train(
    images: Iterable[Image],
    patches_of: Callable[[Image], Vector],
    words: int = 512,
    crops_per_image: int = 12,
    rounds: int = 25,
    seed: int = 0,
) -> Codebook:
    """Return a codebook of `words` centroids. Raises ValueError when there are fewer patches."""
    random = np.random.default_rng(seed)
    collected = [
        patches_of(crop) for image in images for crop in crops(image, crops_per_image, random)
    ]
    patches = np.concatenate(collected) if collected else np.zeros((0, 1), dtype=np.float32)
    if len(patches) < words:
        raise ValueError(f"{len(patches)} patches are too few for {words} words: add images")
    logger.info("%d patches of %d crops", len(patches), len(collected))
    mean, scale = patches.mean(axis=0), np.maximum(patches.std(axis=0), 1e-3)
    points = unit((patches - mean) / scale)
    return Codebook(spherical_k_means(points, words, rounds, random), mean, scale)


def spherical_k_means(
    points: Vector, words: int, rounds: int, random: np.random.Generator
) -> Vector:
    """Return unit centroids [words, width] of unit points [n, width]."""
    centroids = points[random.choice(len(points), words, replace=False)]
    for number in range(rounds):
        nearest, similarity = _assign(points, centroids)
        sums = np.zeros_like(centroids)
        np.add.at(sums, nearest, points)
        empty = np.flatnonzero(np.bincount(nearest, minlength=words) == 0)
        sums[empty] = points[np.argsort(similarity)[: len(empty)]]
        centroids = unit(sums)
        logger.info("round %d: mean cosine %.4f", number + 1, similarity.mean())
    return centroids


def _assign(points: Vector, centroids: Vector) -> tuple[NDArray[np.intp], Vector]:
    """Return the nearest centroid of each point and its cosine, in blocks to save memory."""
    nearest = np.empty(len(points), dtype=np.intp)
    similarity = np.empty(len(points), dtype=np.float32)
    for start in range(0, len(points), 8192):
        block = points[start : start + 8192] @ centroids.T
        nearest[start : start + 8192] = block.argmax(axis=1)
        similarity[start : start + 8192] = block.max(axis=1)
    return nearest, similarity


def main() -> None:
    """Train from the folders on the command line and write into the models folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path, help="folders of images")
    parser.add_argument("--words", type=int, default=512)
    parser.add_argument("--crops", type=int, default=12, help="random parts of each image")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", type=Path, default=Path("models"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    network = VisualNetwork()
    codebook = train(
        images_in(arguments.folders),
        lambda image: network(image).patches,
        arguments.words,
        arguments.crops,
        seed=arguments.seed,
    )
    codebook.save(arguments.models)


if __name__ == "__main__":
    main()
