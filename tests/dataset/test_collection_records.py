from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dataset.collection import (
    CheckResult,
    Consent,
    DetectorRecord,
    Fake,
    ModelRecord,
    Recording,
    Revocation,
    Subject,
    load_consent,
)
from dataset.collection.schemas import NAMES, SCHEMA_FOLDER, SCHEMA_VERSION, load_schema
from dataset.errors import RecordError
from dataset.files import write_json

SHA = "ab" * 32
TODAY = date(2026, 6, 1)
SIGNED = Consent(("train", "synthesise"), "DE", "2026-05-01", "2027-04-30", "data@example.org", SHA)
RECORDS = [
    Subject("ann", replace(SIGNED, revoked="2026-05-20", revocations=(Revocation("2026-05-20", (), "moved"),))),
    Recording(
        "ann_walk_1", "ann", "subjects/ann/recordings/ann_walk_1.mp4", SHA, 1000, 120.0, 600.5, 1080, 1920, None,
        "walk", "2026-05-01", {"noise": CheckResult("warning", 5.0, 4.0, "noisy")}, "the only take", "estimator", 0.96,
        None, {"every": 0.25, "grid": [4, 4], "cells": ""}, ("cd" * 32,),
    ),
    Fake(
        "ann_self_1", "fakes/ann_self_1.mp4", SHA, "ann", "ben", "ben_run", None, "compact", "cross", SHA, (SHA,),
        {"crf": "18"}, True,
    ),
    ModelRecord("ann_model", "/elsewhere/model", SHA, ("ann",), (SHA,), (SHA,), (), False),
    DetectorRecord("detector_1", "detectors/one", SHA, ("ann", "Some Body"), (SHA,), "ann was withdrawn"),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_each_schema_is_one_of_2020_12_that_leaves_no_field_undescribed(name: str) -> None:
    schema = load_schema(name)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["schema_version"] == {"const": SCHEMA_VERSION}
    assert set(schema["required"]) == set(schema["properties"])


def test_every_schema_file_is_known() -> None:
    assert {path.name for path in SCHEMA_FOLDER.iterdir()} == {f"{name}.schema.json" for name in NAMES}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.SCHEMA)
def test_a_record_comes_back_as_it_was_written(record: Any) -> None:
    assert type(record).from_dict(json.loads(json.dumps(record.to_dict()))) == record


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.SCHEMA)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema_version": SCHEMA_VERSION + 1}, "written by a newer danceproof .* update danceproof"),
        ({"schema_version": 1}, "dataset migrate"),
        ({"schema_version": "two"}, "does not say which version"),
        ({"schema": "danceproof/other"}, "not a .* record"),
        ({"colour": "red"}, "colour"),
        ({"id": 7}, "id: 7"),
    ],
)
def test_a_record_that_does_not_follow_its_schema_is_refused(
    record: Any, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(RecordError, match=f"file.json.*{told}"):
        type(record).from_dict(record.to_dict() | change, path="file.json")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.SCHEMA)
@pytest.mark.parametrize("id", ["", "Ann", "a b", "../ann", "ann/", ".ann", "-a", "a" * 65, "änn", "ann\n"])
def test_an_odd_id_is_refused(record: Any, id: str) -> None:
    with pytest.raises(RecordError):
        replace(record, id=id)
    with pytest.raises(RecordError):
        type(record).from_dict(record.to_dict() | {"id": id})


@pytest.mark.parametrize(
    "file", ["/etc/passwd", "../x.mp4", "a/../../x.mp4", "", "a//b.mp4", "a\\..\\b.mp4", "./a"]
)
def test_a_file_outside_the_collection_is_refused(file: str) -> None:
    for record in RECORDS[1:3]:
        with pytest.raises(RecordError):
            replace(record, file=file)


@pytest.mark.parametrize("day", ["2026-02-30", "1.5.2026", "20260501", "tomorrow"])
def test_a_day_that_is_none_is_refused(day: str) -> None:
    with pytest.raises(RecordError, match="write a day as"):
        replace(SIGNED, expires=day)


@pytest.mark.parametrize(
    ("consent", "purpose", "problem"),
    [
        (SIGNED, "train", None),
        (SIGNED, "publish", "does not cover publish"),
        (Consent.none(), "train", "has not been given"),
        (replace(SIGNED, form_sha256=None), "train", "has no signed form"),
        (replace(SIGNED, date="2026-06-02"), "train", "begins only on 2026-06-02"),
        (replace(SIGNED, expires="2026-05-31"), "train", "ran out on 2026-05-31"),
        (replace(SIGNED, expires="2026-06-01"), "train", None),
        (replace(SIGNED, revoked="2026-06-01"), "train", "was revoked on 2026-06-01"),
        (replace(SIGNED, revoked="2026-06-02"), "train", None),
        (
            replace(SIGNED, revocations=(Revocation("2026-05-20", ("train",)),)),
            "train",
            "was revoked for train on 2026-05-20",
        ),
        (replace(SIGNED, revocations=(Revocation("2026-05-20", ("train",)),)), "synthesise", None),
        (replace(SIGNED, revocations=(Revocation("2026-04-20", ("train",)),)), "train", None),
        (Consent.mannequin(), "commercial", None),
        (replace(Consent.mannequin(), revoked="2026-05-01"), "train", "was revoked on 2026-05-01"),
    ],
)
def test_consent_tells_why_it_does_not_cover_a_purpose(
    consent: Consent, purpose: str, problem: str | None
) -> None:
    assert consent.problem(purpose, TODAY) == problem
    assert consent.covers(purpose, TODAY) is (problem is None)


def test_there_are_no_other_purposes() -> None:
    with pytest.raises(RecordError, match="one of train, synthesise"):
        SIGNED.problem("advertise", TODAY)
    with pytest.raises(RecordError, match="advertise"):
        replace(SIGNED, scope=("advertise",))


def test_consent_is_read_from_a_subjects_record(tmp_path: Path) -> None:
    write_json(tmp_path / "ann.json", Subject("ann", SIGNED).to_dict())
    assert load_consent(tmp_path / "ann.json") == ("ann", SIGNED)
    with pytest.raises(RecordError, match="missing"):
        load_consent(tmp_path / "ben.json")
