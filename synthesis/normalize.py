"""Global pose normalisation: the source's poses, brought to the target's body and ground (paper §3.3, appendix).

Both people are measured by where their feet stand closest to and farthest from the camera and how tall they are
there. A source frame whose feet are at a share p of the way from far to close is scaled by the ratio of heights at p
and moved so that the feet land at the same share of the target's way.

Where the paper's released script goes astray, this one does as follows. Both ankles must be seen. Jumps are told from
walking first (`synthesis.ground.grounded`), so that a far position may lie anywhere and p, held to a range, is that of
the ground below the jumper. Heights near and far come from a line along the upper edge of all frames, not from the few
next to the outermost ones. The person is placed on the target's spot across the picture too. Somebody who stays in
place has one position and one height. Without ankles, hips and then shoulders carry the person, and the notes say so.
Nothing is drawn at random.
"""

from __future__ import annotations

import numpy as np

from dataset.pose.keypoints import PoseSequence
from synthesis.ground import Ground, common_anchor, grounded, measure, places, way
from synthesis.limbs import adapt_limbs

#: p is held to this range, which only errors of the pose estimator leave.
_P_RANGE = (-0.25, 1.25)
#: So is the steepness of the target's ground against the source's. Steps are made smaller where it is flatter, never
#: larger where it is steeper: of two feet one is lifted, and the lower one shows only a part of a step's depth.
_STEEPNESS = (0.4, 1.0)


def normalize(source: PoseSequence, target: PoseSequence, *, limbs: bool = False) -> PoseSequence:
    """Bring the source's poses to the target's body, ground and place in the frame.

    Deterministic; every frame stays. A frame whose anchor is not seen takes scale and shift from its neighbours in
    time.

    Args:
        source: poses of the source video, cleaned, (T, …).
        target: poses of the target's recording, cleaned.
        limbs: also give every limb the length that it has on the target (`synthesis.limbs`; not in the paper).

    Returns:
        (T, …) poses in pixels of the target's frame; ``notes`` say which anchor was used, and what was done to limbs.

    Raises:
        PoseError: one of the two shows not even shoulders.
    """
    anchor = common_anchor(source, target)
    ours, theirs = measure(target, anchor), measure(source, anchor)
    found = places(source, anchor)
    known = ~np.isnan(found.foot)
    foot, middle, standing = (
        np.interp(source.times, source.times[known], values[known])
        for values in (found.foot, found.middle, grounded(found, source.times))
    )
    ground = way(found, source.times)
    span = theirs.close - theirs.far
    share = np.clip((ground - theirs.far) / span, *_P_RANGE) if span > 0 else np.ones_like(foot)
    far, close = _fit_range(ours, theirs)
    tall = ours.height_at(far) + share * (ours.height_at(close) - ours.height_at(far))
    there = theirs.height_far + share * (theirs.height_close - theirs.height_far)
    scale = tall / np.maximum(there, 0.05 * theirs.height_close)
    # A jump stays a movement of the body's own size. A step towards the camera goes down the picture by as much as
    # the ground does there.
    step = standing - ground
    landed = far + share * (close - far) + scale * (foot - (theirs.far + share * span))
    landed += scale * (_steepness(ours, theirs) - 1) * step
    x = ours.middle + scale * (middle - theirs.middle)
    moved = source.transformed(
        scale, np.stack([x - scale * middle, landed - scale * foot], axis=1), target.size
    )
    notes = [f"normalised on {anchor}"]
    if anchor != "ankles":
        notes[0] += ": ankles are not seen in both videos, so depth on the ground is not followed"
    if limbs:
        moved, said = adapt_limbs(moved, target, anchor)
        notes.append(said)
    return moved.with_notes((*source.notes, *notes))


def _steepness(target: Ground, source: Ground) -> float:
    """How far down the target's picture a step leads, against the source's, in heights of the body each.

    A pinhole camera sees a step of one body height, taken towards it at a place where the body is h tall, as h² c / f:
    c is the camera's height in heights of the body, the slope of the feet's y over h, and f the focal length. Lenses
    are taken to be alike. Who stays in place does not show how steep their ground is; then it is that of the other.
    """
    if min(target.close - target.far, source.close - source.far) <= 0:
        return 1.0
    seen = []
    for person in (target, source):
        rise = person.height_close - person.height_far
        if rise <= 0.01 * person.height_close:
            return 1.0
        camera = (person.close - person.far) / rise
        seen.append(camera * (person.height_close + person.height_far) / 2)
    return float(np.clip(seen[0] / seen[1], *_STEEPNESS))


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
