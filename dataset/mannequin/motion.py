"""How they move: a pose for any moment, as a pure function of performer, motion, seed and time.

Nothing is integrated from frame to frame, so a motion can go on for ever, be sampled at any moment (the
sub-frames of motion blur) and be started anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from dataset.mannequin.chance import dice, wobble
from dataset.mannequin.performer import Performer

Floats = npt.NDArray[np.float64]

LEFT, RIGHT = 0, 1
#: Which way is outwards: the performer's left is at +x, to the right in the picture when they face the camera.
SIDES = ((LEFT, 1.0), (RIGHT, -1.0))
#: Columns of `Pose.arms`, radians. Twist turns the forearm outwards, pronation the palm backwards.
ABDUCT, FLEX, TWIST, ELBOW, PRONATE, WRIST = range(6)
TAU = 2 * np.pi


@dataclass(frozen=True)
class Pose:
    """Where everything is at one moment. x is the performer's left, y up, z forward; metres and radians.

    Attributes:
        root: (3,) x and z of the place on the floor in the room, and the heading.
        pelvis: (6,) shift x, y, z from standing upright above the root, then pitch, yaw, roll.
        spine: (3,) pitch forward, yaw to the left, roll to the right, of the chest against the pelvis.
        head: (3,) the same of the head against the chest.
        arms: (2, 6) left and right, see `ABDUCT` and the others.
        feet: (2, 5) left and right: x, lift, z of the ankle from the root, yaw outwards, pitch toes down.
        curl: (2,) of the fingers, 0 stretched, 1 a fist.
        face: (2,) how far the eyes are closed and the mouth is open, in [0, 1].
    """

    root: Floats
    pelvis: Floats
    spine: Floats
    head: Floats
    arms: Floats
    feet: Floats
    curl: Floats
    face: Floats

    def blend(self, other: Pose, weight: float) -> Pose:
        """This pose for weight 0, the other for 1."""
        mixed = {
            f.name: getattr(self, f.name) * (1 - weight) + getattr(other, f.name) * weight
            for f in fields(self)
        }
        return Pose(**mixed)


def pose_at(performer: Performer, motion: str, time: float, seed: int = 0) -> Pose:
    """The pose `time` seconds into the motion.

    Raises:
        KeyError: there is no such motion, see `MOTIONS`.
    """
    pose = _MOTIONS[motion](performer, time, seed)
    return replace(pose, face=_face(performer, motion, time, seed))


def neutral(performer: Performer) -> Pose:
    """Standing upright with the arms hanging."""
    body = performer.body
    arms = np.tile([0.16, 0.04, 0.05, 0.22, 0.25, 0.0], (2, 1))
    stance = body.hip * 1.15
    feet = np.array([[stance, 0, 0, 0.18, 0], [-stance, 0, 0, 0.18, 0]], float)
    return Pose(
        root=np.zeros(3),
        pelvis=np.array([0, -0.006 * body.height, 0, 0, 0, 0]),
        spine=np.array([0.02, 0, 0]),
        head=np.zeros(3),
        arms=arms,
        feet=feet,
        curl=np.array([0.3, 0.3]),
        face=np.zeros(2),
    )


def _ease(x: float) -> float:
    """From 0 to 1 with a gentle start and end, constant outside [0, 1]."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)


def _sway(performer: Performer, pose: Pose, time: float, seed: int, amount: float = 1.0) -> Pose:
    """Breathing, shifting weight, looking about: what nobody can help."""

    def w(channel: int) -> float:
        return amount * wobble(time, seed + 31 * performer.seed, channel)

    pelvis = pose.pelvis + np.array(
        [0.022 * w(0), -0.003 * abs(w(1)), 0.008 * w(2), 0.01 * w(3), 0.05 * w(4), 0.015 * w(0)]
    )
    breath = np.sin(TAU * time / 3.7)
    spine = pose.spine + np.array([0.02 * w(5) + 0.008 * breath, 0.05 * w(6), 0.03 * w(7)])
    head = pose.head + np.array([0.06 * w(8), 0.16 * w(9), 0.05 * w(10)])
    arms = pose.arms.copy()
    for side, _ in SIDES:
        arms[side] += np.array([0.03, 0.05, 0.04, 0.08, 0.15, 0.1]) * [w(12 + 8 * side + i) for i in range(6)]
    curl = np.clip(pose.curl + 0.15 * np.array([w(30), w(31)]), 0, 1)
    return replace(pose, pelvis=pelvis, spine=spine, head=head, arms=arms, curl=curl)


def _face(performer: Performer, motion: str, time: float, seed: int) -> Floats:
    """Blinks about every four seconds; lips that part now and then."""
    rng = dice(performer.seed, seed, int(time // 4), 11)
    since = time % 4 - rng.uniform(0.2, 3.6)
    blink = _ease(1 - abs(since - 0.08) / 0.1)
    mouth = max(0.0, wobble(time, seed + performer.seed, 40, 0.1, 0.8) - (0.1 if motion == "dance" else 0.35))
    return np.array([blink, min(1.0, 1.5 * mouth)])


def _stand(performer: Performer, time: float, seed: int) -> Pose:
    pose = neutral(performer)
    # Every few seconds the weight goes over to the other leg.
    shift = np.tanh(3 * wobble(time, seed + performer.seed, 50, 0.05, 0.2))
    pelvis = pose.pelvis + np.array([0.025 * shift, -0.004, 0, 0, 0.06 * shift, 0.045 * shift])
    spine = pose.spine + np.array([0, 0, -0.05 * shift])
    return _sway(performer, replace(pose, pelvis=pelvis, spine=spine), time, seed, 1.3)


def _wave(performer: Performer, time: float, seed: int) -> Pose:
    pose = _stand(performer, time, seed)
    turn = int(time // 4.0)
    which = dice(performer.seed, seed, turn, 3).integers(6)
    both = which == 0
    first = LEFT if performer.left_handed else RIGHT
    side = first if which < 4 else 1 - first
    up = _ease((time % 4.0) / 0.6) * _ease((4.0 - time % 4.0) / 0.6)
    arms, curl = pose.arms.copy(), pose.curl.copy()
    beat = np.sin(TAU * performer.tempo / 60 * time)
    raised = np.array([1.35, 0.15, 1.45, 1.45 + 0.42 * performer.energy * beat, 0.1, 0.0])
    for each in (LEFT, RIGHT):
        if both or each == side:
            arms[each] += up * (raised - arms[each])
            curl[each] *= 1 - 0.9 * up
    head = pose.head + np.array([0, 0.0, 0.06 * up * (1 if side == LEFT else -1)])
    return replace(pose, arms=arms, curl=curl, head=head)


def _squat(performer: Performer, time: float, seed: int) -> Pose:
    body = performer.body
    period = 60 / performer.tempo * 6
    phase = (time / period) % 1
    depth = 0.5 - 0.5 * np.cos(TAU * phase)
    depth = depth * (0.75 + 0.2 * wobble(time // period, seed + performer.seed, 60)) * performer.energy
    pose = _sway(performer, neutral(performer), time, seed, 0.5)
    feet = pose.feet.copy()
    feet[:, 0] *= 1.5
    feet[:, 3] = 0.4
    pelvis = pose.pelvis + np.array(
        [0, -0.4 * depth * body.thigh * 2, -0.22 * depth * body.thigh * 2, 0.35 * depth, 0, 0]
    )
    spine = pose.spine + np.array([0.3 * depth, 0, 0])
    head = pose.head - np.array([0.5 * depth, 0, 0])
    arms = pose.arms.copy()
    arms[:, FLEX] += 1.45 * depth
    arms[:, ABDUCT] += 0.12 * depth
    arms[:, ELBOW] += 0.15 * depth
    curl = pose.curl * (1 - 0.6 * depth)
    return replace(pose, feet=feet, pelvis=pelvis, spine=spine, head=head, arms=arms, curl=curl)


def _walk(performer: Performer, time: float, seed: int) -> Pose:
    """Round a long narrow loop: towards the camera, about, away from it, about."""
    straight, radius = 2.0, 0.3
    half = straight + np.pi * radius
    start = dice(performer.seed, seed, 5).uniform(0, 0.5)

    def path(distance: float) -> tuple[float, float, float]:
        halves, at = divmod(distance, half)
        angle = max(0.0, at - straight) / radius
        x, z = radius * np.cos(angle), min(at, straight) - straight + radius * np.sin(angle)
        if halves % 2:  # the way back is the way there turned by half a circle about the middle of the loop
            x, z = -x, -straight - z
        return x, z, -np.pi * halves - angle

    stride = 0.36 * performer.body.height * performer.energy**0.5
    return _stepping(performer, time, seed, path, stride, performer.tempo / 62, start)


def _turn(performer: Performer, time: float, seed: int) -> Pose:
    """On the spot, step by step, all the way round, with rests facing the camera."""
    way = 1.0 if dice(performer.seed, seed, 6).random() < 0.5 else -1.0

    def path(steps: float) -> tuple[float, float, float]:
        lap, at = divmod(steps, 14)
        return 0.0, 0.0, way * TAU * (lap + _linear_ease(at / 12))

    return _stepping(performer, time, seed, path, 1.0, performer.tempo / 60, 0.0, lift=0.05, swing=0.12)


def _linear_ease(x: float) -> float:
    x = min(x, 1.0)
    return 0.7 * x + 0.3 * _ease(x)


def _stepping(
    performer: Performer,
    time: float,
    seed: int,
    path: Callable[[float], tuple[float, float, float]],
    stride: float,
    rate: float,
    start: float,
    lift: float = 0.1,
    swing: float = 0.42,
) -> Pose:
    """Feet that stay where they were set down while the body moves along a path.

    Args:
        path: x, z and heading after a distance.
        stride: distance from one step to the next.
        rate: steps a second.
        start: distance at time 0.
        lift: of the swinging ankle, metres.
        swing: of the arms, radians.
    """
    pose = neutral(performer)
    steps = time * rate
    here = start + stride * steps
    x, z, heading = path(here)
    count = int(np.floor(steps))
    phase = steps - count
    swinging, sign = SIDES[count % 2]
    standing = 1 - swinging
    pace = min(1.0, stride) if lift > 0.07 else 0.4  # how much of a real stride it is

    def planted(step: int) -> Floats:
        # A foot comes down half a stride ahead of the body and is left half a stride behind it.
        px, pz, ph = path(start + stride * (step + 1.5))
        offset = 0.85 * performer.body.hip * SIDES[step % 2][1]
        return np.array([px + offset * np.cos(ph), pz - offset * np.sin(ph), ph])

    go = _ease(0.04 + 0.96 * phase)
    moving = planted(count - 2) * (1 - go) + planted(count) * go
    feet = pose.feet.copy()
    for side, (fx, fz, fh) in ((swinging, moving), (standing, planted(count - 1))):
        dx, dz = fx - x, fz - z
        feet[side, 0] = dx * np.cos(heading) - dz * np.sin(heading)
        feet[side, 2] = dx * np.sin(heading) + dz * np.cos(heading)
        feet[side, 3] = (fh - heading) * SIDES[side][1] + 0.08
    feet[swinging, 1] = lift * np.sin(np.pi * phase) ** 1.3
    feet[swinging, 4] = pace * (0.7 * (1 - phase) ** 2 - 0.3 * phase)
    feet[standing, 4] = pace * (0.7 * _ease((phase - 0.5) / 0.5) - 0.3 * (1 - _ease(phase / 0.15)))
    ahead = -sign * float(np.cos(np.pi * phase))  # +1 when the left foot is in front, -1 the right
    over = -sign * float(np.sin(np.pi * phase))  # +1 when the weight is on the left
    arms = pose.arms.copy()
    for side, outwards in SIDES:
        forward = -outwards * ahead
        arms[side, FLEX] += swing * performer.energy * forward
        arms[side, ELBOW] += swing * (0.4 + 0.5 * forward)
    bounce = -0.02 - 0.012 * np.cos(TAU * phase)
    pelvis = pose.pelvis + np.array([0.02 * over, bounce, 0, 0.03, -0.3 * swing * ahead, 0.04 * pace * over])
    spine = pose.spine + np.array([0.02, 0.5 * swing * ahead, -0.03 * pace * over])
    pose = replace(pose, root=np.array([x, z, heading]), feet=feet, arms=arms, pelvis=pelvis, spine=spine)
    return _sway(performer, pose, time, seed, 0.5)


def _dance(performer: Performer, time: float, seed: int) -> Pose:
    """Four beats of one step, then of another, never in the same order."""
    from dataset.mannequin.dance import dance_pose

    beats = time * performer.tempo / 60
    return _sway(performer, dance_pose(performer, neutral(performer), beats, seed), time, seed, 0.6)


_MOTIONS: dict[str, Callable[[Performer, float, int], Pose]] = {
    "stand": _stand,
    "wave": _wave,
    "squat": _squat,
    "walk": _walk,
    "turn": _turn,
    "dance": _dance,
}
MOTIONS: tuple[str, ...] = tuple(_MOTIONS)
