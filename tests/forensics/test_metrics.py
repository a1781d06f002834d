from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from forensics.metrics import accuracy, auc, eer, with_intervals


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decimals", [1, 8])
def test_auc_is_that_of_scikit_learn_also_with_ties(seed: int, decimals: int) -> None:
    random = np.random.default_rng(seed)
    fake = random.random(60) < 0.4
    scores = np.round(random.normal(fake * 1.0, 1.0), decimals)
    assert auc(scores, fake) == pytest.approx(roc_auc_score(fake, scores))


@pytest.mark.parametrize("seed", range(5))
def test_eer_lies_on_the_roc_curve_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    fake = random.random(200) < 0.5
    scores = random.normal(fake * 1.5, 1.0)
    false_alarms, hits, _ = roc_curve(fake, scores, drop_intermediate=False)
    grid = np.linspace(0, 1, 20001)
    expected = grid[np.argmin(np.abs(np.interp(grid, false_alarms, hits) - (1 - grid)))]
    assert eer(scores, fake) == pytest.approx(expected, abs=0.011)


def test_eer_of_separated_and_of_inverted_scores() -> None:
    fake = np.array([False, False, True, True])
    assert eer(np.array([0.0, 1, 2, 3]), fake) == 0
    assert eer(np.array([3.0, 2, 1, 0]), fake) == 1


def test_accuracy_takes_zero_for_real() -> None:
    assert accuracy(np.array([-1.0, 0.0, 0.1, 5.0]), np.array([False, False, True, False])) == 0.75


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
    clustered = with_intervals(scores, fake, subjects, draws=300)["auc"]
    single = with_intervals(scores, fake, [str(i) for i in range(len(scores))], draws=300)["auc"]
    assert clustered["high"] - clustered["low"] > 1.3 * (single["high"] - single["low"])
    assert clustered["low"] <= clustered["value"] <= clustered["high"]


def test_no_figures_where_one_label_is_missing() -> None:
    assert with_intervals([0.1, 0.2], [True, True], ["a", "b"]) == {}
