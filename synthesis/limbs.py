"""Limb proportions of the target on the source's poses: beyond the paper, which scales a body as a whole.

A bone in the picture is shorter than it is wherever it points towards or away from the camera. So its length is taken
from the frames in which it looks longest, relative to how tall the person is in that frame. Scaling the drawn bone by
the ratio of two such lengths keeps its direction, foreshortening included.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dataset.errors import PoseError
from dataset.pose.keypoints import SEEN, Array, B, PoseSequence
from synthesis.ground import ANCHORS, grounded, measure, places

Floats = npt.NDArray[np.float64]

#: Feet point at the camera, which hides how long they are: they keep the size that the body as a whole gives them.
FEET = "foot"
#: The kinematic tree from the hips outwards: parent, child, and the bone whose length both sides share.
TREE: tuple[tuple[str, str, str], ...] = (
    ("MidHip", "Neck", "trunk"),
    ("Neck", "RShoulder", "shoulders"), ("RShoulder", "RElbow", "upper arm"), ("RElbow", "RWrist", "forearm"),
    ("Neck", "LShoulder", "shoulders"), ("LShoulder", "LElbow", "upper arm"), ("LElbow", "LWrist", "forearm"),
    ("MidHip", "RHip", "hips"), ("RHip", "RKnee", "thigh"), ("RKnee", "RAnkle", "shin"),
    ("MidHip", "LHip", "hips"), ("LHip", "LKnee", "thigh"), ("LKnee", "LAnkle", "shin"),
    ("RAnkle", "RBigToe", FEET), ("RAnkle", "RSmallToe", FEET), ("RAnkle", "RHeel", FEET),
    ("LAnkle", "LBigToe", FEET), ("LAnkle", "LSmallToe", FEET), ("LAnkle", "LHeel", FEET),
    ("Neck", "Nose", "neck"),
    ("Nose", "REye", "head"), ("Nose", "LEye", "head"), ("Nose", "REar", "head"), ("Nose", "LEar", "head"),
)  # fmt: skip
#: Pairs of points that tell the size of the head, whose points all hang on the nose.
_HEAD = (("REar", "LEar"), ("REye", "LEye"))
#: Along a hand: wrist to the middle knuckle, and across the palm.
_PALM = ((0, 9), (5, 17))
#: A bone is unforeshortened in the frames where it is longest: the median of these, without the very longest, which
#: are errors of the pose estimator.
_LONGEST = (0.80, 0.98)
#: A bone must be seen in this many frames on both people, or it is left as it is.
_LEAST_FRAMES = 8
#: No limb changes by more than this factor; more is an error of measurement.
_MOST = 1.6

Scales = dict[str, float]


def limb_lengths(poses: PoseSequence, anchor: str = "ankles") -> Scales:
    """Length of each kind of bone as a share of the distance from head to anchor, both sides taken together.

    Args:
        poses: cleaned key points of one person.
        anchor: what the height is measured down to, one of `synthesis.ground.ANCHORS`.

    Returns:
        By the names in `TREE`, and "hand"; bones seen in too few frames are left out.
    """
    ground = measure(poses, anchor)
    found = places(poses, anchor)
    foot = grounded(found, poses.times)
    tall = np.array([ground.height_at(float(y)) if not np.isnan(y) else np.nan for y in foot])
    lengths: dict[str, list[float]] = {}

    def look(kind: str, a: Array, b: Array) -> None:
        seen = (a[:, 2] >= SEEN) & (b[:, 2] >= SEEN) & (tall > 0)
        if seen.sum() < _LEAST_FRAMES:
            return
        relative = np.hypot(*(a - b)[seen, :2].T) / tall[seen]
        low, high = np.quantile(relative, _LONGEST)
        longest = relative[(relative >= low) & (relative <= high)]
        lengths.setdefault(kind, []).append(float(np.median(longest)))

    for parent, child, kind in TREE:
        if kind not in ("head", FEET):
            look(kind, poses.body[:, B[parent]], poses.body[:, B[child]])
    for first, second in _HEAD:
        look(f"head {first[1:]}", poses.body[:, B[first]], poses.body[:, B[second]])
    for hand in (poses.left_hand, poses.right_hand):
        for first_point, second_point in _PALM:
            look(f"hand {first_point}", hand[:, first_point], hand[:, second_point])
    # Foreshortening only ever shortens: of both sides the longer one is nearer the truth.
    return {kind: max(values) for kind, values in lengths.items()}


def limb_ratios(source: PoseSequence, target: PoseSequence, anchor: str) -> Scales:
    """By how much each kind of bone of the source is to be scaled, relative to the whole body; 1 where unknown."""
    theirs, ours = limb_lengths(source, anchor), limb_lengths(target, anchor)
    each = {
        kind: float(np.clip(ours[kind] / theirs[kind], 1 / _MOST, _MOST))
        for kind in theirs
        if kind in ours and theirs[kind] > 0
    }
    ratios: Scales = {}
    for kind in dict.fromkeys([kind for _, _, kind in TREE] + ["hand"]):
        values = [value for name, value in each.items() if name == kind or name.startswith(f"{kind} ")]
        if values:
            ratios[kind] = float(np.median(values))
    return ratios


def adapt_limbs(moved: PoseSequence, target: PoseSequence, anchor: str) -> tuple[PoseSequence, str]:
    """The normalised poses with every limb as long as the target's; the feet stay where they were.

    Args:
        moved: what `synthesis.normalize.normalize` returns without limbs, in pixels of the target's frame.
        target: cleaned poses of the target.
        anchor: "ankles", "hips" or "shoulders": what stays in place.

    Returns:
        The poses, and a note that names the changes of more than three per cent.

    Raises:
        PoseError: head and anchor are never seen together.
    """
    if not len(moved):
        raise PoseError("there is no frame whose limbs could be adapted")
    ratios = limb_ratios(moved, target, anchor)
    body = moved.body.astype(np.float64)
    seen = body[..., 2] >= SEEN
    shift = np.zeros((len(moved), 25, 2))
    for parent, child, kind in TREE:
        p, c = B[parent], B[child]
        bone = (ratios.get(kind, 1.0) - 1.0) * (body[:, c, :2] - body[:, p, :2])
        # Below a joint that is not seen the limb keeps its length and moves with what it hangs on.
        shift[:, c] = shift[:, p] + np.where((seen[:, p] & seen[:, c])[:, None], bone, 0.0)
    after = body.copy()
    after[..., :2] += shift
    back = _anchor_shift(body, after, anchor)
    after[..., :2] += back[:, None]
    parts = {"body": after.astype(np.float32)}
    for name, root, kind in (
        ("left_hand", "LWrist", "hand"), ("right_hand", "RWrist", "hand"), ("face", "Nose", "head"),
    ):  # fmt: skip
        points = getattr(moved, name).astype(np.float64)
        centre = body[:, B[root], None, :2] if name == "face" else points[:, :1, :2]
        centre = np.where(seen[:, B[root], None, None], centre, points[..., :2])
        grown = centre + ratios.get(kind, 1.0) * (points[..., :2] - centre)
        points[..., :2] = grown + (shift[:, B[root]] + back)[:, None]
        parts[name] = points.astype(np.float32)
    changed = [f"{kind} ×{ratio:.2f}" for kind, ratio in ratios.items() if abs(ratio - 1) > 0.03]
    unknown = [kind for kind in dict.fromkeys(kind for _, _, kind in TREE) if kind not in (*ratios, FEET)]
    note = "limbs adapted to the target: " + (
        ", ".join(changed) if changed else "none differs by more than 3 %"
    )
    if unknown:
        note += f"; not seen well enough on both and left alone: {', '.join(unknown)}"
    return moved.with_parts(parts), note


def _anchor_shift(before: Floats, after: Floats, anchor: str) -> Floats:
    """(T, 2) what brings the anchor of `after` back to where it is in `before`; feet stay on the ground."""
    pair = [B[name] for name in ANCHORS[anchor]]
    seen = (before[:, pair, 2] >= SEEN).all(axis=1)
    if not seen.any():
        return np.zeros((len(before), 2))
    across, down = ([points[:, pair, axis] for points in (before, after)] for axis in (0, 1))
    out = np.stack(
        [across[0].mean(axis=1) - across[1].mean(axis=1), down[0].max(axis=1) - down[1].max(axis=1)], axis=1
    )
    rows = np.arange(len(before))
    return np.stack([np.interp(rows, rows[seen], out[seen, axis]) for axis in (0, 1)], axis=1)
