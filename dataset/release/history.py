"""What was released before: ``releases/history.json``, which outlives the folders of old releases.

It holds for each version what the next one has to know: who was in which split (so that nobody moves), which items
there were (for the changelog), and who was withdrawn since (for the tombstones).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset.errors import ReleaseError
from dataset.files import write_json

HISTORY = "history.json"
FIRST = "1.0.0"
_DELETE = "Delete your copies of everything that shows them or has their motion."


@dataclass(frozen=True)
class Past:
    """One earlier release.

    Attributes:
        version: such as "1.2.0".
        dated: day of the newest fact in it.
        state: digest of all that it was made from.
        split: subject → split, everybody who ever was in it or an earlier one.
        items: ids → hash of the collection's file.
        tombstones: pseudonym → day of withdrawal, of those who were released once.
        changes: what changed against the one before, in lines.
    """

    version: str
    dated: str
    state: str
    split: dict[str, str]
    items: dict[str, str]
    tombstones: dict[str, str]
    changes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**self.__dict__, "changes": list(self.changes)}


def read_history(releases: Path) -> list[Past]:
    """Earlier releases, oldest first.

    Raises:
        ReleaseError: the file is damaged.
    """
    path = releases / HISTORY
    if not path.is_file():
        return []
    try:
        entries = json.loads(path.read_text("utf-8"))["releases"]
        return [Past(**{**entry, "changes": tuple(entry["changes"])}) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise ReleaseError(
            f"not the history of releases ({error})",
            path=path,
            hint="restore it: it says who is in which split",
        ) from error


def write_history(releases: Path, history: list[Past]) -> None:
    """Keep what was released, oldest first."""
    write_json(releases / HISTORY, {"schema": 1, "releases": [past.to_dict() for past in history]})


def check_version(version: str) -> tuple[int, int, int]:
    """Its three numbers.

    Raises:
        ReleaseError: it is not of the form 1.2.3.
    """
    if not (found := re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", version)):
        raise ReleaseError(f"{version!r} is not a version", hint="write three numbers, such as 1.2.0")
    return int(found[1]), int(found[2]), int(found[3])


def next_version(history: list[Past], items: dict[str, str]) -> str:
    """The version after the last: a new first number where something was taken out or replaced, a new second one where
    something came in, a new third one where only what is told about it changed."""
    if not history:
        return FIRST
    last = history[-1]
    major, minor, patch = check_version(last.version)
    if any(items.get(name) != sha for name, sha in last.items.items()):
        return f"{major + 1}.0.0"
    if set(items) - set(last.items):
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"


def changes(history: list[Past], items: dict[str, str], tombstones: dict[str, str]) -> tuple[str, ...]:
    """What is different from the release before, a line each."""
    if not history:
        return (f"First release: {_count(len(items), 'video')}.",)
    last = history[-1]
    lines = []
    if new := set(items) - set(last.items):
        lines.append(f"{_count(len(new), 'video')} added.")
    gone = set(last.items) - set(items)
    # A withdrawal has rewritten the entry before: what went stands there under the name of its tombstone.
    unnamed = {
        stone: count
        for stone in sorted(set(tombstones) & set(last.tombstones))
        if (count := sum(name.startswith(f"{stone}-") and not last.items[name] for name in gone))
    }
    if other := len(gone) - sum(unnamed.values()):
        lines.append(f"{_count(other, 'video')} taken out.")
    if changed := [name for name, sha in last.items.items() if items.get(name, sha) != sha]:
        lines.append(f"{_count(len(changed), 'video')} replaced.")
    for stone, count in unnamed.items():
        lines.append(f"Withdrawn: {stone}, with {_count(count, 'video')}. {_DELETE}")
    if withdrawn := sorted(set(tombstones) - set(last.tombstones)):
        lines.append(f"Withdrawn: {', '.join(withdrawn)}. {_DELETE}")
    return tuple(lines) or ("No video changed; texts or records did.",)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
