"""Global pose normalisation: the source's poses, brought to the target's body and ground (paper §3.3, appendix).

Both people are measured by where their feet stand closest to and farthest from the camera and how tall they are
there. A source frame whose feet are at a share p of the way from far to close is scaled by the ratio of heights at p
and moved so that the feet land at the same share of the target's way.
"""

from __future__ import annotations

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
#: Share of the way from the median to the closest position within which the far position is looked for.
_FAR_SHARE = 0.7
#: Frames this near to the close or far position, as a share of the way, tell the height there.
_NEAR = 0.05
#: p is held to this range: a jump lifts the feet far beyond the far position without the body getting smaller.
_P_RANGE = (-0.25, 1.25)


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


def common_anchor(source: PoseSequence, target: PoseSequence) -> str:
    """The lowest anchor that both people show.

    Raises:
        PoseError: one of them shows not even shoulders.
    """
    for anchor in ANCHORS:
        if all(_share(poses, anchor) >= _ENOUGH for poses in (source, target)):
            return anchor
    poor = "source" if _share(source, "shoulders") < _ENOUGH else "target"
    raise PoseError(
        f"neither ankles, hips nor shoulders of the {poor} are seen in half of the frames with a person",
        hint="film the whole person from the front",
    )


def measure(poses: PoseSequence, anchor: str = "ankles") -> Ground:
    """Closest and farthest position and the heights there.

    Args:
        poses: cleaned key points.
        anchor: one of `ANCHORS`; see `common_anchor`.

    Raises:
        PoseError: head and anchor are never seen together.
    """
    foot, middle, height = _foot_and_height(poses, anchor)
    known = ~np.isnan(foot) & ~np.isnan(height)
    if not known.any():
        raise PoseError(f"head and {anchor} are never seen together")
    foot, middle, height = foot[known], middle[known], height[known]
    median = float(np.median(foot))
    # The outermost percent is left to errors of the pose estimator.
    close = float(np.percentile(foot, 99))
    reach = close - median
    candidates = foot[(foot < median) & (median - foot < _FAR_SHARE * reach)]
    far = float(candidates.min()) if len(candidates) else median
    tallest = float(np.percentile(height, 99))
    if close - far < 0.02 * tallest:  # stays in place
        usual = float(np.median(height[height >= np.median(height)]))
        return Ground(anchor, close, close, usual, usual, close, float(np.median(middle)))
    band = _NEAR * (close - far)
    height_close = float(height[np.abs(foot - close) <= max(band, 1.0)].max(initial=0.0)) or tallest
    if height_close < 0.9 * tallest:
        height_close = tallest
    height_far = float(height[np.abs(foot - far) <= max(band, 1.0)].max(initial=0.0)) or height_close
    height_far = min(height_far, height_close)
    return Ground(anchor, close, far, height_close, height_far, median, float(np.median(middle)))


def normalize(source: PoseSequence, target: PoseSequence) -> PoseSequence:
    """Bring the source's poses to the target's body, ground and place in the frame.

    Deterministic; every frame stays. A frame whose anchor is not seen takes scale and shift from its neighbours in
    time.

    Args:
        source: poses of the source video, cleaned, (T, …).
        target: poses of the target's recording, cleaned.

    Returns:
        (T, …) poses in pixels of the target's frame; ``notes`` say which anchor was used.

    Raises:
        PoseError: one of the two shows not even shoulders.
    """
    anchor = common_anchor(source, target)
    ours, theirs = measure(target, anchor), measure(source, anchor)
    foot, middle, _ = _foot_and_height(source, anchor)
    known = ~np.isnan(foot)
    foot = np.interp(source.times, source.times[known], foot[known])
    middle = np.interp(source.times, source.times[known], middle[known])
    span = theirs.close - theirs.far
    if span > 0:
        share = np.clip((foot - theirs.far) / span, *_P_RANGE)
    else:
        share = np.ones_like(foot)
    far, close = _fit_range(ours, theirs)
    scale_close = ours.height_at(close) / theirs.height_close
    scale_far = ours.height_at(far) / theirs.height_far
    scale = np.maximum(scale_far + share * (scale_close - scale_far), 0.05)
    ground = far + share * (close - far)
    # What clamping left over – a jump, a raised body – is kept as movement of the body's own size.
    ground = ground + scale * (foot - (theirs.far + share * span if span > 0 else theirs.close))
    x = ours.middle + scale * (middle - theirs.middle)
    shift = np.stack([x - scale * middle, ground - scale * foot], axis=1)
    moved = source.transformed(scale, shift, target.size)
    note = f"normalised on {anchor}"
    if anchor != "ankles":
        note += ": ankles are not seen in both videos, so depth on the ground is not followed"
    return moved.with_notes((*source.notes, note))


def _fit_range(target: Ground, source: Ground) -> tuple[float, float]:
    """The target's far and close position, no farther apart than the source moves in heights of its own body.

    A shorter way lies round where the target usually stands (the paper's code: round the middle of the way). Somebody
    who stays in place is put right there, at the size that the target has there.
    """
    span = target.close - target.far
    if span <= 0:
        return target.close, target.close
    wanted = (source.close - source.far) * target.height_close / source.height_close
    if wanted >= span:
        return target.far, target.close
    middle = float(np.clip(target.usual, target.far + wanted / 2, target.close - wanted / 2))
    return middle - wanted / 2, middle + wanted / 2


def _share(poses: PoseSequence, anchor: str) -> float:
    present = poses.present()
    if not present.any():
        return 0.0
    foot, _, height = _foot_and_height(poses, anchor)
    return float((~np.isnan(foot) & ~np.isnan(height))[present].mean())


def _foot_and_height(poses: PoseSequence, anchor: str) -> tuple[Floats, Floats, Floats]:
    """Per frame y of the lower anchor point, x between both, and distance from head to their middle; NaN if unseen."""
    right, left = (poses.body[:, B[name]].astype(np.float64) for name in ANCHORS[anchor])
    inside = [_inside(point, poses.size) for point in (right, left)]
    both = inside[0] & inside[1]
    foot = np.where(both, np.maximum(right[:, 1], left[:, 1]), np.nan)
    middle = np.where(both, (right[:, :2] + left[:, :2]).T / 2, np.nan)
    head = _head(poses)
    height = np.hypot(head[:, 0] - middle[0], head[:, 1] - middle[1])
    return foot, middle[0], height


def _inside(point: Floats, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Seen, and not guessed below the picture's edge."""
    seen: npt.NDArray[np.bool_] = (point[:, 2] >= SEEN) & (point[:, 1] < size[1])
    return seen


def _head(poses: PoseSequence) -> Floats:
    """(T, 2) the nose, else the middle of the ears, NaN where neither is seen."""
    nose, right, left = (poses.body[:, B[name]].astype(np.float64) for name in _HEAD)
    ears = np.where(
        ((right[:, 2] >= SEEN) & (left[:, 2] >= SEEN))[:, None], (right + left)[:, :2] / 2, np.nan
    )
    return np.where((nose[:, 2] >= SEEN)[:, None], nose[:, :2], ears)
