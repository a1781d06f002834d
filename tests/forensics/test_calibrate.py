from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dataset.errors import DetectorError
from forensics.calibrate import Calibration, fit_logistic


def fitted(real: list[float], fake: list[float], people: int, **more: float) -> Calibration:
    scores = real + fake
    labels = [False] * len(real) + [True] * len(fake)
    subjects = [f"p{index % people}" for index in range(len(scores))]
    return Calibration.fit(scores, labels, subjects, [1.0 + 0.01 * s for s in scores], method="test", **more)


def test_curve_agrees_with_logistic_regression_on_overlapping_scores() -> None:
    random = np.random.default_rng(0)
    fake = np.arange(2000) % 2 == 0
    scores = random.normal(fake * 1.5 + 3, 1.0)
    slope, intercept = fit_logistic(scores, fake)
    reference = LogisticRegression(C=1e6).fit(scores[:, None], fake)
    assert slope == pytest.approx(reference.coef_[0, 0], rel=0.02)
    assert intercept == pytest.approx(reference.intercept_[0], rel=0.02)


def test_probability_stays_below_one_on_separated_scores() -> None:
    calibration = fitted([-3, -2, -2.5, -4], [2, 3, 2.5, 4], people=4)
    assert 0.8 < calibration.probability(4) < 0.999
    assert calibration.probability(-4) == pytest.approx(1 - calibration.probability(4), abs=0.05)


def test_useless_scores_give_even_odds_and_no_verdict() -> None:
    calibration = fitted([3, 2, 1, 4], [2, 1, 0, 3], people=4)
    assert calibration.probability(100) == 0.5
    assert calibration.verdict(100) == "inconclusive"


def test_few_people_make_the_verdict_fake_harder() -> None:
    real, fake = [-3.0, -2, -1, -3, -2, -1], [2.0, 3, 4, 2, 3, 4]
    few, more = fitted(real, fake, people=2).fake_score, fitted(real, fake, people=6).fake_score
    assert few is not None
    assert more is not None
    assert few > more


def test_no_calibration_clip_that_is_real_is_called_fake() -> None:
    real, fake = [-3.0, -2, 5, -3, -2, -1], [2.0, 3, 4, 2, 3, 9]
    calibration = fitted(real, fake, people=6)
    assert all(calibration.verdict(score - 1e-9) != "fake" for score in real)


def test_one_person_or_one_label_is_refused() -> None:
    with pytest.raises(DetectorError, match="cannot calibrate on 1 people"):
        fitted([0, 1], [2, 3], people=1)
    with pytest.raises(DetectorError, match="0 fake"):
        fitted([0, 1], [], people=2)


def test_a_calibration_that_is_not_a_number_is_refused(calibration: Calibration) -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match="slope"):
        replace(calibration, slope=float("nan"))
