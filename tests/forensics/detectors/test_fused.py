"""Fused detectors, of members that are small and quick."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textures import make_clip, planted_corpus

from dataset.errors import DetectorError
from forensics.crossfit import crossfit
from forensics.detectors import create, load_detector
from forensics.detectors.fused import FusedConfig, FusedDetector
from forensics.recipe import ClipScore, Recipe
from forensics.settings import parse_settings
from forensics.train import TrainConfig
from forensics.views import ViewConfig

CONFIG = FusedConfig(
    window=48,
    members=("patch", "temporal"),
    settings={"patch": {"ndf": 4}, "temporal": {"parts": ("torso",), "variants": 1, "hidden": 0}},
    folds=2,
)
QUICK = TrainConfig(steps=3, batch=4, precision="float32")


def scores_of(quality: float, seed: int, people: int = 20) -> list[ClipScore]:
    """Scores of a detector: the label times `quality`, and noise."""
    random = np.random.default_rng(seed)
    found = []
    for person in range(people):
        for fake in (False, True):
            clip = make_clip(f"{person}-{fake}.mp4", f"p{person}", fake)
            score = quality * (2 * fake - 1) + float(random.normal())
            found.append(ClipScore(clip, 0, score, (score,), None))
    return found


def fused(*members: str) -> FusedDetector:
    detector = create("fused", members=members)
    assert isinstance(detector, FusedDetector)
    return detector


def test_a_member_weighs_by_how_well_it_tells_and_never_less_than_nothing() -> None:
    detector = fused("patch", "temporal", "posemotion")
    detector.weigh({"patch": scores_of(2, 1), "temporal": scores_of(0.5, 2), "posemotion": scores_of(-1, 3)})
    patch, temporal, posemotion = detector.weights
    assert patch > temporal > posemotion == 0


def test_each_member_tells_what_it_would_say_alone_and_keeps_it_when_saved(tmp_path: Path) -> None:
    windows = planted_corpus(subjects=4)
    detector = crossfit(
        windows, Recipe(CONFIG, QUICK, ViewConfig(window=48), folds=2), tmp_path, everybody=True
    ).everybody
    assert isinstance(detector, FusedDetector)
    detector.weigh({"patch": scores_of(3, 1), "temporal": scores_of(3, 2)})
    evidence = windows[0].evidence(48)
    told = detector.judge(evidence).opinions
    assert set(told) == {"patch", "temporal"}
    for name, value in told.items():
        assert 0 <= value <= 1
        score = detector.members[name].judge(evidence).score
        assert score is not None
        column = list(detector.members).index(name)
        odds = detector.slopes[column] * score + detector.intercepts[column]
        assert value == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-6)
    detector.save(tmp_path / "kept")
    assert load_detector(tmp_path / "kept").judge(evidence).opinions == pytest.approx(told)


def test_a_member_that_cannot_judge_a_clip_takes_no_side() -> None:
    detector = fused("patch", "temporal")
    partly = [replace(s, score=None) if row % 3 == 0 else s for row, s in enumerate(scores_of(1.5, 2))]
    detector.weigh({"patch": scores_of(1.5, 1), "temporal": partly})
    level = float(detector.centre[0] + detector.spread[0])
    alone = detector._together([np.array([level, np.nan]), np.array([np.nan, np.nan])])
    assert alone[0] == pytest.approx(detector.weights[0] + detector.bias)
    assert np.isnan(alone[1])


def test_scores_of_one_label_weigh_nothing() -> None:
    real = [score for score in scores_of(1, 1) if not score.fake]
    with pytest.raises(DetectorError, match="one label"):
        fused("patch", "temporal").weigh({"patch": real, "temporal": real})


@pytest.mark.parametrize("members", [(), ("patch", "patch"), ("patch", "fused")])
def test_what_cannot_be_fused_is_refused(members: tuple[str, ...]) -> None:
    with pytest.raises(DetectorError, match="cannot be fused"):
        create("fused", members=members)


def test_members_of_a_cross_fit_are_trained_once_a_group_and_weighed_without_it(tmp_path: Path) -> None:
    windows = planted_corpus(subjects=3)
    recipe = Recipe(CONFIG, QUICK, ViewConfig(window=48), folds=3)
    result = crossfit(windows, recipe, tmp_path, everybody=True)
    assert sorted(path.name for path in (tmp_path / "members").iterdir()) == ["patch", "temporal"]
    assert len(result.scores) == 6
    assert isinstance(result.everybody, FusedDetector)
    for number in range(3):
        kept = load_detector(tmp_path / f"fold-{number}")
        alone = load_detector(tmp_path / "members" / "patch" / f"fold-{number}")
        assert isinstance(kept, FusedDetector)
        own = kept.members["patch"].tensors()
        assert all(value.equal(own[name]) for name, value in alone.tensors().items())
        (of_group,) = [s for s in result.scores if s.fold == number and s.fake]
        (shown,) = [item for item in windows if item.clip.path == of_group.clip.path]
        assert kept.judge(shown.evidence(48)).score == pytest.approx(of_group.score)


def test_one_trained_by_itself_is_stored_whole(tmp_path: Path) -> None:
    windows = planted_corpus(subjects=2)
    detector = FusedDetector(CONFIG)
    notes: list[int] = []
    detector.fit(windows, QUICK, lambda done, total, note: notes.append(done))
    detector.save(tmp_path)
    again = load_detector(tmp_path)
    shown = windows[0].evidence(48)
    one, other = detector.judge(shown), again.judge(shown)
    assert np.array_equal(one.pairs, other.pairs)
    assert one.distance == other.distance
    assert notes == sorted(notes)
    assert notes[-1] == QUICK.steps


def test_settings_of_members_are_words_like_all_others() -> None:
    words = ["members=patch,temporal", "patch.ndf=8", "patch.training.steps=30", "training.average=0.9"]
    config, training = parse_settings("fused", words, TrainConfig())
    assert config.members == ("patch", "temporal")
    assert config.member("patch").ndf == 8
    assert config.training("patch", training).steps == 30
    assert config.training("temporal", training).steps == TrainConfig().steps
    assert training.average == 0.9


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ndf"], "write key=value"),
        (["nfd=3"], "did you mean ndf"),
        (["ndf=many"], "ndf=many cannot be"),
        (["training.stesp=3"], "did you mean steps"),
        (["temporal.hidden=3"], "has no setting 'temporal.hidden'"),
    ],
)
def test_a_word_that_is_no_setting_is_told(words: list[str], told: str) -> None:
    with pytest.raises(DetectorError, match=told):
        parse_settings("patch", words, TrainConfig())
