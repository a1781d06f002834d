from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textures import TINY, as_windows, planted, planted_corpus, texture

from dataset.errors import DetectorError
from forensics.calibrate import Calibration
from forensics.detectors.patch import PatchDetector
from forensics.evaluate import score_detector
from forensics.evaluation.config import EvaluationConfig
from forensics.evaluation.protocols import PROTOCOLS
from forensics.evaluation.run import evaluate_scores
from forensics.evaluation.scores import read_score_files
from forensics.evaluation.training import train_protocols
from forensics.recipe import Recipe
from forensics.train import TrainConfig
from forensics.views import ViewConfig
from forensics.windows import ClipWindows

RECIPE = Recipe(TINY, TrainConfig(steps=2, batch=4, precision="float32"), ViewConfig(window=48), folds=2)


@pytest.fixture(scope="module")
def windows() -> list[ClipWindows]:
    """Four people, each with one recording and a fake of it by each of two families."""
    found = []
    for item in planted_corpus(subjects=4):
        source = f"take-{item.clip.subject}"
        if item.clip.label == "real":
            found.append(replace(item, clip=replace(item.clip, source=source)))
            continue
        for family in ("compact", "warp"):
            clip = replace(
                item.clip,
                path=f"{family}-{item.clip.path}",
                sha256=f"{family}-{item.clip.sha256}",
                source=source,
                generator=f"{family}-1",
            )
            found.append(as_windows(clip, planted(texture(int(item.clip.subject[-1])))))
    return found


def test_what_a_protocol_leaves_out_is_neither_trained_on_nor_missing(
    windows: list[ClipWindows], tmp_path: Path
) -> None:
    names = ("all held out", "held-out generator")
    paths = train_protocols(names, windows, RECIPE, tmp_path)
    assert [path.name for path in paths] == [
        "all-0.json",
        "all-1.json",
        "generator-0.json",
        "generator-1.json",
    ]
    files = read_score_files(paths)
    assert all(file.complete and file.scores for file in files)
    for file in files:
        assert not {score.clip.sha256 for score in file.scores} & file.training.sha256
        assert len(file.fold.families) == 1
        assert not set(file.fold.families) & file.training.families
    config = EvaluationConfig(scores=tuple((path, "") for path in paths), protocols=tuple(PROTOCOLS), draws=5)
    outcome = evaluate_scores(config)
    assert {evaluation.name for evaluation in outcome.evaluations} >= set(names)


def test_a_run_that_was_cut_off_takes_up_what_is_done(
    windows: list[ClipWindows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train_protocols(("held-out source motion",), windows, RECIPE, tmp_path)
    before = [path.read_bytes() for path in first]

    def unwanted(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("forensics.jobs.train_network", unwanted)
    again = train_protocols(("held-out source motion",), windows, RECIPE, tmp_path)
    assert [path.read_bytes() for path in again] == before


def test_in_distribution_alone_is_refused_before_anything_is_trained(
    windows: list[ClipWindows], tmp_path: Path
) -> None:
    with pytest.raises(DetectorError, match="not given alone"):
        train_protocols(("in distribution",), windows, RECIPE, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_given_detector_is_judged_by_its_own_calibration_on_what_it_was_not_trained_on(
    windows: list[ClipWindows], tmp_path: Path, calibration: Calibration
) -> None:
    detector = PatchDetector(TINY)
    detector.calibration = replace(calibration, slope=2.0)
    detector.facts = {
        "subjects": ["person-0"],
        "clip_sha256": [windows[0].clip.sha256],
        "generators": ["compact-1"],
    }
    path = tmp_path / "model.json"
    assert score_detector(detector, windows, path) == 1
    outcome = evaluate_scores(EvaluationConfig(scores=((path, ""),), draws=5))
    subject = outcome.evaluations[0]
    assert subject.name == "held-out subject"
    assert {row["subject"] for row in subject.rows} == {"person-1", "person-2", "person-3"}
    for row in subject.rows:
        assert row["log10_lr"] == pytest.approx(2 * row["score"] / 2.302585093)
    generator = next(one for one in outcome.evaluations if one.name == "held-out generator")
    assert {row["generator"] for row in generator.rows} == {"", "warp-1"}
