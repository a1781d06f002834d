"""Yes, yes with care, or no – and why. Every threshold is named here with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from synthesis.postures import Distances
from synthesis.preflight.measure import Quality, Surroundings

#: Share of the frames with the person. Frames without one show the empty background in the result: a tenth of them is
#: seen as flicker, with half of them there is no motion to speak of.
DETECTED_CARE, DETECTED_NO = 0.9, 0.5
#: Frames of the target with the person: training takes no fewer than 16, and below ten seconds at 25 a second every
#: new posture is a guess.
TARGET_FRAMES_CARE, TARGET_FRAMES_NO = 250, 16
#: Frames of the source with the person: below this there is nothing to smooth.
SOURCE_FRAMES_NO = 3
#: The person's size in pixels. Key points err by a few pixels whatever the size: at 120 that is two per cent of a body,
#: at 40 a hand cannot be told from an elbow.
SIZE_CARE, SIZE_NO = 120.0, 40.0
#: Share of the looks that show several people. A target's neighbours are painted into its background or appear beside
#: it: for a tenth of the time they pass, for a third they are part of the scene. The source's only matter if the wrong
#: one is followed.
TARGET_PEOPLE_CARE, TARGET_PEOPLE_NO, SOURCE_PEOPLE_CARE = 0.1, 0.3, 0.1
#: Camera motion as a share of the diagonal. The background is one picture: one per cent is eight pixels of 640x480,
#: which doubles every edge; beyond five there is no background.
TARGET_CAMERA_CARE, TARGET_CAMERA_NO = 0.01, 0.05
#: A source's camera that moves is taken for a person who walks.
SOURCE_CAMERA_CARE = 0.03
#: Share of the frames with left and right limbs exchanged. They are set right, but not always.
SWAPS_CARE = 0.05
#: Mean trembling in body sizes. Good clips of people who move have 0.002 to 0.005 at 25 frames a second.
JITTER_CARE = 0.012
#: A part that is seen in fewer of the frames is missing.
PART_CARE = 0.5
#: Share of the source's postures that are outside the target's. What was never seen is painted from what is nearest: a
#: tenth are glimpses. Where most are even twice as far away, the result has nothing to do with the training.
OUTSIDE_CARE, FAR_NO = 0.1, 0.6
#: Share of the source's frames from a side, front or behind, from which the target is shown in fewer than the third:
#: what the target never shows is made up. A tenth are glimpses of a turn; where it is most, nothing else is seen.
SIDE_CARE, SIDE_NO, SIDE_SHOWN = 0.1, 0.6, 0.02
#: Limb ratios beyond this look wrong on the target: arms a seventh too long are noticed.
LIMBS_CARE = 0.15
#: Share of the frames in which a part of the body lands outside the target's picture.
CUT_CARE, CUT_NO = 0.05, 0.6


@dataclass(frozen=True)
class Reason:
    """One thing that was looked at.

    Attributes:
        level: "ok", "care" or "no".
        what: it was, in a few words.
        found: what was found, with its figure.
        advice: what to do, empty where nothing needs to be done.
    """

    level: str
    what: str
    found: str
    advice: str = ""


def overall(reasons: list[Reason]) -> str:
    """The worst level: "yes", "care" or "no"."""
    levels = {reason.level for reason in reasons}
    return "no" if "no" in levels else "care" if "care" in levels else "yes"


def _grade(value: float, care: float, no: float | None = None, *, low: bool = False) -> str:
    """Where `value` stands; `low` where small is bad."""
    sign = -1 if low else 1
    if no is not None and sign * value > sign * no:
        return "no"
    return "care" if sign * value > sign * care else "ok"


def judge_video(who: str, seen: Quality, around: Surroundings | None) -> list[Reason]:
    """Of one video; `who` is "source" or "target"."""
    target = who == "target"
    people = round(seen.detected * seen.frames)
    reasons = [
        Reason(
            _grade(seen.detected, DETECTED_CARE, DETECTED_NO, low=True),
            f"{who}: person found",
            f"in {people} of {seen.frames} frames ({seen.detected:.0%})",
            "film one person, whole, before a plain background" if seen.detected < DETECTED_CARE else "",
        )
    ]
    if people == 0:
        return reasons
    least = (TARGET_FRAMES_CARE, TARGET_FRAMES_NO) if target else (SOURCE_FRAMES_NO, SOURCE_FRAMES_NO)
    level = _grade(people + 0.5, *least, low=True)
    reasons.append(
        Reason(
            level,
            f"{who}: length",
            f"{people} frames with the person, {seen.seconds:.1f} s in all",
            "" if level == "ok" else "film longer; a minute or more of varied motion is better" if target
            else "give a longer video",
        )
    )  # fmt: skip
    level = _grade(seen.tall, SIZE_CARE, SIZE_NO, low=True)
    reasons.append(
        Reason(level, f"{who}: size", f"the person is {seen.tall:.0f} pixels large in {seen.size[0]}x{seen.size[1]}",
               "" if level == "ok" else "film from nearer or at a higher resolution")
    )  # fmt: skip
    reasons += _judge_points(who, seen)
    if around is not None:
        reasons += _judge_around(who, around)
    return reasons


def _judge_points(who: str, seen: Quality) -> list[Reason]:
    missing = [name for name, share in seen.seen.items() if share < PART_CARE]
    reasons = [
        Reason(
            "care" if missing else "ok",
            f"{who}: limbs",
            "not seen in half of the frames: "
            + ", ".join(f"{name} ({seen.seen[name]:.0%})" for name in missing)
            if missing
            else "all parts of the body are seen",
            "only what both videos show can be transferred" if missing else "",
        )
    ]
    level = _grade(seen.swaps, SWAPS_CARE)
    reasons.append(
        Reason(level, f"{who}: left and right", f"taken for each other in {seen.swaps:.1%} of the frames, set right",
               "" if level == "ok" else "look at the poses: dataset poses VIDEO")
    )  # fmt: skip
    level = _grade(seen.jitter, JITTER_CARE)
    reasons.append(
        Reason(level, f"{who}: jitter", f"{seen.jitter:.2%} of the body's size from frame to frame",
               "" if level == "ok" else "more light and a shorter exposure give steadier key points")
    )  # fmt: skip
    return reasons


def _judge_around(who: str, around: Surroundings) -> list[Reason]:
    target = who == "target"
    level = (
        _grade(around.several, TARGET_PEOPLE_CARE, TARGET_PEOPLE_NO)
        if target
        else _grade(around.several, SOURCE_PEOPLE_CARE)
    )
    advice = "film the target alone" if target else "say who is meant with --source-person"
    reasons = [
        Reason(level, f"{who}: people",
               f"more than one in {around.several:.0%} of {around.looks} frames looked at, at most {around.most}",
               "" if level == "ok" else advice)
    ]  # fmt: skip
    level = (
        _grade(around.camera, TARGET_CAMERA_CARE, TARGET_CAMERA_NO)
        if target
        else _grade(around.camera, SOURCE_CAMERA_CARE)
    )
    advice = (
        "put the camera on a tripod, switch zoom and stabilisation off"
        if target
        else "its motion is taken for the person's"
    )
    reasons.append(
        Reason(level, f"{who}: camera", f"the background moves by {around.camera:.1%} of the picture's diagonal",
               "" if level == "ok" else advice)
    )  # fmt: skip
    return reasons


def judge_postures(found: Distances) -> Reason:
    """How far outside the target's training the source goes."""
    if not found.compared:
        return Reason("no", "poses", "no frame of the source shows enough of the body to compare",
                      "film the whole person")  # fmt: skip
    level = "no" if found.far > FAR_NO else _grade(found.outside, OUTSIDE_CARE)
    return Reason(
        level,
        "poses outside the target's",
        f"{found.outside:.0%} of the source's (farther than {found.limit:.3f} body heights; among the target's own "
        f"{found.usual:.3f} is usual), {found.far:.0%} more than twice as far",
        "" if level == "ok" else "let the target do such movements in the recording, or take another source",
    )


def judge_sides(source: Quality, target: Quality) -> Reason:
    """Whether the source is seen from a side that the target does not show."""
    unseen = {side: share for side, share in source.sides.items() if target.sides[side] < SIDE_SHOWN}
    level = _grade(max(unseen.values(), default=0.0), SIDE_CARE, SIDE_NO)
    if level == "ok":
        return Reason("ok", "sides", "the target shows the sides from which the source is seen")
    side = max(unseen, key=lambda name: unseen[name])
    where = "from the front" if side == "front" else "from behind"
    return Reason(
        level,
        "sides",
        f"the source is seen {where} in {unseen[side]:.0%} of its frames, the target in {target.sides[side]:.0%}",
        f"film the target {where} as well, or take another source",
    )


def judge_limbs(ratios: dict[str, float], adapted: bool) -> Reason:
    """How different the two bodies are built."""
    far = {name: ratio for name, ratio in ratios.items() if abs(ratio - 1) > LIMBS_CARE}
    if not far:
        return Reason("ok", "proportions", f"no limb differs by more than {LIMBS_CARE:.0%}")
    told = "the target's are, of the source's: " + ", ".join(
        f"{name} ×{ratio:.2f}" for name, ratio in far.items()
    )
    if adapted:
        return Reason("ok", "proportions", told + "; adapted")
    return Reason("care", "proportions", told, "transfer with --limbs")


def judge_cut(share: float) -> Reason:
    """How often a part of the body lands outside the picture."""
    level = _grade(share, CUT_CARE, CUT_NO)
    return Reason(
        level,
        "within the picture",
        f"in {share:.0%} of the frames a part of the body lands outside the target's picture",
        "" if level == "ok" else "film the target with more room round the body",
    )
