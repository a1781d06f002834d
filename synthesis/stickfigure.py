"""Key points → label image: the coloured stick figure of the paper (supplement; colours and limbs as released).

The figure is drawn large and resized by area, so that it looks alike at every size.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import FINGERS, SEEN, B, PoseSequence

Points = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]
Color = tuple[int, int, int]

#: Colour of each body point (RGB).
JOINT_COLORS: dict[str, Color] = {
    "Neck": (0, 0, 255), "RShoulder": (0, 55, 255), "RElbow": (0, 110, 255), "RWrist": (0, 165, 255),
    "LShoulder": (0, 215, 255), "LElbow": (0, 235, 255), "LWrist": (0, 255, 255), "MidHip": (0, 0, 255),
    "RHip": (0, 255, 175), "RKnee": (0, 255, 85), "RAnkle": (0, 255, 0), "RBigToe": (85, 255, 0),
    "RSmallToe": (170, 255, 0), "LHip": (128, 25, 25), "LKnee": (255, 85, 0), "LAnkle": (255, 170, 0),
    "LBigToe": (255, 212, 0), "LSmallToe": (255, 255, 0), "Nose": (0, 0, 255), "REye": (255, 0, 255),
    "REar": (238, 130, 238), "LEye": (226, 43, 138), "LEar": (130, 0, 75),
}  # fmt: skip

#: The 22 limbs, each drawn in the colour of its first joint.
LIMBS: tuple[tuple[str, str], ...] = (
    ("Neck", "RShoulder"), ("RShoulder", "RElbow"), ("RElbow", "RWrist"),
    ("Neck", "LShoulder"), ("LShoulder", "LElbow"), ("LElbow", "LWrist"),
    ("Neck", "MidHip"),
    ("MidHip", "RHip"), ("RHip", "RKnee"), ("RKnee", "RAnkle"), ("RAnkle", "RBigToe"), ("RAnkle", "RSmallToe"),
    ("MidHip", "LHip"), ("LHip", "LKnee"), ("LKnee", "LAnkle"), ("LAnkle", "LBigToe"), ("LAnkle", "LSmallToe"),
    ("Neck", "Nose"), ("Nose", "REye"), ("REye", "REar"), ("Nose", "LEye"), ("LEye", "LEar"),
)  # fmt: skip

FACE_DOTS = (27, 30, 8, 0, 16, 33, 68, 69)
_FACE_LINES: tuple[tuple[Color, tuple[int, ...]], ...] = (
    ((120, 120, 120), tuple(range(17))),
    ((150, 75, 0), tuple(range(17, 22))),
    ((150, 75, 0), tuple(range(22, 27))),
    ((0, 0, 0), (27, 28, 29, 30)),
    ((0, 0, 0), tuple(range(31, 36))),
    ((0, 90, 0), (*range(36, 42), 36)),
    ((0, 90, 0), (*range(42, 48), 42)),
    ((200, 0, 0), (*range(48, 60), 48)),
    ((120, 0, 60), (*range(60, 68), 60)),
)
_HAND_SEEN = 0.05
_FACE_SEEN = 0.2
_REFERENCE_HEIGHT = 1080  # the height at which the paper's radii are given


def _rainbow(index: int) -> Color:
    hsv = np.array([[[int(179 * index / 21), 255, 230]]], np.uint8)
    red, green, blue = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
    return int(red), int(green), int(blue)


HAND_COLORS = tuple(_rainbow(index) for index in range(21))


def draw(
    poses: PoseSequence, row: int, size: tuple[int, int], *, face: str = "dots", large: int | None = None
) -> Image:
    """Draw frame `row` of `poses` on white.

    Args:
        poses: key points in the pixels of ``poses.size``.
        row: which frame.
        size: width and height of the result; the proportions of ``poses.size`` are not kept by themselves.
        face: "dots" – eight dots as in the paper – or "contours" – lines along brows, eyes, nose, mouth and jaw.
        large: height in pixels at which to draw before resizing; by default at least twice the result.

    Returns:
        (height, width, 3) uint8 RGB. All white where nobody was found.
    """
    width, height = size
    tall = large or max(2 * height, 512)
    canvas = np.full((tall, round(tall * width / height), 3), 255, np.uint8)
    scale = np.array([canvas.shape[1] / poses.size[0], tall / poses.size[1]], np.float32)
    unit = tall / _REFERENCE_HEIGHT
    body = _scaled(poses.body[row], scale)
    _draw_body(canvas, body, unit)
    for hand in (poses.left_hand[row], poses.right_hand[row]):
        _draw_hand(canvas, _scaled(hand, scale), unit)
    points = _scaled(poses.face[row], scale)
    if points[:, 2].mean() >= _FACE_SEEN:
        (_face_dots if face == "dots" else _face_contours)(canvas, points, unit)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _scaled(points: Points, scale: Points) -> Points:
    out = points.copy()
    out[:, :2] *= scale
    return out


def _draw_body(canvas: Image, body: Points, unit: float) -> None:
    radius, half_width = 8 * unit, 4 * unit
    for first, second in LIMBS:
        a, b = body[B[first]], body[B[second]]
        if min(a[2], b[2]) < SEEN:
            continue
        layer = canvas.copy()
        middle = (a[:2] + b[:2]) / 2
        length = float(np.hypot(*(a[:2] - b[:2])))
        angle = float(np.degrees(np.arctan2(a[1] - b[1], a[0] - b[0])))
        box = ((float(middle[0]), float(middle[1])), (max(length, 1.0), max(2 * half_width, 1.5)), angle)
        cv2.ellipse(layer, box, JOINT_COLORS[first], -1, cv2.LINE_AA)
        cv2.addWeighted(canvas, 0.4, layer, 0.6, 0, dst=canvas)
    for name, color in JOINT_COLORS.items():
        x, y, confidence = body[B[name]]
        if confidence >= SEEN:
            _dot(canvas, x, y, radius, color)


def _draw_hand(canvas: Image, hand: Points, unit: float) -> None:
    seen = hand[:, 2] > _HAND_SEEN
    thickness = max(round(4 * unit), 1)
    for finger in FINGERS:
        for a, b in pairwise(finger):
            if seen[a] and seen[b]:
                _line(canvas, hand[a], hand[b], HAND_COLORS[b], thickness)
    for index in np.flatnonzero(seen):
        _dot(canvas, hand[index, 0], hand[index, 1], 3 * unit, HAND_COLORS[index])


def _face_dots(canvas: Image, face: Points, unit: float) -> None:
    for index in FACE_DOTS:
        _dot(canvas, face[index, 0], face[index, 1], 4 * unit, (0, 0, 0))


def _face_contours(canvas: Image, face: Points, unit: float) -> None:
    for color, chain in _FACE_LINES:
        for a, b in pairwise(chain):
            _line(canvas, face[a], face[b], color, max(round(2 * unit), 1))
    for pupil in (68, 69):
        _dot(canvas, face[pupil, 0], face[pupil, 1], 3 * unit, (0, 0, 0))


_SHIFT = 4  # sub-pixel bits of OpenCV's drawing functions


def _fixed(x: float, y: float) -> tuple[int, int]:
    limit = 1 << 14  # far outside any canvas, yet inside OpenCV's integers
    return (
        round(float(np.clip(x, -limit, limit)) * (1 << _SHIFT)),
        round(float(np.clip(y, -limit, limit)) * (1 << _SHIFT)),
    )


def _dot(canvas: Image, x: float, y: float, radius: float, color: Color) -> None:
    cv2.circle(canvas, _fixed(x, y), round(max(radius, 0.8) * (1 << _SHIFT)), color, -1, cv2.LINE_AA, _SHIFT)


def _line(canvas: Image, a: Points, b: Points, color: Color, thickness: int) -> None:
    cv2.line(canvas, _fixed(a[0], a[1]), _fixed(b[0], b[1]), color, thickness, cv2.LINE_AA, _SHIFT)
