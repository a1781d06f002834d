from __future__ import annotations

import numpy as np
import pytest
from certificates import issue
from click.testing import CliRunner
from lay_figure import lay_figure, load_figure, paint, put_poses, save_figure
from phone import film_by_phone

import synthesis.model
import synthesis.train
import synthesis.transfer
from cli.synthesize import main
from dataset.collection import Consent, Subject
from dataset.files import write_json
from dataset.mannequin import Performer, film
from dataset.provenance import read_manifest
from dataset.records import Corpus
from dataset.video import VideoInfo
from synthesis.consent import RESEARCH_ONLY, Basis


@pytest.fixture(scope="module")
def runner():
    return CliRunner()


def test_from_a_recording_to_a_corpus_with_three_commands(runner, tmp_path):
    recording, source = tmp_path / "anna.mp4", tmp_path / "ben.mp4"
    film(recording, Performer.from_seed(3), "dance", seconds=2, fps=10, size=(240, 320))
    film(source, Performer.from_seed(5), "wave", seconds=1, fps=10, size=(240, 320))
    model, fake, corpus = tmp_path / "model", tmp_path / "fake.mp4", tmp_path / "corpus"
    made = runner.invoke(main, ["train", str(recording), "--out", str(model), "--subject", "anna", "--steps", "2",
                                "--height", "64", "--precision", "float32"])  # fmt: skip
    assert made.exit_code == 0, made.output
    assert "generator of anna, 2 steps" in made.output
    assert "research" not in made.output
    made = runner.invoke(main, ["transfer", str(model), "--source", str(source), "--out", str(fake)])
    assert made.exit_code == 0, made.output
    assert VideoInfo.from_path(fake).width == 240
    assert read_manifest(fake).integrity == "valid"
    made = runner.invoke(main, ["fakes", str(model), "--recordings", str(tmp_path), "--out", str(corpus)])
    assert made.exit_code == 0, made.output
    assert {clip.kind for clip in Corpus.load(corpus).clips} == {"recording", "self"}
    assert "research" not in made.output


@pytest.fixture
def figure(tmp_path, monkeypatch):
    """A model folder that needs no network, and a source whose poses are known."""
    monkeypatch.setattr(synthesis.model.TargetModel, "load", load_figure)
    monkeypatch.setattr(synthesis.transfer, "generate", paint)
    film_by_phone(tmp_path / "ben.mp4", 5)
    put_poses(tmp_path / "model" / "cache", tmp_path / "ben.mp4")
    return save_figure(tmp_path / "model", tmp_path / "ben.mp4", "anna")


def test_a_transfer_is_signed_with_the_development_certificate_unless_another_is_given(
    runner, figure, tmp_path
):
    fake = tmp_path / "fake.mp4"
    command = ["transfer", str(figure), "--source", str(tmp_path / "ben.mp4"), "--out", str(fake)]
    made = runner.invoke(main, command)
    assert made.exit_code == 0, made.output
    assert f"{fake}: 5 frames of anna, marked as synthetic and signed" in made.output
    assert "development certificate" in made.output
    assert read_manifest(fake).authenticity == "development"
    ada = issue(tmp_path, "Ada Lovelace")
    made = runner.invoke(main, [*command, "--certificate", str(ada.chain), "--private-key", str(ada.key)])
    assert made.exit_code == 0, made.output
    assert "development" not in made.output
    assert read_manifest(fake, anchors=ada.root).authenticity == "trusted"


def test_no_option_leaves_the_signature_out(runner):
    for command in ("transfer", "fakes"):
        told = runner.invoke(main, [command, "--help"]).output
        assert "--certificate" in told
        for word in ("--no-", "unsigned", "--skip"):
            assert word not in told.replace("--no-weak", "")


def test_several_sources_are_done_although_one_is_bad(runner, figure, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    out = tmp_path / "out"
    made = runner.invoke(main, ["transfer", str(figure), str(tmp_path / "broken.mp4"), str(tmp_path / "ben.mp4"),
                                "--out", str(out), "--side-by-side", "--limbs"])  # fmt: skip
    assert made.exit_code == 2
    assert "1 of 2 sources done, 1 failed" in made.stdout
    assert f"error: {tmp_path / 'broken.mp4'}" in made.stderr
    assert sorted(path.name for path in out.iterdir()) == ["ben.mp4", "ben_side_by_side.mp4"]
    for path in out.iterdir():
        assert read_manifest(path).integrity == "valid"


def test_a_recording_of_a_person_needs_consent(runner, tmp_path):
    film_by_phone(tmp_path / "person.mp4", 2)
    command = ["train", str(tmp_path / "person.mp4"), "--out", str(tmp_path / "model")]
    refused = runner.invoke(main, command)
    assert refused.exit_code == 2
    assert "no consent of model is known" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "model").exists()
    write_json(tmp_path / "ben.json", Subject("ben", Consent.none()).to_dict())
    unsigned = runner.invoke(main, [*command, "--consent", str(tmp_path / "ben.json")])
    assert unsigned.exit_code == 2
    assert "the consent of ben has not been given" in unsigned.stderr


def test_without_consent_the_stamp_is_asked_for_and_told(runner, tmp_path, monkeypatch):
    asked = {}

    def run(recordings, out, config, **options):
        asked.update(options)
        return lay_figure(consent=Basis(RESEARCH_ONLY, "model"))

    monkeypatch.setattr(synthesis.train, "train", run)
    command = ["train", str(tmp_path / "person.mp4"), "--out", str(tmp_path / "model"), "--research-only"]
    stamped = runner.invoke(main, command)
    assert stamped.exit_code == 0, stamped.output
    assert (asked["research_only"], asked["consent"], asked["subject"]) == (True, None, "model")
    assert "for research only" in stamped.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "none.mp4", "--out", "model"], "none.mp4: there is no such recording"),
        (["transfer", "nomodel", "--source", "a.mp4", "--out", "b.mp4"], "no finished model"),
        (["transfer", "nomodel", "--source", "a.mp4", "--out", "a.mp4"], "source would be overwritten"),
        (["transfer", "nomodel", "a.mp4", "--out", "b.mp4", "--person", "who"], "does not say which person"),
        (["transfer", "nomodel", "a.mp4", "c.mp4", "--out", "b.mp4"], "several sources need a folder"),
        (["transfer", "nomodel", "--out", "b.mp4"], "no source was given"),
        (["fakes", "nomodel", "--recordings", "none", "--out", "c"], "none: there is no such recording"),
        (["train", "a.mp4", "--out", "model", "--preset", "huge"], "no preset 'huge'; there are: compact"),
        (["train", "a.mp4", "--out", "model", "--height", "100"], "multiple of 32"),
    ],
)
def test_bad_input_is_one_line_and_status_2(runner, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    if "a.mp4" in arguments:
        (tmp_path / "a.mp4").write_bytes(np.zeros(10, np.uint8).tobytes())
    result = runner.invoke(main, arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
