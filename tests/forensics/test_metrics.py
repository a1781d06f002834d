from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics as reference
from sklearn.isotonic import IsotonicRegression

from forensics.metrics import (
    accuracy,
    auc,
    auc_within,
    cllr,
    ece,
    eer,
    log_loss,
    min_cllr,
    reliability,
    roc,
    tpr_at_1,
    with_intervals,
)


def some(seed: int, decimals: int = 8, count: int = 120, shift: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    fake = random.random(count) < 0.6
    return np.round(random.normal(fake * shift - 0.5, 1.0), decimals), fake


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("decimals", [1, 8])
def test_roc_and_auc_are_those_of_scikit_learn_also_with_ties_and_weights(seed: int, decimals: int) -> None:
    scores, fake = some(seed, decimals)
    weight = np.random.default_rng(seed).integers(0, 4, len(scores)).astype(float)
    for times in (None, weight):
        assert auc(scores, fake, times) == pytest.approx(
            reference.roc_auc_score(fake, scores, sample_weight=times)
        )
        alarms, hits = roc(scores, fake, times)
        expected = reference.roc_curve(fake, scores, sample_weight=times, drop_intermediate=True)
        grid = np.unique(expected[0])
        for share in grid:
            assert hits[alarms <= share + 1e-12].max() == pytest.approx(
                expected[1][expected[0] <= share + 1e-12].max()
            )


@pytest.mark.parametrize("seed", range(4))
def test_eer_lies_on_the_roc_curve_of_scikit_learn(seed: int) -> None:
    scores, fake = some(seed, count=200)
    false_alarms, hits, _ = reference.roc_curve(fake, scores, drop_intermediate=False)
    grid = np.linspace(0, 1, 20001)
    expected = grid[np.argmin(np.abs(np.interp(grid, false_alarms, hits) - (1 - grid)))]
    assert eer(scores, fake) == pytest.approx(expected, abs=0.011)


def test_eer_by_hand() -> None:
    fake = np.array([False, False, True, True])
    assert eer(np.array([0.0, 1, 2, 3]), fake) == 0
    assert eer(np.array([3.0, 2, 1, 0]), fake) == 1
    # One of four real ones above one of four fakes: a threshold between them errs once on either side.
    scores = np.array([0.0, 1, 2, 5, 4, 6, 7, 8])
    assert eer(scores, np.arange(8) > 3) == 0.25


def test_tpr_at_one_percent_by_hand() -> None:
    scores = np.concatenate([np.arange(100.0), [98.5, 97.5, 200.0, 50.0]])
    fake = np.arange(104) >= 100
    # One of a hundred real ones, the 99, may lie above the threshold.
    assert tpr_at_1(scores, fake) == 0.5
    assert tpr_at_1(scores[1:], fake[1:]) == 0.25  # of 99 none may


def test_accuracy_takes_zero_for_real() -> None:
    assert accuracy(np.array([-1.0, 0.0, 0.1, 5.0]), np.array([False, False, True, False])) == 0.75


@pytest.mark.parametrize("seed", range(3))
def test_log_loss_is_that_of_scikit_learn_with_balanced_labels(seed: int) -> None:
    scores, fake = some(seed)
    p = 1 / (1 + np.exp(-scores))
    share = np.where(fake, 0.5 / fake.sum(), 0.5 / (~fake).sum())
    assert log_loss(scores, fake) == pytest.approx(reference.log_loss(fake, p, sample_weight=share))


def test_cllr_by_hand() -> None:
    # LR of fakes 4 and 1, of a real one 1/2: ½ · mean(log2(1 + 1/4), log2(1 + 1)) + ½ · log2(1 + 1/2).
    scores = np.log([4.0, 1.0, 0.5])
    fake = np.array([True, True, False])
    expected = 0.5 * (math.log2(1.25) + 1) / 2 + 0.5 * math.log2(1.5)
    assert cllr(scores, fake) == pytest.approx(expected)
    assert cllr(np.zeros(3), fake) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(3))
def test_least_cllr_is_that_after_isotonic_regression(seed: int) -> None:
    scores, fake = some(seed, decimals=1)
    share = np.where(fake, 0.5 / fake.sum(), 0.5 / (~fake).sum())
    curve = IsotonicRegression(y_min=0, y_max=1).fit(scores, fake, sample_weight=share)
    p = np.clip(curve.predict(scores), 1e-12, 1 - 1e-12)
    assert min_cllr(scores, fake) == pytest.approx(cllr(np.log(p / (1 - p)), fake), abs=1e-9)
    assert min_cllr(scores, fake) <= cllr(scores, fake)
    assert min_cllr(np.exp(scores), fake) == pytest.approx(min_cllr(scores, fake))


def test_least_cllr_of_separated_and_of_inverted_scores() -> None:
    fake = np.array([False, False, True, True])
    assert min_cllr(np.array([-9.0, 1, 2, 3]), fake) == 0
    assert min_cllr(np.array([3.0, 2, 1, 0]), fake) == pytest.approx(1)


def test_ece_by_hand() -> None:
    # Two bins: 0.2 is said and 1 of 2 is a fake; 0.9 is said and 1 of 2 is.
    p = np.array([0.2, 0.2, 0.9, 0.9])
    scores, fake = np.log(p / (1 - p)), np.array([True, False, True, False])
    assert ece(scores, fake) == pytest.approx(0.5 * 0.3 + 0.5 * 0.4)
    said, so, part = reliability(scores, fake)
    assert said[[2, 9]] == pytest.approx([0.2, 0.9])
    assert so[[2, 9]] == pytest.approx([0.5, 0.5])
    assert part.sum() == pytest.approx(1)
    assert np.isnan(said[5])


def test_ece_of_a_true_model_goes_to_zero_and_that_of_an_overconfident_one_does_not() -> None:
    random = np.random.default_rng(0)
    fake = np.arange(40000) % 2 == 0
    scores = random.normal(np.where(fake, 1.0, -1.0), np.sqrt(2.0))  # log-LR of N(±1, 2) is the value itself
    assert ece(scores, fake) < 0.01
    assert ece(4 * scores, fake) > 0.1


def test_a_weight_of_two_is_a_second_copy() -> None:
    scores, fake = some(7, count=30)
    weight = np.where(np.arange(30) % 3 == 0, 2.0, 1.0)
    twice = np.concatenate([scores, scores[::3]]), np.concatenate([fake, fake[::3]])
    for figure in (accuracy, auc, eer, tpr_at_1, log_loss, ece, cllr, min_cllr):
        assert figure(scores, fake, weight) == pytest.approx(figure(*twice)), figure.__name__


def test_interval_over_subjects_is_wider_than_over_clips() -> None:
    random = np.random.default_rng(1)
    ease = random.normal(1.0, 1.5, 8)
    scores, fake, subjects = [], [], []
    for person, shift in enumerate(ease):
        for clip in range(20):
            label = clip % 2 == 0
            scores.append(float(random.normal(shift if label else 0.0, 0.5)))
            fake.append(label)
            subjects.append(f"p{person}")
    clustered = with_intervals(scores, fake, subjects, draws=200)["auc"]
    single = with_intervals(scores, fake, [str(i) for i in range(len(scores))], draws=200)["auc"]
    assert clustered["high"] - clustered["low"] > 1.3 * (single["high"] - single["low"])
    assert clustered["low"] <= clustered["value"] <= clustered["high"]


def test_no_figures_where_one_label_is_missing() -> None:
    assert with_intervals([0.1, 0.2], [True, True], ["a", "b"]) == {}


def test_auc_within_detectors_never_compares_the_scores_of_two() -> None:
    fake = np.array([False, True, False, True, True])
    scores = np.array([0.0, 1.0, 5.0, 6.0, 4.0])
    detector = np.array([0, 0, 1, 1, 2])  # the last has a fake alone, which counts for nothing
    assert auc(scores, fake) < 0.7
    assert auc_within(scores, fake, detector) == 1
    assert auc_within(-scores, fake, detector) == 0
    assert np.isnan(auc_within(scores, np.ones(5, bool), detector))
    told = with_intervals(scores, fake, ["a", "a", "b", "b", "c"], detectors=detector.tolist(), draws=50)
    assert told["auc_within"]["value"] == 1
    assert "auc_within" not in with_intervals(scores, fake, list("aabbc"), detectors=[3] * 5, draws=50)
