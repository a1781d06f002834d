"""Bringing a collection from an older schema up to date, whole or not at all.

    version 1   the draft: consent as flat fields, hashes as "sha256:…", sizes as "480x640", no checks
    version 2   the published schema

One function per version turns all records of it into those of the next. The new records are prepared in a hidden
folder and the old ones are kept under ``backup/``. Then one file, renamed into place, decides: before it is there the
collection is the old one, from then on it is the new one, and whoever opens it next finishes the replacing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dataset.collection import layout
from dataset.collection.records import DetectorRecord, Fake, ModelRecord, Recording, Subject, check_id
from dataset.collection.schemas import SCHEMA_VERSION, check_version, read_json, schema_name, validate
from dataset.errors import CollectionError, RecordError
from dataset.files import write_json
from dataset.provenance import VERSION

#: All records of a collection: relative path → parsed JSON.
Records = dict[str, Any]

_PREPARED = ".migration"
_DECISION = ".migration.json"
_BACKUP = "backup"
_PATTERNS = (
    layout.COLLECTION_FILE,
    "subjects/*/subject.json",
    "subjects/*/recordings/*.json",
    "fakes/*.json",
    "models/*.json",
    "detectors/*.json",
)


def migrate(folder: str | Path) -> list[str]:
    """Bring a collection up to `SCHEMA_VERSION`; the records of before stay in ``backup/schema-N``.

    Returns:
        The files that were rewritten; none if the collection is up to date.

    Raises:
        CollectionError: this is no collection.
        RecordError: a record cannot be read or would not follow the new schema; nothing was changed then.
    """
    root = Path(folder)
    if not (root / layout.COLLECTION_FILE).is_file():
        raise CollectionError("no collection in this folder", path=root)
    finish_migration(root)
    with layout.locked(root):
        version = schema_version(root)
        if version == SCHEMA_VERSION:
            return []
        records = _read_all(root)
        for step in range(version, SCHEMA_VERSION):
            records = MIGRATIONS[step](records)
        for name, record in records.items():
            _check(name, record)
        _prepare(root, version, records)
        write_json(root / _DECISION, {"from": version, "to": SCHEMA_VERSION, "files": sorted(records)})
        _replace(root)
    return sorted(records)


def finish_migration(root: Path) -> None:
    """Finish a migration that was cut off after it was decided, and clear away one that was not."""
    if (root / _DECISION).exists() or (root / _PREPARED).exists():
        with layout.locked(root):
            if (root / _DECISION).exists():
                _replace(root)
            else:
                shutil.rmtree(root / _PREPARED, ignore_errors=True)


def schema_version(root: Path) -> int:
    """The version of the schema that a collection follows, this one or an older.

    Raises:
        RecordError: it is newer than this program, or none.
    """
    path = root / layout.COLLECTION_FILE
    facts = read_json(path)
    if not isinstance(facts, dict):
        raise RecordError("not a collection record of danceproof", path=path)
    draft = facts.get("format") == "danceproof-collection"
    version = facts.get("version" if draft else "schema_version")
    if not isinstance(version, int) or version not in MIGRATIONS:
        check_version(version, path)
    return int(version)  # type: ignore[arg-type]


def _read_all(root: Path) -> Records:
    return {
        path.relative_to(root).as_posix(): read_json(layout.inside(root, path.relative_to(root).as_posix()))
        for pattern in _PATTERNS
        for path in sorted(root.glob(pattern))
        if not path.name.startswith(".")
    }


def _prepare(root: Path, version: int, records: Records) -> None:
    kept, prepared = root / _BACKUP / f"schema-{version}", root / _PREPARED
    shutil.rmtree(prepared, ignore_errors=True)
    shutil.rmtree(
        kept, ignore_errors=True
    )  # of an attempt that was cut off: the originals are still in place
    for name, record in records.items():
        write_json(prepared / name, record)
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, kept / name)


def _replace(root: Path) -> None:
    """Put the prepared records in place; those that are there already were put by an attempt before."""
    for name in read_json(root / _DECISION)["files"]:
        prepared = root / _PREPARED / name
        if prepared.exists():
            os.replace(prepared, root / name)
    layout.make_folders(root)
    (root / _DECISION).unlink()
    shutil.rmtree(root / _PREPARED, ignore_errors=True)


def _check(name: str, record: Any) -> None:
    """Hold a migrated record against the new schema, under the name of its file."""
    parts = Path(name).parts
    if name == layout.COLLECTION_FILE:
        validate("collection", record, name)
    elif parts[-1] == layout.SUBJECT_FILE:
        Subject.from_dict(record, path=name)
    elif parts[0] == "subjects":
        Recording.from_dict(record, path=name)
    else:
        kinds = {"fakes": Fake, "models": ModelRecord, "detectors": DetectorRecord}
        kinds[parts[0]].from_dict(record, path=name)  # type: ignore[attr-defined]


def _from_1(records: Records) -> Records:
    """The draft's records in the published form. It had neither models nor detectors."""
    migrated: Records = {}
    for name, old in records.items():
        parts = Path(name).parts
        if name == layout.COLLECTION_FILE:
            turn = _collection_from_1
        elif parts[-1] == layout.SUBJECT_FILE:
            turn = _subject_from_1
        else:
            turn = _recording_from_1 if parts[0] == "subjects" else _fake_from_1
        try:
            migrated[name] = turn(name, old)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordError(f"not a record of schema version 1 ({error!r})", path=name) from error
    return migrated


def _collection_from_1(name: str, old: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": schema_name("collection"),
        "schema_version": 2,
        "name": check_id(old["name"], "name"),
        "title": old.get("title", ""),
        "licence": old["licence"],
        "contact": old.get("contact", ""),
        "language": "en",
        "created": old["created"],
        "seed": 0,
        "tool": f"danceproof {VERSION}",
    }


def _subject_from_1(name: str, old: dict[str, Any]) -> dict[str, Any]:
    revoked = old.get("revoked")
    mannequin = bool(old["synthetic"])
    consent = {
        "scope": [word.strip() for word in old["scope"].split(",") if word.strip()],
        "jurisdiction": old["jurisdiction"],
        "date": old["signed"] or "",
        "expires": old.get("until"),
        "contact": old["contact"],
        "form_sha256": _bare(old["form"]) if old.get("form") else None,
        "revoked": revoked,
        "revocations": [{"date": revoked, "scope": [], "reason": ""}] if revoked else [],
        "kind": "mannequin" if mannequin else "person",
    }
    return {
        "schema": schema_name("subject"),
        "schema_version": 2,
        "id": old["id"],
        "consent": consent,
        "notes": "",
        "status": "active",
    }


def _recording_from_1(name: str, old: dict[str, Any]) -> dict[str, Any]:
    width, height = (int(side) for side in old["size"].split("x"))
    return {
        "schema": schema_name("recording"),
        "schema_version": 2,
        "id": old["id"],
        "subject": old["subject"],
        "file": (Path(name).parent / old["file"]).as_posix(),
        "sha256": _bare(old["hash"]),
        "size_bytes": old["bytes"],
        "fps": old["fps"],
        "duration": old["duration"],
        "width": width,
        "height": height,
        "frames": old["frames"],
        "motion": old.get("motion", ""),
        "filmed": None,
        "checks": {},
        "forced": None,
        "estimator": "",
        "person_share": None,
        "mark": None,
        "fingerprint": None,
        "copies": [],
    }


def _fake_from_1(name: str, old: dict[str, Any]) -> dict[str, Any]:
    source_subject, _, source = old["source"].partition("/")
    return {
        "schema": schema_name("fake"),
        "schema_version": 2,
        "id": old["id"],
        "file": (Path(name).parent / old["file"]).as_posix(),
        "sha256": _bare(old["hash"]),
        "subject": old["subject"],
        "source_subject": source_subject,
        "source_recording": source,
        "pair": source if old["kind"] == "self" else None,
        "generator": old["generator"],
        "kind": old["kind"],
        "model_sha256": _bare(old["model"]),
        "recording_sha256s": [_bare(part.strip()) for part in old["trained_on"].split(",")],
        "lineage": {},
        "research_only": False,
    }


def _bare(named: str) -> str:
    """The digits of "sha256:…"."""
    algorithm, _, digits = named.partition(":")
    if algorithm != "sha256":
        raise ValueError(f"{json.dumps(named)} is not written as sha256:…")
    return digits


#: The function that turns all records of a version into those of the next.
MIGRATIONS: dict[int, Callable[[Records], Records]] = {1: _from_1}
