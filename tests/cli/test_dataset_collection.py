from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mannequin_collection import add_tiny_detector, add_tiny_model, make_collection, make_corpus, tiny_film

from cli.dataset import main
from dataset.collection import Collection
from dataset.collection.checks import surveying
from dataset.files import sha256_file
from dataset.mannequin import Performer, film


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def done(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A collection of Ann, who has signed nothing, and a mannequin."""
    done("init", tmp_path / "c", "--contact", "data@example.org", "--licence", "CC0-1.0")
    done("add-subject", tmp_path / "c", "ann", "--name", "Ann Example")
    done("add-subject", tmp_path / "c", "m1", "--mannequin")
    return tmp_path / "c"


def test_from_an_empty_folder_to_a_form_that_is_signed_and_taken_back(empty: Path, tmp_path: Path) -> None:
    assert "no: the consent has not been given" in done("consent", empty, "--subject", "ann")
    asked = ("consent", empty, "--subject", "ann", "--scope", "train,synthesise", "--jurisdiction", "DE")
    assert "form.html: the form for ann" in done(*asked, "--out", tmp_path / "form.html")
    assert "Ann Example" in (tmp_path / "form.html").read_text()
    assert "the signed form (--form FILE) missing" in refused(*asked, "--date", "2026-05-01")
    (tmp_path / "scan.pdf").write_bytes(b"signed")
    told = done(*asked, "--date", "2026-05-01", "--expires", "2099-04-30", "--form", tmp_path / "scan.pdf")
    assert told.splitlines()[1:] == [
        "  train       allowed",
        "  synthesise  allowed",
        "  publish     no: the consent does not cover publish",
        "  commercial  no: the consent does not cover commercial",
        "  until       2099-04-30",
    ]
    record = json.loads(done("consent", empty, "--subject", "ann", "--json"))
    assert record["consent"]["form_sha256"] == sha256_file(tmp_path / "scan.pdf")
    done("consent", empty, "--subject", "ann", "--revoke", "--reason", "moved away")
    assert "no: the consent was revoked on" in done("consent", empty, "--subject", "ann")
    assert Collection.open(empty).subject("ann").consent.revocations[0].reason == "moved away"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--scope", "fame"), "no purpose is called 'fame'"),
        (("--out", "form.docx"), "written as .md or .html"),
        (("--revoke", "--form", "x.pdf"), "--revoke goes with neither"),
        (("--date", "May"), "write a day as 2026-05-01"),
    ],
)
def test_odd_wishes_for_consent_are_refused(empty: Path, arguments: tuple[str, ...], told: str) -> None:
    assert told in refused("consent", empty, "--subject", "ann", *arguments)
    assert not Collection.open(empty).subject("ann").consent.date


def test_recordings_are_checked_and_the_bad_ones_left_out(
    empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveying, "LOOKS", 2)
    good, short = tmp_path / "good.mp4", tiny_film(1, "dance", 0, 12)
    film(good, Performer.from_seed(3), "squat", seconds=2, fps=12, size=(240, 320))
    result = run("add-recording", empty, good, short, "--subject", "m1", "--motion", "squat")
    assert result.exit_code == 2
    assert "1 of 2 videos were refused" in result.stderr
    assert f"refused: {short}" in result.stderr
    assert "warning duration: 2.0 s long; film 8 to 17 minutes" in result.stdout
    (recording,) = Collection.open(empty).recordings()
    assert (recording.motion, recording.sha256, recording.person_share) == ("squat", sha256_file(good), 1.0)
    assert "duration: 1.0 s long" in refused("add-recording", empty, short, "--subject", "m1")
    assert "without a reason" in refused("add-recording", empty, short, "--subject", "m1", "--force")
    done("add-recording", empty, short, "--subject", "m1", "--force", "--reason", "to see", "--id", "forced")
    assert [r.forced for r in Collection.open(empty).recordings()] == ["to see", None]
    assert "says that it was made" in refused("add-recording", empty, short, "--subject", "ann")


def test_fakes_models_and_detectors_are_registered_and_shown(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    collection = make_collection(folder, subjects=2, recordings=1, fakes=False)
    models = [add_tiny_model(collection, id) for id in ("m1", "m2")]
    corpus = make_corpus(collection, tmp_path / "corpus", models)
    assert "trained on m1" in done("add-model", folder, models[0])
    assert "4 fakes added (2 self-re-enactments, 2 with another's motion), 4 in all" in done(
        "add-fakes", folder, corpus.root
    )
    detector = add_tiny_detector(collection, corpus)
    assert "of this collection m1, m2" in done("add-detector", folder, detector)
    for command in ("show", "info"):
        lines = done(command, folder).splitlines()
        assert "fakes       4" in lines
        assert "  m1    1 recordings   2 fakes  mannequin" in lines
    facts = json.loads(done("info", folder, "--json"))
    assert facts["counts"] | {"seconds": 0, "bytes": 0} == {
        "subjects": 2, "recordings": 2, "seconds": 0, "bytes": 0, "fakes": 4, "models": 2, "detectors": 1,
        "warnings": 0,
    }  # fmt: skip
    made = json.loads(done("show", folder, "--subject", "m1", "--json"))
    assert {kind: len(ids) for kind, ids in made.items()} == {
        "recordings": 1, "fakes": 3, "poses": 0, "models": 1, "detectors": 1,
    }  # fmt: skip
    assert "fakes       3" in done("show", folder, "--subject", "m1")


def test_migrate_says_when_there_is_nothing_to_do(empty: Path, tmp_path: Path) -> None:
    assert "schema version 2 already" in done("migrate", empty)
    assert "no collection" in refused("migrate", tmp_path / "nothing")
    path = empty / "collection.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 3}))
    for command in ("migrate", "show"):
        assert "newer danceproof" in refused(command, empty)


def test_the_guide_is_a_checklist() -> None:
    assert done("guide").count("- [ ]") >= 15


def test_a_folder_that_is_no_collection_is_one_line(tmp_path: Path) -> None:
    for command in (("show",), ("info",), ("extract",), ("add-subject", "x")):
        result = run(command[0], tmp_path, *command[1:])
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert "dataset init" in result.stderr
