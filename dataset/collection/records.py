"""What a collection knows: subjects and their consent, recordings, fakes, and the models made of them.

Each record is one JSON file that follows a schema in ``dataset/collection/schema`` (JSON Schema 2020-12). Dates are
ISO 8601 days such as "2026-05-01"; hashes are SHA-256 in 64 hexadecimal digits; files are relative to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import date as Day
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Self

from dataset.collection.schemas import SCHEMA_VERSION, schema_name, validate
from dataset.errors import RecordError

SCOPES = ("train", "synthesise", "publish", "commercial")
KINDS = ("person", "mannequin")
STATUSES = ("active", "withdrawn")
OUTCOMES = ("passed", "warning", "error")

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def check_id(value: str, what: str = "id") -> str:
    """The id itself, if it can be one.

    Raises:
        RecordError: it is empty, longer than 64 signs or has other signs than a-z, 0-9, "-" and "_".
    """
    if not _ID.fullmatch(value):
        raise RecordError(
            f"{value!r} cannot be a {what}",
            hint="up to 64 of a-z, 0-9, - and _, beginning with a letter or digit",
        )
    return value


def check_file(value: str) -> str:
    """The relative path itself, if it stays inside the folder that it is relative to.

    Raises:
        RecordError: it is absolute, empty, climbs with "..", or is not written in its plainest form.
    """
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts or "\\" in value or str(path) != value:
        raise RecordError(f"{value!r} is not a plain path inside the collection")
    return value


def check_date(value: str, what: str) -> str:
    """The day itself, if it is one.

    Raises:
        RecordError: it is not an ISO date.
    """
    try:
        if len(value) != 10:
            raise ValueError(value)
        Day.fromisoformat(value)
    except ValueError:
        raise RecordError(f"{what} is {value!r}", hint="write a day as 2026-05-01") from None
    return value


class _Record:
    """A frozen dataclass that is kept as JSON."""

    SCHEMA: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values, with the name and the version of its schema in front."""
        values = {spec.name: _plain(getattr(self, spec.name)) for spec in fields(self)}  # type: ignore[arg-type]
        return {"schema": schema_name(self.SCHEMA), "schema_version": SCHEMA_VERSION, **values}

    @classmethod
    def from_dict(cls, data: Any, *, path: str | Path | None = None) -> Self:
        """Read the record back.

        Args:
            data: as `to_dict` gives it.
            path: the file it came from, for the error.

        Raises:
            RecordError: it does not follow the schema, is of another version, or a value is impossible.
        """
        validate(cls.SCHEMA, data, path)
        try:
            return cls(**{spec.name: _built(spec.name, data[spec.name]) for spec in fields(cls)})  # type: ignore[arg-type]
        except RecordError as error:
            raise RecordError(error.problem, path=path, hint=error.hint) from error


@dataclass(frozen=True)
class Revocation:
    """Consent taken back.

    Attributes:
        date: from when on.
        scope: what for; empty means everything.
        reason: as given, if any was; a reason need not be given.
    """

    date: str
    scope: tuple[str, ...] = ()
    reason: str = ""

    def __post_init__(self) -> None:
        check_date(self.date, "the day of a revocation")
        _check_scope(self.scope)


@dataclass(frozen=True)
class Consent:
    """What a subject allowed, under which law, until when, and what they took back.

    Attributes:
        scope: of "train", "synthesise", "publish", "commercial".
        jurisdiction: country (and region) whose law applies, such as "DE" or "US-CA".
        date: day of the signature; empty while nothing was signed.
        expires: the last day on which it holds, None for no end.
        contact: where to ask and to withdraw.
        form_sha256: hash of the signed form; the form itself stays in ``private/`` or on paper.
        revoked: the day from which on nothing is allowed any more.
        revocations: everything that was ever taken back, in order.
        kind: "person", or "mannequin" for a rendering of nobody, which needs no consent.
    """

    scope: tuple[str, ...]
    jurisdiction: str
    date: str
    expires: str | None
    contact: str
    form_sha256: str | None
    revoked: str | None = None
    revocations: tuple[Revocation, ...] = ()
    kind: str = "person"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RecordError(f"kind is one of {', '.join(KINDS)}, not {self.kind!r}")
        _check_scope(self.scope)
        for what in ("date", "expires", "revoked"):
            if value := getattr(self, what):
                check_date(value, f"the consent's {what}")

    @classmethod
    def none(cls) -> Self:
        """A person who has not consented to anything yet."""
        return cls((), "", "", None, "", None)

    @classmethod
    def mannequin(cls) -> Self:
        """A rendering of nobody: everything is allowed and nobody is there to ask."""
        return cls(SCOPES, "", "", None, "", None, kind="mannequin")

    def problem(self, purpose: str, on: Day) -> str | None:
        """One clause that says why the consent does not cover `purpose` on a day, or None if it does.

        Example:
            >>> Consent.none().problem("train", date(2026, 5, 1))
            'has not been given'

        Raises:
            RecordError: there is no such purpose.
        """
        _check_scope((purpose,))
        if self.revoked is not None and Day.fromisoformat(self.revoked) <= on:
            return f"was revoked on {self.revoked}"
        for taken_back in self.revocations:
            # What was signed after a revocation replaces it; on the same day, the revocation stands.
            if taken_back.date < self.date:
                continue
            if purpose in taken_back.scope and Day.fromisoformat(taken_back.date) <= on:
                return f"was revoked for {purpose} on {taken_back.date}"
        if self.kind == "mannequin":
            return None
        if not self.date:
            return "has not been given"
        if self.form_sha256 is None:
            return "has no signed form"
        if on < Day.fromisoformat(self.date):
            return f"begins only on {self.date}"
        if self.expires is not None and on > Day.fromisoformat(self.expires):
            return f"ran out on {self.expires}"
        if purpose not in self.scope:
            return f"does not cover {purpose}"
        return None

    def covers(self, purpose: str, on: Day) -> bool:
        """Whether `purpose` is allowed on a day; see `problem`."""
        return self.problem(purpose, on) is None


@dataclass(frozen=True)
class Subject(_Record):
    """Somebody who was filmed, under a pseudonym.

    Attributes:
        id: the pseudonym; it stands in every published record.
        consent: what they allowed.
        notes: free text without personal data; it may be published.
        status: "active", or "withdrawn" once everything of theirs was taken out.
    """

    SCHEMA = "subject"

    id: str
    consent: Consent = field(default_factory=Consent.none)
    notes: str = ""
    status: str = "active"

    def __post_init__(self) -> None:
        check_id(self.id, "subject's id")
        if self.status not in STATUSES:
            raise RecordError(f"status is one of {', '.join(STATUSES)}, not {self.status!r}")


@dataclass(frozen=True)
class CheckResult:
    """What one check found when a recording was imported.

    Attributes:
        outcome: "passed", "warning" or "error".
        value: the measured value, None where there was nothing to measure.
        limit: what it was compared with.
        text: the finding in a line, with advice where it did not pass.
    """

    outcome: str
    value: float | None
    limit: float | None
    text: str

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise RecordError(f"outcome is one of {', '.join(OUTCOMES)}, not {self.outcome!r}")


@dataclass(frozen=True)
class Recording(_Record):
    """A video of one subject, imported byte for byte.

    Attributes:
        id, subject, file, sha256, size_bytes: which file it is.
        fps, duration, width, height, frames: as `dataset.video.VideoInfo` tells them; frames is None where the
            container does not say.
        motion: what the subject does, in a word.
        filmed: the day, if known.
        checks: findings of the checks at import, by name.
        forced: why it was taken in although a check refused it; None where none did.
        estimator: what found the person in the checks, empty if no such check was made.
        person_share: share of sampled frames in which somebody was found, None if not measured.
        mark: what the file says about being a rendering, if it does.
        fingerprint: what copies are recognised by, see `dataset.collection.fingerprint`; None if not taken.
        copies: SHA-256 of encoded copies of it in corpora, by which detectors name what they saw.
    """

    SCHEMA = "recording"

    id: str
    subject: str
    file: str
    sha256: str
    size_bytes: int
    fps: float
    duration: float
    width: int
    height: int
    frames: int | None
    motion: str = ""
    filmed: str | None = None
    checks: dict[str, CheckResult] = field(default_factory=dict)
    forced: str | None = None
    estimator: str = ""
    person_share: float | None = None
    mark: str | None = None
    fingerprint: dict[str, Any] | None = None
    copies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_id(self.id, "recording's id")
        check_id(self.subject, "subject's id")
        check_file(self.file)
        if self.filmed is not None:
            check_date(self.filmed, "the day of filming")


@dataclass(frozen=True)
class Fake(_Record):
    """A synthesised video of a subject of the collection.

    Attributes:
        id, file, sha256: which file it is.
        subject: who seems to be seen.
        source_subject, source_recording: whose motion it is, and from which recording (ids).
        pair: id of the recording that it mirrors frame for frame, None for another person's motion.
        generator: name of the generator.
        kind: "self" (self-re-enactment) or "cross".
        model_sha256: hash of the weights that drew it.
        recording_sha256s: the recordings that those weights were trained on.
        lineage: further facts from the corpus it was imported from.
        research_only: made with a model that nobody consented to; never published.
    """

    SCHEMA = "fake"

    id: str
    file: str
    sha256: str
    subject: str
    source_subject: str
    source_recording: str
    pair: str | None
    generator: str
    kind: str
    model_sha256: str
    recording_sha256s: tuple[str, ...]
    lineage: dict[str, str] = field(default_factory=dict)
    research_only: bool = False

    def __post_init__(self) -> None:
        for value in (self.id, self.subject, self.source_subject, self.source_recording):
            check_id(value)
        check_file(self.file)


@dataclass(frozen=True)
class ModelRecord(_Record):
    """A generator that was trained on recordings of the collection.

    Attributes:
        id: of the record.
        path: the model's folder, relative to the collection or absolute.
        weights_sha256: of the final weights.
        subjects: ids of those it was trained on.
        recording_sha256s: what it was trained on.
        snapshot_sha256s: its weaker generators.
        started_from: weights of other models that its training began with.
        research_only: trained without consent, for evaluation alone.
    """

    SCHEMA = "model"

    id: str
    path: str
    weights_sha256: str
    subjects: tuple[str, ...]
    recording_sha256s: tuple[str, ...]
    snapshot_sha256s: tuple[str, ...] = ()
    started_from: tuple[str, ...] = ()
    research_only: bool = False

    def __post_init__(self) -> None:
        check_id(self.id, "model's id")


@dataclass(frozen=True)
class DetectorRecord(_Record):
    """A detector that may have seen subjects of the collection.

    Attributes:
        id: of the record.
        path: the detector's folder, relative to the collection or absolute.
        weights_sha256: of its weights.
        subjects: the people it was trained on, as the detector names them.
        clip_sha256s: the clips it was trained on.
        retrain: why it must be trained anew, empty while it need not.
    """

    SCHEMA = "detector"

    id: str
    path: str
    weights_sha256: str
    subjects: tuple[str, ...]
    clip_sha256s: tuple[str, ...] = ()
    retrain: str = ""

    def __post_init__(self) -> None:
        check_id(self.id, "detector's id")


def _check_scope(scope: tuple[str, ...]) -> None:
    if unknown := [name for name in scope if name not in SCOPES]:
        raise RecordError(f"no purpose is called {unknown[0]!r}", hint=f"one of {', '.join(SCOPES)}")


def _plain(value: Any) -> Any:
    """Dataclasses and tuples as JSON has them."""
    if isinstance(value, Consent | Revocation | CheckResult):
        return {spec.name: _plain(getattr(value, spec.name)) for spec in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def _consent(data: dict[str, Any]) -> Consent:
    taken_back = tuple(
        Revocation(entry["date"], tuple(entry["scope"]), entry["reason"]) for entry in data["revocations"]
    )
    return Consent(**{**data, "scope": tuple(data["scope"]), "revocations": taken_back})


_BUILDERS: dict[str, Callable[[Any], Any]] = {
    "consent": _consent,
    "checks": lambda found: {name: CheckResult(**entry) for name, entry in found.items()},
}


def _built(name: str, value: Any) -> Any:
    if name in _BUILDERS:
        return _BUILDERS[name](value)
    return tuple(value) if isinstance(value, list) else value
