from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli.synthesize import main
from dataset.video import VideoWriter


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def videos(tmp_path: Path) -> tuple[Path, Path]:
    """Two short videos of one length."""
    paths = tmp_path / "dancer.mp4", tmp_path / "other.mp4"
    for path, shade in zip(paths, (60, 160), strict=True):
        with VideoWriter(path, (64, 48), fps=10) as video:
            for index in range(8):
                video.write(np.full((48, 64, 3), shade + index, np.uint8))
    return paths


def test_either_models_or_columns_are_needed() -> None:
    result = run("evaluate")
    assert result.exit_code == 2
    assert "give either models or columns" in result.stderr


def test_a_column_needs_a_name_and_a_model(tmp_path: Path) -> None:
    recording = tmp_path / "a.mp4"
    recording.touch()
    rest = ["--recording", recording, "--perceptual", "squeezenet1_1"]
    assert "not a column: 'FBF'" in run("evaluate", "--column", "FBF", *rest).stderr
    twice = run("evaluate", "--column", "A=x", "--column", "A=y", *rest)
    assert "given twice" in twice.stderr


def test_without_recordings_the_option_is_named(tmp_path: Path) -> None:
    assert "--recording" in run("evaluate", tmp_path).stderr


def test_a_folder_without_a_model_is_one_line(tmp_path: Path) -> None:
    recording = tmp_path / "a.mp4"
    recording.touch()
    result = run("evaluate", tmp_path / "none", "--recording", recording, "--perceptual", "squeezenet1_1")
    assert result.exit_code == 2
    assert "no finished model" in result.stderr
    assert result.stderr.count("\n") == 1


def test_lpips_is_the_default_and_says_where_its_weights_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    recording = tmp_path / "a.mp4"
    recording.touch()
    result = run("evaluate", tmp_path, "--recording", recording)
    assert result.exit_code == 2
    assert "--lpips-weights" in result.stderr


def test_study_makes_a_page_without_saying_make_and_analyses_answers(
    videos: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "study"
    made = run("study", f"A={videos[0]}", f"B={videos[1]}", "--pairs", 2, "--seconds", 0.4, "--out", out)
    assert made.exit_code == 0, made.output
    assert f"synthesize study analyse ANSWERS… --key {out / 'key.json'}" in made.stdout
    key = json.loads((out / "key.json").read_text("utf-8"))
    answers = [{"item": key["practice"]["id"], "choice": key["practice"]["right_answer"]}]
    answers += [
        {"item": item, "choice": "left" if entry["left"] == "B" else "right"}
        for item, entry in key["items"].items()
    ]
    record = {"schema": 1, "study": key["study"], "rater": "r", "answers": answers}
    (tmp_path / "answers.json").write_text(json.dumps(record), "utf-8")
    words = ["study", "analyse", tmp_path / "answers.json", "--key", out / "key.json"]
    table = run(*words, "--out", tmp_path / "found")
    assert "| % preferring B over A | dancer | total |" in table.stdout
    assert (tmp_path / "found" / "study.md").read_text("utf-8").strip() == table.stdout.strip()
    facts = json.loads(run(*words, "--json").stdout)
    assert facts["total"]["prefer_second"] == facts["total"]["answers"] == 2


def test_models_and_videos_cannot_be_mixed(videos: tuple[Path, Path], tmp_path: Path) -> None:
    result = run("study", f"A={videos[0]}", f"B={tmp_path}")
    assert result.exit_code == 2
    assert "cannot be mixed" in result.stderr


def test_both_forms_of_study_explain_themselves() -> None:
    shown = run("study", "--help").stdout
    assert "analyse" in shown
    assert "make" in shown
