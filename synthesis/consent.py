"""The gate in front of training and transfer: on what ground somebody's likeness may be synthesised.

    a person         a consent record that covers "train" and "synthesise", has not run out and was not revoked
    a mannequin      the file says that it is a rendering of nobody; nobody has to be asked
    research only    none of the two; everything made with it says so and cannot be published

The ground is settled when a training run starts, stands in ``model.json``, and is looked at again before every
transfer: consent runs out and can be taken back.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from dataset.collection import consent_of, load_consent
from dataset.collection.records import Consent
from dataset.errors import ConsentError, ModelError
from dataset.files import sha256_file
from dataset.provenance import is_rendering
from dataset.video import VideoInfo

PERSON, MANNEQUIN, RESEARCH_ONLY = KINDS = ("person", "mannequin", "research-only")
#: What a consent has to cover for a generator to be trained and used.
PURPOSES = ("train", "synthesise")

_RECORD_IT = (
    "record one with: dataset consent COLLECTION --subject ID --scope train,synthesise --form SIGNED --date DAY, "
    "then train on the recording in the collection, or give the subject.json with --consent"
)
_RESEARCH = "for research on recordings of others that is not published: --research-only"


@dataclass(frozen=True)
class Basis:
    """On what ground a generator was trained.

    Attributes:
        kind: one of `KINDS`.
        subject: id in the consent record, or the name that the user gave.
        record_sha256: hash of the consent record as it was; empty without one.
        expires: last day of the consent, None for no end.
        record: where the record was, so that a revocation since is noticed; None without one.
        public_name: whether what is made may name the subject: the consent covers publication, or it is nobody.
    """

    kind: str
    subject: str
    record_sha256: str = ""
    expires: str | None = None
    record: Path | None = None
    public_name: bool = False

    @property
    def research_only(self) -> bool:
        """Whether nothing made with it may be published."""
        return self.kind == RESEARCH_ONLY

    @property
    def told_name(self) -> str:
        """The subject's pseudonym if a file may tell it, else nothing."""
        return self.subject if self.public_name else ""

    def to_dict(self, folder: Path) -> dict[str, Any]:
        """As it stands in ``model.json`` of a model in `folder`; the record's path is relative to it."""
        record = None if self.record is None else os.path.relpath(self.record.resolve(), folder.resolve())
        return {
            "kind": self.kind,
            "subject": self.subject,
            "record_sha256": self.record_sha256,
            "expires": self.expires,
            "record": record,
            "public_name": self.public_name,
        }

    @classmethod
    def from_dict(cls, data: Any, folder: Path, subject: str) -> Basis:
        """Read it back. A model that says nothing was made without a consent record: research only.

        Raises:
            ModelError: the entry is damaged.
        """
        if data is None:
            return cls(RESEARCH_ONLY, subject)
        try:
            record, expires = data["record"], data["expires"]
            basis = cls(
                kind=str(data["kind"]),
                subject=str(data["subject"]),
                record_sha256=str(data["record_sha256"]),
                expires=None if expires is None else date.fromisoformat(expires).isoformat(),
                record=None if record is None else folder / record,
                public_name=bool(data["public_name"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"the entry on consent is damaged ({error})", path=folder / "model.json"
            ) from error
        if basis.kind not in KINDS:
            raise ModelError(f"there is no consent of kind {basis.kind!r}", path=folder / "model.json")
        return basis


def subject_named(recordings: list[Path], consent: Path | None) -> str | None:
    """The subject's id in the consent record, or in the collection that the recordings lie in; None without either.

    Raises:
        RecordError: a record cannot be read.
    """
    if consent is not None:
        return load_consent(consent)[0]
    for recording in recordings:
        if recording.is_file() and (found := consent_of(recording)) is not None:
            return found[0].id
    return None


def settle(
    recordings: list[Path],
    subject: str,
    *,
    consent: Path | None = None,
    research_only: bool = False,
    on: date | None = None,
) -> Basis:
    """The ground on which a generator may be trained on recordings of a subject.

    A record in the collection that a recording lies in counts as well as one that is given: what was revoked there
    is not brought back by an older copy.

    Args:
        recordings: existing files.
        subject: name of the target, which has to be that of the record.
        consent: a consent record.
        research_only: do without; what was revoked stays revoked.
        on: the day; today by default.

    Raises:
        ConsentError: there is no ground.
        RecordError: a record cannot be read.
        VideoError: a recording cannot be read.
    """
    if consent is not None and research_only:
        raise ConsentError(
            "a consent record is not for research only", path=consent, hint="leave one of the two out"
        )
    on = on or date.today()
    records: dict[Path, tuple[str, Consent]] = {}
    if consent is not None:
        records[consent] = load_consent(consent)
    covered = consent is not None
    nobody = True
    for recording in recordings:
        found = consent_of(recording)
        if found is not None:
            who, path = found
            if who.status == "withdrawn":
                raise ConsentError(f"subject {who.id} has withdrawn", path=recording)
            records.setdefault(path, (who.id, who.consent))
        rendered = is_rendering(VideoInfo.from_path(recording).metadata)
        nobody = nobody and rendered
        if found is None and not rendered and not covered and not research_only:
            raise ConsentError(
                f"no consent of {subject} is known that covers this recording",
                path=recording,
                hint=f"{_RECORD_IT}; {_RESEARCH}",
            )
    for path, (who_id, given) in records.items():
        _check(path, who_id, given, subject, on, tolerant=research_only)
    if research_only and not nobody:
        return Basis(RESEARCH_ONLY, subject)
    if nobody and all(given.kind == "mannequin" for _, given in records.values()):
        return Basis(MANNEQUIN, subject, public_name=True)
    return _basis(records, subject)


def confirm(basis: Basis, *, consent: Path | None = None, on: date | None = None) -> str | None:
    """Look whether the ground of a model still holds.

    Args:
        basis: of the model.
        consent: a consent record to ask instead of the one that the model remembers.
        on: the day; today by default.

    Returns:
        A note for the user where the record could not be found again, so that only its end was looked at.

    Raises:
        ConsentError: the consent has run out, was revoked, or is of somebody else.
        RecordError: the record cannot be read.
    """
    if basis.kind != PERSON:
        if consent is not None:
            raise ConsentError(
                f"the model was trained as {basis.kind}: a consent record does not change that",
                path=consent,
                hint="train it again with --consent",
            )
        return None
    on = on or date.today()
    record = consent or basis.record
    if record is not None and (consent is not None or record.is_file()):
        who, given = load_consent(record)
        _check(record, who, given, basis.subject, on)
        return None
    if basis.expires is not None and on > date.fromisoformat(basis.expires):
        raise ConsentError(f"the consent of {basis.subject} ran out on {basis.expires}", hint=_RECORD_IT)
    return (
        f"the consent record of {basis.subject} was not found again, so a revocation would not have been noticed: "
        "give it with --consent"
    )


def _check(path: Path, who: str, given: Consent, subject: str, on: date, tolerant: bool = False) -> None:
    if who != subject:
        raise ConsentError(
            f"is the consent of {who}, not of {subject}",
            path=path,
            hint=f"say --subject {who}, or give the right record",
        )
    for purpose in PURPOSES:
        problem = given.problem(purpose, on)
        # What was never allowed may be looked at in research on recordings of others. What was taken back may not.
        if problem is not None and not (tolerant and "revoked" not in problem):
            raise ConsentError(f"the consent of {who} {problem}", path=path, hint=_RECORD_IT)


def _basis(records: dict[Path, tuple[str, Consent]], subject: str) -> Basis:
    persons = {path: given for path, (_, given) in records.items() if given.kind == PERSON}
    if not persons:
        return Basis(MANNEQUIN, subject, public_name=True)
    path = next(iter(persons))
    ends = [given.expires for given in persons.values() if given.expires is not None]
    return Basis(
        PERSON,
        subject,
        record_sha256=sha256_file(path),
        expires=min(ends, default=None),
        record=path,
        public_name=all(given.covers("publish", date.today()) for given in persons.values()),
    )
