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
import numpy.typing as npt

from dataset.pose.keypoints import PoseSequence
from synthesis.ground import Ground, common_anchor, grounded, measure, places
from synthesis.limbs import adapt_limbs

Floats = npt.NDArray[np.float64]

#: Half the seconds over which the way over the ground is averaged, so that single steps do not make a body breathe.
_STRIDE = 0.5
#: p is held to this range, which only errors of the pose estimator leave.
_P_RANGE = (-0.25, 1.25)


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
    foot, ground, middle = (
        np.interp(source.times, source.times[known], values[known])
        for values in (found.foot, grounded(found, source.times), found.middle)
    )
    ground = _path(ground, source.times)
    span = theirs.close - theirs.far
    share = np.clip((ground - theirs.far) / span, *_P_RANGE) if span > 0 else np.ones_like(foot)
    far, close = _fit_range(ours, theirs)
    tall = ours.height_at(far) + share * (ours.height_at(close) - ours.height_at(far))
    there = theirs.height_far + share * (theirs.height_close - theirs.height_far)
    scale = tall / np.maximum(there, 0.05 * theirs.height_close)
    # Whatever is above the ground – a jump, a raised body – stays a movement of the body's own size.
    landed = far + share * (close - far) + scale * (foot - (theirs.far + share * span))
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


def _path(ground: Floats, times: Floats) -> Floats:
    """The way of the body over the ground, without the single steps: a mean over about a stride (`_STRIDE`)."""
    if len(times) < 3:
        return ground
    step = max(float(np.median(np.diff(times))), 1e-3)
    reach = min(round(_STRIDE / step), len(times) - 1)
    if reach < 1:
        return ground
    kernel = np.hanning(2 * reach + 3)[1:-1]
    padded = np.pad(ground, reach, mode="reflect", reflect_type="odd")  # keeps the slope at the ends
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")
