"""How far poses lie outside those that a target was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import SEEN, B, PoseSequence
from synthesis.ground import Ground, grounded, places

Floats = npt.NDArray[np.float64]

#: What makes a posture: the joints, without the details of head, hands and feet.
JOINTS = (
    "Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "RHip", "RKnee", "RAnkle",
    "LHip", "LKnee", "LAnkle",
)  # fmt: skip
#: Postures are compared where this many joints are seen in both.
_LEAST_JOINTS = 6
#: At most so many frames of target and source are compared, evenly spread.
_MOST = 900
#: A target's frame is not compared with its neighbours in time, seconds: they are the same movement.
_NEIGHBOURS = 1.0
#: A posture is outside if it is farther from the target's nearest than this many times what is usual among the
#: target's own (their 95th percentile), and farther than a length at all which is within what estimators err and
#: generators make up for: seven centimetres on a body, in heights from head to anchor.
FARTHER = 1.5
LEAST = {"ankles": 0.04, "hips": 0.08, "shoulders": 0.24}
#: Instants that are shown are this far apart in seconds.
_APART = 0.8


@dataclass(frozen=True)
class Distances:
    """Of the source's postures from the target's, in shares of the body's height (root mean square over the joints).

    Attributes:
        rows: the source's frames that were compared.
        distance: of each from the nearest of the target's postures; NaN where too little is seen.
        nearest: the target's frame that has it.
        usual: what 95 % of the target's own postures are nearer than to another moment of the recording.
        limit: beyond it a posture is outside.
    """

    rows: npt.NDArray[np.int64]
    distance: Floats
    nearest: npt.NDArray[np.int64]
    usual: float
    limit: float

    @property
    def outside(self) -> float:
        """Share of the compared frames whose posture is outside."""
        known = ~np.isnan(self.distance)
        return float((self.distance[known] > self.limit).mean()) if known.any() else 1.0

    @property
    def far(self) -> float:
        """Share of the compared frames whose posture is more than twice as far away as the limit."""
        known = ~np.isnan(self.distance)
        return float((self.distance[known] > 2 * self.limit).mean()) if known.any() else 1.0

    @property
    def compared(self) -> bool:
        """Whether any frame shows enough of the body to be compared."""
        return bool((~np.isnan(self.distance)).any())

    def worst(self, times: Floats, count: int = 3) -> list[int]:
        """Places in `rows` of the postures farthest away, apart in time, the farthest first."""
        order = np.argsort(-np.nan_to_num(self.distance, nan=-1.0), kind="stable")
        chosen: list[int] = []
        for place in order:
            if np.isnan(self.distance[place]) or len(chosen) == count:
                break
            if all(abs(times[self.rows[place]] - times[self.rows[other]]) >= _APART for other in chosen):
                chosen.append(int(place))
        return chosen


def postures(poses: PoseSequence, ground: Ground) -> Floats:
    """(T, J, 2) joints round the middle of the hips, else the neck, in heights of the body; NaN where not seen.

    Args:
        poses: key points.
        ground: of the same person in the same frame, which tells how tall the body is where it stands.
    """
    points = poses.body[:, [B[name] for name in JOINTS]].astype(np.float64)
    place = np.where(points[..., 2:] >= SEEN, points[..., :2], np.nan)
    hips = (place[:, JOINTS.index("RHip")] + place[:, JOINTS.index("LHip")]) / 2
    centre = np.where(np.isnan(hips), place[:, JOINTS.index("Neck")], hips)
    foot = grounded(places(poses, ground.anchor), poses.times)
    tall = np.array([ground.height_at(y if np.isfinite(y) else ground.usual) for y in foot])
    relative: Floats = (place - centre[:, None]) / np.maximum(tall, 0.1 * ground.height_close)[:, None, None]
    return relative


def distances(source: PoseSequence, ours: Ground, target: PoseSequence, theirs: Ground) -> Distances:
    """Each of the source's postures against all of the target's.

    Args:
        source: normalised poses, in the target's frame.
        ours: their ground.
        target: the target's poses.
        theirs: their ground.
    """
    rows, known = (_spread(np.flatnonzero(poses.present())) for poses in (source, target))
    own = postures(target, theirs)[known]
    table = _table(postures(source, ours)[rows], own)
    among = _table(own, own)
    times = target.times[known]
    gap = min(_NEIGHBOURS, float(np.ptp(times)) / 4) if len(times) else 0.0
    among[np.abs(times[:, None] - times[None]) <= gap] = np.inf
    usual = among.min(axis=1, initial=np.inf)
    usual = usual[np.isfinite(usual)]
    level = float(np.percentile(usual, 95)) if len(usual) else 0.0
    nearest = table.argmin(axis=1) if table.shape[1] else np.zeros(len(rows), np.int64)
    found = table.min(axis=1, initial=np.inf)
    return Distances(
        rows=rows,
        distance=np.where(np.isfinite(found), found, np.nan),
        nearest=known[nearest] if len(known) else nearest,
        usual=level,
        limit=max(FARTHER * level, LEAST[theirs.anchor]),
    )


def _spread(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    if len(rows) <= _MOST:
        return rows
    return np.asarray(rows[np.linspace(0, len(rows) - 1, _MOST).round().astype(int)], np.int64)


def _table(first: Floats, second: Floats) -> Floats:
    """(N, M) root mean square distance of the joints that both see; inf where they are too few."""
    total = np.zeros((len(first), len(second)))
    count = np.zeros_like(total)
    for joint in range(len(JOINTS)):
        a, b = first[:, joint], second[:, joint]
        seen = ~np.isnan(a[:, :1]) & ~np.isnan(b[:, 0])[None]
        square = ((np.nan_to_num(a)[:, None] - np.nan_to_num(b)[None]) ** 2).sum(axis=2)
        total += np.where(seen, square, 0.0)
        count += seen
    return np.where(count >= _LEAST_JOINTS, np.sqrt(total / np.maximum(count, 1)), np.inf)
