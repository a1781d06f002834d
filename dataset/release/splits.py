"""Who is in which split: disjoint by subject and by source motion, on both sides of every fake, and steady.

A split is a property of people. Subjects that share something filmed (the same recording imported twice, near-duplicate
content) form one *group*; the group's split follows from a hash of the collection's seed and the group's key, so a
subject who is added later moves nobody. What was released before stays where it was: the assignment of the previous
release wins over the hash. Fakes move nobody either: one whose people (whom it shows, whose motion it has, on whose
recordings its generator was trained) stand in different splits is left out and listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SPLITS = ("train", "validation", "test")
#: Share of the groups that the hash puts into each split, in the order of `SPLITS`.
SHARES = (0.7, 0.15, 0.15)


@dataclass(frozen=True)
class Link:
    """Two subjects who have to be in one split, and why."""

    first: str
    second: str
    reason: str


@dataclass(frozen=True)
class Conflict:
    """A link that cannot be kept because both ends were released in different splits before."""

    link: Link
    first_split: str
    second_split: str


@dataclass(frozen=True)
class Assignment:
    """Which split each subject is in.

    Attributes:
        split: subject → one of `SPLITS`.
        groups: subjects that stay together, each sorted, in the order of their first names.
        conflicts: links that the previous release had torn already.
    """

    split: dict[str, str]
    groups: tuple[tuple[str, ...], ...] = ()
    conflicts: tuple[Conflict, ...] = field(default=())


class Union:
    """Union-find over names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._parent = {name: name for name in names}

    def find(self, name: str) -> str:
        """The name that stands for the group of `name`: its smallest."""
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name

    def join(self, first: str, second: str) -> None:
        """Make one group of two."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low

    def groups(self) -> list[tuple[str, ...]]:
        """All groups, each sorted."""
        found: dict[str, list[str]] = {}
        for name in sorted(self._parent):
            found.setdefault(self.find(name), []).append(name)
        return [tuple(names) for _, names in sorted(found.items())]


def place(seed: int, key: str) -> float:
    """A number in [0, 1) that depends on the seed and the key alone."""
    digest = hashlib.sha256(f"{seed}\n{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def assign(
    subjects: Sequence[str],
    links: Sequence[Link] = (),
    *,
    seed: int = 0,
    previous: Mapping[str, str] | None = None,
) -> Assignment:
    """Give every subject a split.

    What moves a subject: nothing that is added. A link between two groups that were both released before in different
    splits is reported as a conflict instead. Before its first release a small collection may leave the validation or
    test split empty by chance; then the unreleased group whose hash is nearest takes that place, and the first
    release fixes it.

    Args:
        subjects: everybody with something to release.
        links: who has to stay together; names that are not among `subjects` are ignored.
        seed: of the collection.
        previous: subject → split in the release before.
    """
    before = {name: split for name, split in (previous or {}).items() if split in SPLITS}
    union = Union(subjects)
    conflicts = []
    for link in sorted(links, key=lambda link: (link.first, link.second, link.reason)):
        if link.first not in before and link.second not in before:
            _join(union, link)
    # Then the links to people of earlier releases, so that it is known which group would be torn.
    for link in sorted(links, key=lambda link: (link.first, link.second, link.reason)):
        if not _known(union, link):
            continue
        splits = [_fixed(union, name, before) for name in (link.first, link.second)]
        if splits[0] and splits[1] and splits[0] != splits[1]:
            conflicts.append(Conflict(link, splits[0], splits[1]))
        else:
            _join(union, link)
    groups = union.groups()
    chosen = {group: _fixed(union, group[0], before) for group in groups}
    free = [group for group in groups if not chosen[group]]
    for group in free:
        chosen[group] = _by_hash(place(seed, group[0]))
    _fill_empty(chosen, free, seed)
    return Assignment(
        {name: chosen[group] for group in groups for name in group}, tuple(groups), tuple(conflicts)
    )


def torn(people: Iterable[str], split: Mapping[str, str]) -> str | None:
    """Why a fake of these people cannot be released, as one clause, or None if it can."""
    names = sorted(set(people))
    if unknown := [name for name in names if name not in split]:
        return f"{', '.join(unknown)} is not in this release"
    where = {split[name] for name in names}
    if len(where) > 1:
        told = ", ".join(f"{name} is in {split[name]}" for name in names)
        return f"its people are in different splits: {told}"
    return None


def _known(union: Union, link: Link) -> bool:
    return link.first in union._parent and link.second in union._parent


def _join(union: Union, link: Link) -> None:
    if _known(union, link):
        union.join(link.first, link.second)


def _fixed(union: Union, name: str, before: Mapping[str, str]) -> str:
    """The split that a released member of the group had, empty if none was released."""
    root = union.find(name)
    members = sorted(other for other in before if other in union._parent and union.find(other) == root)
    return before[members[0]] if members else ""


def _by_hash(number: float) -> str:
    edge = 0.0
    for split, share in zip(SPLITS, SHARES, strict=True):
        edge += share
        if number < edge:
            return split
    return SPLITS[-1]


def _fill_empty(chosen: dict[tuple[str, ...], str], free: list[tuple[str, ...]], seed: int) -> None:
    """Where a split is empty, take the free group with the nearest hash from the fullest split, if that leaves one."""
    for split in ("test", "validation", "train"):
        if split in chosen.values():
            continue
        counts = {name: sum(other == name for other in chosen.values()) for name in SPLITS}
        donor = max(SPLITS, key=lambda name: (counts[name], -SPLITS.index(name)))
        candidates = [group for group in free if chosen[group] == donor]
        if counts[donor] > 1 and candidates:
            middle = sum(SHARES[: SPLITS.index(split)]) + SHARES[SPLITS.index(split)] / 2
            chosen[min(candidates, key=lambda group: (abs(place(seed, group[0]) - middle), group))] = split
