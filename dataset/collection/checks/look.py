"""One close look at a frame and the one after it: who is there, how they are lit, and what moves behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import SEEN, Array, B, body_box

if TYPE_CHECKING:
    from dataset.pose import PeopleFinder

Image = npt.NDArray[np.uint8]

#: Longer side, in pixels, of the picture in which the background is followed.
_SMALL = 480
#: Levels of 255 that hold no more detail.
_BLACK, _WHITE = 2, 253
#: Side of the squares in which noise is measured, in pixels.
_BLOCK = 16


@dataclass(frozen=True)
class Look:
    """What was seen in one frame.

    Attributes:
        people: (25, 3) body points of everybody, most prominent first.
        size: width and height of the frame.
        luma: mean luma of the main person's box, of the frame where there is none, in levels of 255.
        clipped: share of pixels that are black or white beyond all detail.
        noise: standard deviation of the noise where the picture is flat, in levels of 255.
        blur: of the main person, from 0 (sharp) to 1; None without one.
        small: the frame in grey, at most 480 pixels.
        behind: where it shows background, 255, else 0.
        jump: pixels of `small` by which the background moves to the next frame.
    """

    people: list[Array]
    size: tuple[int, int]
    luma: float
    clipped: float
    noise: float
    blur: float | None
    small: Image
    behind: Image
    jump: float

    @property
    def diagonal(self) -> float:
        """Of the small picture, in pixels."""
        return float(np.hypot(*self.small.shape))

    @property
    def height(self) -> float | None:
        """Pixels from top to bottom of the main person's points, None without a person."""
        box = body_box(self.people[0]) if self.people else None
        return None if box is None else float(box[3] - box[1])

    @property
    def whole(self) -> bool:
        """Whether the main person is seen from head to feet."""
        if not self.people:
            return False
        seen = self.people[0][:, 2] >= SEEN
        head = seen[B["Nose"]] or seen[B["LEar"]] or seen[B["REar"]]
        return bool(head and seen[B["LAnkle"]] and seen[B["RAnkle"]])


def look(image: Image, following: Image, finder: PeopleFinder) -> Look:
    """Look at a frame.

    Args:
        image: (H, W, 3) uint8 RGB.
        following: the next frame, of the same size.
        finder: finds the people.
    """
    height, width = image.shape[:2]
    people = finder.find(image)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, _SMALL / max(width, height))
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(grey, shape, interpolation=cv2.INTER_AREA), np.uint8)
    after = cv2.resize(cv2.cvtColor(following, cv2.COLOR_RGB2GRAY), shape, interpolation=cv2.INTER_AREA)
    behind = _background(people, shape, scale)
    crop = _crop(grey, people)
    return Look(
        people=people,
        size=(width, height),
        luma=float((grey if crop is None else crop).mean()),
        clipped=float(((grey <= _BLACK) | (grey >= _WHITE)).mean()),
        noise=noise(grey),
        blur=None if crop is None else blur(crop),
        small=small,
        behind=behind,
        jump=float(np.hypot(*shift(small, np.asarray(after, np.uint8), behind))),
    )


def noise(grey: Image) -> float:
    """Standard deviation of the noise, in levels, of the flattest fifth of the picture.

    Immerkær, "Fast noise variance estimation", Computer Vision and Image Understanding 64 (1996), within small
    squares, so that texture does not count as noise.
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.abs(cv2.filter2D(grey.astype(np.float32), -1, mask))[1:-1, 1:-1]
    rows, columns = response.shape[0] // _BLOCK, response.shape[1] // _BLOCK
    if not rows or not columns:
        return float(response.mean()) * float(np.sqrt(np.pi / 2)) / 6
    blocks = response[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    return float(np.percentile(blocks.mean(axis=(1, 3)), 20)) * float(np.sqrt(np.pi / 2)) / 6


def blur(grey: Image) -> float:
    """How blurred a picture is, from 0 to 1: what a further blur takes away from its differences of neighbours.

    Crété-Roffet et al., "The blur effect: perception and estimation with a new no-reference perceptual blur metric",
    Human Vision and Electronic Imaging 2007; the worse of both directions.
    """
    values = grey.astype(np.float32)
    worst = 0.0
    for axis, kernel in ((0, (1, 9)), (1, (9, 1))):
        softer = cv2.blur(values, kernel)
        before, after = np.abs(np.diff(values, axis=axis)), np.abs(np.diff(softer, axis=axis))
        total = float(before.sum())
        if total > 0:
            lost = float(np.maximum(before - after, 0).sum())
            worst = max(worst, (total - lost) / total)
    return worst


def shift(first: Image, second: Image, behind: Image) -> tuple[float, float]:
    """Pixels by which the background moves from one grey picture to another, x and y: the median of its corners.

    A background without corners is compared as a whole, by phase correlation.
    """
    corners = cv2.goodFeaturesToTrack(first, 120, 0.02, 6, mask=behind)
    if corners is not None and len(corners) >= 8:
        moved, found, _ = cv2.calcOpticalFlowPyrLK(first, second, corners, None, winSize=(21, 21), maxLevel=3)
        kept = found.ravel() == 1
        if kept.sum() >= max(8, len(corners) // 3):
            across, down = np.median((moved - corners)[kept].reshape(-1, 2), axis=0)
            return float(across), float(down)
    part = (behind > 0).astype(np.float64)
    (across, down), _ = cv2.phaseCorrelate((first - first.mean()) * part, (second - second.mean()) * part)
    return float(across), float(down)


def _background(people: list[Array], shape: tuple[int, int], scale: float) -> Image:
    mask = np.full((shape[1], shape[0]), 255, np.uint8)
    for box in (body_box(person) for person in people):
        if box is not None:
            # Points lie on the joints: clothes, hair and shadow reach further.
            reach = 0.15 * max(box[2] - box[0], box[3] - box[1])
            left, top, right, bottom = (
                round(value * scale)
                for value in (box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach)
            )
            mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 0
    return mask


def _crop(grey: Image, people: list[Array]) -> Image | None:
    box = body_box(people[0]) if people else None
    if box is None:
        return None
    left, top, right, bottom = (max(0, round(float(value))) for value in box)
    crop = grey[top : bottom + 1, left : right + 1]
    return crop if min(crop.shape) >= 16 else None
