"""Checks of what can be seen: one whole person, large, sharp and well lit, before a camera that stands still."""

from __future__ import annotations

import numpy as np

from dataset.collection import fingerprint
from dataset.collection.checks.facts import LEAST_SECONDS, grade, rounded
from dataset.collection.checks.look import Look, shift
from dataset.collection.checks.surveying import Survey
from dataset.collection.records import CheckResult
from dataset.pose.keypoints import SEEN, body_box

#: Share of frames with a second person. Somebody who walks through can be cut out; two who stay cannot.
A_PASSER_BY, TWO_PEOPLE = 0.0, 0.2
#: Share of frames with the head and both ankles in the picture: without ankles, poses cannot be set on the ground.
WHOLE, OFTEN_WHOLE = 0.9, 0.5
#: Share of frames in which a person was found at all.
FOUND, OFTEN_FOUND = 0.95, 0.5
#: Mean luma of the person, in levels of 255. Darker or brighter than the outer limits, clothes lose their folds.
DARK, VERY_DARK, BRIGHT, VERY_BRIGHT = 50.0, 28.0, 205.0, 232.0
#: Share of pixels without detail, black or white.
CLIPPED, MOSTLY_CLIPPED = 0.15, 0.5
#: Standard deviation of noise in levels: from four on it is drawn into the fakes, from twelve on hands drown in it.
NOISY, VERY_NOISY = 4.0, 12.0
#: Per cent of the picture's diagonal by which the background wanders or shakes. The background is taken to be one
#: still picture; half a per cent doubles its edges, three lay it beside itself.
STEADY, MOVING = 0.5, 3.0
#: Blur of the person, see `dataset.collection.checks.look.blur`.
SOFT, VERY_SOFT = 0.5, 0.75
#: Pixels from head to feet. Generators paint the person about 256 high; below 96 there are no hands and no face.
TALL, SMALL = 256.0, 96.0
#: Part of the body's size by which its points spread over the recording: less, and the person stands still.
LIVELY = 0.02
#: Correlation from which on two videos are one. Measured on mannequins: copies at any usable quality 0.88 to 0.99,
#: other takes of the same dancer in the same room up to 0.3. Real clips of one or two seconds of different signs by one
#: person reach 0.7.
A_COPY, LIKE_A_COPY = 0.8, 0.6


def readable(seen: Survey) -> CheckResult:
    """Every frame can be decoded."""
    if not seen.problems:
        return CheckResult("passed", 0.0, 0.0, "every frame decodes")
    told = "; ".join(seen.problems)
    return CheckResult("warning", float(len(seen.problems)), 0.0, f"{told}; copy it from the camera again")


def one_person(seen: Survey) -> CheckResult:
    """Nobody else is in the picture."""
    share = float(np.mean([len(look.people) > 1 for look in seen.looks]))
    told = f"more than one person in {share:.0%} of the frames"
    return grade(share, A_PASSER_BY, TWO_PEOPLE, told, "film one person alone, or cut the others out")


def full_body(seen: Survey) -> CheckResult:
    """Head and feet are in the picture, in the frames with a person."""
    looks = [look for look in seen.looks if look.people]
    if not looks:
        return CheckResult("error", 0.0, OFTEN_WHOLE, "nobody was found, so no feet; see person found")
    share = float(np.mean([look.whole for look in looks]))
    told = f"head and feet visible in {share:.0%} of the frames with a person"
    return grade(
        share, WHOLE, OFTEN_WHOLE, told, "step back until head and feet stay in the picture, jumps included"
    )


def person_found(seen: Survey) -> CheckResult:
    """The pose estimator sees a person."""
    share = seen.person_share or 0.0
    told = f"a person found in {share:.0%} of the frames"
    return grade(
        share, FOUND, OFTEN_FOUND, told, "come closer, wear what stands out from the wall, add light"
    )


def person_size(seen: Survey) -> CheckResult:
    """The person is large enough for hands and face."""
    heights = [look.height for look in seen.looks if look.height is not None]
    if not heights:
        return CheckResult("error", None, SMALL, "nobody was found, so no height; see person found")
    height = float(np.median(heights))
    return grade(
        height,
        TALL,
        SMALL,
        f"the person is {height:.0f} pixels tall",
        "come closer, or film at a higher resolution",
    )


def exposure(seen: Survey) -> CheckResult:
    """The person is neither too dark nor too bright."""
    luma = float(np.median([look.luma for look in seen.looks]))
    told = f"the person's mean level is {luma:.0f} of 255"
    if luma > (DARK + BRIGHT) / 2:
        return grade(luma, BRIGHT, VERY_BRIGHT, told, "lower the exposure")
    return grade(luma, DARK, VERY_DARK, told, "add light from the front, lock the exposure on the person")


def clipping(seen: Survey) -> CheckResult:
    """Not much of the picture is pure black or white."""
    share = float(np.median([look.clipped for look in seen.looks]))
    told = f"{share:.0%} of the picture is black or white without detail"
    return grade(
        share, CLIPPED, MOSTLY_CLIPPED, told, "no window or lamp in the picture, softer light; crop borders"
    )


def noise(seen: Survey) -> CheckResult:
    """The sensor had light enough."""
    level = float(np.median([look.noise for look in seen.looks]))
    return grade(level, NOISY, VERY_NOISY, f"noise of {level:.1f} levels", "add light, lower the ISO number")


def still_camera(seen: Survey) -> CheckResult:
    """The background neither wanders over the recording nor shakes from frame to frame."""
    place, reach = np.zeros(2), 0.0
    for before, now in zip(seen.looks, seen.looks[1:], strict=False):
        place = place + shift(before.small, now.small, np.minimum(before.behind, now.behind))
        reach = max(reach, float(np.hypot(*place)))
    shake = float(np.percentile([look.jump for look in seen.looks], 90)) if seen.looks else 0.0
    diagonal = seen.looks[0].diagonal if seen.looks else 1.0
    # What cannot be followed, such as a cut, may give any number; more than the picture is never meant.
    moved = min(100 * max(reach, shake) / diagonal, 100.0)
    how = "wanders" if reach >= shake else "shakes"
    told = f"the background {how} by {moved:.2f} % of the picture's diagonal"
    return grade(moved, STEADY, MOVING, told, "put the camera on a tripod, switch zoom and stabilisation off")


def sharpness(seen: Survey) -> CheckResult:
    """The person is in focus, and the shutter is fast enough."""
    values = [look.blur for look in seen.looks if look.blur is not None]
    if not values:
        return CheckResult("warning", None, SOFT, "nobody was found, so no sharpness; see person found")
    value = float(np.median(values))
    return grade(
        value, SOFT, VERY_SOFT, f"blur of {value:.2f}, where 0 is sharp",
        "lock the focus on the person, a shutter of 1/250 s or faster",
    )  # fmt: skip


def movement(seen: Survey) -> CheckResult:
    """The person does not merely stand there."""
    looks = [look for look in seen.looks if look.people]
    if len(looks) < 3:
        return CheckResult("warning", None, LIVELY, "too few frames with a person to tell whether they move")
    size = float(np.median([max(_side(look), 1.0) for look in looks]))
    stacked = np.stack([_centred(look) / size for look in looks])
    count = np.isfinite(stacked).all(axis=2).sum(axis=0)
    often = stacked[:, count >= max(3, len(looks) / 2)]
    if not often.size:
        return CheckResult("warning", None, LIVELY, "too few body points to tell whether they move")
    spread = float(np.median(np.nanstd(often, axis=0).max(axis=1)))
    told = f"body points spread by {spread:.1%} of the body's size"
    return grade(spread, LIVELY, -1.0, told, "go through the motions of: dataset guide")


def new_content(seen: Survey) -> CheckResult:
    """Not a copy of a recording that is there: encoded again, cut, mirrored."""
    best, twin, told = 0.0, None, "like no other recording"
    mine = seen.fingerprint
    known = [
        (other, other.fingerprint)
        for other in seen.others
        if mine is not None and other.fingerprint is not None
    ]
    found = fingerprint.compare_all([cells for _, cells in known], mine) if mine is not None else []
    for (other, _), likeness in zip(known, found, strict=True):
        if likeness.score > best:
            best, twin = likeness.score, other
            how = ", mirrored" if likeness.mirrored else ""
            told = f"moves like {other.id} of {other.subject} from {max(likeness.shift, 0):.2f} s on{how}"
    if twin is None or best < LIKE_A_COPY:
        return CheckResult("passed", rounded(best), LIKE_A_COPY, "like no other recording")
    # In a second or two, different takes may move alike: that is told, but refuses nothing.
    long_enough = min(twin.duration, seen.info.duration) >= LEAST_SECONDS
    outcome, limit = ("error", A_COPY) if best >= A_COPY and long_enough else ("warning", LIKE_A_COPY)
    return CheckResult(
        outcome,
        rounded(best),
        limit,
        f"{told} (correlation {best:.2f}); a copy adds nothing and may split a test",
    )


def _side(look: Look) -> float:
    """Longer side of the box round the main person, in pixels."""
    left, top, right, bottom = _box(look)
    return float(max(right - left, bottom - top))


def _centred(look: Look) -> np.ndarray:
    """(25, 2) body points relative to the middle of their box, in pixels; NaN where a point is not seen."""
    body = look.people[0]
    left, top, right, bottom = _box(look)
    points = body[:, :2] - ((left + right) / 2, (top + bottom) / 2)
    return np.where(body[:, 2:] >= SEEN, points, np.nan)


def _box(look: Look) -> tuple[float, float, float, float]:
    box = body_box(look.people[0])
    assert box is not None  # the finder returns nobody without points
    return box
