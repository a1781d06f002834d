"""From a pose to bones in the room: forward kinematics, legs that reach the floor, and the true joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataset.mannequin.motion import ABDUCT, ELBOW, FLEX, LEFT, PRONATE, RIGHT, SIDES, TWIST, WRIST, Pose
from dataset.mannequin.performer import Body

Floats = npt.NDArray[np.float64]

#: Of a hanging limb: its y runs along the bone away from the trunk, z is forward, x to the performer's right.
_HANG = np.diag([-1.0, -1.0, 1.0])
_FINGERS = (  # across the palm and along it to the knuckle, length, all as parts of the hand; spread in radians
    (0.23, 0.5, 0.40, 0.14),
    (0.08, 0.53, 0.46, 0.03),
    (-0.07, 0.51, 0.43, -0.07),
    (-0.2, 0.46, 0.34, -0.18),
)


@dataclass(frozen=True)
class Frame:
    """A place and the directions of its axes: columns of `axes` are its x, y and z in the room."""

    origin: Floats
    axes: Floats

    def at(self, x: float, y: float, z: float) -> Floats:
        """The point of the room with these coordinates in this frame."""
        return self.origin + self.axes @ np.array([x, y, z])


@dataclass(frozen=True)
class Skeleton:
    """Frames of the bones; pairs are (left, right).

    Limbs have their y along the bone. The head's origin lies between the ears' heights and midway front to back,
    its axes and those of pelvis and chest are the performer's left, up and forward. A foot's y is towards the toes.
    """

    pelvis: Frame
    chest: Frame
    neck: Floats
    head: Frame
    upper_arms: tuple[Frame, Frame]
    forearms: tuple[Frame, Frame]
    hands: tuple[Frame, Frame]
    fingers: tuple[Floats, Floats]  # each (21, 3) in OpenPose's order, wrist first
    thighs: tuple[Frame, Frame]
    shins: tuple[Frame, Frame]
    feet: tuple[Frame, Frame]


def cross_frame(y: Floats, z: Floats) -> Floats:
    """Axes whose columns are y cross z, y and z; much quicker than `numpy.cross` for one pair."""
    (a, b, c), (d, e, f) = y, z
    return np.array([[b * f - c * e, a, d], [c * d - a * f, b, e], [a * e - b * d, c, f]])


def _rx(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _ry(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _rz(angle: float) -> Floats:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def build(body: Body, pose: Pose) -> Skeleton:
    """Where the bones of this body are in this pose."""
    root = Frame(np.array([pose.root[0], 0.0, pose.root[1]]), _ry(pose.root[2]))
    shift, (pitch, yaw, roll) = pose.pelvis[:3], pose.pelvis[3:]
    height = body.ankle + body.shin + body.thigh
    pelvis = Frame(
        root.at(shift[0], height + shift[1], shift[2]), root.axes @ _ry(yaw) @ _rz(roll) @ _rx(pitch)
    )
    feet, thighs, shins = [], [], []
    for side, sign in SIDES:
        foot = _foot(body, root, pose.feet[side], sign)
        hip = pelvis.at(sign * body.hip, 0, 0)
        thigh, shin = _leg(body, hip, foot, pelvis)
        # A leg that is too short for the step lets the foot come along instead of stretching.
        feet.append(Frame(shin.at(0, body.shin, 0), foot.axes))
        thighs.append(thigh)
        shins.append(shin)
    pitch, yaw, roll = pose.spine
    # The hollow of the back: the chest stands over the hips although the spine leaves the pelvis behind them.
    chest = Frame(pelvis.at(0, body.lumbar, 0), pelvis.axes @ _ry(yaw) @ _rz(roll) @ _rx(pitch))
    neck = chest.at(0, body.spine, 0)
    pitch, yaw, roll = pose.head
    axes = chest.axes @ _ry(yaw) @ _rz(roll) @ _rx(pitch)
    pivot = chest.at(0, body.spine + body.neck, 0.008)
    head = Frame(pivot + axes @ np.array([0, 0.55 * body.head, 0.12 * body.head]), axes)
    uppers, fores, hands, fingers = [], [], [], []
    for side, sign in SIDES:
        upper, fore, hand = _arm(body, chest, pose.arms[side], sign)
        uppers.append(upper)
        fores.append(fore)
        hands.append(hand)
        fingers.append(_hand_points(body, hand, float(pose.curl[side]), sign))
    return Skeleton(
        pelvis=pelvis,
        chest=chest,
        neck=neck,
        head=head,
        upper_arms=(uppers[LEFT], uppers[RIGHT]),
        forearms=(fores[LEFT], fores[RIGHT]),
        hands=(hands[LEFT], hands[RIGHT]),
        fingers=(fingers[LEFT], fingers[RIGHT]),
        thighs=(thighs[LEFT], thighs[RIGHT]),
        shins=(shins[LEFT], shins[RIGHT]),
        feet=(feet[LEFT], feet[RIGHT]),
    )


def _arm(body: Body, chest: Frame, angles: Floats, sign: float) -> tuple[Frame, Frame, Frame]:
    abduct, flex = angles[ABDUCT], angles[FLEX]
    # The collar bone lifts with the arm, more the higher it goes.
    lift = 0.32 * np.clip(abduct - 0.7, 0, 2) ** 1.2 + 0.1 * np.clip(flex - 1.0, 0, 2)
    drop = 0.1 * body.spine
    girdle = chest.axes @ _rz(sign * (lift - 0.02))
    shoulder = chest.at(0, body.spine - drop, -0.01) + girdle @ np.array([sign * body.shoulder, 0, 0])
    turned = chest.axes @ _rz(sign * abduct) @ _rx(-flex) @ _ry(sign * angles[TWIST])
    upper = Frame(shoulder, turned @ _HANG)
    bent = turned @ _rx(-max(0.03, angles[ELBOW]))
    elbow = upper.at(0, body.upper_arm, 0)
    fore = Frame(elbow, bent @ _HANG)
    rolled = bent @ _ry(-sign * angles[PRONATE]) @ _rz(sign * angles[WRIST])
    hand = Frame(fore.at(0, body.forearm, 0), rolled @ _HANG)
    return upper, fore, hand


def _hand_points(body: Body, hand: Frame, curl: float, sign: float) -> Floats:
    """(21, 3) points of one hand: the wrist, then thumb to little finger from the root to the tip."""
    size = body.hand
    palm = sign  # the palm looks along +x on the left hand, -x on the right

    def local(points: list[Floats]) -> list[Floats]:
        return [hand.origin + hand.axes @ (p * size) for p in points]

    at = np.array([0.0, 0.16, 0.2])
    thumb = [at]
    for length, out, inwards in (
        (0.24, 0.75, 0.25),
        (0.18, 0.55, 0.3 + 0.5 * curl),
        (0.15, 0.4, 0.3 + 0.9 * curl),
    ):
        step = np.array([palm * inwards * (0.3 + 0.7 * curl), 1.0, out])
        at = at + length * step / np.linalg.norm(step)
        thumb.append(at)
    points = local([np.zeros(3), *thumb])
    for across, along, length, spread in _FINGERS:
        at = np.array([0.0, along, across])
        chain = [at]
        angle = 0.12
        for share, bend in ((0.45, 1.2), (0.3, 1.5), (0.25, 0.9)):
            angle += curl * bend
            fan = spread * (1 - curl)
            step = np.array([palm * np.sin(angle), np.cos(angle) * np.cos(fan), np.sin(fan) * np.cos(angle)])
            at = at + share * length * step
            chain.append(at)
        points.extend(local(chain))
    return np.array(points)


def _foot(body: Body, root: Frame, foot: Floats, sign: float) -> Frame:
    x, lift, z, yaw, pitch = foot
    flat = root.axes @ _ry(sign * yaw)
    # Turning about the ball or the heel must not push either through the floor.
    toe, heel = 0.72 * body.foot, 0.28 * body.foot
    raised = max(0.0, toe * np.sin(pitch) - body.ankle * (1 - np.cos(pitch)), -heel * np.sin(pitch))
    ankle = root.at(x, body.ankle + lift + raised, z)
    if pitch > 0:  # the ball stays where it was, the ankle comes forward over it
        ankle = ankle + flat @ np.array([0, 0, toe * (1 - np.cos(pitch))])
    # y towards the toes, z up
    axes = flat @ _rx(pitch) @ np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])
    return Frame(ankle, axes)


def _leg(body: Body, hip: Floats, foot: Frame, pelvis: Frame) -> tuple[Frame, Frame]:
    reach = foot.origin - hip
    distance = float(np.linalg.norm(reach))
    along = reach / distance
    distance = min(max(distance, 0.3 * body.thigh), 0.9995 * (body.thigh + body.shin))
    toes, ahead = foot.axes[:, 1], pelvis.axes[:, 2]
    pole = 0.6 * toes + 0.4 * ahead
    pole = pole - along * (pole @ along)
    pole /= np.linalg.norm(pole)
    cosine = (body.thigh**2 + distance**2 - body.shin**2) / (2 * body.thigh * distance)
    sine = np.sqrt(max(0.0, 1 - cosine * cosine))
    knee = hip + body.thigh * (cosine * along + sine * pole)
    ankle = hip + distance * along
    return _bone(hip, knee, pole), _bone(knee, ankle, pole)


def _bone(start: Floats, end: Floats, forward: Floats) -> Frame:
    y = (end - start) / np.linalg.norm(end - start)
    z = forward - y * (forward @ y)
    z /= np.linalg.norm(z)
    return Frame(start, cross_frame(y, z))


def body_points(body: Body, skeleton: Skeleton) -> Floats:
    """(25, 3) the true joints in the room, in the order of BODY_25, metres.

    Joints are the centres of the anatomical ones; nose, eyes, ears, heels and toes are points of the surface.
    """
    head, unit = skeleton.head, body.head
    shoulders = [frame.origin for frame in skeleton.upper_arms]
    elbows = [frame.origin for frame in skeleton.forearms]
    wrists = [frame.origin for frame in skeleton.hands]
    hips = [frame.origin for frame in skeleton.thighs]
    knees = [frame.origin for frame in skeleton.shins]
    ankles = [frame.origin for frame in skeleton.feet]
    eyes = [head.at(sign * 0.28 * unit, 0.05 * unit, 0.62 * unit) for _, sign in SIDES]
    ears = [head.at(sign * 0.66 * unit, -0.06 * unit, -0.05 * unit) for _, sign in SIDES]
    toes, little, heels = [], [], []
    for (_, sign), foot in zip(SIDES, skeleton.feet, strict=True):
        drop = -0.75 * body.ankle
        toes.append(foot.at(sign * 0.1 * body.foot, 0.74 * body.foot, drop))
        little.append(foot.at(-sign * 0.18 * body.foot, 0.6 * body.foot, drop))
        heels.append(foot.at(0, -0.26 * body.foot, drop))
    nose = head.at(0, -0.27 * unit, 0.9 * unit)
    return np.array(
        [
            nose,
            (shoulders[LEFT] + shoulders[RIGHT]) / 2,
            *(part[RIGHT] for part in (shoulders, elbows, wrists)),
            *(part[LEFT] for part in (shoulders, elbows, wrists)),
            (hips[LEFT] + hips[RIGHT]) / 2,
            *(part[RIGHT] for part in (hips, knees, ankles)),
            *(part[LEFT] for part in (hips, knees, ankles)),
            eyes[RIGHT],
            eyes[LEFT],
            ears[RIGHT],
            ears[LEFT],
            *(part[LEFT] for part in (toes, little, heels)),
            *(part[RIGHT] for part in (toes, little, heels)),
        ]
    )
