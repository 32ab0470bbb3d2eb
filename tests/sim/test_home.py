"""Signs, the path through the home and speech, without a bag."""

import itertools
import shutil

import cv2
import numpy as np
import pytest

from sim import script, speech, textures

camera = pytest.importorskip("sim.camera", reason="needs mujoco")


@pytest.mark.parametrize("number", sorted(script.MARKER_NAMES))
def test_markers_are_found_again(number):
    card = textures.marker_card(number, ("Vacuum cleaner",), 1.0)
    dictionary = cv2.aruco.getPredefinedDictionary(textures.MARKER_DICTIONARY)
    _, ids, _ = cv2.aruco.ArucoDetector(dictionary).detectMarkers(card)
    assert ids.ravel().tolist() == [number]


def test_a_sign_keeps_its_text_inside_the_border():
    image = textures.sign(("Christmas", "lights"), (0, 0, 0), (255, 255, 255), 1.5)
    inside = image[20:-20, 20:-20].min(axis=2) < 128
    columns = np.flatnonzero(inside.any(axis=0))
    assert columns[0] > 20
    assert columns[-1] < inside.shape[1] - 20


def test_a_sign_without_text_is_refused():
    with pytest.raises(ValueError, match="at least one line"):
        textures.sign((), (0, 0, 0), (255, 255, 255), 1.5)


def test_the_robot_stands_at_the_views_and_never_jumps():
    for number, scene in enumerate(script.SCENES):
        stand = camera.stand_at(number * script.SCENE_SECONDS + 1)
        assert (stand.x, stand.y) == (scene.view.x, scene.view.y)
    path = [camera.stand_at(t / 10) for t in range(int(script.duration() * 10))]
    steps = [np.hypot(b.x - a.x, b.y - a.y) for a, b in itertools.pairwise(path)]
    assert max(steps) < 0.2  # 2 m/s


def test_frames_are_frequent_in_motion_and_rare_at_rest():
    frames = list(camera.times())
    moving = sum(is_moving for _, is_moving in frames)
    still = len(frames) - moving
    driving = (len(script.SCENES) - 1) * (script.SCENE_SECONDS - script.DWELL_SECONDS)
    assert moving == pytest.approx(driving * camera.MOVING_HZ, rel=0.05)
    assert still == pytest.approx((script.duration() - driving) * camera.STILL_HZ, rel=0.05)


def test_rooms_without_a_way_are_an_error():
    with pytest.raises(ValueError, match="attic"):
        camera._doorways("kitchen", "attic")


def test_an_unknown_speaker_has_no_voice():
    with pytest.raises(ValueError, match="no voice for 'Nobody'"):
        speech.say("Nobody", "Hello.")


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng")
def test_speech_is_16_khz_and_two_voices_differ():
    one, other = (speech.say(name, "Good morning.") for name in ("Edith", "Tom"))
    assert one.dtype == np.int16
    assert 0.4 < len(one) / speech.SAMPLE_RATE < 2
    assert 10_000 < np.abs(one.astype(int)).max() < 32767
    assert len(one) != len(other)
