"""Key points made by hand: a standing figure of known height at a known place."""

from __future__ import annotations

import numpy as np

from dataset.pose.keypoints import FACE_POINTS, B, PoseSequence

#: Places of the body points for a figure of height 1 from nose to ankles, feet at (0, 0), y downwards.
_PLACES = {
    "Nose": (0.0, -1.0), "REye": (-0.02, -1.03), "LEye": (0.02, -1.03), "REar": (-0.05, -1.01), "LEar": (0.05, -1.01),
    "Neck": (0.0, -0.85), "RShoulder": (-0.12, -0.84), "LShoulder": (0.12, -0.84), "RElbow": (-0.16, -0.66),
    "LElbow": (0.16, -0.66), "RWrist": (-0.18, -0.48), "LWrist": (0.18, -0.48), "MidHip": (0.0, -0.5),
    "RHip": (-0.08, -0.5), "LHip": (0.08, -0.5), "RKnee": (-0.08, -0.26), "LKnee": (0.08, -0.26),
    "RAnkle": (-0.08, 0.0), "LAnkle": (0.08, 0.0), "RBigToe": (-0.12, 0.03), "LBigToe": (0.12, 0.03),
    "RSmallToe": (-0.14, 0.02), "LSmallToe": (0.14, 0.02), "RHeel": (-0.06, 0.02), "LHeel": (0.06, 0.02),
}  # fmt: skip


def standing(
    feet: np.ndarray, heights: np.ndarray, size: tuple[int, int] = (640, 480), fps: float = 25.0
) -> PoseSequence:
    """A figure whose ankles are at `feet` (T, 2) pixels and that is `heights` (T,) pixels tall, nose to ankles."""
    count = len(feet)
    body = np.ones((count, 25, 3), np.float32)
    for name, place in _PLACES.items():
        body[:, B[name], :2] = feet + heights[:, None] * np.array(place)
    return PoseSequence(
        body=body,
        left_hand=np.zeros((count, 21, 3), np.float32),
        right_hand=np.zeros((count, 21, 3), np.float32),
        face=np.zeros((count, FACE_POINTS, 3), np.float32),
        times=np.arange(count) / fps,
        size=size,
    )


def still(x: float, y: float, height: float, count: int) -> PoseSequence:
    """A figure that stands with its feet at (x, y) for `count` frames."""
    return standing(np.tile([float(x), float(y)], (count, 1)), np.full(count, float(height)))


def without(poses: PoseSequence, *names: str) -> PoseSequence:
    """The same poses with the named body points never seen."""
    parts = {key: points.copy() for key, points in poses.parts().items()}
    for name in names:
        parts["body"][:, B[name]] = 0
    return poses.with_parts(parts)
