from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from small_runs import small_config

from dataset.collection import Collection, Consent, Subject
from dataset.collection.records import Revocation
from dataset.errors import ConsentError, ModelError, RecordError
from dataset.files import sha256_file, write_json
from dataset.provenance import rendering_tags, synthetic_tags
from dataset.video import VideoWriter
from synthesis.consent import MANNEQUIN, PERSON, RESEARCH_ONLY, Basis, confirm, settle, subject_named
from synthesis.train import train

TODAY = date(2026, 6, 1)
GIVEN = Consent(("train", "synthesise"), "DE", "2026-01-01", "2027-01-01", "ann@example.org", "ab" * 32)


def video(path: Path, tags: dict[str, str] | None = None) -> Path:
    with VideoWriter(path, (64, 48), fps=10, metadata=tags) as writer:
        writer.write(np.full((48, 64, 3), len(path.name), np.uint8))
    return path


def record(path: Path, consent: Consent = GIVEN, subject: str = "ann") -> Path:
    write_json(path, Subject(subject, consent).to_dict())
    return path


@pytest.fixture
def filmed(tmp_path: Path) -> Path:
    """A recording of a person, as far as the file tells."""
    return video(tmp_path / "ann.mp4")


def test_without_a_record_training_is_refused_and_the_line_says_what_to_type(filmed: Path) -> None:
    with pytest.raises(ConsentError) as refused:
        settle([filmed], "ann", on=TODAY)
    line = str(refused.value)
    assert line.startswith(f"{filmed}: no consent of ann is known")
    assert "dataset consent" in line
    assert "--consent" in line
    assert "--research-only" in line
    assert "\n" not in line


def test_a_record_that_covers_it_opens_the_gate(filmed: Path, tmp_path: Path) -> None:
    path = record(tmp_path / "subject.json")
    basis = settle([filmed], "ann", consent=path, on=TODAY)
    assert basis == Basis(PERSON, "ann", sha256_file(path), "2027-01-01", path, public_name=False)
    assert not basis.research_only


@pytest.mark.parametrize(
    ("consent", "said"),
    [
        (replace(GIVEN, expires="2026-05-31"), "ran out on 2026-05-31"),
        (replace(GIVEN, date="2026-07-01"), "begins only on 2026-07-01"),
        (replace(GIVEN, revoked="2026-05-01"), "was revoked on 2026-05-01"),
        (
            replace(GIVEN, revocations=(Revocation("2026-05-01", ("synthesise",)),)),
            "was revoked for synthesise",
        ),
        (replace(GIVEN, scope=("train",)), "does not cover synthesise"),
        (replace(GIVEN, scope=("synthesise",)), "does not cover train"),
        (replace(GIVEN, form_sha256=None), "has no signed form"),
        (Consent.none(), "has not been given"),
    ],
)
def test_a_record_that_does_not_is_refused_with_the_reason(
    filmed: Path, tmp_path: Path, consent: Consent, said: str
) -> None:
    with pytest.raises(ConsentError, match=f"the consent of ann {said}"):
        settle([filmed], "ann", consent=record(tmp_path / "subject.json", consent), on=TODAY)


def test_the_consent_of_somebody_else_does_not_count(filmed: Path, tmp_path: Path) -> None:
    path = record(tmp_path / "subject.json", subject="ben")
    with pytest.raises(ConsentError, match=r"is the consent of ben, not of ann – say --subject ben"):
        settle([filmed], "ann", consent=path, on=TODAY)
    assert subject_named([filmed], path) == "ben"


def test_what_is_no_record_is_told(filmed: Path, tmp_path: Path) -> None:
    (tmp_path / "note.json").write_text('{"consent": "yes, really"}')
    for name in ("note.json", "missing.json"):
        with pytest.raises(RecordError):
            settle([filmed], "ann", consent=tmp_path / name, on=TODAY)


def test_a_mannequin_needs_none_but_a_fake_of_somebody_does(tmp_path: Path) -> None:
    mannequin = video(tmp_path / "doll.mp4", rendering_tags("dataset mannequin"))
    assert settle([mannequin], "doll", on=TODAY).kind == MANNEQUIN
    fake = video(tmp_path / "fake.mp4", synthetic_tags("synthesize", "ab" * 32))
    with pytest.raises(ConsentError):
        settle([fake], "doll", on=TODAY)
    with pytest.raises(ConsentError):
        settle([mannequin, video(tmp_path / "person.mp4")], "doll", on=TODAY)


def test_research_only_is_a_ground_that_is_remembered(filmed: Path, tmp_path: Path) -> None:
    basis = settle([filmed], "ann", research_only=True, on=TODAY)
    assert basis.research_only
    assert basis.told_name == ""
    with pytest.raises(ConsentError, match="leave one of the two out"):
        settle([filmed], "ann", research_only=True, consent=record(tmp_path / "s.json"), on=TODAY)


@pytest.fixture
def collected(filmed: Path, tmp_path: Path) -> tuple[Collection, Path]:
    """A collection with a recording of Ann, who consented."""
    collection = Collection.create(tmp_path / "collection", name="test")
    collection.add_subject(
        Subject("ann", replace(GIVEN, expires=None, scope=("train", "synthesise", "publish")))
    )
    added = collection.add_recording(filmed, "ann", force=True, reason="a test")
    return collection, collection.path_of(added)


def test_a_recording_in_a_collection_brings_its_consent_along(collected: tuple[Collection, Path]) -> None:
    _, recording = collected
    basis = settle([recording], "ann", on=TODAY)
    assert (basis.kind, basis.public_name) == (PERSON, True)
    assert basis.record is not None
    assert subject_named([recording], None) == "ann"
    with pytest.raises(ConsentError, match="is the consent of ann, not of ben"):
        settle([recording], "ben", on=TODAY)


def test_what_was_revoked_comes_back_neither_by_an_older_copy_nor_for_research(
    collected: tuple[Collection, Path], tmp_path: Path
) -> None:
    collection, recording = collected
    before = settle([recording], "ann", on=TODAY)
    older = record(tmp_path / "older.json")
    collection.set_consent("ann", replace(collection.subject("ann").consent, revoked="2026-05-01"))
    for ground in ({}, {"consent": older}, {"research_only": True}):
        with pytest.raises(ConsentError, match="was revoked on 2026-05-01"):
            settle([recording], "ann", on=TODAY, **ground)  # type: ignore[arg-type]
    with pytest.raises(ConsentError, match="was revoked on 2026-05-01"):
        confirm(before, on=TODAY)


def test_a_trained_model_asks_again_every_time(tmp_path: Path) -> None:
    path = record(tmp_path / "subject.json")
    basis = Basis(PERSON, "ann", "ab" * 32, "2027-01-01", path)
    assert confirm(basis, on=TODAY) is None
    with pytest.raises(ConsentError, match="ran out on 2027-01-01"):
        confirm(basis, on=date(2027, 1, 2))
    path.unlink()
    assert "was not found again" in (confirm(basis, on=TODAY) or "")
    with pytest.raises(ConsentError, match="ran out on 2027-01-01"):
        confirm(basis, on=date(2027, 1, 2))
    longer = record(tmp_path / "newer.json", replace(GIVEN, expires="2030-01-01"))
    assert confirm(basis, consent=longer, on=date(2027, 1, 2)) is None
    with pytest.raises(ConsentError, match="is the consent of ben"):
        confirm(basis, consent=record(tmp_path / "ben.json", subject="ben"), on=TODAY)


def test_a_record_does_not_turn_research_into_consent(tmp_path: Path) -> None:
    with pytest.raises(ConsentError, match="trained as research-only"):
        confirm(Basis(RESEARCH_ONLY, "ann"), consent=record(tmp_path / "subject.json"), on=TODAY)
    assert confirm(Basis(RESEARCH_ONLY, "ann"), on=TODAY) is None


def test_the_ground_stands_in_the_model_and_moves_with_it(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    path = record(tmp_path / "subject.json")
    basis = Basis(PERSON, "ann", sha256_file(path), "2027-01-01", path, public_name=True)
    stored = json.loads(json.dumps(basis.to_dict(tmp_path / "model")))
    assert str(tmp_path) not in json.dumps(stored)
    read = Basis.from_dict(stored, tmp_path / "model", "ann")
    assert replace(read, record=path) == basis
    assert read.record is not None
    assert read.record.resolve() == path.resolve()


def test_a_model_that_says_nothing_is_for_research_only(tmp_path: Path) -> None:
    assert Basis.from_dict(None, tmp_path, "ann").research_only
    for damaged in (
        {},
        {"kind": "friend"},
        "yes",
        {**Basis(PERSON, "ann").to_dict(tmp_path), "expires": "soon"},
    ):
        with pytest.raises(ModelError, match="consent"):
            Basis.from_dict(damaged, tmp_path, "ann")


def test_training_itself_asks_and_leaves_nothing_where_it_is_refused(filmed: Path, tmp_path: Path) -> None:
    with pytest.raises(ConsentError):
        train([filmed], tmp_path / "model", small_config(steps=1), subject="ann")
    assert not (tmp_path / "model").exists()
