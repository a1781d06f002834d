"""An analyst's folder: real, fake, half-fake, two people, nobody's face, and a file that is none."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scripted import film_partly, scripted

from cli.fakedetect import main
from dataset.mannequin import Performer, render
from dataset.video import VideoWriter
from forensics.calibrate import Calibration
from forensics.decide import PROPOSITIONS

SIZE = (200, 300)


def film_pair(path: Path) -> None:
    """Two people side by side, the left one of whom is scored as fake."""
    left, right = (
        [image for image, _ in render(Performer.from_seed(seed), "wave", seconds=2, fps=8, size=SIZE)]
        for seed in (3, 8)
    )
    with VideoWriter(path, (2 * SIZE[0], SIZE[1]), fps=8, crf=20) as writer:
        for one, other in zip(left, right, strict=True):
            writer.write(np.concatenate([one // 2 + 127, other // 4 * 3], axis=1).astype(np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "case"
    root.mkdir()
    for number, spans in enumerate(([], [(0, 99)], [(2.0, 4.0)])):
        name = ("real", "fake", "half")[number]
        film_partly(root / f"{name}.mp4", spans, seconds=4 if name == "half" else 1.5, fps=8, seed=3)
    film_partly(root / "real_too.mp4", [], seconds=1.5, fps=8, seed=5)
    film_pair(root / "two.mp4")
    whole = (root / "real.mp4").read_bytes()
    (root / "corrupt.mp4").write_bytes(bytes(reversed(whole[:4000])))
    return root


@pytest.mark.slow
def test_the_pages_answer_what_where_how_sure_why_and_when_it_would_be_wrong(
    folder: Path, tmp_path: Path, calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forensics.detectors.load_detector", lambda model: scripted(calibration))
    pages = tmp_path / "pages"
    done = CliRunner().invoke(
        main, ["scan", str(folder), "--pairs", "10", "--html", str(pages), "--json", "--exit-code"]
    )
    assert done.exit_code == 10
    assert done.stderr.count("error: ") == 1
    assert "corrupt.mp4" in done.stderr
    told = {Path(one["path"]).stem: one for one in map(json.loads, done.stdout.splitlines())}

    # What.
    assert {name: one["verdict"] for name, one in told.items()} == {
        "real": "real", "real_too": "real", "fake": "fake", "half": "fake", "two": "fake",
    }  # fmt: skip
    index = read(pages / "index.html")
    assert "3 fake, 0 inconclusive, 2 real, 1 could not be scanned" in index

    # Where: which seconds, and who.
    (span,) = told["half"]["people"][0]["spans"]
    assert 1.5 <= span["begins_after"] <= 2.0 <= span["begin"] <= 2.5
    assert told["fake"]["people"][0]["spans"] == []
    by_place = sorted(told["two"]["people"], key=lambda person: person["telling"][0]["box"][0])
    assert [person["verdict"] for person in by_place] == ["fake", "real"]
    half = page(pages, "half")
    assert f"from {span['begin']:.2f} to {span['end']:.2f} s" in half
    two = page(pages, "two")
    assert f"Person {by_place[0]['person']}: fake" in two
    assert f"Person {by_place[1]['person']}: real" in two

    for name, one in told.items():
        shown = page(pages, name)
        # How sure.
        assert f"log 10 likelihood ratio {one['log10_lr']:+.2f}" in shown
        assert all(proposition in shown for proposition in PROPOSITIONS)
        assert "8 real and 8 fake videos of 4 people" in shown
        # Why.
        assert all(reason in shown for reason in one["reasons"])
        assert "what weighed most" in shown
        # When it would be wrong.
        wrong = shown.split("When this would be wrong")[-1]
        assert ("A real recording was smoothed" in wrong) == (one["verdict"] == "fake")
        assert ("other means than the motion transfer" in wrong) == (one["verdict"] == "real")
        # And how to check it.
        assert shown.count(one["video"]["sha256"]) == 2
        assert f"fakedetect scan {name}.mp4 --pairs 10 --json" in shown


def page(pages: Path, name: str) -> str:
    (found,) = pages.glob(f"{name}-*.html")
    return read(found)


def read(path: Path) -> str:
    """Roughly what is read of a page."""
    body = path.read_text("utf-8").split("</style>")[1]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body)))
