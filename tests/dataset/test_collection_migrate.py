from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from mannequin_collection import tiny_film

from dataset.collection import Collection
from dataset.collection import migrate as migration
from dataset.collection.migrate import migrate
from dataset.errors import CollectionError, RecordError
from dataset.files import sha256_file, write_json


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection as the draft, version 1, wrote it: a person who revoked, a mannequin with a recording and a fake."""
    root = tmp_path_factory.mktemp("draft") / "c"
    folder = root / "subjects" / "m1" / "recordings"
    for place in (folder, root / "subjects" / "ann", root / "fakes"):
        place.mkdir(parents=True)
    film, fake = folder / "m1_dance.mp4", root / "fakes" / "m1_self.mp4"
    shutil.copy(tiny_film(1, "dance", 0, 12), film)
    shutil.copy(tiny_film(1, "squat", 0, 12), fake)
    digest = f"sha256:{sha256_file(film)}"
    subject = {"version": 1, "jurisdiction": "DE", "contact": "data@example.org", "until": None, "form": None}
    records: dict[str, dict[str, Any]] = {
        "collection.json": {
            "format": "danceproof-collection", "version": 1, "name": "draft", "title": "A draft",
            "licence": "CC0-1.0", "created": "2026-02-01",
        },
        "subjects/m1/subject.json": subject
        | {"id": "m1", "synthetic": True, "scope": "train, synthesise", "signed": None, "revoked": None},
        "subjects/ann/subject.json": subject
        | {
            "id": "ann", "synthetic": False, "scope": "train", "signed": "2026-02-01", "until": "2027-01-31",
            "form": f"sha256:{'ab' * 32}", "revoked": "2026-03-01",
        },
        "subjects/m1/recordings/m1_dance.json": {
            "version": 1, "id": "m1_dance", "subject": "m1", "file": "m1_dance.mp4", "hash": digest,
            "bytes": film.stat().st_size, "fps": 12.0, "duration": 1.0, "size": "96x128", "frames": 12,
            "motion": "dance",
        },
        "fakes/m1_self.json": {
            "version": 1, "id": "m1_self", "file": "m1_self.mp4", "hash": f"sha256:{sha256_file(fake)}",
            "subject": "m1", "source": "m1/m1_dance", "kind": "self", "generator": "tiny",
            "model": f"sha256:{'cd' * 32}", "trained_on": digest,
        },
    }  # fmt: skip
    for name, record in records.items():
        write_json(root / name, record)
    return root


@pytest.fixture
def draft(drafted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drafted, tmp_path / "c"))


def records(root: Path) -> dict[str, Any]:
    """All records of a collection that are in place, parsed."""
    return {
        path.relative_to(root).as_posix(): json.loads(path.read_text())
        for path in sorted(root.rglob("*.json"))
        if path.relative_to(root).parts[0] in ("collection.json", "subjects", "fakes")
    }


def test_an_older_collection_is_opened_only_after_migrating(draft: Path) -> None:
    with pytest.raises(RecordError, match=r"version 1, older than 2 – .*dataset migrate"):
        Collection.open(draft)
    assert len(migrate(draft)) == 5
    assert Collection.open(draft).name == "draft"


def test_nothing_of_an_older_collection_is_lost(draft: Path) -> None:
    migrate(draft)
    collection = Collection.open(draft)
    ann, mannequin = collection.subjects()
    assert ann.consent.problem("train", date(2026, 2, 15)) is None
    assert ann.consent.problem("train", date(2026, 3, 1)) == "was revoked on 2026-03-01"
    assert (ann.consent.expires, ann.consent.form_sha256, ann.consent.jurisdiction) == (
        "2027-01-31",
        "ab" * 32,
        "DE",
    )
    assert mannequin.consent.kind == "mannequin"
    (recording,), (fake,) = collection.recordings(), collection.fakes()
    assert (recording.width, recording.height, recording.frames, recording.motion) == (96, 128, 12, "dance")
    assert recording.sha256 == sha256_file(collection.path_of(recording))
    assert fake.sha256 == sha256_file(collection.path_of(fake))
    assert (fake.source_recording, fake.pair, fake.recording_sha256s) == (
        "m1_dance",
        "m1_dance",
        (recording.sha256,),
    )


def test_the_old_records_are_kept_and_a_second_run_does_nothing(draft: Path) -> None:
    before = records(draft)
    migrate(draft)
    kept = draft / "backup" / "schema-1"
    assert {name: json.loads((kept / name).read_text()) for name in before} == before
    after = records(draft)
    assert migrate(draft) == []
    assert records(draft) == after


def test_a_record_that_cannot_be_migrated_stops_it_before_anything_changes(draft: Path) -> None:
    path = draft / "subjects" / "m1" / "recordings" / "m1_dance.json"
    write_json(path, json.loads(path.read_text()) | {"hash": "md5:123"})
    before = records(draft)
    with pytest.raises(RecordError, match=r"m1_dance\.json: not a record of schema version 1.*sha256"):
        migrate(draft)
    assert records(draft) == before
    assert not (draft / "backup").exists()


def test_no_collection_is_not_migrated(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="no collection"):
        migrate(tmp_path)


_KILLED = """
import os, sys
from dataset.collection import migrate as migration
real, left = os.replace, int(sys.argv[2])
def replace(source, target):
    global left
    if left == 0:
        os.kill(os.getpid(), 9)
    left -= 1
    real(source, target)
os.replace = replace
migration.migrate(sys.argv[1])
"""


def test_a_kill_at_any_rename_leaves_the_old_or_the_new(drafted: Path, tmp_path: Path) -> None:
    old = records(drafted)
    shutil.copytree(drafted, tmp_path / "whole")
    migrate(tmp_path / "whole")
    new = records(tmp_path / "whole")
    seen = []
    for step in (0, 3, 5, 6, 8, 10):
        root = tmp_path / str(step)
        shutil.copytree(drafted, root)
        done = subprocess.run([sys.executable, "-c", _KILLED, str(root), str(step)], check=False)
        assert done.returncode == -signal.SIGKILL, step
        if (root / ".migration.json").exists():
            Collection.open(root)  # finishes it
            seen.append("new")
            assert records(root) == new
        else:
            seen.append("old")
            assert records(root) == old
            with pytest.raises(RecordError, match="dataset migrate"):
                Collection.open(root)
            migrate(root)
            assert records(root) == new
        assert not [path for path in root.iterdir() if path.name.startswith(".migration")]
    assert seen == ["old"] * 3 + ["new"] * 3


def test_two_steps_are_taken_one_after_the_other(draft: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain: a version further on goes through the ones between."""
    taken = []
    step = migration.MIGRATIONS[1]

    def zero(found: migration.Records) -> migration.Records:
        taken.append(0)
        return {name: record | {"version": 1} for name, record in found.items()}

    def one(found: migration.Records) -> migration.Records:
        taken.append(1)
        return step(found)

    monkeypatch.setattr(migration, "MIGRATIONS", {0: zero, 1: one})
    path = draft / "collection.json"
    write_json(path, json.loads(path.read_text()) | {"version": 0})
    migrate(draft)
    assert taken == [0, 1]
    assert os.path.exists(draft / "backup" / "schema-0")
