"""Steps of the dance, each a pose for a beat, and the endless order in which they come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dataset.mannequin.chance import dice
from dataset.mannequin.motion import ABDUCT, ELBOW, FLEX, LEFT, RIGHT, SIDES, TWIST, Pose
from dataset.mannequin.performer import Performer

#: Beats of one step before the next one begins.
_BAR = 4
#: Beats over which the step before fades out.
_FADE = 1.25
PI = np.pi


def dance_pose(performer: Performer, base: Pose, beats: float, seed: int) -> Pose:
    """The pose at a moment of the dance, `beats` after its start."""
    bar = int(beats // _BAR)
    into = beats - bar * _BAR
    pose = _step(performer, base, beats, bar, seed)
    if into < _FADE:
        weight = into / _FADE
        before = _step(performer, base, beats, bar - 1, seed)
        pose = before.blend(pose, weight * weight * (3 - 2 * weight))
    return pose


def _step(performer: Performer, base: Pose, beats: float, bar: int, seed: int) -> Pose:
    rng = dice(performer.seed, seed, bar + 1, 13)
    step = _STEPS[int(rng.integers(len(_STEPS)))]
    side = int(rng.integers(2))
    amount = performer.energy * float(rng.uniform(0.8, 1.1))
    return step(_groove(base, beats, amount), beats, side, amount)


def _groove(base: Pose, beats: float, amount: float) -> Pose:
    """Down on the beat, up between, a nod and a little shoulder."""
    down = 0.5 + 0.5 * np.cos(2 * PI * beats)
    half = np.sin(PI * beats)
    pelvis = base.pelvis + np.array([0, -0.012 - 0.03 * amount * down, -0.01 * down, 0.02, 0, 0])
    spine = base.spine + np.array([0.03 * down, 0, 0.03 * amount * half])
    head = base.head + np.array([0.1 * amount * down - 0.03, 0, -0.05 * half])
    arms = base.arms.copy()
    arms[:, ELBOW] += 0.7
    arms[:, ABDUCT] += 0.12
    feet = base.feet.copy()
    feet[:, 0] *= 1.15
    return replace(base, pelvis=pelvis, spine=spine, head=head, arms=arms, feet=feet)


def _side_step(pose: Pose, beats: float, side: int, amount: float) -> Pose:
    """To one side and back, the free foot following."""
    sway = np.sin(PI * beats / 2)
    pelvis, feet, arms, spine = pose.pelvis.copy(), pose.feet.copy(), pose.arms.copy(), pose.spine.copy()
    pelvis[0] += 0.15 * amount * sway
    for foot, _ in SIDES:
        # A foot moves while the body is on the other one.
        late = np.clip(np.sin(PI * beats / 2 - (0.5 if foot == side else -0.5)) * 1.6, -1, 1)
        feet[foot, 0] += 0.14 * amount * late
        feet[foot, 1] += 0.035 * max(0.0, 1 - abs(late) * 1.3)
    for arm, outwards in SIDES:
        arms[arm, FLEX] += 0.25 + 0.35 * amount * np.sin(PI * beats / 2) * outwards
        arms[arm, ELBOW] += 0.5
    spine[2] += 0.08 * sway
    return replace(pose, pelvis=pelvis, feet=feet, arms=arms, spine=spine)


def _waves(pose: Pose, beats: float, side: int, amount: float) -> Pose:
    """Arms stretched to the sides, a wave running through them."""
    arms = pose.arms.copy()
    for arm, outwards in SIDES:
        lag = beats - (0.0 if arm == side else 0.7)
        arms[arm, ABDUCT] = 1.42 + 0.3 * amount * np.sin(PI * lag)
        arms[arm, TWIST] = 0.5 + 0.8 * np.sin(PI * (lag - 0.35))
        arms[arm, ELBOW] = 0.35 + 0.3 * amount * np.cos(PI * (lag - 0.35))
        arms[arm, 5] = 0.4 * outwards * np.sin(PI * (lag - 0.7))
    pelvis = pose.pelvis + np.array([0.05 * np.sin(PI * beats), 0, 0, 0, 0, 0.07 * np.sin(PI * beats)])
    return replace(pose, arms=arms, pelvis=pelvis, curl=pose.curl * 0.2)


def _point(pose: Pose, beats: float, side: int, amount: float) -> Pose:
    """One arm up and out, then down across the body; the other hand on the hip."""
    up = 0.5 + 0.5 * np.tanh(1.9 * np.cos(PI * beats)) / np.tanh(1.9)
    arms, curl = pose.arms.copy(), pose.curl.copy()
    high = np.array([2.25, 0.1, 0.5, 0.2, 0.2, 0.0])
    low = np.array([0.15, 0.75, -0.55, 0.5, 0.2, 0.0])
    arms[side] = high * up + low * (1 - up)
    arms[1 - side] = [0.62, -0.35, -0.5, 1.55, 0.3, 0.3]
    curl[side] = 0.15
    sign = SIDES[side][1]
    spine = pose.spine + np.array([0.05 * (1 - up), -0.2 * sign * (1 - up), -0.12 * sign * up])
    head = pose.head + np.array([-0.1 * up, 0.25 * sign * (up - 0.5), 0])
    pelvis = pose.pelvis + np.array([-0.06 * sign * amount * (2 * up - 1), 0, 0, 0, 0, 0])
    return replace(pose, arms=arms, curl=curl, spine=spine, head=head, pelvis=pelvis)


def _twist(pose: Pose, beats: float, side: int, amount: float) -> Pose:
    """Hips against shoulders, elbows bent, on the balls of the feet."""
    way = np.sin(PI * beats) * SIDES[side][1]
    pelvis = pose.pelvis + np.array([0, -0.03, 0, 0, 0.38 * amount * way, 0])
    spine = pose.spine + np.array([0.04, -0.6 * amount * way, 0])
    feet, arms = pose.feet.copy(), pose.arms.copy()
    for each, outwards in SIDES:
        feet[each, 3] += 0.3 * amount * way * outwards
        arms[each, ABDUCT] = 0.45
        arms[each, FLEX] = 0.1 + 0.3 * amount * way * outwards
        arms[each, ELBOW] = 1.5
        arms[each, TWIST] = 0.1
    return replace(pose, pelvis=pelvis, spine=spine, feet=feet, arms=arms, curl=pose.curl * 0 + 0.7)


def _jack(pose: Pose, beats: float, side: int, amount: float) -> Pose:
    """Arms up and feet apart, and together again."""
    wide = 0.5 - 0.5 * np.cos(PI * beats)
    arms, feet, pelvis = pose.arms.copy(), pose.feet.copy(), pose.pelvis.copy()
    arms[:, ABDUCT] = 0.25 + 2.2 * wide
    arms[:, FLEX] = 0.1
    arms[:, TWIST] = 0.9 * wide
    arms[:, ELBOW] = 0.3 + 0.25 * wide
    for foot, outwards in SIDES:
        feet[foot, 0] += 0.13 * amount * wide * outwards
        feet[foot, 1] += 0.04 * np.sin(PI * beats) ** 2
    pelvis[1] += -0.02 * wide + 0.05 * np.sin(PI * beats) ** 2
    return replace(pose, arms=arms, feet=feet, pelvis=pelvis, curl=pose.curl * 0.3)


def _kick(pose: Pose, beats: float, side: int, amount: float) -> Pose:
    """Knees up in turn, arms out for balance."""
    pelvis, feet, arms = pose.pelvis.copy(), pose.feet.copy(), pose.arms.copy()
    swing = np.sin(PI * beats / 2)
    which = LEFT if swing > 0 else RIGHT
    up = abs(swing) ** 1.5
    sign = SIDES[which][1]
    feet[which, 0] += -0.02 * sign * up
    feet[which, 1] += 0.24 * amount * up
    feet[which, 2] += 0.1 * up
    feet[which, 4] += 0.35 * up
    pelvis[0] -= 0.06 * swing
    pelvis[5] += -0.06 * swing
    for arm, outwards in SIDES:
        arms[arm, ABDUCT] = 0.75 + 0.2 * swing * outwards
        arms[arm, ELBOW] = 0.7
        arms[arm, FLEX] = 0.25 - 0.3 * swing * outwards
    return replace(pose, pelvis=pelvis, feet=feet, arms=arms)


def _raise_roof(pose: Pose, beats: float, side: int, amount: float) -> Pose:
    """Hands at the shoulders pushed up on every beat."""
    push = 0.5 - 0.5 * np.cos(2 * PI * beats)
    arms, pelvis = pose.arms.copy(), pose.pelvis.copy()
    arms[:, ABDUCT] = 1.0 + 0.95 * push * amount
    arms[:, FLEX] = 0.25
    arms[:, TWIST] = 1.35
    arms[:, ELBOW] = 2.0 - 1.3 * push
    pelvis[0] += 0.06 * np.sin(PI * beats)
    return replace(pose, arms=arms, pelvis=pelvis, curl=pose.curl * 0.2)


def _jog_arms(pose: Pose, beats: float, side: int, amount: float) -> Pose:
    """Arms pumping, heels lifting in turn."""
    swing = np.sin(PI * beats)
    arms, feet, pelvis = pose.arms.copy(), pose.feet.copy(), pose.pelvis.copy()
    for each, outwards in SIDES:
        arms[each, FLEX] = 0.15 + 0.75 * amount * swing * outwards
        arms[each, ELBOW] = 1.35 + 0.35 * swing * outwards
        arms[each, ABDUCT] = 0.3
        lifted = max(0.0, -swing * outwards)
        feet[each, 1] += 0.04 * lifted
        feet[each, 4] += 0.55 * lifted
    pelvis[0] += 0.05 * swing
    pelvis[5] += 0.05 * swing
    return replace(pose, arms=arms, feet=feet, pelvis=pelvis, curl=pose.curl * 0 + 0.75)


_STEPS: tuple[Callable[[Pose, float, int, float], Pose], ...] = (
    _side_step,
    _waves,
    _point,
    _twist,
    _jack,
    _kick,
    _raise_roof,
    _jog_arms,
)
