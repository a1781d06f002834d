"""What is different between two releases: videos, people, figures and consent, from what each says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset.errors import HubError
from dataset.hub.client import HubRepository
from dataset.hub.fetch import resolve
from dataset.hub.manifest import RELEASE, read_json_object
from dataset.hub.tombstones import withdrawn_among

_REMOTE = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<version>.+))?")
_TOLD = ("licence", "title", "contact", "blurred_faces", "encoder")


@dataclass(frozen=True)
class Difference:
    """From the first release to the second.

    Attributes:
        versions: of the two.
        added, removed: ids of videos that only the second or only the first has.
        changed: id → which of its facts differ.
        subjects_added, subjects_removed: people that only one has.
        withdrawn: of the removed, those whom a tombstone of the second means: id of the person → of the tombstone.
        moved: subject → splits before and after; there should be none.
        counts: figure → values before and after.
        consents: subject → fact of the consent → values before and after.
        facts: of the release as a whole → values before and after.
    """

    versions: tuple[str, str]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: dict[str, tuple[str, ...]]
    subjects_added: tuple[str, ...]
    subjects_removed: tuple[str, ...]
    withdrawn: dict[str, str]
    moved: dict[str, tuple[Any, Any]]
    counts: dict[str, tuple[Any, Any]]
    consents: dict[str, dict[str, tuple[Any, Any]]]
    facts: dict[str, tuple[Any, Any]]

    @property
    def same(self) -> bool:
        """Whether there is no difference but perhaps the version."""
        return not any(value for name, value in vars(self).items() if name != "versions")

    def lines(self) -> list[str]:
        """For people."""
        rows = [f"{self.versions[0]} → {self.versions[1]}" + (": no difference" if self.same else "")]
        rows += [f"  + subject {name}" for name in self.subjects_added]
        for name in self.subjects_removed:
            stone = self.withdrawn.get(name)
            rows.append(
                f"  - subject {name}" + (f", withdrawn: delete your copies ({stone})" if stone else "")
            )
        rows += [f"  + {name}" for name in self.added]
        rows += [f"  - {name}" for name in self.removed]
        rows += [f"  ~ {name}: {', '.join(what)}" for name, what in self.changed.items()]
        rows += [f"  ! {name} moved from {a} to {b}" for name, (a, b) in self.moved.items()]
        for name, consent in self.consents.items():
            rows += [
                f"  consent of {name}: {what} {_spell(a)} → {_spell(b)}" for what, (a, b) in consent.items()
            ]
        rows += [
            f"  {name}: {_spell(a)} → {_spell(b)}" for name, (a, b) in (self.counts | self.facts).items()
        ]
        return rows


def load(source: str | Path, *, endpoint: str | None = None) -> dict[str, Any]:
    """What a release says of itself.

    Args:
        source: a release folder, or ``ORG/NAME`` or ``ORG/NAME@VERSION`` on the hub.
        endpoint: address of the hub; None for huggingface_hub's own.

    Raises:
        HubError: it is neither.
    """
    path = Path(source)
    if path.exists():
        if not (path / RELEASE).is_file():
            raise HubError(
                f"no release in this folder: {RELEASE} is missing", path=path, hint="name releases/VERSION"
            )
        return read_json_object((path / RELEASE).read_bytes(), path / RELEASE)
    found = _REMOTE.fullmatch(str(source))
    if found is None:
        raise HubError("no such release", path=path, hint="name a folder, or ORG/NAME@VERSION")
    hub = HubRepository(found["repo"], endpoint=endpoint)
    return read_json_object(hub.text(RELEASE, resolve(hub, found["version"])), f"{source}/{RELEASE}")


def diff(before: dict[str, Any], after: dict[str, Any]) -> Difference:
    """Compare two releases.

    Args:
        before, after: from `load`.
    """
    old, new = before.get("items", {}), after.get("items", {})
    people = set(before.get("consents", {})), set(after.get("consents", {}))
    gone = sorted(people[0] - people[1])
    both = sorted(people[0] & people[1])
    consents = {name: _changes(before["consents"][name], after["consents"][name]) for name in both}
    splits = before.get("splits", {}), after.get("splits", {})
    moved = {name: (splits[0].get(name), splits[1].get(name)) for name in both}
    return Difference(
        versions=(str(before.get("version")), str(after.get("version"))),
        added=tuple(sorted(set(new) - set(old))),
        removed=tuple(sorted(set(old) - set(new))),
        changed={
            name: tuple(_changes(old[name], new[name]))
            for name in sorted(set(old) & set(new))
            if old[name] != new[name]
        },
        subjects_added=tuple(sorted(people[1] - people[0])),
        subjects_removed=tuple(gone),
        withdrawn=withdrawn_among(gone, after.get("tombstones", {})),
        moved={name: pair for name, pair in moved.items() if pair[0] != pair[1] and None not in pair},
        counts=_changes(_flat(before.get("counts", {})), _flat(after.get("counts", {}))),
        consents={name: changes for name, changes in consents.items() if changes},
        facts=_changes(*({key: one.get(key) for key in _TOLD} for one in (before, after))),
    )


def _changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Names of what differs, with both values."""
    names = [*old, *(name for name in new if name not in old)]
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


def _flat(counts: dict[str, Any]) -> dict[str, Any]:
    """Nested figures under dotted names; lists of people are left out, they are compared elsewhere."""
    flat: dict[str, Any] = {}
    for name, value in counts.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": one for inner, one in _flat(value).items()}
        elif name != "subjects":
            flat[name] = value
    return flat


def _spell(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value) or "none"
    return str(value)
