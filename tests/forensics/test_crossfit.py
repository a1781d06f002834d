from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textures import TINY, Video, as_windows, make_clip, planted, planted_corpus, texture

import forensics.jobs as module
from dataset.errors import DetectorError
from dataset.records import Corpus
from forensics.build import build_detector
from forensics.crossfit import Recipe, crossfit
from forensics.detectors.base import Detector, Evidence
from forensics.detectors.patch import PatchDetector
from forensics.detectors.registry import load_detector
from forensics.evaluate import evaluate_crossfit, evaluate_detector
from forensics.train import TrainConfig
from forensics.views import ViewConfig
from forensics.windows import ClipWindows

RECIPE = Recipe(
    TINY,
    TrainConfig(steps=120, batch=16, rate=5e-3, average=0.95, precision="float32"),
    ViewConfig(window=48),
    folds=3,
)


def score_of(detector: Detector, video: Video) -> float:
    score = detector.judge(Evidence.of_windows(np.stack([video[:-1], video[1:]], 1))).score
    assert score is not None
    return score


def corpus_of(windows: list[ClipWindows], folder: Path) -> Corpus:
    corpus = Corpus(folder, [item.clip for item in windows])
    folder.mkdir(exist_ok=True)
    corpus.save()
    return corpus


@pytest.fixture(scope="module")
def windows() -> list[ClipWindows]:
    cross = make_clip("cross.mp4", "person-0", fake=True, source="person-1")
    nobody = make_clip("mannequin.mp4", "mannequin-1", fake=False)
    return [
        *planted_corpus(subjects=6),
        as_windows(cross, planted(texture(0))),
        as_windows(nobody, texture(77)),
    ]


@pytest.fixture(scope="module")
def built(windows: list[ClipWindows], tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, Path]:
    folder = tmp_path_factory.mktemp("built")
    corpus = corpus_of(windows, folder / "corpus")
    build_detector(corpus, windows, folder / "out", RECIPE)
    return corpus, folder / "out"


def test_nobody_who_is_judged_was_trained_on(
    windows: list[ClipWindows], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[set[str]] = []

    def spy(clips: list[ClipWindows], *rest: object, **more: object) -> Detector:
        trained.append({name for item in clips for name in (item.clip.subject, item.clip.source_subject)})
        return PatchDetector(TINY)

    monkeypatch.setattr(module, "train_network", spy)
    result = crossfit(windows, RECIPE)
    assert len(trained) == 3
    for score in result.scores:
        assert not {score.clip.subject, score.clip.source_subject} & trained[score.fold]
    assert all("mannequin-1" in names for names in trained)
    assert {score.clip.path for score in result.scores} == {item.clip.path for item in windows} - {
        "mannequin.mp4"
    }


def test_the_built_detector_finds_the_artefact_and_says_how_well(built: tuple[Corpus, Path]) -> None:
    detector = load_detector(built[1])
    fresh = planted(texture(50, 12, 48)), texture(50, 12, 48)
    fake, real = (score_of(detector, video) for video in fresh)
    assert detector.calibration is not None
    assert detector.calibration.probability(fake) > 0.6 > 0.4 > detector.calibration.probability(real)
    assert detector.calibration.subjects == 6
    told = json.loads((built[1] / "evaluation.json").read_text())
    assert told["figures"]["video"]["auc"]["value"] > 0.9
    assert detector.facts["subjects"] == ["mannequin-1", *(f"person-{number}" for number in range(6))]


def test_windows_unlike_the_training_data_lie_beyond_the_threshold(built: tuple[Corpus, Path]) -> None:
    detector = load_detector(built[1])
    assert detector.calibration is not None
    flat = np.full((8, 2, 48, 48, 3), 255, np.uint8)
    flat[:, :, ::2] = 0
    distance = detector.judge(Evidence.of_windows(flat)).distance
    assert distance is not None
    assert distance > detector.calibration.unfamiliar_from


def test_a_kept_group_has_no_part_in_its_own_calibration(built: tuple[Corpus, Path]) -> None:
    whole = load_detector(built[1]).calibration
    assert whole is not None
    for number in range(3):
        kept = load_detector(built[1] / f"fold-{number}")
        assert kept.calibration is not None
        assert kept.calibration.subjects == whole.subjects - len(kept.facts["left_out"])


def test_a_second_run_takes_up_the_groups_that_are_whole(
    built: tuple[Corpus, Path], windows: list[ClipWindows], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwanted(*_: object, **__: object) -> Detector:
        raise AssertionError("trained again")

    monkeypatch.setattr(module, "train_network", unwanted)
    again = crossfit(windows, RECIPE, built[1])
    assert len(again.scores) == 13
    other = replace(RECIPE, training=replace(RECIPE.training, seed=5))
    with pytest.raises(AssertionError, match="trained again"):
        crossfit(windows, other, built[1])


def test_groups_trained_in_processes_of_their_own_are_those_trained_one_after_the_other(
    windows: list[ClipWindows], tmp_path: Path
) -> None:
    quick = replace(RECIPE, training=replace(RECIPE.training, steps=2), folds=2)
    alone = crossfit(windows, quick)
    seen: list[str] = []
    apart = crossfit(windows, quick, tmp_path, lambda done, total, note: seen.append(note), workers=2)
    assert apart.scores == alone.scores
    assert any("2 at once" in note for note in seen)


def test_a_group_that_fails_in_its_process_is_named_with_the_reason(
    windows: list[ClipWindows], tmp_path: Path
) -> None:
    wrong = replace(RECIPE, training=replace(RECIPE.training, batch=3))
    with pytest.raises(DetectorError, match=r"fold-[01]: a batch of 3 windows"):
        crossfit(windows, wrong, tmp_path, workers=2)


def test_figures_of_seen_people_are_reported_apart(
    built: tuple[Corpus, Path], windows: list[ClipWindows], tmp_path: Path
) -> None:
    real = make_clip("new.mp4", "stranger", fake=False)
    fake = make_clip("new-fake.mp4", "stranger", fake=True, pair="new.mp4")
    more = [*windows, as_windows(real, texture(60)), as_windows(fake, planted(texture(60)))]
    corpus = corpus_of(more, tmp_path)
    fresh, seen = evaluate_detector(load_detector(built[1]), corpus, more, train_only=["mannequin*"])
    assert {row["subject"] for row in fresh.rows} == {"stranger"}
    assert seen is not None
    assert "stranger" not in {row["subject"] for row in seen.rows}
    assert "SEEN IN TRAINING" in seen.protocol


def test_a_corpus_of_seen_people_only_is_refused(
    built: tuple[Corpus, Path], windows: list[ClipWindows]
) -> None:
    with pytest.raises(DetectorError, match="trained on everybody"):
        evaluate_detector(load_detector(built[1]), built[0], windows, train_only=["mannequin*"])


def test_a_clip_that_shows_nobody_is_listed_as_not_judged(windows: list[ClipWindows]) -> None:
    empty = ClipWindows(
        make_clip("empty.mp4", "person-2", fake=False),
        np.zeros((0, 2, 64, 64, 3), np.uint8),
        np.zeros(0, np.int64),
        (),
    )
    evaluation = evaluate_crossfit(
        crossfit([*windows, empty], replace(RECIPE, training=TrainConfig(steps=1, batch=2)))
    )
    (row,) = [row for row in evaluation.rows if row["clip"] == "empty.mp4"]
    assert (row["verdict"], row["probability"], row["score"]) == ("not judged", None, None)
    assert evaluation.tables()
    json.dumps(evaluation.to_dict(), allow_nan=False)
