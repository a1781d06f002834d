from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from dataset.errors import DetectorError
from forensics.calibrate import Calibration
from forensics.curves import fit_logistic
from forensics.thresholds import CONFORMAL


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


def drawn(seed: int, people: int, clips: int = 8, shift: float = 1.5) -> tuple[list, list, list]:
    """Scores, labels and subjects of people whose videos are alike."""
    random = np.random.default_rng(seed)
    own = random.normal(0, 0.5, people)
    scores, fake, subjects = [], [], []
    for person in range(people):
        for clip in range(clips):
            label = clip % 2 == 0
            scores.append(float(own[person] + random.normal(shift if label else -shift, 0.7)))
            fake.append(label)
            subjects.append(f"p{person:03}")
    return scores, fake, subjects


@pytest.mark.parametrize("curve", ["logistic", "isotonic"])
def test_likelihood_ratio_probability_and_interval_agree_and_rise_with_the_score(curve: str) -> None:
    calibration = Calibration.fit(*drawn(0, 12), [], method="test", curve=curve)
    before = -np.inf
    for score in np.linspace(-6, 6, 61):
        lr = calibration.log10_lr(float(score))
        assert lr >= before
        before = lr
        assert calibration.probability(float(score)) == pytest.approx(1 / (1 + 10**-lr))
        low, high = calibration.interval(float(score)) or (np.nan, np.nan)
        assert low <= lr <= high


@pytest.mark.parametrize("curve", ["logistic", "isotonic"])
def test_no_likelihood_ratio_is_larger_than_so_many_videos_support(curve: str) -> None:
    calibration = Calibration.fit(*drawn(0, 12, shift=5), [], method="test", curve=curve)
    assert calibration.log10_lr(1e9) <= np.log10(48 + 1) + 1e-9
    assert calibration.log10_lr(-1e9) >= -np.log10(48 + 1) - 1e-9
    assert calibration.log10_lr(1e9) > 1


def test_isotonic_curve_agrees_with_that_of_scikit_learn_inside_the_scores() -> None:
    scores, fake, subjects = drawn(1, 40, shift=0.5)
    calibration = Calibration.fit(scores, fake, subjects, [], method="test", curve="isotonic")
    reference = IsotonicRegression(out_of_bounds="clip").fit(scores, fake)
    middle = np.quantile(scores, np.linspace(0.2, 0.8, 20))
    ours = [calibration.probability(float(score)) for score in middle]
    assert np.abs(np.array(ours) - reference.predict(middle)).max() < 0.05


def test_a_calibration_survives_json(calibration: Calibration) -> None:
    fitted = Calibration.fit(*drawn(0, 6), [], method="test", curve="isotonic", hashes=["0"] * 48)
    assert Calibration(**json.loads(json.dumps(asdict(fitted)))) == fitted
    assert fitted.names == tuple(f"p{number:03}" for number in range(6))
    assert Calibration(**json.loads(json.dumps(asdict(calibration)))) == calibration


def test_the_calibration_that_ships_loads_and_judges_as_it_says() -> None:
    from forensics.detectors.registry import DEFAULT_FOLDER

    told = json.loads((DEFAULT_FOLDER / "detector.json").read_text())["calibration"]
    shipped = Calibration(**told)
    assert shipped.verdict(100.0) == "fake"
    assert shipped.verdict(-100.0) == "real"


def test_one_percent_of_new_peoples_real_videos_are_called_fake_at_most() -> None:
    called = judged = 0
    for seed in range(10):
        scores, fake, subjects = drawn(seed, 150, clips=4)
        calibration = Calibration.fit(scores[:400], fake[:400], subjects[:400], [], method="test")
        assert calibration.fake_by == CONFORMAL
        fresh = [score for score, label in zip(scores[400:], fake[400:], strict=True) if not label]
        called += sum(calibration.verdict(score) == "fake" for score in fresh)
        judged += len(fresh)
    assert judged == 1000
    assert called / judged <= 0.01


def test_the_hash_names_the_calibration_set_whatever_its_order() -> None:
    scores, fake, subjects = drawn(0, 4)
    hashes = [f"{number:02}" for number in range(len(scores))]

    def name(order: list[int]) -> str:
        columns = [[column[index] for index in order] for column in (scores, fake, subjects)]
        own = [hashes[index] for index in order]
        return Calibration.fit(*columns, [], method="test", hashes=own).data_sha256

    there = list(range(len(scores)))
    assert name(there) == name(there[::-1]) != name(there[1:])
