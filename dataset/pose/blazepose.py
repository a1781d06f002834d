"""From MediaPipe's points to ours: BlazePose 33 to BODY_25, face mesh 478 to OpenPose's 70.

Hands have the same 21 points in the same order on both sides. Everything here is arithmetic on arrays, so that it
can be tested without a model.

Three body points have no counterpart in BlazePose. *Neck* and *MidHip* are the midpoints of shoulders and hips and
take the lower confidence of the two. *Small toes* are placed from heel, ankle, knee and foot index with the depth
that BlazePose gives: a fifth of the foot behind the big toe and a seventh of the shin to the outside. They are a
guess about anatomy, not an observation, so their confidence is half of the least of the points they come from.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import BODY_25, FACE_POINTS, Array, B

#: Points of BlazePose that BODY_25 takes over, by BODY_25 name.
BLAZEPOSE = {
    "Nose": 0, "LEye": 2, "REye": 5, "LEar": 7, "REar": 8,
    "LShoulder": 11, "RShoulder": 12, "LElbow": 13, "RElbow": 14, "LWrist": 15, "RWrist": 16,
    "LHip": 23, "RHip": 24, "LKnee": 25, "RKnee": 26, "LAnkle": 27, "RAnkle": 28,
    "LHeel": 29, "RHeel": 30, "LBigToe": 31, "RBigToe": 32,
}  # fmt: skip

#: Face mesh vertices that stand for OpenPose's 70 face points: iBUG 68 from the person's right to left, then pupils.
FACE_MESH = (
    # jaw 0–16
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    # brows 17–26
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
    # nose: bridge 27–30, base 31–35
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    # eyes 36–47
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    # mouth: outer 48–59, inner 60–67
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
    # pupils 68 (right), 69 (left)
    468, 473,
)  # fmt: skip

#: Points further outside the picture than this part of its longer side count as not seen.
OUTSIDE = 0.03


def body_from_blazepose(points: npt.ArrayLike, size: tuple[int, int]) -> Array:
    """One pose in BODY_25.

    Args:
        points: (33, 4): x, y, depth in pixels (depth on the scale of x, smaller is nearer), confidence in [0, 1].
        size: width and height of the picture in pixels.

    Returns:
        (25, 3) x, y in pixels and confidence; points well outside the picture have confidence 0.
    """
    blaze = np.asarray(points, np.float64)
    body = np.zeros((len(BODY_25), 3), np.float32)
    for name, index in BLAZEPOSE.items():
        body[B[name]] = blaze[index, [0, 1, 3]]
    for name, left, right in (("Neck", "LShoulder", "RShoulder"), ("MidHip", "LHip", "RHip")):
        body[B[name], :2] = (body[B[left], :2] + body[B[right], :2]) / 2
        body[B[name], 2] = min(body[B[left], 2], body[B[right], 2])
    for side, outwards in (("L", 1.0), ("R", -1.0)):
        body[B[f"{side}SmallToe"]] = _small_toe(blaze, side, outwards)
    return outside_unseen(body, size)


def _small_toe(blaze: npt.NDArray[np.float64], side: str, outwards: float) -> npt.NDArray[np.float64]:
    knee, ankle, heel, toe = (
        blaze[BLAZEPOSE[f"{side}{part}"]] for part in ("Knee", "Ankle", "Heel", "BigToe")
    )
    foot, shin = toe[:3] - heel[:3], knee[:3] - ankle[:3]
    # With x to the right, y down and z away from the camera, shin × foot points to the person's left.
    across = np.cross(shin, foot)
    length = float(np.linalg.norm(across))
    if length == 0.0:
        return np.zeros(3)
    place = toe[:3] - 0.2 * foot + float(np.linalg.norm(shin)) / 7 * outwards * across / length
    return np.array([place[0], place[1], 0.5 * min(knee[3], ankle[3], heel[3], toe[3])])


def face_from_mesh(points: npt.ArrayLike, confidence: float, size: tuple[int, int]) -> Array:
    """The 70 face points of one face.

    Args:
        points: (478, 2) or wider: x, y in pixels.
        confidence: given to every point; the mesh has none of its own.
        size: width and height of the picture in pixels.

    Returns:
        (70, 3) x, y, confidence.
    """
    mesh = np.asarray(points, np.float32)
    face = np.empty((FACE_POINTS, 3), np.float32)
    face[:, :2] = mesh[list(FACE_MESH), :2]
    face[:, 2] = confidence
    return outside_unseen(face, size)


def outside_unseen(points: Array, size: tuple[int, int]) -> Array:
    """The same points with confidence 0 where they lie outside the picture by more than `OUTSIDE`, or nowhere."""
    margin = OUTSIDE * max(size)
    finite = np.isfinite(points).all(axis=-1)
    inside = (
        finite
        & (points[..., :2] >= -margin).all(axis=-1)
        & (points[..., 0] <= size[0] + margin)
        & (points[..., 1] <= size[1] + margin)
    )
    out = points.copy()
    out[~finite] = 0.0
    out[..., 2] = np.where(inside, out[..., 2], 0.0)
    return out
