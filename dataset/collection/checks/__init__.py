"""What a recording is looked at for when it is imported: one function a check.

    survey(video, subject, others)      the video, read once, and what was measured in it
    CHECKS                              the checks by name
    run_checks(survey)                  each check's finding

Every check compares one measured value with a limit, says in a line what came out, and gives advice where it did not
pass. Errors refuse the recording, warnings are written into its record.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection as Several

from dataset.collection.checks import facts
from dataset.collection.checks.survey import Survey, survey
from dataset.collection.records import CheckResult
from dataset.errors import CollectionError

Check = Callable[[Survey], CheckResult]

#: Made of every file whatever else is asked for.
ALWAYS: dict[str, Check] = {"mark": facts.mark, "same bytes": facts.same_bytes}

CHECKS: dict[str, Check] = {
    **ALWAYS,
    "duration": facts.duration,
    "frame rate": facts.frame_rate,
}


def run_checks(seen: Survey, names: Several[str] | None = None) -> dict[str, CheckResult]:
    """The findings by name, in the order of `CHECKS`.

    Args:
        seen: what `survey` measured, for the same names.
        names: which checks to make; None for all.

    Raises:
        CollectionError: no check is called so.
    """
    chosen = chosen_checks(names)
    return {name: check(seen) for name, check in CHECKS.items() if name in chosen}


def chosen_checks(names: Several[str] | None) -> set[str]:
    """The names asked for and those that are always made."""
    if names is None:
        return set(CHECKS)
    if unknown := sorted(set(names) - set(CHECKS)):
        raise CollectionError(f"no check is called {unknown[0]!r}", hint=f"one of {', '.join(CHECKS)}")
    return {*names, *ALWAYS}


__all__ = ["ALWAYS", "CHECKS", "Check", "Survey", "chosen_checks", "run_checks", "survey"]
