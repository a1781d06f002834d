"""Registering what was trained on a collection, so that a withdrawal finds it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from dataset.collection.collection import Collection
from dataset.collection.records import DetectorRecord, ModelRecord
from dataset.errors import CollectionError, ModelError
from dataset.files import sha256_file

T = TypeVar("T", ModelRecord, DetectorRecord)


def add_model(collection: Collection, folder: Path) -> ModelRecord:
    """Register a generator's folder, as ``synthesize train`` writes it; its weights stay where they are.

    A model whose record is there already is registered anew: its snapshots may have become more.

    Raises:
        ModelError: there is no finished model in the folder, or its weights are not those that it names.
        CollectionError: none of its recordings is in the collection.
    """
    facts = _facts(folder, "model.json", "synthesize train")
    try:
        trained_on = tuple(str(recording["sha256"]) for recording in facts["recordings"])
        weights = str(facts["weights_sha256"])
    except (KeyError, TypeError) as error:
        raise ModelError(f"not a model's facts ({error!r})", path=folder / "model.json") from error
    _same_weights(folder / "generator.safetensors", weights)
    by_sha = {recording.sha256: recording.subject for recording in collection.recordings()}
    known = {fake.sha256: fake.subject for fake in collection.fakes()} | by_sha
    subjects = sorted({known[sha] for sha in trained_on if sha in known})
    if not subjects:
        raise CollectionError("trained on none of this collection's recordings", path=folder)
    started = facts.get("started_from") or ()
    consent = facts.get("consent") or {}
    record = ModelRecord(
        id=f"{subjects[0][:40]}_{weights[:8]}",
        path=_relative(collection, folder),
        weights_sha256=weights,
        subjects=tuple(subjects),
        recording_sha256s=trained_on,
        snapshot_sha256s=tuple(
            sha256_file(path) for path in sorted((folder / "snapshots").glob("*.safetensors"))
        ),
        started_from=(started,) if isinstance(started, str) else tuple(started),
        # A model that says nothing about consent was trained without.
        research_only=consent.get("kind") not in ("person", "mannequin"),
    )
    return _register(collection, record, "model added")


def add_detector(collection: Collection, folder: Path) -> DetectorRecord:
    """Register a detector's folder, as ``fakedetect train`` writes it, with the people and clips that it names.

    Raises:
        ModelError: there is no detector in the folder, or its weights are not those that it names.
    """
    facts = _facts(folder, "detector.json", "fakedetect train")
    weights, training = str(facts.get("weights_sha256")), facts.get("training") or {}
    _same_weights(folder / "detector.safetensors", weights)
    record = DetectorRecord(
        id=f"detector_{weights[:8]}",
        path=_relative(collection, folder),
        weights_sha256=weights,
        subjects=tuple(sorted(str(name) for name in training.get("subjects", ()))),
        clip_sha256s=tuple(sorted(str(sha) for sha in training.get("clip_sha256", ()))),
    )
    return _register(collection, record, "detector added")


def _register(collection: Collection, record: T, event: str) -> T:
    with collection.locked():
        collection.write(record)
        collection.log(event, id=record.id, weights_sha256=record.weights_sha256)
    return record


def _facts(folder: Path, name: str, maker: str) -> dict[str, Any]:
    path = folder / name
    try:
        facts = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(f"no {name} in this folder", path=folder, hint=f"made by: {maker}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"not readable as JSON ({error})", path=path) from error
    if not isinstance(facts, dict):
        raise ModelError("not a JSON object", path=path)
    return facts


def _same_weights(path: Path, named: str) -> None:
    if not path.is_file():
        raise ModelError("the weights are missing", path=path)
    if sha256_file(path) != named:
        raise ModelError("the weights are not those that the record beside them names", path=path)


def _relative(collection: Collection, folder: Path) -> str:
    """Inside the collection relative to it, so that it can be moved; elsewhere absolute."""
    place, root = folder.resolve(), collection.root.resolve()
    return place.relative_to(root).as_posix() if place.is_relative_to(root) else str(place)
