"""Recordings of different subjects that show the same, so that these subjects have to be in one split."""

from __future__ import annotations

from dataset.release.alike import alike
from dataset.release.fingerprint import Fingerprint
from dataset.release.items import Choice, Item
from dataset.release.splits import Link


def near_duplicates(looks: dict[str, Fingerprint], owners: dict[str, str]) -> list[tuple[Link, str, str]]:
    """Pairs of recordings of different subjects that show the same, with the link that this makes."""
    names = sorted(looks)
    found = []
    for one, other, _ in alike([looks[name] for name in names], [owners[name] for name in names]):
        first, second = names[one], names[other]
        link = Link(owners[first], owners[second], f"{first} shows the same as {second}")
        found.append((link, first, second))
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
