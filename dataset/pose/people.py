"""Everybody in a picture, for scanning: found, looked at a second time, without doubles.

The pose detector is generous. It sees people in table legs, and two skeletons on one person. So every candidate is
cut out and looked at again: on a person the points come back in the same places to within a few hundredths of the
person's size, on anything else they do not come back or land elsewhere (measured on real clips, empty rooms and
close-ups of hands included).
"""

from __future__ import annotations

import math
import weakref
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dataset.errors import PoseError
from dataset.pose.blazepose import body_from_blazepose
from dataset.pose.closeup import Closeup
from dataset.pose.keypoints import SEEN, Array, body_box
from dataset.pose.landmarkers import Quiet, as_mediapipe, bundle_path, open_landmarker, pixels

#: Looks agree when the median distance of their points is below this part of the person's size.
AGREEMENT = 0.05
#: Two skeletons closer than this, by the same measure, are one person.
SAME_PERSON = 0.15
_LOOKS = 3
_MARGIN = 1.4
_PART = 0.6


class PeopleFinder:
    """Finds the people in single pictures. Use it as a context manager, or call `close`.

    The same picture always gives the same answer, whatever was looked at before.

    Args:
        max_people: at most so many are returned.
        model: "full", or the path of a MediaPipe pose landmarker bundle.
        small_people: where nobody is found in the whole picture, look through parts of it. People below about a
            fifth of the picture's longer side are found only so; it takes ten times as long and errs more often.

    Raises:
        ModelError: the bundle is missing or damaged.
    """

    def __init__(
        self, max_people: int = 4, model: str | Path = "full", *, small_people: bool = False
    ) -> None:
        if max_people < 1:
            raise PoseError(f"cannot look for {max_people} people")
        self._max_people = max_people
        self._small_people = small_people
        bundle = bundle_path(model)
        # The first look may be wrong, the second has to convince.
        self._wide = open_landmarker(
            "pose", bundle, running_mode="IMAGE", num_poses=max_people + 2, min_pose_detection_confidence=0.3
        )
        self._close = open_landmarker("pose", bundle, running_mode="IMAGE", num_poses=2)
        # MediaPipe complains when it is taken down by the end of the interpreter.
        self._finalizer = weakref.finalize(self, _close_both, self._wide, self._close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the native landmarkers."""
        self._finalizer()

    def find(self, image: npt.NDArray[np.uint8]) -> list[Array]:
        """The people in one picture.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            One (25, 3) array of body points for each person, most prominent first: large and well seen.
        """
        people = self._look(image, (0, 0))
        if not people and self._small_people:
            # The detector sees 224 × 224 pixels of whatever it is given: small people show up in parts of the picture.
            for left, top, side in _squares(image.shape[1], image.shape[0]):
                people += self._look(image[top : top + side, left : left + side], (left, top))
        return without_doubles(people)[: self._max_people]

    def _look(self, image: npt.NDArray[np.uint8], corner: tuple[int, int]) -> list[Array]:
        found = [self._confirmed(image, candidate) for candidate in _bodies(self._wide, image)]
        return [body + np.array([*corner, 0], np.float32) for body in found if body is not None]

    def _confirmed(self, image: npt.NDArray[np.uint8], candidate: Array) -> Array | None:
        """The candidate as closer looks settle on it, or None where they do not agree."""
        before = candidate
        for _ in range(_LOOKS):
            near = Closeup.about(before, _MARGIN)
            if near is None:
                return None
            looks = [near.back(body) for body in _bodies(self._close, near.cut(image))]
            if not looks:
                return None
            now = min(looks, key=lambda body: distance(before, body))
            if distance(before, now) <= AGREEMENT:
                return now
            before = now
        return None


def prominence(body: Array) -> float:
    """How much a person stands out: the diagonal of the box round the seen points × their mean confidence."""
    box = body_box(body)
    if box is None:
        return 0.0
    seen = body[body[:, 2] >= SEEN, 2]
    return float(np.hypot(box[2] - box[0], box[3] - box[1]) * seen.mean())


def distance(first: Array, second: Array) -> float:
    """Median distance of the points that both poses see, as a part of the larger pose's size; inf below five."""
    both = (first[:, 2] >= SEEN) & (second[:, 2] >= SEEN)
    boxes = [box for box in (body_box(first), body_box(second)) if box is not None]
    if both.sum() < 5 or len(boxes) < 2:
        return float("inf")
    size = max(max(box[2] - box[0], box[3] - box[1]) for box in boxes)
    gaps = np.hypot(*(first[both, :2] - second[both, :2]).T)
    return float(np.median(gaps)) / max(size, 1e-6)


def without_doubles(people: list[Array]) -> list[Array]:
    """Most prominent first; of skeletons that lie on one another only the most prominent."""
    kept: list[Array] = []
    for body in sorted(people, key=prominence, reverse=True):
        if all(distance(body, other) > SAME_PERSON for other in kept):
            kept.append(body)
    return kept


def _close_both(first: Any, second: Any) -> None:
    first.close()
    second.close()


def _bodies(landmarker: Any, image: npt.NDArray[np.uint8]) -> list[Array]:
    size = (image.shape[1], image.shape[0])
    result = Quiet.detect(lambda: landmarker.detect(as_mediapipe(image)))
    return [body_from_blazepose(pixels(person, size), size) for person in result.pose_landmarks]


def _squares(width: int, height: int) -> list[tuple[int, int, int]]:
    """Left, top and side of squares that cover the picture, each overlapping the next by a third or more."""
    side = max(1, round(min(width, height) * _PART))
    columns, rows = (1 + math.ceil((length - side) / (side * 2 / 3)) for length in (width, height))
    return [
        (round(x), round(y), side)
        for y in np.linspace(0, height - side, rows)
        for x in np.linspace(0, width - side, columns)
    ]
