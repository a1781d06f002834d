"""``fakedetect scan`` on many videos: result files, pages, tables; killed, repeated, and with bad files among them."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from textures import texture, write_video

from cli.fakedetect import main
from dataset.mannequin import Performer, film
from forensics.calibrate import Calibration
from forensics.detectors.patch import PatchConfig, PatchDetector
from forensics.scanning.schema import check


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives every window the same score, for a fake."""
    folder = tmp_path_factory.mktemp("model")
    detector = PatchDetector(PatchConfig(ndf=4))
    torch.nn.init.zeros_(detector.network.classify.weight)
    torch.nn.init.constant_(detector.network.classify.bias, 4.0)
    detector.calibration = Calibration(1.0, 0.0, 0.9, 0.2, 1e6, 0.01, 0.05, 8, 8, 4, "made for a test")
    detector.save(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mannequin, nobody, and a text file that calls itself a video."""
    root = tmp_path_factory.mktemp("videos")
    film(root / "a.mp4", Performer.from_seed(3), "wave", seconds=0.5, fps=12, size=(240, 320))
    write_video(root / "b.mp4", texture(5, 6, 160))
    (root / "c.mp4").write_text("no video")
    return root


def run(*arguments: str | Path | int) -> Result:
    return CliRunner().invoke(main, ["scan", *(str(argument) for argument in arguments)])


@pytest.mark.slow
def test_a_folder_becomes_result_files_pages_and_a_table_and_is_not_scanned_twice(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, pages, table = tmp_path / "out", tmp_path / "pages", tmp_path / "all.csv"
    # The list, too, names one of them: each video is scanned once.
    (tmp_path / "list.txt").write_text(f"# more\n{folder / 'a.mp4'}\n")
    asked = (folder, f"@{tmp_path / 'list.txt'}", "--model", model, "--pairs", 3, "--out", out)
    first = run(*asked, "--workers", 2, "--html", pages, "--csv", table)
    assert first.exit_code == 2  # because of c.mp4
    assert "1 fake, 0 real, 1 inconclusive, 1 failed" in first.stdout
    assert "c.mp4: cannot be read as video" in first.stderr
    assert "Traceback" not in first.stderr

    files = {path.name.split("-")[0]: path for path in out.glob("*.json") if not path.name.startswith(".")}
    assert sorted(files) == ["a", "b", "c"]
    for name in ("a", "b"):
        check(json.loads(files[name].read_text())["result"])
    assert files["c"].name.endswith(".failed.json")
    assert sorted(path.name[0] for path in pages.glob("*.html")) == ["a", "b", "i"]
    index = (pages / "index.html").read_text()
    assert all(f'href="{path.name}"' in index for path in pages.glob("[ab]-*.html"))
    assert "c.mp4: cannot be read" in index
    with table.open(newline="", encoding="utf-8") as lines:
        rows = {Path(row["path"]).name: row for row in csv.DictReader(lines)}
    assert [rows[name]["verdict"] for name in ("a.mp4", "b.mp4", "c.mp4")] == ["fake", "inconclusive", ""]

    before = {path: path.stat().st_mtime_ns for path in files.values()}
    files["b"].unlink()  # as if the first run had been killed before it
    # Of more videos than are shown in full, those that were not called real get a line.
    monkeypatch.setattr(sys.modules["cli.fakedetect.scan"], "SHOWN", 1)
    again = run(*asked, "--workers", 1, "--exit-code")
    assert again.exit_code == 10
    assert "a.mp4: FAKE" in again.stdout
    assert "weighed most" in first.stdout
    assert "weighed most" not in again.stdout
    assert files["b"].exists()
    assert all(path.stat().st_mtime_ns == before[path] for name, path in files.items() if name != "b")

    other = run(folder, "--model", model, "--pairs", 4, "--out", out)
    assert other.exit_code == 2
    assert "other settings (pairs 3, now 4)" in other.stderr


def test_a_video_that_takes_too_long_is_given_up_and_the_line_says_so(folder: Path, model: Path) -> None:
    result = run(folder / "a.mp4", "--model", model, "--pairs", 3, "--time-limit", "0.05", "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "a.mp4" in result.stderr
    assert "0.05 s" in result.stderr


def test_a_worker_that_takes_more_memory_than_it_may_is_ended_and_the_line_says_so(
    folder: Path, model: Path
) -> None:
    result = run(folder / "a.mp4", "--model", model, "--pairs", 3, "--memory-limit", "200M", "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "more than 200 MB of memory" in result.stderr


def test_one_page_for_one_video(folder: Path, model: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    asked = ("--model", model, "--pairs", 3, "--html", page)
    assert run(folder / "a.mp4", *asked).exit_code == 0
    assert page.read_text().startswith("<!doctype html>")
    assert "data:image/jpeg" in page.read_text()
    many = run(folder, *asked)
    assert many.exit_code == 2
    assert "give a folder for 3" in many.stderr


def test_what_is_not_there_is_told_and_the_others_are_scanned(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    table = tmp_path / "all.csv"
    result = run(folder / "b.mp4", tmp_path / "gone.mp4", "--model", model, "--pairs", 3, "--csv", table)
    assert result.exit_code == 2
    assert "b.mp4: INCONCLUSIVE" in result.stdout
    assert "gone.mp4: is not there" in result.stderr
    assert "gone.mp4" in table.read_text()


def test_retry_without_a_run_to_repeat_is_a_usage_error(folder: Path) -> None:
    result = run(folder / "a.mp4", "--retry")
    assert result.exit_code == 2
    assert "--out" in result.stderr
