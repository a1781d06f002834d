"""Faults of a pose estimator repaired, and smoothing for transfer. Pure functions; no frame is ever dropped.

`clean` undoes what is surely wrong: limbs that swap sides for a moment, points that jump away and back, and short
holes. It leaves everything else as it was estimated. `smooth` is the sliding median over seven frames of the paper's
released code, for poses that drive a transfer, not for the labels that a generator is trained on.

Lengths are in body sizes: the longer side of the box round the person, in the median over the frames with one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dataset.errors import PoseError
from dataset.pose.keypoints import SEEN, Array, B, PoseSequence, body_box

#: Holes up to this long are filled, in seconds that are missing.
LONGEST_GAP = 0.2
#: A filled-in point has this part of the lower confidence of the two it lies between.
FILLED_CONFIDENCE = 0.5
#: A jump away and back is a fault if it is at least so far (body sizes), faster than this (body sizes a second),
JUMP, FASTEST = 0.1, 4.0
#: and over after so many seconds, or after a single frame.
LONGEST_JUMP = 0.12
#: Points that swap sides together, and the hands that go with them.
LIMBS: tuple[tuple[tuple[str, ...], bool], ...] = (
    (("Shoulder", "Hip"), False),
    (("Elbow", "Wrist"), True),
    (("Knee", "Ankle", "BigToe", "SmallToe", "Heel"), False),
)
#: What it costs, in body sizes of mean motion, to declare a limb swapped: each change, and each second it lasts.
SWITCH_COST, SWAPPED_COST = 0.03, 0.3
#: Mean motion that is free, in body sizes a second: legs that cross are not swapped.
FREE_MOTION = 2.0
#: Continuity says nothing across longer holes, in seconds.
_FORGET = 0.5
#: Rows of the sliding median that are worked out at once.
_BLOCK = 512

Times = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def clean(poses: PoseSequence) -> PoseSequence:
    """Swapped limbs set right, outliers and holes up to `LONGEST_GAP` seconds interpolated by time.

    Points that were filled in have a lower confidence than their neighbours. Frames are neither added nor dropped,
    and what is left alone keeps its exact values.
    """
    if len(poses) < 3:
        return poses
    size = body_size(poses)
    if size == 0.0:
        return poses
    parts = _unswapped(poses, size)
    for name, points in parts.items():
        held = outliers(points, poses.times, size)
        # The frames on either side of an outlier see the point, so the hole that it leaves is filled.
        emptied = np.where(held[..., None], np.float32(0), points)
        parts[name] = filled(emptied, poses.times)
    return poses.with_parts(parts)


def body_size(poses: PoseSequence) -> float:
    """Median over the frames of the longer side of the box round the body in pixels; 0 where nobody is seen."""
    boxes = [box for body in poses.body if (box := body_box(body)) is not None]
    return float(np.median([max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes])) if boxes else 0.0


def filled(points: Array, times: Times) -> Array:
    """Holes of up to `LONGEST_GAP` seconds interpolated between the points on either side.

    Args:
        points: (T, K, 3); a point is missing where its confidence is below `SEEN`.
        times: (T,) seconds. A hole lasts from its first missing frame to the next frame that sees the point.

    Returns:
        (T, K, 3), a new array.
    """
    out = points.copy()
    seen = points[..., 2] >= SEEN
    count = len(times)
    rows = np.arange(count)[:, None]
    before = np.maximum.accumulate(np.where(seen, rows, -1), axis=0)
    after = np.minimum.accumulate(np.where(seen, rows, count)[::-1], axis=0)[::-1]
    inner = ~seen & (before >= 0) & (after < count)
    t, k = np.nonzero(inner)
    a, b = before[t, k], after[t, k]
    # Half a millisecond of grace: containers round their times.
    short = times[b] - times[a + 1] <= LONGEST_GAP + 5e-4
    t, k, a, b = t[short], k[short], a[short], b[short]
    share = ((times[t] - times[a]) / (times[b] - times[a]))[:, None].astype(np.float32)
    first, last = points[a, k], points[b, k]
    out[t, k, :2] = first[:, :2] * (1 - share) + last[:, :2] * share
    out[t, k, 2] = FILLED_CONFIDENCE * np.minimum(first[:, 2], last[:, 2])
    return out


def outliers(points: Array, times: Times, size: float) -> Mask:
    """Which points jumped away and came back, faster than people move.

    Args:
        points: (T, K, 3).
        times: (T,) seconds.
        size: the person's size in pixels.

    Returns:
        (T, K), True where the point is not to be believed.
    """
    count = len(times)
    seen = points[..., 2] >= SEEN
    bad = np.zeros(seen.shape, np.bool_)
    steps = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1)
    limits = size * np.maximum(JUMP, FASTEST * np.diff(times))
    jumps = (steps > limits[:, None]) & seen[1:] & seen[:-1]
    for length in range(1, count - 1):
        # Frames t+1 … t+length are away; t and t+length+1 are home again.
        away = times[length + 1 :] - times[1 : count - length]
        if away.min() > LONGEST_JUMP + 5e-4 and length > 1:
            break
        out, back = jumps[: count - length - 1], jumps[length:]
        home = np.linalg.norm(points[length + 1 :, :, :2] - points[: count - length - 1, :, :2], axis=-1)
        smaller = np.minimum(steps[: count - length - 1], steps[length:])
        hit = out & back & (home < 0.5 * smaller)
        longest = LONGEST_GAP if length == 1 else LONGEST_JUMP
        hit &= (away <= longest + 5e-4)[:, None]
        for offset in range(1, length + 1):
            bad[offset : offset + len(hit)] |= hit
    return bad


def _unswapped(poses: PoseSequence, size: float) -> dict[str, Array]:
    parts = {name: points.copy() for name, points in poses.parts().items()}
    for joints, hands in LIMBS:
        left, right = ([B[f"{side}{joint}"] for joint in joints] for side in "LR")
        wrong = swapped(poses.body[:, left], poses.body[:, right], poses.times, size)
        rows = np.flatnonzero(wrong)[:, None]
        parts["body"][rows, left], parts["body"][rows, right] = (
            poses.body[rows, right],
            poses.body[rows, left],
        )
        if hands:
            parts["left_hand"][wrong], parts["right_hand"][wrong] = (
                poses.right_hand[wrong],
                poses.left_hand[wrong],
            )
    return parts


def swapped(left: Array, right: Array, times: Times, size: float) -> Mask:
    """In which frames a limb of the left and the same of the right side have been taken for each other.

    The cheapest of all ways to assign the two, frame by frame: motion faster than people walk has its cost, so has
    each change of mind, and so has every second of disbelief. A swap that lasts for seconds is therefore believed.

    Args:
        left, right: (T, K, 3) the same points on either side.
        times: (T,) seconds.
        size: the person's size in pixels.

    Returns:
        (T,), True where they are to be exchanged.
    """
    count = len(times)
    seen = (left[..., 2] >= SEEN) & (right[..., 2] >= SEEN)
    rows = np.maximum.accumulate(np.where(seen, np.arange(count)[:, None], -1), axis=0)
    straight, crossed = np.zeros(count), np.zeros(count)
    for t in range(1, count):
        last = rows[t - 1]
        usable = np.flatnonzero(seen[t] & (last >= 0) & (times[t] - times[last] <= _FORGET))
        if len(usable) == 0:
            continue
        was_left, was_right = left[last[usable], usable, :2], right[last[usable], usable, :2]
        is_left, is_right = left[t, usable, :2], right[t, usable, :2]
        free = FREE_MOTION * float(np.mean(times[t] - times[last[usable]]))
        straight[t] = max(0.0, _motion(is_left - was_left, is_right - was_right, size) - free)
        crossed[t] = max(0.0, _motion(is_left - was_right, is_right - was_left, size) - free)
    return _cheapest(straight, crossed, np.diff(times, prepend=times[0]))


def _motion(first: Array, second: Array, size: float) -> float:
    return float(np.mean(np.linalg.norm(np.concatenate([first, second]), axis=-1))) / size


def _cheapest(straight: Times, crossed: Times, seconds: Times) -> Mask:
    """Viterbi's algorithm over two states: as estimated (0) and swapped (1)."""
    cost = np.array([0.0, SWAPPED_COST * float(np.median(seconds))])
    came_from = np.zeros((len(straight), 2), np.int8)
    for t in range(1, len(straight)):
        stay, change = straight[t], crossed[t] + SWITCH_COST
        arrive = np.array([[cost[0] + stay, cost[1] + change], [cost[0] + change, cost[1] + stay]])
        came_from[t] = arrive.argmin(axis=1)
        cost = arrive.min(axis=1) + np.array([0.0, SWAPPED_COST * seconds[t]])
    states = np.zeros(len(straight), np.bool_)
    state = int(cost.argmin())
    for t in range(len(straight) - 1, -1, -1):
        states[t] = bool(state)
        state = int(came_from[t, state])
    return states


def smooth(poses: PoseSequence, window: int = 7) -> PoseSequence:
    """The sliding median over `window` frames of every point.

    A point survives where the median of its confidence is above 0; its place is the median of the places where it
    was found at all. Near the ends the window shrinks on both sides, so that motion is not delayed.

    Args:
        poses: the sequence.
        window: an odd number of frames.

    Raises:
        PoseError: the window is even or not positive.
    """
    if window < 1 or window % 2 == 0:
        raise PoseError(f"a smoothing window has an odd number of frames, not {window}")
    return poses.with_parts({name: _median(points, window // 2) for name, points in poses.parts().items()})


def _median(points: Array, reach: int) -> Array:
    # In blocks: all windows at once would take many times the memory of the points.
    blocks = [_median_of(points, begin, reach) for begin in range(0, len(points), _BLOCK)]
    return np.concatenate(blocks) if blocks else points.copy()


def _median_of(points: Array, begin: int, reach: int) -> Array:
    """Rows of the sliding median from `begin` on, `_BLOCK` of them or as many as there are."""
    count = len(points)
    offsets = np.arange(-reach, reach + 1)
    rows = np.arange(begin, min(begin + _BLOCK, count))[:, None]
    room = np.minimum(np.minimum(rows, count - 1 - rows), reach)
    inside = np.abs(offsets)[None, :] <= room
    stack = points[np.clip(rows + offsets, 0, count - 1)]  # (T, W, K, 3)
    confidence = _masked_median(stack[..., 2], np.broadcast_to(inside[:, :, None], stack.shape[:3]))
    found = inside[:, :, None] & (stack[..., 2] > 0)
    out = np.zeros_like(points[begin : begin + _BLOCK])
    alive = confidence > 0
    for axis in (0, 1):
        out[..., axis] = np.where(alive, _masked_median(stack[..., axis], found), 0)
    out[..., 2] = np.where(alive, confidence, 0)
    return out


def _masked_median(values: Array, valid: Mask) -> Array:
    """Median along axis 1 of the valid values; 0 where there are none."""
    ordered = np.sort(np.where(valid, values, np.inf), axis=1)
    number = valid.sum(axis=1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum((number - 1) // 2, 0), axis=1)[:, 0]
    high = np.take_along_axis(ordered, np.minimum(number // 2, values.shape[1] - 1), axis=1)[:, 0]
    with np.errstate(invalid="ignore"):
        middle = (low + high) / 2
    return np.where(number[:, 0] > 0, middle, 0).astype(np.float32)
