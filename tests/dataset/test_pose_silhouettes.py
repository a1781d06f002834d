"""Outlines of people: what the landmarker cuts out of a picture, against the mannequin whose pixels are known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from mannequin_pixels import person_pixels

from dataset.mannequin import Performer
from dataset.mannequin.film import Studio
from dataset.pose import PeopleFinder, SilhouetteFinder
from dataset.pose.keypoints import Array, B

SIZE = (240, 320)


@pytest.fixture(scope="module")
def finder() -> Iterator[SilhouetteFinder]:
    with SilhouetteFinder() as found:
        yield found


def picture(
    seed: int, motion: str, time: float
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], Array]:
    """A picture of a mannequin, which pixels show it, and its body points as they are found."""
    studio = Studio(Performer.from_seed(seed), SIZE)
    image = studio.picture(motion, time, 0.001)
    truth = person_pixels(studio, motion, time)
    with PeopleFinder(max_people=1) as people:
        return image, truth, people.find(image)[0]


@pytest.mark.parametrize(("seed", "motion"), [(1, "dance"), (2, "wave"), (3, "walk")])
def test_the_outline_is_that_of_the_mannequin(finder: SilhouetteFinder, seed: int, motion: str) -> None:
    image, truth, body = picture(seed, motion, 1.3)
    found = finder.find(image, body)
    assert found is not None
    inside = found >= 128
    assert (inside & truth).sum() / (inside | truth).sum() > 0.8


def test_an_outline_goes_on_where_the_closeup_of_the_seen_points_ends(finder: SilhouetteFinder) -> None:
    image, truth, body = picture(2, "wave", 0.2)
    for name in ("Knee", "Ankle", "Heel", "BigToe", "SmallToe"):
        for side in "LR":
            body[B[side + name], 2] = 0
    found = finder.find(image, body)
    assert found is not None
    legs = truth.copy()
    legs[: int(body[B["MidHip"], 1]) + 60] = False
    assert legs.sum() > 100
    assert (found[legs] >= 26).mean() > 0.5


def test_an_outline_is_only_that_of_the_person_asked_for(finder: SilhouetteFinder) -> None:
    image, _, body = picture(1, "dance", 1.3)
    elsewhere = body.copy()
    elsewhere[:, 0] = SIZE[0] - body[:, 0]
    elsewhere[:, :2] = (elsewhere[:, :2] - elsewhere[:, :2].mean(0)) * 0.5 + body[:, :2].mean(0)
    assert finder.find(image, elsewhere) is None
    nobody = body * np.array([1, 1, 0], np.float32)
    assert finder.find(image, nobody) is None
