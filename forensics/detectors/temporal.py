"""The temporal detector: does what changes from one frame to the next change as in a film of one scene?

A camera leaves the same noise on a person as on the wall behind, and what moves keeps its texture. A generated person
is painted anew in every frame, into a background that was filmed or painted otherwise. So the second frame is brought
back onto the first by optical flow (Kroeger et al., *Fast Optical Flow using Dense Inverse Search*, ECCV 2016), and
what remains is measured on the person and, as a yardstick of the same camera and codec, on the background round it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import SEEN, B
from forensics.detectors.base import Evidence, Scores, mean_by_pair
from forensics.detectors.measured import Figures, MeasuredDetector
from forensics.detectors.registry import register
from forensics.windows import wanted_rows

Plane = npt.NDArray[np.float32]

_LIMBS = (
    ("Neck", "RShoulder"), ("RShoulder", "RElbow"), ("RElbow", "RWrist"), ("Neck", "LShoulder"),
    ("LShoulder", "LElbow"), ("LElbow", "LWrist"), ("Neck", "MidHip"), ("MidHip", "RHip"), ("RHip", "RKnee"),
    ("RKnee", "RAnkle"), ("MidHip", "LHip"), ("LHip", "LKnee"), ("LKnee", "LAnkle"), ("Neck", "Nose"),
    ("RShoulder", "RHip"), ("LShoulder", "LHip"), ("RShoulder", "LHip"), ("LShoulder", "RHip"),
)  # fmt: skip
#: Half the thickness of a limb, and how far off the body the background begins, as parts of the torso's length.
_THICK, _OFF = 0.16, 0.55
#: An area smaller than this part of a window cannot be measured.
_LEAST = 0.03
#: Figures measured on the person and on the background alike.
_BOTH = 7
_OWN = 4


@dataclass(frozen=True)
class TemporalConfig:
    """What is measured and how it is classified."""

    window: int = 128  # side of the windows, pixels
    parts: tuple[str, ...] = ("whole", "upper", "lower", "torso", "head")  # windows that are measured
    variants: int = 3  # times each clip is measured in training: as it is, and degraded
    hidden: int = 16  # units of the classifier's hidden layer, 0 for none
    decay: float = 1e-3  # weight of its squared weights


@register("temporal")
class TemporalDetector(MeasuredDetector):
    """Measures motion-compensated residual, noise, flicker and flow, on the person against the background."""

    Config = TemporalConfig
    config: TemporalConfig

    def measured_as(self) -> str:
        """See `MeasuredDetector.measured_as`."""
        return f"window {self.config.window}, parts {' '.join(self.config.parts)}"

    def measure(self, evidence: Evidence) -> Figures:
        """A row for each window; see `_window_figures`, with the part as flags behind."""
        rows = [
            np.concatenate([_window_figures(evidence, row), self._flags(evidence.parts[row])])
            for row in range(len(evidence))
        ]
        width = 3 * _BOTH + _OWN + len(self.config.parts)
        return np.stack(rows).astype(np.float32) if rows else np.zeros((0, width), np.float32)

    def judge(self, evidence: Evidence) -> Scores:
        """See `Detector.judge`."""
        rows = self.looked_at(evidence)
        logits, distance = self.look(self.measure(evidence.only(rows)))
        windows = np.full(len(evidence), np.nan)
        windows[rows] = logits
        return Scores(mean_by_pair(windows, evidence.pairs, len(evidence.times)), None, distance)

    def looked_at(self, evidence: Evidence) -> list[int]:
        """See `Detector.looked_at`."""
        return wanted_rows(evidence.parts, self.config.parts)

    def _flags(self, part: str) -> npt.NDArray[np.float32]:
        return np.array([part == name for name in self.config.parts], np.float32)


def _window_figures(evidence: Evidence, row: int) -> npt.NDArray[np.float32]:
    """Figures on the person, the same on the background, their differences, and some of the person alone."""
    first, second = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in evidence.pixels[row])
    side = first.shape[0]
    flow = _FLOW.calc(first, second, None)
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).astype(np.float32)
    one, two = first.astype(np.float32), second.astype(np.float32)
    back = cv2.remap(two, grid + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    colours = (evidence.pixels[row].astype(np.float32) - np.stack([one, two])[..., None])[..., ::2]
    planes = {
        "residual": back - one,
        "detail": one - cv2.GaussianBlur(one, (0, 0), 1.0),
        "detail_back": back - cv2.GaussianBlur(back, (0, 0), 1.0),
        "flow": np.hypot(flow[..., 0], flow[..., 1]),
        "bend": np.hypot(cv2.Laplacian(flow[..., 0], cv2.CV_32F), cv2.Laplacian(flow[..., 1], cv2.CV_32F)),
        "hue": np.abs(colours[1] - colours[0]).mean(-1),
    }
    person, ground = _areas(evidence, row, side)
    on_person, on_ground = (_area_figures(planes, area) for area in (person, ground))
    own = np.array(
        [
            _flicker(planes["residual"], person),
            _flicker(planes["residual"], ground),
            # Texture that stays on the screen while the body moves away below it.
            _stuck(one, two, person),
            float(person.mean()),
        ]
    )
    return np.concatenate([on_person, on_ground, on_person - on_ground, own]).astype(np.float32)


def _area_figures(planes: dict[str, Plane], area: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    if area.mean() < _LEAST:
        return np.full(_BOTH, np.nan)
    residual, detail, after = (planes[name][area] for name in ("residual", "detail", "detail_back"))
    middle = float(np.median(np.abs(residual)))
    return np.array(
        [
            np.log(middle + 0.1),
            np.log(residual.std() + 0.1),
            np.log((residual.std() + 0.1) / (middle + 0.1)),  # few large faults against many small ones
            np.log(detail.std() + 0.1),
            _correlation(detail, after),  # does the texture come along with the motion?
            np.log(planes["flow"][area].mean() + 0.05),
            np.log(planes["bend"][area].mean() + 0.01) + 0.1 * np.log(planes["hue"][area].mean() + 0.1),
        ]
    )


def _areas(evidence: Evidence, row: int, side: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """(S, S) where the person is, and where surely nobody is; both empty where the pose or the place is unknown."""
    nowhere = np.zeros((side, side), bool)
    body = evidence.bodies[evidence.pairs[row], 0]
    box = None if evidence.boxes is None else evidence.boxes[row]
    seen = body[:, 2] >= SEEN
    if box is None or not np.isfinite(box).all() or seen.sum() < 4:
        return nowhere, nowhere
    scale = side / max(float(box[2] - box[0]), 1.0)
    points = (body[:, :2] - box[:2]) * scale
    low, high = points[seen].min(0), points[seen].max(0)
    torso = float(np.linalg.norm(points[B["Neck"]] - points[B["MidHip"]]))
    if not (seen[B["Neck"]] and seen[B["MidHip"]]) or torso < 4:
        torso = max(float((high - low).max()) / 4, 4.0)
    drawn = np.zeros((side, side), np.uint8)
    for start, end in _LIMBS:
        if seen[B[start]] and seen[B[end]]:
            ends = [
                tuple(int(v) for v in np.clip(points[B[name]], -4 * side, 4 * side)) for name in (start, end)
            ]
            cv2.line(drawn, ends[0], ends[1], 1, max(round(2 * _THICK * torso), 1))
    far = cv2.distanceTransform(1 - drawn, cv2.DIST_L2, 3) > _OFF * torso
    return drawn.astype(bool), far


def _flicker(residual: Plane, area: npt.NDArray[np.bool_]) -> float:
    """How far the brightness of the whole area jumps."""
    return float(np.log(abs(float(residual[area].mean())) + 0.05)) if area.mean() >= _LEAST else np.nan


def _stuck(one: Plane, two: Plane, area: npt.NDArray[np.bool_]) -> float:
    if area.mean() < _LEAST:
        return np.nan
    fine = [plane - cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in (one, two)]
    return _correlation(fine[0][area], fine[1][area])


def _correlation(a: Plane, b: Plane) -> float:
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean()) / spread if spread > 1e-6 else 0.0


def _open_flow() -> cv2.DISOpticalFlow:
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)


_FLOW = _open_flow()
