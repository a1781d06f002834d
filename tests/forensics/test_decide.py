from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forensics.calibrate import Calibration
from forensics.decide import Limits, ScoreFacts, Why, bits_per_pixel, decide, verbal


@pytest.fixture(scope="module")
def fitted() -> Calibration:
    """Of 12 people, well but not fully separated."""
    random = np.random.default_rng(0)
    fake = np.arange(96) % 2 == 0
    scores = random.normal(np.where(fake, 2.0, -2.0), 1.0)
    people = [f"p{index // 8}" for index in range(96)]
    distances = random.normal(1.0, 0.05, 96)
    return Calibration.fit(scores.tolist(), fake.tolist(), people, distances.tolist(), method="test")


def facts(score: float | None, **more: object) -> ScoreFacts:
    return replace(ScoreFacts(score, pairs=20, height=300.0, distance=1.0), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("score", "verdict"), [(8.0, "fake"), (-8.0, "real"), (0.0, "inconclusive")])
def test_far_scores_get_a_verdict_and_near_ones_none(fitted: Calibration, score: float, verdict: str) -> None:
    decision = decide(facts(score), fitted)
    assert decision.verdict == verdict
    assert decision.log10_lr is not None
    assert decision.interval is not None
    assert decision.interval[0] <= decision.log10_lr <= decision.interval[1]
    assert decision.probability == pytest.approx(1 / (1 + 10**-decision.log10_lr))
    assert decision.reasons[0].why == (Why.STRADDLES if score == 0 else Why.BEYOND)


def test_no_verdict_stands_where_the_interval_holds_its_threshold(fitted: Calibration) -> None:
    for score in np.linspace(-10, 10, 401):
        decision = decide(facts(float(score)), fitted)
        low, high = (1 / (1 + 10**-end) for end in decision.interval or (0, 0))
        if low < fitted.fake_from <= high:
            assert decision.verdict != "fake"
        if low <= fitted.real_to < high:
            assert decision.verdict != "real"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"distance": 9.0}, Why.UNFAMILIAR),
        ({"height": 60.0}, Why.TOO_SMALL),
        ({"pairs": 2}, Why.TOO_SHORT),
        ({"bits": 0.001}, Why.TOO_COMPRESSED),
    ],
)
def test_nothing_is_stated_far_outside_what_was_calibrated(
    fitted: Calibration, more: dict[str, float], why: Why
) -> None:
    decision = decide(facts(8.0, **more), replace(fitted, least_bits=0.01))
    assert (decision.verdict, decision.probability, decision.log10_lr) == ("inconclusive", None, None)
    assert [reason.why for reason in decision.reasons] == [why]


def test_every_doubt_is_told(fitted: Calibration) -> None:
    decision = decide(ScoreFacts(8.0, pairs=20, height=60.0, distance=9.0), fitted)
    assert {reason.why for reason in decision.reasons} == {Why.TOO_SMALL, Why.UNFAMILIAR}


def test_detectors_that_disagree_keep_the_figures_but_not_the_verdict(fitted: Calibration) -> None:
    decision = decide(facts(8.0, opinions={"patch": 0.97, "motion": 0.05}), fitted)
    assert decision.verdict == "inconclusive"
    assert decision.probability is not None
    assert "patch gives a probability of 0.970, motion of 0.050" in decision.reasons[0].text
    agreeing = decide(facts(8.0, opinions={"patch": 0.97, "motion": 0.6}), fitted)
    assert agreeing.verdict == "fake"


def test_without_calibration_or_score_nothing_is_stated(fitted: Calibration) -> None:
    assert decide(facts(8.0), None).reasons[0].why == Why.UNCALIBRATED
    decision = decide(ScoreFacts(None, pairs=0), fitted)
    assert (decision.probability, decision.reasons[0].why) == (None, Why.TOO_SHORT)


def test_limits_can_be_raised(fitted: Calibration) -> None:
    assert decide(facts(8.0), fitted, Limits(height=400)).reasons[0].why == Why.TOO_SMALL


def test_a_calibration_of_an_earlier_version_decides_as_it_did(calibration: Calibration) -> None:
    assert decide(facts(2.5), calibration).verdict == "fake"
    assert decide(facts(2.0), calibration).verdict == "inconclusive"
    assert decide(facts(-1.5), calibration).verdict == "real"
    assert decide(facts(2.5), calibration).interval is None


def test_strength_in_words_turns_with_the_sign() -> None:
    assert verbal(1.5).startswith(
        "moderate support for the proposition that the person's appearance was synth"
    )
    assert verbal(-1.5).startswith("moderate support for the proposition that the person was filmed")
    assert "neither" in verbal(0.1)


def test_bits_per_pixel() -> None:
    assert bits_per_pixel(1000, 10, 10, 8) == 10.0
    assert bits_per_pixel(1000, 0, 10, 8) is None


def test_detectors_that_agree_are_named_with_what_each_says_alone(calibration: Calibration) -> None:
    opinions = {"pair": 0.91, "surroundings": 0.98}
    told = decide(ScoreFacts(score=4.0, pairs=20, opinions=opinions), calibration)
    assert told.verdict == "fake"
    assert [reason.why for reason in told.reasons] == [Why.BEYOND, Why.OPINIONS]
    assert told.reasons[1].text == "each detector alone: pair 0.910, surroundings 0.980"
    apart = decide(ScoreFacts(score=4.0, pairs=20, opinions={"pair": 0.1, "surroundings": 0.98}), calibration)
    assert apart.verdict == "inconclusive"
    assert [reason.why for reason in apart.reasons] == [Why.DISAGREE]


def test_nothing_is_called_fake_against_one_of_several_detectors(calibration: Calibration) -> None:
    for leaning, verdict, why in ((0.4, "inconclusive", Why.DISAGREE), (0.6, "fake", Why.BEYOND)):
        opinions = {"surroundings": 0.98, "pair": leaning}
        found = decide(ScoreFacts(score=4.0, pairs=20, opinions=opinions), calibration)
        assert found.verdict == verdict
        assert found.reasons[0].why == why
