"""The command, with a detector that gives every window the same score."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from textures import texture, write_video

from cli.fakedetect import main
from dataset.mannequin import Performer, film
from forensics.calibrate import Calibration
from forensics.detectors.patch import PatchConfig, PatchDetector
from forensics.recipe import NOBODY

Model = Callable[[float], Path]


@pytest.fixture
def model(tmp_path: Path) -> Model:
    def make(score: float) -> Path:
        detector = PatchDetector(PatchConfig(ndf=4))
        torch.nn.init.zeros_(detector.network.classify.weight)
        torch.nn.init.constant_(detector.network.classify.bias, score)
        detector.calibration = Calibration(1.0, 0.0, 0.9, 0.2, 1e6, 0.01, 0.05, 8, 8, 4, "made for a test")
        detector.save(tmp_path / "model")
        return tmp_path / "model"

    return make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mannequin, nobody, a text file that calls itself a video, and one that does not."""
    root = tmp_path_factory.mktemp("videos")
    film(root / "a.mp4", Performer.from_seed(3), "wave", seconds=0.5, fps=12, size=(240, 320))
    write_video(root / "b.mp4", texture(5, 6, 160))
    (root / "c.mp4").write_text("no video")
    (root / "notes.txt").write_text("no video either")
    return root


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_the_command_line_takes_the_same_people_for_no_evidence_as_the_library(command: str) -> None:
    (option,) = (one for one in main.commands[command].params if one.name == "train_only")
    assert tuple(option.default) == NOBODY


def test_the_verdict_is_printed_and_is_not_in_the_exit_status(folder: Path, model: Model) -> None:
    result = run("scan", folder / "a.mp4", "--model", model(4.0), "--pairs", "3")
    assert result.exit_code == 0
    assert "a.mp4: FAKE  probability of a fake 0.982" in result.stdout
    assert "weighed most" in result.stdout
    assert "the file says about itself" in result.stdout


@pytest.mark.parametrize(("score", "status"), [(4.0, 10), (0.0, 11), (-4.0, 0)])
def test_exit_code_puts_the_verdict_in_the_exit_status_when_asked(
    folder: Path, model: Model, score: float, status: int
) -> None:
    result = run("scan", folder / "a.mp4", "--model", model(score), "--pairs", "3", "--exit-code")
    assert result.exit_code == status


def test_a_folder_is_scanned_past_a_bad_file_which_gets_one_line(folder: Path, model: Model) -> None:
    result = run("scan", folder, "--model", model(-4.0), "--pairs", "3", "--json")
    assert result.exit_code == 2
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(Path(one["path"]).name, one["verdict"]) for one in told] == [
        ("a.mp4", "real"),
        ("b.mp4", "inconclusive"),
    ]
    assert told[1]["probability"] is None
    assert result.stderr.count("\n") == 1
    assert "c.mp4" in result.stderr


def test_the_worst_of_verdict_and_failure_is_a_fake(folder: Path, model: Model) -> None:
    result = run("scan", folder, "--model", model(4.0), "--pairs", "3", "--exit-code")
    assert result.exit_code == 10


def test_no_path_is_a_usage_error() -> None:
    assert run("scan").exit_code == 2


def test_a_folder_without_a_detector_is_told_in_one_line(folder: Path, tmp_path: Path) -> None:
    result = run("scan", folder / "a.mp4", "--model", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "fakedetect train" in result.stderr


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_folder_that_is_no_corpus_is_told_in_one_line(tmp_path: Path, command: str) -> None:
    options = ["--out", str(tmp_path / "out")] if command == "train" else []
    result = run(command, tmp_path, *options)
    assert result.exit_code == 2
    assert "synthesize fakes" in result.stderr


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, cli.fakedetect; sys.exit(any(m in sys.modules for m in ('torch', 'cv2', 'av', 'mediapipe')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    # Processor time, not the clock: a busy machine is not a slow command.
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "cli.fakedetect", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.5


QUICK = ("--steps", "2", "--batch", "2", "--set", "ndf=4", "--pairs", "3", "--threads", "1")


def small_corpus(folder: Path) -> None:
    """Two mannequins, each filmed and, as the fake, encoded a little differently."""
    from dataclasses import replace

    from textures import make_clip

    from dataset.files import sha256_file
    from dataset.records import Corpus
    from forensics.degrade import reencode

    clips = []
    for seed in range(2):
        first, second = folder / f"real-{seed}.mp4", folder / f"fake-{seed}.mp4"
        film(folder / "raw.mp4", Performer.from_seed(seed), "wave", seconds=0.4, fps=12, size=(160, 224))
        reencode(folder / "raw.mp4", first, crf=18)
        reencode(folder / "raw.mp4", second, crf=19)
        clips.append(make_clip(first.name, f"m{seed}", fake=False))
        clips.append(make_clip(second.name, f"m{seed}", fake=True, pair=first.name))
    (folder / "raw.mp4").unlink()
    Corpus(folder, [replace(clip, sha256=sha256_file(folder / clip.path)) for clip in clips]).save()


def test_train_then_evaluate_then_scan(tmp_path: Path) -> None:
    small_corpus(tmp_path)
    out = tmp_path / "out"
    trained = run("train", tmp_path, "--out", out, "--folds", "2", *QUICK)
    assert trained.exit_code == 0, trained.output
    assert (out / "evaluation.json").is_file()
    figures = tmp_path / "figures.json"
    left_out = run("evaluate", tmp_path, *QUICK, "--json", figures)
    assert left_out.exit_code == 0, left_out.output
    told = json.loads(figures.read_text())
    assert told["protocols"][0]["name"] == "held-out subject"
    assert {finding["level"] for finding in told["leakage"]} <= {"clear", "hint"}
    again = run("evaluate", tmp_path, "--model", out, "--pairs", "3")
    assert again.exit_code == 2
    assert "trained on everybody" in again.stderr
    # What train has left behind is enough for a report, and the report's config for the same report again.
    report = tmp_path / "report"
    made = run("evaluate", tmp_path, "--scores", out, "--out", report, "--draws", "20")
    assert made.exit_code == 0, made.output
    before = (report / "report.html").read_bytes()
    assert run("evaluate", "--config", report / "config.json", "--out", report).exit_code == 0
    assert (report / "report.html").read_bytes() == before
    scanned = run("scan", tmp_path / "real-0.mp4", "--model", out, "--pairs", "3", "--json")
    assert json.loads(scanned.stdout)["tool"]["detector_sha256"]


def test_settings_are_compared_side_by_side_and_one_that_cannot_be_trained_stops_it_at_once(
    tmp_path: Path,
) -> None:
    small_corpus(tmp_path)
    out = tmp_path / "out"
    refused = run("train", tmp_path, "--out", out, "--folds", "2", "--compare", "init=random,people", *QUICK)
    assert refused.exit_code == 2
    assert "--set ndf=32" in refused.stderr
    assert not out.exists()
    compared = run("train", tmp_path, "--out", out, "--folds", "2", "--compare", "dropout=0,0.3", *QUICK)
    assert compared.exit_code == 0, compared.output
    table = compared.output[compared.output.rindex("held-out subjects") :]
    assert "dropout=0" in table
    assert "dropout=0.3" in table
    assert {path.name for path in out.iterdir() if path.is_dir()} == {"dropout=0", "dropout=0.3"}
