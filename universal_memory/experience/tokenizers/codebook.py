"""The visual vocabulary: patch features become token ids, as words become word pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

Vector = NDArray[np.float32]

FOLDER = "visual_codebook"
FILE = "codebook.safetensors"
LABEL_FILE = "imagenet_labels.txt"


class Codebook:
    """
    Nearest centroid by cosine, after each channel was made comparable (`mean`, `scale`).

    `centroids` [words, width] have unit norm. Sculley 2010 and Sivic and Zisserman 2003 ("visual
    words"); trained by `universal_memory/training/visual_codebook.py`.
    """

    def __init__(self, centroids: Vector, mean: Vector, scale: Vector) -> None:
        if centroids.ndim != 2 or mean.shape != scale.shape or mean.shape != centroids.shape[1:]:
            raise ValueError(
                f"centroids {centroids.shape}, mean {mean.shape} and scale {scale.shape} do not"
                " fit: want [words, width], [width], [width]"
            )
        self.centroids, self.mean, self.scale = centroids, mean, scale

    @classmethod
    def load(cls, models: Path) -> Codebook:
        """Read `visual_codebook/` of the models folder. Raises FileNotFoundError, ValueError."""
        path = models / FOLDER / FILE
        if not path.is_file():
            raise FileNotFoundError(
                f"no visual codebook at {path}: restore it from the repository, or train one with"
                " `python -m universal_memory.training.visual_codebook`"
            )
        try:
            tensors = {name: value.astype(np.float32) for name, value in load_file(path).items()}
            return cls(tensors["centroids"], tensors["mean"], tensors["scale"])
        except (SafetensorError, KeyError) as error:
            raise ValueError(
                f"visual codebook {path} is damaged ({error}): restore it from the repository"
            ) from error

    def save(self, models: Path) -> None:
        """Write as float16."""
        path = models / FOLDER / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {"centroids": self.centroids, "mean": self.mean, "scale": self.scale}
        save_file({name: value.astype(np.float16) for name, value in tensors.items()}, path)

    def normalise(self, patches: Vector) -> Vector:
        """Return patch features [n, width] comparable by cosine: unit norm."""
        return unit((patches - self.mean) / self.scale)

    def tokens(self, patches: Vector) -> tuple[int, ...]:
        """Return one token id per patch."""
        nearest = (self.normalise(patches) @ self.centroids.T).argmax(axis=1)
        return tuple(int(word) for word in nearest)


def unit(vectors: Vector) -> Vector:
    """Return rows of unit norm; a row of zeros stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vector = (vectors / np.maximum(norms, 1e-6)).astype(np.float32)
    return scaled


def load_labels(models: Path) -> tuple[str, ...]:
    """Return the names of the 1,000 ImageNet classes. Raises FileNotFoundError, ValueError."""
    path = models / FOLDER / LABEL_FILE
    if not path.is_file():
        raise FileNotFoundError(f"no object labels at {path}: restore them from the repository")
    labels = tuple(path.read_text(encoding="utf-8").splitlines())
    if len(labels) != 1000:
        raise ValueError(f"{path} has {len(labels)} lines, want 1000: restore the file")
    return labels
