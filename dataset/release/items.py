"""What goes into a release, and what stays out and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from dataset.collection.collection import Collection
from dataset.collection.records import SCOPES, Consent, Fake, ModelRecord, Recording, Subject
from dataset.errors import ReleaseError
from dataset.release.licences import allows_commerce
from dataset.release.splits import Assignment, torn


@dataclass(frozen=True)
class Item:
    """One video of a release before it is encoded.

    Attributes:
        id: of the recording or fake.
        label: "real" or "fake".
        kind: "recording", "self" or "cross".
        subject: who is seen.
        source_subject: whose motion it is.
        source: id of the recording whose motion it is.
        pair: id of the real item that a fake mirrors frame for frame, None where there is none.
        generator: name, empty for a recording.
        motion: what is done, in a word; empty if nobody said.
        path: the collection's file.
        sha256: of that file.
        mark: what that file says of itself.
        people: everybody it derives from, sorted.
        consent: what all of them allow, in the order of `SCOPES`.
        expires: the first day on which somebody's consent ends, None for none.
        lineage: from this item back to consent records; goes into the release as it stands.
    """

    id: str
    label: str
    kind: str
    subject: str
    source_subject: str
    source: str
    pair: str | None
    generator: str
    motion: str
    path: Path
    sha256: str
    mark: str | None
    people: tuple[str, ...]
    consent: tuple[str, ...]
    expires: str | None
    lineage: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """A recording or fake that is not released.

    Attributes:
        id, subject: which one.
        reason: why, as a clause.
    """

    id: str
    subject: str
    reason: str


@dataclass(frozen=True)
class Choice:
    """What a release is made of.

    Attributes:
        items: sorted by id.
        left_out: the rest, sorted by id.
        consents: subject → consent, of everybody behind an item.
    """

    items: tuple[Item, ...]
    left_out: tuple[LeftOut, ...]
    consents: dict[str, Consent]

    def recordings(self) -> tuple[Item, ...]:
        """The filmed ones."""
        return tuple(item for item in self.items if item.label == "real")

    def without(self, left_out: list[LeftOut]) -> Choice:
        """The same without some; what depends on them has to be named as well."""
        gone = {entry.id for entry in left_out}
        kept = tuple(item for item in self.items if item.id not in gone)
        people = {name for item in kept for name in item.people}
        consents = {name: consent for name, consent in self.consents.items() if name in people}
        return Choice(kept, tuple(sorted((*self.left_out, *left_out), key=lambda entry: entry.id)), consents)


class Ancestry:
    """From a fake back to everybody it derives from, through its generator and whatever that started from."""

    def __init__(self, collection: Collection) -> None:
        self._videos: dict[str, Recording | Fake] = {}
        for recording in collection.recordings():
            self._videos.update(dict.fromkeys((*recording.copies, recording.sha256), recording))
        for fake in collection.fakes():
            self._videos[fake.sha256] = fake
        self._models: dict[str, ModelRecord] = {}
        for model in collection.models():
            self._models.update(dict.fromkeys((*model.snapshot_sha256s, model.weights_sha256), model))

    def videos(self, sha256s: Iterable[str]) -> list[Recording | Fake]:
        """Those of some hashes that are known, by id."""
        return sorted({self._videos[sha].id: self._videos[sha] for sha in sha256s if sha in self._videos}.values(),
                      key=lambda video: video.id)  # fmt: skip

    def of(self, fake: Fake) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Everybody behind a fake, sorted, and the hashes of training videos that are not known here."""
        people = {fake.subject, fake.source_subject}
        unknown: set[str] = set()
        videos, weights = list(fake.recording_sha256s), [fake.model_sha256]
        seen: set[str] = set()
        while videos or weights:
            sha = videos.pop() if videos else weights.pop()
            if sha in seen:
                continue
            seen.add(sha)
            if isinstance(video := self._videos.get(sha), Fake):
                people |= {video.subject, video.source_subject}
                videos += video.recording_sha256s
                weights.append(video.model_sha256)
            elif video is not None:
                people.add(video.subject)
            elif (model := self._models.get(sha)) is not None:
                people |= set(model.subjects)
                videos += model.recording_sha256s
                weights += model.started_from
            elif sha in fake.recording_sha256s:
                unknown.add(sha)
        return tuple(sorted(people)), tuple(sorted(unknown))


def choose(collection: Collection, on: date) -> Choice:
    """Everything that may be published on a day.

    Where the licence lets everybody do business with the data, consent to that is needed as well. A recording needs its
    subject's consent to publish; a fake needs that of everybody it derives from (whom it shows,
    whose motion it has, on whose recordings its generator was trained), and the shown one's to be synthesised.

    Raises:
        ReleaseError: two things have one id.
    """
    subjects = {subject.id: subject for subject in collection.subjects()}
    recordings = collection.recordings()
    fakes = collection.fakes()
    _refuse_doubles([*(recording.id for recording in recordings), *(fake.id for fake in fakes)], collection)
    by_id = {recording.id: recording for recording in recordings}
    ancestry = Ancestry(collection)
    items: list[Item] = []
    left_out: list[LeftOut] = []
    for recording in recordings:
        if reason := _unpublishable(subjects, recording.subject, collection.licence, on):
            left_out.append(LeftOut(recording.id, recording.subject, reason))
        else:
            items.append(_recorded(collection, recording, subjects[recording.subject]))
    released = {item.id for item in items}
    for fake in fakes:
        reason = _no_fake(fake, subjects, by_id, ancestry, released, collection.licence, on)
        if reason is not None:
            left_out.append(LeftOut(fake.id, fake.subject, reason))
        else:
            items.append(_faked(collection, fake, subjects, by_id, ancestry))
    people = {name for item in items for name in item.people}
    return Choice(
        tuple(sorted(items, key=lambda item: item.id)),
        tuple(sorted(left_out, key=lambda entry: entry.id)),
        {name: subjects[name].consent for name in sorted(people)},
    )


def tear(choice: Choice, assignment: Assignment) -> list[LeftOut]:
    """The fakes whose people stand in different splits."""
    return [
        LeftOut(item.id, item.subject, reason)
        for item in choice.items
        if item.label == "fake" and (reason := torn(item.people, assignment.split))
    ]


def consent_record(consent: Consent) -> dict[str, Any]:
    """What a release tells of a consent: all but whom to ask and why something was taken back."""
    return {
        "kind": consent.kind,
        "scope": [name for name in SCOPES if name in consent.scope],
        "jurisdiction": consent.jurisdiction,
        "date": consent.date,
        "expires": consent.expires,
        "form_sha256": consent.form_sha256,
    }


def digest(value: Any) -> str:
    """SHA-256 of a value's plainest JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _refuse_doubles(ids: list[str], collection: Collection) -> None:
    if doubled := sorted({name for name in ids if ids.count(name) > 1} if len(set(ids)) < len(ids) else ()):
        raise ReleaseError(
            f"more than one thing has the id {doubled[0]!r}", path=collection.root, hint="rename one of them"
        )


def _refused(subjects: dict[str, Subject], name: str, purpose: str, on: date) -> str | None:
    subject = subjects.get(name)
    if subject is None:
        return f"{name} is no subject of this collection"
    if subject.status != "active":
        return f"{name} was withdrawn"
    if problem := subject.consent.problem(purpose, on):
        return f"the consent of {name} {problem}"
    return None


def _unpublishable(subjects: dict[str, Subject], name: str, licence: str, on: date) -> str | None:
    if reason := _refused(subjects, name, "publish", on):
        return reason
    if allows_commerce(licence) and (reason := _refused(subjects, name, "commercial", on)):
        return f"{reason}, which the licence {licence} allows"
    return None


def _no_fake(
    fake: Fake,
    subjects: dict[str, Subject],
    recordings: dict[str, Recording],
    ancestry: Ancestry,
    released: set[str],
    licence: str,
    on: date,
) -> str | None:
    if fake.research_only:
        return "it was made for research only"
    source = recordings.get(fake.source_recording)
    if source is None:
        return f"its source {fake.source_recording} is not in this collection"
    if source.subject != fake.source_subject:
        return f"its source {source.id} is of {source.subject}, not of {fake.source_subject}"
    if source.id not in released:
        return f"its source {source.id} is not released"
    if fake.pair is not None and fake.pair not in released:
        return f"its pair {fake.pair} is not released"
    people, unknown = ancestry.of(fake)
    if unknown:
        return f"its generator was trained on a video that is not in this collection ({unknown[0][:12]}…)"
    for name in people:
        if reason := _unpublishable(subjects, name, licence, on):
            return reason
    return _refused(subjects, fake.subject, "synthesise", on)


def _shared(subjects: dict[str, Subject], people: tuple[str, ...]) -> tuple[str, ...]:
    allowed = [set(subjects[name].consent.scope) for name in people]
    return tuple(name for name in SCOPES if all(name in scope for scope in allowed))


def _earliest(subjects: dict[str, Subject], people: tuple[str, ...]) -> str | None:
    ends = [subjects[name].consent.expires for name in people]
    return min((end for end in ends if end is not None), default=None)


def _consents(subjects: dict[str, Subject], people: tuple[str, ...]) -> dict[str, str]:
    return {name: digest(consent_record(subjects[name].consent)) for name in people}


def _recorded(collection: Collection, recording: Recording, subject: Subject) -> Item:
    people = (subject.id,)
    lineage = {
        "recording": {"id": recording.id, "sha256": recording.sha256, "subject": subject.id},
        "consent_sha256": _consents({subject.id: subject}, people),
    }
    return Item(
        recording.id, "real", "recording", subject.id, subject.id, recording.id, None, "", recording.motion,
        collection.path_of(recording), recording.sha256, recording.mark, people,
        _shared({subject.id: subject}, people), subject.consent.expires, lineage,
    )  # fmt: skip


def _faked(
    collection: Collection,
    fake: Fake,
    subjects: dict[str, Subject],
    recordings: dict[str, Recording],
    ancestry: Ancestry,
) -> Item:
    people, _ = ancestry.of(fake)
    source = recordings[fake.source_recording]
    trained = ancestry.videos(fake.recording_sha256s)
    lineage = {
        "fake": {"id": fake.id, "sha256": fake.sha256, "kind": fake.kind, "subject": fake.subject},
        "generator": {
            "name": fake.generator,
            "model_sha256": fake.model_sha256,
            "trained_on": [
                {"id": video.id, "sha256": video.sha256, "subject": video.subject} for video in trained
            ],
        },
        "motion": {"id": source.id, "sha256": source.sha256, "subject": source.subject},
        "consent_sha256": _consents(subjects, people),
    }
    return Item(
        fake.id, "fake", fake.kind, fake.subject, fake.source_subject, source.id, fake.pair, fake.generator,
        source.motion, collection.path_of(fake), fake.sha256, None, people,
        _shared(subjects, people), _earliest(subjects, people), lineage,
    )  # fmt: skip
