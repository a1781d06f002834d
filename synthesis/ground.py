"""Where somebody stands: the feet's way over the ground in the picture, and how tall the person is along it.

Both are what global pose normalisation compares (`synthesis.normalize`; paper §3.3, appendix).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataset.errors import PoseError
from dataset.pose.keypoints import SEEN, B, PoseSequence

Floats = npt.NDArray[np.float64]

#: What carries the person when it is seen: feet, else hips, else shoulders (video of the upper body only).
ANCHORS: dict[str, tuple[str, str]] = {
    "ankles": ("RAnkle", "LAnkle"),
    "hips": ("RHip", "LHip"),
    "shoulders": ("RShoulder", "LShoulder"),
}
_HEAD = ("Nose", "REar", "LEar")
#: An anchor is used if it is seen in this share of the frames with a person.
_ENOUGH = 0.5
#: The outermost positions are these percentiles of a way that is averaged over strides: beyond lie errors of the pose
#: estimator.
_OUTERMOST = (0.2, 99.8)
#: Whose feet range over less than this part of their height stays in place.
_IN_PLACE = 0.05
#: Feet are in the air for less than this many seconds, lifted by this part of the height or more, and the head rises
#: by at least this share of what the feet do: somebody who walks away has feet that rise and a head that does not.
_AIR_SECONDS, _AIR_LIFT, _HEAD_RISE = 0.9, 0.015, 0.35
#: Half the seconds over which the way over the ground is averaged: about a stride, whose single steps set one foot
#: before the body and one behind it.
_STRIDE = 0.5
#: Gravity lifts somebody who is in the air for t seconds by g t² / 8, which is 0.8 t² of 1.5 m from head to ankles.
#: Less than half of that is a body that rose while the feet walked.
_FALL = 0.4
#: Somebody upright is as tall as this share of the frames is not: people bend more than they stretch.
_UPRIGHT = 0.9
#: Pixels of height lost for each pixel that the feet go up the picture. It is body height over camera height, so
#: more than this would be a camera below the knee.
_STEEPEST = 4.0


@dataclass(frozen=True)
class Ground:
    """Where somebody stands and how tall they are there; lengths in pixels of the frame.

    Attributes:
        anchor: "ankles", "hips" or "shoulders".
        close: y of the anchor where it is closest to the camera.
        far: y where it is farthest; equal to `close` for somebody who stays in place.
        height_close, height_far: from head to anchor at these positions.
        usual: y of the anchor in the median frame.
        middle: x of the anchor in the median frame.
    """

    anchor: str
    close: float
    far: float
    height_close: float
    height_far: float
    usual: float
    middle: float

    def height_at(self, y: float) -> float:
        """From head to anchor where the anchor is at `y`, linear between far and close."""
        if self.close <= self.far:
            return self.height_close
        share = (y - self.far) / (self.close - self.far)
        return self.height_far + share * (self.height_close - self.height_far)


@dataclass(frozen=True)
class Places:
    """Where the anchor is in each frame, (T,) each; NaN where it is not seen.

    Attributes:
        foot: y of the lower of the two anchor points.
        middle: x between both.
        height: distance from the head to the middle of both, at the height of the lower one.
        head: y of the head.
    """

    foot: Floats
    middle: Floats
    height: Floats
    head: Floats

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """(T,) where head and anchor are both seen."""
        known: npt.NDArray[np.bool_] = ~np.isnan(self.foot) & ~np.isnan(self.height)
        return known


def common_anchor(source: PoseSequence, target: PoseSequence) -> str:
    """The lowest anchor that both people show.

    Raises:
        PoseError: one of them shows not even shoulders.
    """
    for anchor in ANCHORS:
        if all(anchor_share(poses, anchor) >= _ENOUGH for poses in (source, target)):
            return anchor
    poor = "source" if anchor_share(source, "shoulders") < _ENOUGH else "target"
    raise PoseError(
        f"neither ankles, hips nor shoulders of the {poor} are seen in half of the frames with a person",
        hint="film the whole person from the front",
    )


def anchor_share(poses: PoseSequence, anchor: str) -> float:
    """In which share of the frames with a person head and anchor are both seen."""
    present = poses.present()
    return float(places(poses, anchor).known[present].mean()) if present.any() else 0.0


def measure(poses: PoseSequence, anchor: str = "ankles") -> Ground:
    """Closest and farthest position and the heights there.

    Only feet tell depth: hips and shoulders that go up and down are a body that moves, so with them everybody counts
    as staying in place.

    Args:
        poses: cleaned key points.
        anchor: one of `ANCHORS`; see `common_anchor`.

    Raises:
        PoseError: head and anchor are never seen together.
    """
    found = places(poses, anchor)
    known = found.known
    if not known.any():
        raise PoseError(f"head and {anchor} are never seen together")
    foot = way(found, poses.times)[known]
    height = found.height[known]
    usual, middle = float(np.median(foot)), float(np.median(found.middle[known]))
    upright = float(np.quantile(height, _UPRIGHT))
    far, close = (float(edge) for edge in np.percentile(foot, _OUTERMOST))
    if anchor != "ankles" or close - far < _IN_PLACE * upright:
        return Ground(anchor, usual, usual, upright, upright, usual, middle)
    slope, height_close = _line(foot - close, height)
    return Ground(anchor, close, far, height_close, height_close - slope * (close - far), usual, middle)


def way(found: Places, times: Floats) -> Floats:
    """(T,) y of the ground below the person in every frame: `grounded`, without the single steps.

    Frames where the anchor is not seen take it from their neighbours in time.
    """
    ground = grounded(found, times)
    seen = ~np.isnan(ground)
    ground = np.interp(times, times[seen], ground[seen])
    if len(times) < 3:
        return ground
    step = max(float(np.median(np.diff(times))), 1e-3)
    reach = min(round(_STRIDE / step), len(times) - 1)
    if reach < 1:
        return ground
    kernel = np.hanning(2 * reach + 3)[1:-1]
    padded = np.pad(ground, reach, mode="reflect", reflect_type="odd")  # keeps the slope at the ends
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def grounded(found: Places, times: Floats) -> Floats:
    """(T,) y of the ground below the anchor: where it is itself, except while the person is in the air.

    The way of the feet is closed from below over `_AIR_SECONDS` (a dilation and an erosion in time), which fills a
    jump but not a walk. What is filled counts as a jump only where the head rose as well,
    and as fast as a body falls.
    """
    foot = found.foot.copy()
    known = np.flatnonzero(found.known)
    if len(known) < 3:
        return foot
    step = float(np.median(np.diff(times[known])))
    reach = max(round(_AIR_SECONDS / 2 / max(step, 1e-3)), 1)
    path, head = foot[known], found.head[known]
    closed = _running(_running(path, reach, np.max), reach, np.min)
    tall = float(np.median(found.height[known]))
    lifted = closed - path >= _AIR_LIFT * tall
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lifted, [False]]).astype(np.int8)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        top = start + int(np.argmax((closed - path)[start:stop]))
        before, after = head[max(start - 1, 0)], head[min(stop, len(head) - 1)]
        lift = float((closed - path)[top])
        rises = (before + after) / 2 - head[top] >= _HEAD_RISE * lift
        if rises and lift >= _FALL * tall * ((stop - start) * step) ** 2:
            foot[known[start:stop]] = closed[start:stop]
    return foot


def _line(nearness: Floats, height: Floats) -> tuple[float, float]:
    """Slope and value at 0 of the line that `_UPRIGHT` of the heights lie below: linear quantile regression.

    A pinhole camera over flat ground makes heights linear in the y of the feet. The best of a grid of slopes is
    exact enough and, unlike an iteration, always the same.
    """
    best = (np.inf, 0.0, 0.0)
    for slope in np.linspace(0.0, _STEEPEST, 161):
        rest = height - slope * nearness
        level = float(np.quantile(rest, _UPRIGHT))
        loss = float(np.where(rest > level, _UPRIGHT * (rest - level), (1 - _UPRIGHT) * (level - rest)).sum())
        best = min(best, (loss, float(slope), level))
    return best[1], best[2]


def places(poses: PoseSequence, anchor: str) -> Places:
    """Where head and anchor are in each frame. Points guessed below the picture's edge count as not seen."""
    right, left = (poses.body[:, B[name]].astype(np.float64) for name in ANCHORS[anchor])
    both = _inside(right, poses.size) & _inside(left, poses.size)
    foot = np.where(both, np.maximum(right[:, 1], left[:, 1]), np.nan)
    middle = np.where(both[:, None], (right[:, :2] + left[:, :2]) / 2, np.nan)
    head = _head(poses)
    # Down to the lower foot: with one leg raised, the middle of both is somewhere in the air.
    height = np.hypot(head[:, 0] - middle[:, 0], head[:, 1] - foot)
    return Places(foot, middle[:, 0], height, head[:, 1])


def _inside(point: Floats, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    seen: npt.NDArray[np.bool_] = (point[:, 2] >= SEEN) & (point[:, 1] < size[1])
    return seen


def _head(poses: PoseSequence) -> Floats:
    """(T, 2) the nose, else the middle of the ears, NaN where neither is seen."""
    nose, right, left = (poses.body[:, B[name]].astype(np.float64) for name in _HEAD)
    ears = np.where(
        ((right[:, 2] >= SEEN) & (left[:, 2] >= SEEN))[:, None], (right + left)[:, :2] / 2, np.nan
    )
    return np.where((nose[:, 2] >= SEEN)[:, None], nose[:, :2], ears)


def _running(values: Floats, reach: int, extreme: Callable[..., Floats]) -> Floats:
    padded = np.pad(values, reach, mode="edge")
    view = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    return np.asarray(extreme(view, axis=1), np.float64)
