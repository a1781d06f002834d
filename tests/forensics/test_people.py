from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dataset.pose import PeopleFinder
from dataset.pose.keypoints import B
from forensics.people import Body, Tracker, visible_box
from forensics.views import ViewConfig, watch

SIZE = (640, 480)


def person(x: float = 300, y: float = 80, height: float = 300) -> Body:
    """A standing figure: `x` of its middle, `y` of its nose, `height` from nose to ankles."""
    body = np.zeros((25, 3), np.float32)
    places = {
        "Nose": (0, 0),
        "REye": (-0.02, -0.02),
        "LEye": (0.02, -0.02),
        "RShoulder": (-0.12, 0.15),
        "LShoulder": (0.12, 0.15),
        "RHip": (-0.08, 0.5),
        "LHip": (0.08, 0.5),
        "RWrist": (-0.2, 0.5),
        "LWrist": (0.2, 0.5),
        "RAnkle": (-0.08, 1.0),
        "LAnkle": (0.08, 1.0),
    }
    for name, (dx, dy) in places.items():
        body[B[name]] = (x + dx * height, y + dy * height, 0.95)
    return body


def without(body: Body, *names: str) -> Body:
    body = body.copy()
    for name in names:
        body[B[name], 2] = 0
    return body


def test_the_box_reaches_from_above_the_eyes_to_the_ankles() -> None:
    box = visible_box(person(), SIZE)
    assert box is not None
    assert 20 < box[1] < 70
    assert box[3] == pytest.approx(380)


def test_what_lies_outside_the_picture_does_not_count_as_visible_height() -> None:
    box = visible_box(person(y=300), SIZE)
    assert box is not None
    assert box[3] < 480


@pytest.mark.parametrize(
    "body",
    [
        without(person(), "Nose", "REye", "LEye"),
        without(person(), "RShoulder", "LShoulder"),
        without(person(), "RHip", "LHip", "RWrist", "LWrist", "RAnkle", "LAnkle"),
        person(x=5000),
        np.zeros((25, 3), np.float32),
    ],
    ids=["no head", "no shoulders", "too few points", "outside", "nothing"],
)
def test_what_shows_no_head_and_shoulders_is_no_person(body: Body) -> None:
    assert visible_box(body, SIZE) is None


def test_low_confidence_of_head_and_shoulders_is_no_person() -> None:
    body = person()
    body[:, 2] *= 0.4
    assert visible_box(body, SIZE) is None


def test_two_people_keep_their_numbers_when_their_order_changes() -> None:
    tracker = Tracker()
    left, right = person(x=150), person(x=500)
    first = tracker.update(0.0, [left, right], SIZE)
    second = tracker.update(0.5, [right, left], SIZE)
    assert [s.person for s in first] == [1, 2]
    assert [s.person for s in second] == [2, 1]


def test_a_person_much_larger_than_the_last_is_somebody_else() -> None:
    tracker = Tracker()
    tracker.update(0.0, [person(height=90)], SIZE)
    assert tracker.update(0.2, [person(height=350)], SIZE)[0].person == 2


def test_a_person_is_found_again_after_a_gap() -> None:
    tracker = Tracker()
    tracker.update(0.0, [person()], SIZE)
    tracker.update(1.0, [], SIZE)
    assert tracker.update(2.0, [person(x=340)], SIZE)[0].person == 1


def test_one_person_found_twice_counts_once() -> None:
    assert len(Tracker().update(0.0, [person(), person(x=303)], SIZE)) == 1


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("name", ["sam2_coffee.mp4", "intel_bottle.mp4", "opencv_box.mp4", "intel_car.mp4"])
def test_hands_and_empty_scenes_show_no_person(shared_clips: Path, name: str) -> None:
    with PeopleFinder() as finder:
        for _, sightings in watch(shared_clips / "open" / name, finder, ViewConfig(pairs=3)):
            assert sightings == []
