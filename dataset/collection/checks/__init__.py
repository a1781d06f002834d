"""What a recording is looked at for when it is imported: one function a check.

    examine(video, subject, others)     the video, read once, and what was measured in it
    CHECKS                              the checks by name
    run_checks(survey)                  each check's finding

Every check compares one measured value with a limit, says in a line what came out, and gives advice where it did not
pass. Errors refuse the recording, warnings are written into its record.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection as Several
from pathlib import Path

from dataset.collection.checks import content, facts
from dataset.collection.checks.surveying import Progress, Survey, survey
from dataset.collection.records import CheckResult, Recording, Subject
from dataset.errors import CollectionError

Check = Callable[[Survey], CheckResult]

#: Of a file with fewer than two frames that decode.
NOTHING_SEEN = CheckResult("error", None, None, "fewer than two frames to look at")

#: Made of every file whatever else is asked for.
ALWAYS: dict[str, Check] = {"mark": facts.mark, "same bytes": facts.same_bytes}

CHECKS: dict[str, Check] = {
    **ALWAYS,
    "duration": facts.duration,
    "frame rate": facts.frame_rate,
    "readable": content.readable,
    "new content": content.new_content,
    "person found": content.person_found,
    "one person": content.one_person,
    "full body": content.full_body,
    "person size": content.person_size,
    "movement": content.movement,
    "exposure": content.exposure,
    "clipping": content.clipping,
    "noise": content.noise,
    "sharpness": content.sharpness,
    "still camera": content.still_camera,
}
#: Need the file's facts alone,
QUICK = frozenset({"mark", "same bytes", "duration", "frame rate"})
#: or every frame decoded, but nobody looked for; the others look at frames closely.
READ = frozenset({"readable", "new content"})


def examine(
    video: Path,
    subject: Subject,
    others: list[Recording],
    names: Several[str] | None = None,
    progress: Progress | None = None,
) -> Survey:
    """Measure what the chosen checks need, and no more; see `dataset.collection.checks.surveying.survey`."""
    chosen = chosen_checks(names)
    return survey(
        video,
        subject,
        others,
        read=bool(chosen - QUICK),
        looks=bool(chosen - QUICK - READ),
        unless=lambda seen: any(check(seen).outcome == "error" for check in ALWAYS.values()),
        progress=progress,
    )


def run_checks(seen: Survey, names: Several[str] | None = None) -> dict[str, CheckResult]:
    """The findings by name, in the order of `CHECKS`; those of `ALWAYS` alone where they refuse the file.

    Args:
        seen: what `examine` measured, for the same names.
        names: which checks to make; None for all.

    Raises:
        CollectionError: no check is called so.
    """
    chosen = chosen_checks(names)
    found = {name: check(seen) for name, check in ALWAYS.items()}
    if any(result.outcome == "error" for result in found.values()):
        return found  # nothing else was measured
    for name, check in CHECKS.items():
        if name in chosen and name not in ALWAYS:
            blind = name not in QUICK | READ and not seen.looks
            found[name] = NOTHING_SEEN if blind else check(seen)
    return found


def chosen_checks(names: Several[str] | None) -> set[str]:
    """The names asked for and those that are always made."""
    if names is None:
        return set(CHECKS)
    if unknown := sorted(set(names) - set(CHECKS)):
        raise CollectionError(f"no check is called {unknown[0]!r}", hint=f"one of {', '.join(CHECKS)}")
    return {*names, *ALWAYS}


__all__ = ["ALWAYS", "CHECKS", "Check", "Survey", "chosen_checks", "examine", "run_checks"]
