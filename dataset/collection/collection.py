"""A collection on disk: a plain folder of videos and JSON records that people can read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection as Several
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from dataset.collection import layout
from dataset.collection.records import (
    Consent,
    DetectorRecord,
    Fake,
    ModelRecord,
    Recording,
    Subject,
    check_date,
    check_id,
)
from dataset.collection.schemas import SCHEMA_VERSION, check_version, read_json, schema_name, validate
from dataset.errors import CollectionError, RecordError
from dataset.files import write_json
from dataset.provenance import VERSION

Record = Subject | Recording | Fake | ModelRecord | DetectorRecord
R = TypeVar("R", Subject, Recording, Fake, ModelRecord, DetectorRecord)


class Collection:
    """A folder of subjects, their recordings, and what was made of them.

    Make one with `Collection.create` or `Collection.open`. Records are read when asked for, so what another process
    adds is seen; everything that changes the folder takes its lock.

    Attributes:
        root: the folder.
        facts: ``collection.json``.
    """

    def __init__(self, root: Path, facts: dict[str, Any]) -> None:
        self.root = root
        self.facts = facts
        self._known: dict[Path, tuple[tuple[int, int], Any]] = {}

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        name: str,
        title: str = "",
        licence: str = "CC-BY-4.0",
        contact: str = "",
        seed: int = 0,
        language: str = "en",
        created: str | None = None,
    ) -> Self:
        """Start an empty collection.

        Args:
            folder: is made; may exist if it is empty.
            name: short, in lower case.
            title: for people.
            licence: SPDX identifier of the licence that releases carry.
            contact: who answers for the data and takes withdrawals.
            seed: of the splits.
            language: of the texts.
            created: the day, today if None.

        Raises:
            CollectionError: there is something in the folder.
            RecordError: a value is impossible.
        """
        root = Path(folder)
        if root.is_symlink() or (root.exists() and (not root.is_dir() or any(root.iterdir()))):
            raise CollectionError("there is something here already", path=root, hint="name a new folder")
        facts: dict[str, Any] = {
            "schema": schema_name("collection"),
            "schema_version": SCHEMA_VERSION,
            "name": check_id(name, "name"),
            "title": title,
            "licence": licence,
            "contact": contact,
            "language": language,
            "created": check_date(created or today().isoformat(), "the day of creation"),
            "seed": seed,
            "tool": f"danceproof {VERSION}",
        }
        validate("collection", facts)
        layout.make_folders(root)
        write_json(root / layout.COLLECTION_FILE, facts)
        collection = cls(root, facts)
        collection.log("created", name=name)
        return collection

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open an existing collection.

        Raises:
            CollectionError: this is no collection.
            RecordError: it is older or newer than this program, or damaged.
        """
        from dataset.collection.migrate import finish_migration

        root = Path(folder)
        path = root / layout.COLLECTION_FILE
        if not path.is_file():
            raise CollectionError(
                "no collection in this folder", path=root, hint="start one with: dataset init FOLDER"
            )
        finish_migration(root)
        facts = read_json(path)
        if isinstance(facts, dict) and facts.get("format") == "danceproof-collection":
            check_version(facts.get("version"), path)
        validate("collection", facts, path)
        return cls(root, facts)

    @property
    def name(self) -> str:
        """Short name."""
        return str(self.facts["name"])

    @property
    def title(self) -> str:
        """For people; the name where none was given."""
        return str(self.facts["title"] or self.facts["name"])

    @property
    def licence(self) -> str:
        """SPDX identifier of the licence that releases carry."""
        return str(self.facts["licence"])

    @property
    def contact(self) -> str:
        """Who answers for the data."""
        return str(self.facts["contact"])

    @property
    def language(self) -> str:
        """Of the texts."""
        return str(self.facts["language"])

    @property
    def created(self) -> str:
        """Day of creation."""
        return str(self.facts["created"])

    @property
    def seed(self) -> int:
        """Of the splits."""
        return int(self.facts["seed"])

    # What there is

    def subjects(self) -> list[Subject]:
        """Everybody, withdrawn ones included, by id."""
        return [self._read(Subject, path) for path in self._glob("subjects/*/subject.json")]

    def subject(self, id: str) -> Subject:
        """One subject.

        Raises:
            CollectionError: there is nobody of that id.
        """
        path = self._subject_file(id)
        if not path.is_file():
            known = ", ".join(subject.id for subject in self.subjects()) or "none so far"
            raise CollectionError(f"no subject is called {id!r}", path=self.root, hint=f"there are: {known}")
        return self._read(Subject, path)

    def recordings(self, subject: str | None = None) -> list[Recording]:
        """All recordings, or those of one subject, by id."""
        of = "*" if subject is None else check_id(subject, "subject's id")
        found = [self._read(Recording, path) for path in self._glob(f"subjects/{of}/recordings/*.json")]
        return sorted(found, key=lambda recording: recording.id)

    def fakes(self) -> list[Fake]:
        """All fakes, by id."""
        return [self._read(Fake, path) for path in self._glob("fakes/*.json")]

    def models(self) -> list[ModelRecord]:
        """All generators that were registered, by id."""
        return [self._read(ModelRecord, path) for path in self._glob("models/*.json")]

    def detectors(self) -> list[DetectorRecord]:
        """All detectors that were registered, by id."""
        return [self._read(DetectorRecord, path) for path in self._glob("detectors/*.json")]

    def path_of(self, record: Record) -> Path:
        """Where a recording's or fake's video lies, a subject's folder, or the folder of a model or detector."""
        if isinstance(record, Subject):
            return layout.inside(self.root, f"subjects/{record.id}")
        if isinstance(record, Recording | Fake):
            return layout.inside(self.root, record.file)
        return self.root / record.path

    def record_path(self, record: Record) -> Path:
        """Where the record itself lies."""
        if isinstance(record, Subject):
            return self._subject_file(record.id)
        if isinstance(record, Recording | Fake):
            return self.path_of(record).with_suffix(".json")
        kind = "models" if isinstance(record, ModelRecord) else "detectors"
        return layout.inside(self.root, f"{kind}/{record.id}.json")

    def private_path(self, id: str) -> Path:
        """Where the real name behind a pseudonym is kept; never published."""
        return layout.inside(self.root, f"private/{check_id(id, 'subject id')}.json")

    @property
    def poses_folder(self) -> Path:
        """Where `dataset.pose.cached_poses` keeps what it found in videos of the collection."""
        return self.root / "poses"

    # Changing it

    def locked(self) -> AbstractContextManager[None]:
        """Be the only one who changes the collection until the block ends; may be nested within a thread."""
        return layout.locked(self.root)

    def write(self, record: Record) -> None:
        """Write or replace a record, atomically; the caller has the lock."""
        data = record.to_dict()
        validate(record.SCHEMA, data)
        write_json(self.record_path(record), data)

    def add_subject(self, subject: Subject) -> None:
        """Take somebody in.

        Raises:
            CollectionError: the id is taken.
        """
        with self.locked():
            if self._subject_file(subject.id).exists():
                raise CollectionError(f"there is a subject {subject.id!r} already", path=self.root)
            (self.path_of(subject) / "recordings").mkdir(parents=True, exist_ok=True)
            self.write(subject)
            self.log("subject added", subject=subject.id, kind=subject.consent.kind)

    def set_consent(self, id: str, consent: Consent, *, reason: str = "") -> Subject:
        """Record what a subject allows from now on, and say so in the log.

        Raises:
            CollectionError: there is nobody of that id, or they were withdrawn.
        """
        with self.locked():
            subject = self.subject(id)
            if subject.status == "withdrawn":
                raise CollectionError(f"{id} was withdrawn", path=self.root, hint="add them under a new id")
            changed = replace(subject, consent=consent)
            self.write(changed)
            revoked = len(consent.revocations) > len(subject.consent.revocations)
            self.log("consent revoked" if revoked else "consent given", subject=id, scope=list(consent.scope))
        return changed

    def set_status(self, id: str, status: str) -> Subject:
        """Mark a subject as "active" or "withdrawn"."""
        with self.locked():
            changed = replace(self.subject(id), status=status)
            self.write(changed)
            self.log(status, subject=id)
        return changed

    def add_recording(
        self,
        video: str | Path,
        subject: str,
        *,
        motion: str = "",
        id: str | None = None,
        filmed: str | None = None,
        force: bool = False,
        reason: str = "",
        checks: Several[str] | None = None,
    ) -> Recording:
        """Check a video and import its bytes unchanged; see `dataset.collection.intake.add_recording`."""
        from dataset.collection import intake

        return intake.add_recording(
            self, Path(video), subject, motion=motion, id=id, filmed=filmed, force=force, reason=reason, checks=checks
        )  # fmt: skip

    def add_fakes(self, corpus: str | Path) -> list[Fake]:
        """Import the fakes of a corpus; see `dataset.collection.intake.add_fakes`."""
        from dataset.collection import intake

        return intake.add_fakes(self, Path(corpus))

    def add_model(self, folder: str | Path) -> ModelRecord:
        """Register a generator; see `dataset.collection.made.add_model`."""
        from dataset.collection import made

        return made.add_model(self, Path(folder))

    def add_detector(self, folder: str | Path) -> DetectorRecord:
        """Register a detector; see `dataset.collection.made.add_detector`."""
        from dataset.collection import made

        return made.add_detector(self, Path(folder))

    def remove(self, *things: Recording | Fake | ModelRecord | DetectorRecord | Path) -> None:
        """Take records and what they describe out, for good.

        The content goes before the record that names it: cut off in between, the record still tells what to remove,
        and removing it once more finishes. A model or detector folder is deleted only if it lies inside the
        collection; of one elsewhere only the record goes.

        Args:
            things: records, or files inside the collection such as those that `descends_from` finds in ``poses/``.

        Raises:
            RecordError: a path leads out of the collection.
        """
        with self.locked():
            for thing in things:
                if isinstance(thing, Path):
                    layout.inside(self.root, self._relative(thing)).unlink(missing_ok=True)
                    continue
                self._remove_content(thing)
                self.record_path(thing).unlink(missing_ok=True)
                self.log("removed", kind=thing.SCHEMA, id=thing.id)

    def remove_private(self, id: str) -> None:
        """Delete the real name and the signed form behind a pseudonym."""
        with self.locked():
            for path in sorted((self.root / "private").glob(f"{check_id(id)}.*")):
                path.unlink()

    def _remove_content(self, thing: Recording | Fake | ModelRecord | DetectorRecord) -> None:
        if isinstance(thing, Recording | Fake):
            self.path_of(thing).unlink(missing_ok=True)
        elif not Path(thing.path).is_absolute() and (folder := layout.inside(self.root, thing.path)).exists():
            shutil.rmtree(folder)

    # The log

    def log(self, event: str, **facts: Any) -> None:
        """Append a line to ``events.jsonl``; no personal data belongs in it."""
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps({"time": stamp, "event": event, **facts}, ensure_ascii=False)
        path = self.root / layout.EVENTS_FILE
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            # One write: lines of two processes do not mix.
            os.write(handle, (b"\n" if torn else b"") + line.encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)

    def events(self) -> Iterator[dict[str, Any]]:
        """What happened, oldest first; a line that was cut off by a crash is passed over."""
        path = self.root / layout.EVENTS_FILE
        for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def _subject_file(self, id: str) -> Path:
        return layout.inside(self.root, f"subjects/{check_id(id, 'subject id')}/{layout.SUBJECT_FILE}")

    def _relative(self, path: Path) -> str:
        try:
            return path.absolute().relative_to(self.root.absolute()).as_posix()
        except ValueError:
            raise RecordError("not inside the collection", path=path) from None

    def _glob(self, pattern: str) -> list[Path]:
        return sorted(path for path in self.root.glob(pattern) if not path.name.startswith("."))

    def _read(self, kind: type[R], path: Path) -> R:
        """A record, parsed once for each state of its file."""
        layout.inside(self.root, self._relative(path))
        status = path.stat()
        state = (status.st_mtime_ns, status.st_size)
        if (known := self._known.get(path)) is None or known[0] != state:
            record = kind.from_dict(read_json(path), path=path)
            if isinstance(record, Subject):
                if record.id != path.parent.name:
                    raise RecordError(f"the record of {record.id!r} lies in another's folder", path=path)
            elif record.id != path.stem:
                raise RecordError(f"the record of {record.id!r} has another's name", path=path)
            if isinstance(record, Recording | Fake) and self.path_of(record).parent != path.parent:
                raise RecordError("its video lies elsewhere", path=path)
            self._known[path] = known = (state, record)
        return known[1]


def today() -> date:
    """The day by the local calendar, by which consent begins and ends."""
    return date.today()
