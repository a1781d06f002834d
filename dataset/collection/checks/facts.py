"""Checks of what the file says about itself, without looking at its pictures."""

from __future__ import annotations

from dataset.collection.checks.surveying import Survey
from dataset.collection.records import CheckResult

#: Seconds. The paper filmed 8 to 17 minutes of each subject; with less, many poses of a source were never seen.
#: Below two seconds there is nothing to train on and nothing to hold out.
LONG_ENOUGH, LEAST_SECONDS = 480.0, 2.0
#: Frames a second. The paper filmed at 120 to see fast limbs sharp. Temporal smoothing learns from consecutive frames,
#: and below ten these have little to do with one another.
SMOOTH_RATE, LEAST_RATE = 24.0, 10.0


def grade(value: float, warn: float, refuse: float, told: str, advice: str) -> CheckResult:
    """Passed from `warn` on, an error below `refuse`, else a warning; the other way round where `warn` < `refuse`."""
    sign = 1 if warn >= refuse else -1
    if sign * value >= sign * warn:
        return CheckResult("passed", rounded(value), warn, told)
    error = sign * value < sign * refuse
    return CheckResult(
        "error" if error else "warning", rounded(value), refuse if error else warn, f"{told}; {advice}"
    )


def rounded(value: float) -> float:
    """Four significant decimals, so that records are easy to read and equal on all machines."""
    return round(float(value), 4)


def mark(seen: Survey) -> CheckResult:
    """A recording says nothing of being made, a film of a mannequin says that it is a rendering."""
    statement = seen.mark
    if seen.subject.consent.kind == "mannequin":
        if statement and not seen.synthetic:
            return CheckResult("passed", 1.0, 1.0, "says that it is a rendering")
        if statement:
            return CheckResult("error", 0.0, 1.0, f"a fake is not a recording ({statement}); see add-fakes")
        advice = "film it with dataset mannequin, or add the subject as a person"
        return CheckResult("error", 0.0, 1.0, f"a mannequin's film says that it is a rendering; {advice}")
    if statement:
        advice = "a recording of a person comes from a camera"
        return CheckResult("error", 1.0, 0.0, f"the file says that it was made ({statement}); {advice}")
    return CheckResult("passed", 0.0, 0.0, "does not say that it was made")


def same_bytes(seen: Survey) -> CheckResult:
    """The very file is not in the collection yet."""
    twin = next((other for other in seen.others if other.sha256 == seen.info.sha256), None)
    if twin is None:
        return CheckResult("passed", 0.0, 0.0, "a new file")
    return CheckResult(
        "error", 1.0, 0.0, f"the same file as {twin.id} of {twin.subject}; nothing needs to be added"
    )


def duration(seen: Survey) -> CheckResult:
    """Long enough to have been seen in many poses."""
    seconds = seen.info.duration
    told = f"{seconds:.1f} s long" if seconds < 120 else f"{seconds / 60:.1f} min long"
    return grade(
        seconds,
        LONG_ENOUGH,
        LEAST_SECONDS,
        told,
        "film 8 to 17 minutes of many motions, in one or more takes",
    )


def frame_rate(seen: Survey) -> CheckResult:
    """Consecutive frames are close enough for temporal smoothing to learn from."""
    rate = seen.info.average_fps
    return grade(
        rate, SMOOTH_RATE, LEAST_RATE, f"{rate:.1f} frames a second", "film at 60 to 120 frames a second"
    )
