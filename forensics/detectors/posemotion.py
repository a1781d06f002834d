"""The pose-motion detector: do the joints move, and the limbs keep their length, as those of a filmed person?

A generator follows stick figures that were estimated frame by frame, so their jitter, their smoothing and the limbs of
another body may show in what it paints. What is measured is the pose that is recovered from the picture: from the
first frame of a pair to the second, and over all pairs of the person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import SEEN, B
from forensics.detectors.base import Evidence, Scores
from forensics.detectors.measured import Figures, MeasuredDetector
from forensics.detectors.registry import register

_LIMBS = (
    ("RShoulder", "RElbow"), ("RElbow", "RWrist"), ("LShoulder", "LElbow"), ("LElbow", "LWrist"),
    ("RHip", "RKnee"), ("RKnee", "RAnkle"), ("LHip", "LKnee"), ("LKnee", "LAnkle"),
    ("RShoulder", "LShoulder"), ("RHip", "LHip"), ("Neck", "MidHip"), ("REar", "LEar"),
)  # fmt: skip
_GROUPS = (
    ("Nose", "REye", "LEye", "REar", "LEar"),
    ("RShoulder", "LShoulder", "RHip", "LHip"),
    ("RElbow", "RWrist", "LElbow", "LWrist"),
    ("RKnee", "RAnkle", "LKnee", "LAnkle", "RBigToe", "LBigToe", "RHeel", "LHeel"),
)
_FROM = np.array([B[start] for start, _ in _LIMBS])
_TO = np.array([B[end] for _, end in _LIMBS])
#: Fewest points that must be seen in both frames.
_LEAST_POINTS = 6


@dataclass(frozen=True)
class PoseMotionConfig:
    """How the measurements are classified."""

    window: int = 128  # side of the windows; none is looked at
    variants: int = 1  # measured as it is: the pose is not estimated again on degraded pictures
    hidden: int = 8  # units of the classifier's hidden layer, 0 for none
    decay: float = 3e-3  # weight of its squared weights


@register("posemotion")
class PoseMotionDetector(MeasuredDetector):
    """Measures jitter and limb lengths of the recovered poses; judges each pair in which the person is seen twice."""

    Config = PoseMotionConfig
    config: PoseMotionConfig
    needs_second_pose = True

    def measured_as(self) -> str:
        """See `MeasuredDetector.measured_as`."""
        return "pairs"

    def measure(self, evidence: Evidence) -> Figures:
        """A row for each pair in which the person is seen in both frames: of the pair, then of all pairs together."""
        rows = [_pair_figures(evidence.bodies[pair]) for pair in self._measured(evidence)]
        if not rows:
            return np.zeros((0, 2 * len(_GROUPS) + 9), np.float32)
        overall = _overall_figures(evidence.bodies[self._measured(evidence)])
        return np.stack([np.concatenate([row, overall]) for row in rows]).astype(np.float32)

    def looked_at(self, evidence: Evidence) -> list[int]:
        """None: it looks at poses."""
        return []

    def judge(self, evidence: Evidence) -> Scores:
        """See `Detector.judge`."""
        logits, distance = self.look(self.measure(evidence))
        pairs = np.full(len(evidence.times), np.nan)
        pairs[self._measured(evidence)] = logits
        return Scores(pairs, None, distance)

    def _measured(self, evidence: Evidence) -> list[int]:
        both = (evidence.bodies[..., 2] >= SEEN).all(1).sum(1)
        return [pair for pair, points in enumerate(both) if points >= _LEAST_POINTS]


def _pair_figures(bodies: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(2, 25, 3) → (13,): motion and jitter of each group of joints, change of limbs, of confidence and of size."""
    seen: npt.NDArray[np.bool_] = np.asarray((bodies[..., 2] >= SEEN).all(0))
    first, second = bodies[:, :, :2].astype(np.float64)
    size = _size(first, seen)
    moved = (second - first) / size
    # What the whole body does together is no jitter: an affine motion is taken off.
    design = np.column_stack([first / size, np.ones(len(first))])
    whole, *_ = np.linalg.lstsq(design[seen], moved[seen], rcond=None)
    left = np.hypot(*(moved - design @ whole).T)
    figures = []
    for group in _GROUPS:
        points = [B[name] for name in group if seen[B[name]]]
        figures.append(np.log(np.hypot(*moved[points].T).mean() + 1e-3) if points else np.nan)
        figures.append(np.log(left[points].mean() + 1e-3) if points else np.nan)
    usable = seen[_FROM] & seen[_TO]
    before, after = (np.hypot(*(points[_TO] - points[_FROM]).T) + 1e-3 * size for points in (first, second))
    change = np.abs(np.log(after / before))[usable]
    figures += [
        np.log(change.mean() + 1e-3) if len(change) else np.nan,
        np.log(change.max() + 1e-3) if len(change) else np.nan,
        float(bodies[:, seen, 2].mean()),
        float(np.log(np.abs(bodies[0, seen, 2] - bodies[1, seen, 2]).mean() + 1e-3)),
        abs(float(np.log(_size(second, seen) / size))),
    ]
    return np.array(figures)


def _overall_figures(bodies: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(P, 2, 25, 3) → (4,): how the longest lengths of left and right limbs, and of all, agree over the pairs."""
    poses = bodies.reshape(-1, 25, 3).astype(np.float64)
    seen = poses[..., 2] >= SEEN
    size = np.array([_size(pose[:, :2], mask) for pose, mask in zip(poses, seen, strict=True)])
    lengths = np.hypot(*np.moveaxis(poses[:, _TO, :2] - poses[:, _FROM, :2], -1, 0)) / size[:, None]
    lengths = np.where(seen[:, _FROM] & seen[:, _TO], lengths, np.nan)
    # Foreshortening only ever shortens: the longest that is seen is nearest to the true length.
    longest = np.array([np.nanquantile(one, 0.9) if np.isfinite(one).any() else np.nan for one in lengths.T])
    sides = np.abs(np.log((longest[[0, 1, 4, 5]] + 1e-3) / (longest[[2, 3, 6, 7]] + 1e-3)))
    spread = np.array([np.nanstd(one) if np.isfinite(one).sum() > 1 else np.nan for one in lengths.T])
    return np.array(
        [_mean(sides), _mean(spread[:8]), _mean(spread[8:]), float(np.log(np.std(size) / size.mean() + 1e-2))]
    )


def _size(points: npt.NDArray[np.float64], seen: npt.NDArray[np.bool_]) -> float:
    """Diagonal of the box round the seen points, pixels."""
    if not seen.any():
        return 1.0
    return max(float(np.linalg.norm(np.ptp(points[seen], axis=0))), 1.0)


def _mean(values: npt.NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan
