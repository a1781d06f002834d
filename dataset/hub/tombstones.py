"""What stays of somebody who was withdrawn: that it happened, when, and how much went, but not who.

``tombstones.json`` in a collection::

    {"schema": 1, "tombstones": [{"id": "w-3f9c…-a07d…", "date": "2026-05-01", "removed": {"recordings": 2, …}}]}

The id is a random number and a hash of that number with the pseudonym. It names nobody to those who do not have the
pseudonym. Whoever holds an older copy of the data set can tell from it which of *their* subjects is meant, and delete
them: that is `withdrawn_among`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dataset.files import write_json
from dataset.hub.manifest import read_json_object

TOMBSTONES = "tombstones.json"


@dataclass(frozen=True)
class Tombstone:
    """One withdrawal.

    Attributes:
        id: see `new_id`.
        date: the day.
        removed: kind of thing → how many.
    """

    id: str
    date: str
    removed: dict[str, int]


def new_id(subject: str) -> str:
    """A name for a withdrawal that can be recognised by who knows the pseudonym, and by nobody else."""
    return _named(secrets.token_hex(6), subject)


def withdrawn_among(subjects: Iterable[str], ids: Iterable[str]) -> dict[str, str]:
    """Which of some subjects were withdrawn.

    Args:
        subjects: pseudonyms in a copy of the data set.
        ids: of tombstones, from ``release.json`` of a newer version.

    Returns:
        subject → id of the tombstone
    """
    known = list(subjects)
    found = {}
    for id in ids:
        kind, _, rest = id.partition("-")
        if kind == "w":
            found.update({name: id for name in known if _named(rest.partition("-")[0], name) == id})
    return found


def read_tombstones(root: Path) -> list[Tombstone]:
    """Those of a collection, oldest first.

    Raises:
        HubError: the file is damaged.
    """
    path = root / TOMBSTONES
    if not path.is_file():
        return []
    rows = read_json_object(path.read_bytes(), path).get("tombstones", [])
    return [Tombstone(row["id"], row["date"], row["removed"]) for row in rows]


def add_tombstone(root: Path, stone: Tombstone) -> None:
    """Put one up; the same one twice stays one."""
    stones = {one.id: one for one in (*read_tombstones(root), stone)}
    rows = [{"id": one.id, "date": one.date, "removed": one.removed} for one in stones.values()]
    write_json(root / TOMBSTONES, {"schema": 1, "tombstones": rows})


def _named(salt: str, subject: str) -> str:
    return f"w-{salt}-{hashlib.sha256(f'{salt}:{subject}'.encode()).hexdigest()[:16]}"
