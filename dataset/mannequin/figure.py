"""The flesh on the bones: which solids a performer is made of in a pose."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dataset.mannequin.performer import Performer
from dataset.mannequin.raycast import Solid
from dataset.mannequin.skeleton import SIDES, Frame, Skeleton, cross_frame

Floats = npt.NDArray[np.float64]
Triple = tuple[float, float, float]

#: Materials.
SKIN, FACE, HAIR, CHEST, TOP, BOTTOM, SHOE, SOLE = range(8)
#: Bodies that melt together.
_HEAD, _TRUNK, _HIPS, _HAIR = 1, 2, 3, 4
_ARM, _LEG, _SLEEVE, _TROUSER, _HAND, _SHOE = 10, 12, 14, 16, 18, 20


def solids(performer: Performer, skeleton: Skeleton, sway: float = 0.0) -> list[Solid]:
    """The performer as solids, in no particular order.

    Args:
        sway: how far loose hair swings to the left, radians.
    """
    parts = _head(performer, skeleton) + _hair(performer, skeleton, sway) + _trunk(performer, skeleton)
    for side, _ in SIDES:
        parts += _arm(performer, skeleton, side) + _hand(performer, skeleton, side)
        parts += _leg(performer, skeleton, side) + _shoe(performer, skeleton, side)
    return parts


def _shifted(frame: Frame, x: float, y: float, z: float) -> Frame:
    return Frame(frame.at(x, y, z), frame.axes)


def _between(start: Floats, end: Floats, like: Frame) -> tuple[Frame, float]:
    """A frame whose y runs from start to end, turned about it like another frame, and the distance."""
    along = end - start
    length = float(np.linalg.norm(along))
    y = along / length
    z = like.axes[:, 2] - y * (y @ like.axes[:, 2])
    if z @ z < 1e-4:
        z = like.axes[:, 0] - y * (y @ like.axes[:, 0])
    z /= np.linalg.norm(z)
    return Frame(start, cross_frame(y, z)), length


def _head(performer: Performer, skeleton: Skeleton) -> list[Solid]:
    frame, u = skeleton.head, performer.body.head
    parts = []

    def add(
        start: Triple,
        end: Triple,
        r1: float,
        r2: float,
        squeeze: Triple = (1, 1, 1),
        melt: float = 0.08,
        material: int = FACE,
    ) -> None:
        bone, length = _between(frame.at(*(u * c for c in start)), frame.at(*(u * c for c in end)), frame)
        parts.append(
            Solid(bone, length, (r1 * u, r2 * u), material, squeeze, body=_HEAD, melt=melt * u, texture=frame)
        )

    tiny = 0.001
    add((0, 0.28, -0.08), (0, 0.28 + tiny, -0.08), 0.73, 0.73, (0.92, 0.98, 1.06))
    add((0, 0.0, 0.13), (0, -0.69, 0.36), 0.57, 0.3, (1.06, 1, 1), melt=0.12)
    add((0, 0.06, 0.66), (0, -0.25, 0.79), 0.05, 0.1, (1.05, 1, 1), melt=0.05)
    for side in (-1, 1):
        add((side * 0.1, -0.3, 0.7), (side * 0.1, -0.3 + tiny, 0.7), 0.06, 0.06, melt=0.04)
        add((side * 0.655, -0.1, -0.08), (side * 0.68, 0.11, -0.12), 0.1, 0.14, (0.5, 1, 1), 0.02, SKIN)
    neck, length = _between(
        skeleton.neck - 0.02 * skeleton.chest.axes[:, 1], frame.at(0, -0.35 * u, -0.12 * u), frame
    )
    wide = 0.36 if performer.body.bust else 0.43
    parts.append(Solid(neck, length, (wide * u * 1.12, wide * u), SKIN, texture=frame))
    return parts


def _hair(performer: Performer, skeleton: Skeleton, sway: float) -> list[Solid]:
    frame, u = skeleton.head, performer.body.head
    style = performer.hair_style
    if style == "bald":
        return []
    parts = []

    def add(
        start: Triple,
        end: Triple,
        r1: float,
        r2: float,
        squeeze: Triple = (1, 1, 1),
        cut: tuple[float, float, float, float] | None = None,
    ) -> None:
        a, b = frame.at(*(u * c for c in start)), frame.at(*(u * c for c in end))
        if cut is None:  # loose: swings about where it grows
            b = b + frame.axes[:, 0] * sway * float(np.linalg.norm(b - a))
        bone, length = _between(a, b, frame)
        if cut is not None:  # a cut is given in the frame of the head
            bone = Frame(a, frame.axes)
            offset = np.array(start) * u
            cut = (*cut[:3], cut[3] * u - float(np.dot(cut[:3], offset)))
        parts.append(
            Solid(
                bone,
                length,
                (r1 * u, r2 * u),
                HAIR,
                squeeze,
                body=_HAIR,
                melt=0.06 * u,
                cut=cut,
                texture=frame,
            )
        )

    tiny = 0.001
    thick = {
        "crop": 0.025,
        "short": 0.07,
        "bun": 0.05,
        "ponytail": 0.05,
        "bob": 0.11,
        "long": 0.1,
        "curly": 0.2,
    }[style]
    r = 0.73 + thick
    # The hairline runs from the forehead past the ears to the nape.
    add(
        (0, 0.29 + 0.3 * thick, -0.1),
        (0, 0.29 + tiny + 0.3 * thick, -0.1),
        r,
        r,
        (0.94, 0.98, 1.05),
        (0, 1, -0.78, 0.06),
    )
    if style == "short":  # a fringe swept to one side
        add((-0.12, 0.66, 0.36), (0.34, 0.72, 0.3), 0.3, 0.24, (1, 1, 1), (0, 1, -0.25, 0.38))
    if style in ("bob", "long"):
        down = -0.5 if style == "bob" else -1.35
        add((0, 0.1, -0.22), (0, down, -0.42), 0.76, 0.62 if style == "bob" else 0.5, (1.0, 1, 0.72))
        for side in (-1, 1):
            add((side * 0.66, 0.3, -0.05), (side * 0.72, down + 0.15, -0.08), 0.2, 0.17, (0.75, 1, 1))
    if style == "curly":
        for side in (-1, 1):
            add((side * 0.5, 0.5, -0.1), (side * 0.6, 0.1, -0.3), 0.5, 0.45)
        add((-0.3, 0.95, 0.1), (0.3, 0.95, 0.1), 0.36, 0.36)
    if style == "bun":
        add((0, 0.62, -0.82), (0, 0.68, -0.95), 0.3, 0.27)
    if style == "ponytail":
        add((0, 0.55, -0.85), (0, -0.75, -1.0), 0.2, 0.1)
    return parts


def _trunk(performer: Performer, skeleton: Skeleton) -> list[Solid]:
    body, chest, pelvis = performer.body, skeleton.chest, skeleton.pelvis
    g, k = body.girth, body.height / 1.75
    spine, loose = body.spine, performer.top.looseness
    wide = body.shoulder * 0.72 + 0.02 * k
    parts = []

    def torso(y0: float, y1: float, r0: float, r1: float, squeeze: tuple[float, float, float], z: float = 0.0,
              cut: tuple[float, float, float, float] | None = None) -> None:  # fmt: skip
        frame = _shifted(chest, 0, y0, z)
        parts.append(
            Solid(frame, y1 - y0, (r0 + loose, r1 + loose), CHEST, squeeze, _TRUNK, 0.05, cut, chest)
        )

    waist = (0.118 if body.bust else 0.13) * g
    torso(0.1 * spine, 0.66 * spine, waist, 0.5 * (wide + 0.135 * g) + 0.012, (1, 0.62, 0.72))
    # The shirt hangs over the hips and ends straight, where it is widest.
    hem = -body.lumbar - 0.045 * k
    hips = body.hip + 0.089 * g
    torso(hem, 0.25 * spine, hips, waist, (1, 0.75, 0.8), z=-0.01 * k, cut=(0, 1, 0, 0))
    if body.belly > 0.15:
        torso(0.02, 0.021, 0.1 * g, 0.1 * g, (1, 1, 0.72), z=0.028 * min(body.belly, 1.0) + 0.02)
    if body.bust:
        for _, sign in SIDES:
            frame = _shifted(chest, sign * 0.072 * k, 0.5 * spine, 0.055 * k)
            r = (0.052 + 0.018 * body.bust) * k
            parts.append(Solid(frame, 0.001, (r, r), CHEST, (1, 1, 0.85), _TRUNK, 0.05, None, chest))
    for side, sign in SIDES:
        # From the neck over the collar bone into the shoulder, and from the side of the chest up to it.
        shoulder = skeleton.upper_arms[side].origin
        for start, r0, r1 in (
            (chest.at(sign * 0.02 * k, spine - 0.02 * k, -0.015 * k), 0.055 * g, 0.043 * g),
            (chest.at(sign * 0.5 * wide, 0.55 * spine, 0.0), 0.085 * g - loose, 0.043 * g),
        ):
            bone, length = _between(start, shoulder, chest)
            parts.append(
                Solid(bone, length, (r0 + loose, r1 + loose), CHEST, (1, 1, 1), _TRUNK, 0.05, None, chest)
            )
    r = body.hip + 0.064 * g
    frame = _shifted(pelvis, 0, -0.02 * k, -0.005)
    parts.append(
        Solid(frame, body.lumbar + 0.03, (r, 0.92 * r), BOTTOM, (1, 0.62, 0.72), _HIPS, 0.05, None, pelvis)
    )
    for _, sign in SIDES:  # buttocks
        frame = _shifted(pelvis, sign * 0.065 * k, -0.035 * k, -0.055 * k)
        parts.append(
            Solid(frame, 0.001, (0.085 * g, 0.085 * g), BOTTOM, (1, 1, 0.9), _HIPS, 0.05, None, pelvis)
        )
    return parts


def _arm(performer: Performer, skeleton: Skeleton, side: int) -> list[Solid]:
    body, g = performer.body, performer.body.girth
    upper, fore = skeleton.upper_arms[side], skeleton.forearms[side]
    flesh, cloth = _ARM + side, _SLEEVE + side
    shoulder, elbow, wrist = 0.049 * g, 0.04 * g, 0.027 * g
    parts = [
        Solid(upper, body.upper_arm, (shoulder * 0.95, elbow), SKIN, body=flesh, melt=0.02),
        Solid(fore, body.forearm, (elbow, wrist), SKIN, body=flesh, melt=0.02),
    ]
    whole = body.upper_arm + body.forearm
    covered, loose = performer.sleeves * whole, performer.top.looseness + 0.003
    on_upper = min(covered, body.upper_arm)
    end = shoulder + (elbow - shoulder) * on_upper / body.upper_arm
    flare = 0.006 if covered < body.upper_arm else 0.0
    if covered < body.upper_arm:  # the muscle of a bare forearm
        bulge, r = _shifted(fore, 0, 0.24 * body.forearm, 0.004), 0.043 * g
        parts.append(Solid(bulge, 0.001, (r, r), SKIN, (1, 1.8, 1), flesh, 0.02))
    # Cut straight at the hem when it ends above the elbow.
    hem = (0.0, -1.0, 0.0, -on_upper) if flare else None
    parts.append(
        Solid(upper, on_upper, (shoulder + loose, end + loose + flare), TOP, body=cloth, melt=0.03, cut=hem)
    )
    if covered > body.upper_arm:
        on_fore = covered - body.upper_arm
        end = elbow + (wrist - elbow) * on_fore / body.forearm
        cuff = (0.0, -1.0, 0.0, -on_fore)
        parts.append(
            Solid(fore, on_fore, (elbow + loose, end + loose + 0.003), TOP, body=cloth, melt=0.03, cut=cuff,
                  along=body.upper_arm)
        )  # fmt: skip
    return parts


def _hand(performer: Performer, skeleton: Skeleton, side: int) -> list[Solid]:
    size, frame, points = performer.body.hand, skeleton.hands[side], skeleton.fingers[side]
    body = _HAND + side
    palm = [
        Solid(_shifted(frame, 0, 0.04 * size, 0.02 * size), 0.32 * size, (0.17 * size, 0.25 * size), SKIN,
              (0.45, 1, 1), body, 0.008)
    ]  # fmt: skip
    girth = (0.088, 0.084, 0.086, 0.082, 0.072)
    for finger in range(5):
        root, middle, last, tip = points[1 + 4 * finger : 5 + 4 * finger]
        r = girth[finger] * size * (1.12 if finger == 0 else 1.0)
        chain = (
            [(root, middle), (middle, last), (last, tip)] if finger == 0 else [(root, middle), (middle, tip)]
        )
        for start, end in chain:
            bone, length = _between(start, end, frame)
            palm.append(Solid(bone, length, (r, 0.88 * r), SKIN, body=body, melt=0.003))
            r *= 0.88
    return palm


def _leg(performer: Performer, skeleton: Skeleton, side: int) -> list[Solid]:
    body, g = performer.body, performer.body.girth
    thigh, shin = skeleton.thighs[side], skeleton.shins[side]
    flesh, cloth = _LEG + side, _TROUSER + side
    hip, knee, ankle = 0.08 * g, 0.055 * g, 0.034 * g
    loose = performer.bottom.looseness
    covered = performer.legs * (body.thigh + body.shin)
    parts = [
        Solid(
            shin,
            body.shin,
            (knee * (0.96 if covered < body.thigh else 0.7), ankle),
            SKIN,
            body=flesh,
            melt=0.03,
        )
    ]
    on_thigh = min(covered, body.thigh)
    end = hip + (knee - hip) * on_thigh / body.thigh
    short = covered < body.thigh
    if short:
        calf = _shifted(shin, 0, 0.27 * body.shin, -0.014)
        parts.append(Solid(thigh, body.thigh, (hip * 0.9, knee), SKIN, body=flesh, melt=0.03))
        parts.append(Solid(calf, 0.001, (0.055 * g, 0.055 * g), SKIN, (0.95, 1.9, 1), flesh, 0.03))
    flare = 0.012 if short else 0.0
    hem = (0.0, -1.0, 0.0, -on_thigh) if short else None
    parts.append(
        Solid(thigh, on_thigh, (hip + 0.5 * loose, end + loose + flare), BOTTOM, body=cloth,
              melt=0.04, cut=hem)
    )  # fmt: skip
    if not short:
        on_shin = covered - body.thigh
        wide = 0.052 * g + loose
        parts.append(
            Solid(shin, on_shin, (knee + loose, wide), BOTTOM, body=cloth, melt=0.04,
                  cut=(0.0, -1.0, 0.0, -on_shin), along=body.thigh)
        )  # fmt: skip
    return parts


def _shoe(performer: Performer, skeleton: Skeleton, side: int) -> list[Solid]:
    body, foot, number = performer.body, skeleton.feet[side], _SHOE + side
    f, a = body.foot, body.ankle
    low = -a + 0.16 * f
    return [
        Solid(_shifted(foot, 0, -0.14 * f, low), 0.55 * f, (0.15 * f, 0.175 * f), SHOE, (1, 1, 0.9), number, 0.02),
        Solid(_shifted(foot, 0, 0.3 * f, low - 0.02 * f), 0.27 * f, (0.175 * f, 0.15 * f), SHOE, (1, 1, 0.72), number,
              0.02),
        Solid(_shifted(foot, 0, -0.06 * f, -0.6 * a), 0.001, (0.15 * f, 0.15 * f), SHOE, (1, 1.1, 1.5), number, 0.02),
        Solid(_shifted(foot, 0, -0.14 * f, -a + 0.05 * f), 0.72 * f, (0.155 * f, 0.172 * f), SOLE, (1, 1, 0.3)),
    ]  # fmt: skip
