"""Frames become events: text in canonical order, visual tokens, and clear refusals."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from universal_memory.experience.event import Modality, Pose
from universal_memory.experience.tokenizers.camera import CameraTokenizer
from universal_memory.experience.tokenizers.codebook import Codebook, load_labels
from universal_memory.experience.tokenizers.visual_network import VisualFeatures, VisualNetwork
from universal_memory.resources import models_dir

SECOND = 10**9
LABELS = ("coffee mug", "laptop", "desk")


def tokenizer(text="pharmacy room 12", markers=("charging dock",), chances=(0.5, 0.4, 0.1), **more):
    """Return a tokenizer whose network sees the mean colour of the image."""

    def network(image):
        patches = np.eye(4, dtype=np.float32)[[0, 3, 1]]
        embedding = image.mean(axis=(0, 1)).astype(np.float32)
        return VisualFeatures(
            patches, embedding / np.linalg.norm(embedding), np.array(chances, dtype=np.float32)
        )

    flat = np.zeros(4, dtype=np.float32), np.ones(4, dtype=np.float32)
    return CameraTokenizer(
        network=network,
        codebook=Codebook(np.eye(4, dtype=np.float32), *flat),
        labels=LABELS,
        read_text=lambda image: text,
        read_markers=lambda gray: list(markers),
        min_label=0.3,
        **more,
    )


def frame(colour=(200, 30, 30)) -> np.ndarray:
    image = np.zeros((480, 640, 3), dtype=np.uint8)
    image[:, :320] = colour
    return image


def test_text_has_its_parts_in_canonical_order():
    pose = Pose("map", (1.0, 2.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    event = tokenizer(source="bag").tokenize(frame(), 5, "camera/front", pose)
    assert event is not None
    assert event.text == (
        "Sign reads: pharmacy room 12. Marker: charging dock. Camera sees: coffee mug, laptop."
    )
    assert (event.stamp, event.stream, event.modality) == (5, "camera/front", Modality.CAMERA)
    assert event.tokens == (0, 3, 1) and event.pose == pose and event.source == "bag"
    assert event.features == ()


def test_nothing_to_name_is_an_event_without_text():
    event = tokenizer("", (), (0.2, 0.1, 0.1), keep_features=True).tokenize(frame(), 5, "c")
    assert event is not None and event.text == "" and event.tokens
    assert np.linalg.norm(event.features) == pytest.approx(1)


def test_a_frame_that_shows_nothing_new_is_no_event():
    eye = tokenizer()
    assert eye.tokenize(frame(), 0, "front")
    assert eye.tokenize(frame(), SECOND, "front") is None
    assert eye.tokenize(frame(), SECOND, "back")  # streams have their own memory
    assert eye.tokenize(frame((20, 200, 20)), 2 * SECOND, "front") is None  # not steady yet
    assert eye.tokenize(frame((20, 200, 20)), 3 * SECOND, "front")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((480, 640, 3), np.float32), "image is float32"),
        (np.zeros((480, 640, 3), np.uint16), "image is uint16"),
        ("picture", "image is str"),
        (None, "image is NoneType"),
        (np.zeros((480, 640), np.uint8), r"shape \(480, 640\)"),
        (np.zeros((480, 640, 4), np.uint8), r"shape \(480, 640, 4\)"),
        (np.zeros((0, 640, 3), np.uint8), "image is 640x0"),
        (np.zeros((8, 8, 3), np.uint8), "image is 8x8"),
    ],
)
def test_bad_images_are_refused_with_the_value(image, message):
    eye = tokenizer()
    with pytest.raises(ValueError, match=message):
        eye.tokenize(image, 5, "front")
    assert eye.tokenize(frame(), 6, "front")


def test_min_label_must_be_a_probability():
    with pytest.raises(ValueError, match="min_label is 0"):
        CameraTokenizer(min_label=0)


@pytest.mark.slow
def test_real_models_see_a_sign_and_a_marker():
    image = np.full((480, 640, 3), 190, dtype=np.uint8)
    image[60:180, 60:400] = 250
    cv2.putText(image, "Exit B7", (90, 140), 0, 1.8, (20, 20, 120), 4, cv2.LINE_AA)
    table = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    image[250:420, 420:590] = 255
    image[265:405, 435:575] = cv2.aruco.generateImageMarker(table, 12, 140)[..., np.newaxis]
    event = CameraTokenizer({12: "charging dock"}).tokenize(image, 5, "camera/front")
    assert event is not None
    assert event.text.startswith("Sign reads: Exit B7. Marker: charging dock.")
    assert len(event.tokens) == 49 and max(event.tokens) < 512
    assert len(set(event.tokens)) > 3


@pytest.mark.slow
def test_real_network_tells_a_picture_from_another():
    network = VisualNetwork()
    random = np.random.default_rng(0)
    one = cv2.resize(random.integers(0, 256, (6, 8, 3), dtype=np.uint8), (640, 480))
    moved = np.roll(one, 6, axis=1)
    other = cv2.resize(random.integers(0, 256, (24, 32, 3), dtype=np.uint8), (640, 480))
    first, second, third = (network(image).embedding for image in (one, moved, other))
    assert first @ second > 0.95 > first @ third
    assert network(one).labels.sum() == pytest.approx(1, abs=1e-4)
    assert network(one).patches.shape == (49, 320)


def test_committed_codebook_and_labels_are_whole():
    codebook = Codebook.load(models_dir())
    assert codebook.centroids.shape == (512, 320)
    assert np.linalg.norm(codebook.centroids, axis=1) == pytest.approx(1, abs=1e-2)
    labels = load_labels(models_dir())
    assert labels[504] == "coffee mug" and all(labels)


def test_codebook_round_trip_and_damage(tmp_path):
    random = np.random.default_rng(0)
    book = Codebook(np.eye(4, 6, dtype=np.float32), np.zeros(6, np.float32), np.ones(6, np.float32))
    book.save(tmp_path)
    patches = random.normal(size=(9, 6)).astype(np.float32)
    assert Codebook.load(tmp_path).tokens(patches) == book.tokens(patches)
    assert book.tokens(patches) == tuple(patches[:, :4].argmax(axis=1))
    path = tmp_path / "visual_codebook" / "codebook.safetensors"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match="damaged"):
        Codebook.load(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="restore it"):
        Codebook.load(tmp_path)
    with pytest.raises(ValueError, match="do not fit"):
        Codebook(np.eye(4, dtype=np.float32), np.zeros(3, np.float32), np.ones(3, np.float32))
    with pytest.raises(FileNotFoundError, match="no object labels"):
        load_labels(tmp_path)
