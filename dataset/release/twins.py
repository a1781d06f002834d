"""Recordings of different subjects that show the same, so that these subjects have to be in one split."""

from __future__ import annotations

from itertools import combinations

from dataset.release.fingerprint import ALIKE, Fingerprint, likeness
from dataset.release.items import Choice, Item
from dataset.release.splits import Link


def near_duplicates(looks: dict[str, Fingerprint], owners: dict[str, str]) -> list[tuple[Link, str, str]]:
    """Pairs of recordings of different subjects that show the same, with the link that this makes."""
    found = []
    for first, second in combinations(sorted(looks), 2):
        if owners[first] != owners[second] and likeness(looks[first], looks[second]) >= ALIKE:
            found.append(
                (Link(owners[first], owners[second], f"{first} shows the same as {second}"), first, second)
            )
    return found


def same_bytes(choice: Choice) -> list[tuple[Link, str, str]]:
    """Pairs of recordings of different subjects that are the same file, with the link that this makes."""
    first: dict[str, Item] = {}
    found = []
    for item in choice.recordings():
        other = first.setdefault(item.sha256, item)
        if other.subject != item.subject:
            link = Link(other.subject, item.subject, f"{other.id} and {item.id} are the same file")
            found.append((link, other.id, item.id))
    return found
