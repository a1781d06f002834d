"""From what is known about one person in one video to a verdict, with a reason for every doubt.

One pure function: `decide`. A result is a likelihood ratio under two stated propositions (`PROPOSITIONS`), as forensic
reporting asks for (ENFSI, *Guideline for Evaluative Reporting in Forensic Science*, 2015), and "inconclusive" is a
result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from forensics.calibrate import EVEN, FAKE, INCONCLUSIVE, REAL, Calibration
from forensics.curves import probability_of

#: What the likelihood ratio weighs against each other.
PROPOSITIONS = (
    "the person's appearance was synthesised by motion transfer",
    "the person was filmed",
)


class Why(StrEnum):
    """Kinds of reasons. Each but the first and the last makes a verdict inconclusive."""

    BEYOND = "beyond the threshold"  # what a verdict "fake" or "real" rests on
    STRADDLES = "straddles"  # the interval holds a threshold, or lies between the two
    UNFAMILIAR = "unlike training data"
    TOO_SMALL = "too small"
    TOO_COMPRESSED = "too compressed"
    TOO_SHORT = "too short"
    DISAGREE = "detectors disagree"
    UNCALIBRATED = "not calibrated"
    OPINIONS = (
        "each detector"  # what the detectors that a score is made from say alone; no doubt, but worth knowing
    )


#: Part of the least that was calibrated on (height, frame pairs, bits a pixel) down to which a video is still judged.
_LEEWAY = 0.5
#: Nothing is stated under these: the calibration says nothing about such a video.
_MUTE = (Why.UNFAMILIAR, Why.TOO_SMALL, Why.TOO_COMPRESSED, Why.TOO_SHORT, Why.UNCALIBRATED)


@dataclass(frozen=True)
class Reason:
    """Why a decision is what it is.

    Attributes:
        why: the kind.
        text: in words, with the numbers.
    """

    why: Why
    text: str


@dataclass(frozen=True)
class Limits:
    """Below which nothing is judged, whatever the calibration allows."""

    pairs: int = 3  # fewest frame pairs of a person
    height: float = 96.0  # visible height of a person, pixels
    disagreement: float = 0.8  # difference between the probabilities that two detectors give


@dataclass(frozen=True)
class ScoreFacts:
    """What is known about one person in one video.

    Attributes:
        score: mean logit over the frame pairs; None where none could be judged.
        pairs: frame pairs that were judged.
        height: median visible height, pixels; None if it was not measured.
        distance: from the training data, 1 is usual; None if the detector has no such notion.
        bits: bits a pixel of the video stream, see `bits_per_pixel`; None if unknown.
        opinions: detector → its own calibrated probability, where the score is made from several.
    """

    score: float | None
    pairs: int
    height: float | None = None
    distance: float | None = None
    bits: float | None = None
    opinions: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Decision:
    """A verdict and what it rests on.

    Attributes:
        verdict: "fake", "real" or "inconclusive".
        probability: of a fake at even prior odds; None where nothing can be stated.
        log10_lr: base-10 logarithm of the likelihood ratio of `PROPOSITIONS`; None as above.
        interval: 95 % interval of `log10_lr`, had other people been calibrated on; None as above, and for calibrations
            of earlier versions.
        reasons: at least one, the weightiest first.
    """

    verdict: str
    probability: float | None
    log10_lr: float | None
    interval: tuple[float, float] | None
    reasons: tuple[Reason, ...]


def decide(facts: ScoreFacts, calibration: Calibration | None, limits: Limits | None = None) -> Decision:
    """Weigh everything that is known.

    >>> decide(ScoreFacts(score=4.1, pairs=20, height=400.0), detector.calibration).verdict
    'fake'

    Args:
        facts: about one person in one video.
        calibration: of the detector that made the score; None: it has none, and nothing is stated.
        limits: the least that is judged at all.
    """
    limits = limits or Limits()
    doubts = _doubts(facts, calibration, limits)
    if calibration is None or facts.score is None or any(doubt.why in _MUTE for doubt in doubts):
        return Decision(INCONCLUSIVE, None, None, None, tuple(doubts))
    probability, log10_lr = calibration.probability(facts.score), calibration.log10_lr(facts.score)
    interval = calibration.interval(facts.score)
    verdict = calibration.verdict(facts.score)
    if verdict == INCONCLUSIVE:
        doubts.append(Reason(Why.STRADDLES, _straddling(calibration, facts.score)))
    elif verdict == FAKE and (against := _against(facts.opinions)):
        doubts += [] if any(doubt.why is Why.DISAGREE for doubt in doubts) else [against]
    reasons = doubts or [Reason(Why.BEYOND, _beyond(calibration, facts.score))]
    if len(facts.opinions) > 1 and all(reason.why != Why.DISAGREE for reason in reasons):
        alone = ", ".join(f"{name} {probability:.3f}" for name, probability in facts.opinions.items())
        reasons.append(Reason(Why.OPINIONS, f"each detector alone: {alone}"))
    return Decision(INCONCLUSIVE if doubts else verdict, probability, log10_lr, interval, tuple(reasons))


def _against(opinions: Mapping[str, float]) -> Reason | None:
    """No "fake" against a detector of several that by itself leans to "real": one alone is misled more easily, as by a
    still picture behind a person who was filmed."""
    if len(opinions) < 2 or min(opinions.values()) >= EVEN:
        return None
    told = ", ".join(f"{name} {probability:.3f}" for name, probability in opinions.items())
    return Reason(Why.DISAGREE, f"the detectors disagree on whether it is a fake; each alone: {told}")


def _doubts(facts: ScoreFacts, calibration: Calibration | None, limits: Limits) -> list[Reason]:
    doubts = []
    height, pairs = limits.height, limits.pairs
    if calibration is not None:
        pairs = max(pairs, math.ceil(_LEEWAY * calibration.least_pairs))
    if facts.height is not None and facts.height < height:
        doubts.append(
            Reason(
                Why.TOO_SMALL,
                f"too small: {facts.height:.0f} pixels high, at least {height:.0f} are needed to judge",
            )
        )
    elif facts.score is None or facts.pairs < pairs:
        doubts.append(
            Reason(
                Why.TOO_SHORT,
                f"seen large enough in {facts.pairs} frame pair(s) only, at least {pairs} are needed",
            )
        )
    if calibration is None:
        doubts.append(Reason(Why.UNCALIBRATED, "the detector is not calibrated: train it on more people"))
        return doubts
    if facts.bits is not None and facts.bits < _LEEWAY * calibration.least_bits:
        doubts.append(
            Reason(
                Why.TOO_COMPRESSED,
                f"too compressed: {facts.bits:.4f} bits a pixel, the error rates are known from "
                f"{calibration.least_bits:.4f} on and taken to hold down to half of that",
            )
        )
    if facts.distance is not None and facts.distance >= calibration.unfamiliar_from:
        doubts.append(
            Reason(
                Why.UNFAMILIAR,
                f"unlike anything in training: distance {facts.distance:.2f}, "
                f"at most {calibration.unfamiliar_from:.2f} is judged",
            )
        )
    if len(facts.opinions) > 1:
        least, most = (pick(facts.opinions, key=lambda name: facts.opinions[name]) for pick in (min, max))
        if facts.opinions[most] - facts.opinions[least] >= limits.disagreement:
            doubts.append(
                Reason(
                    Why.DISAGREE,
                    f"the detectors disagree: {most} gives a probability of {facts.opinions[most]:.3f}, "
                    f"{least} of {facts.opinions[least]:.3f}",
                )
            )
    return doubts


def bits_per_pixel(size_bytes: int, width: int, height: int, frames: float) -> float | None:
    """Bits of a file for each pixel of each of its frames; None where there is no picture."""
    pixels = width * height * frames
    return 8 * size_bytes / pixels if pixels > 0 else None


def verbal(log10_lr: float) -> str:
    """The strength of evidence in words, after the scale of the ENFSI guideline of 2015."""
    strength = abs(log10_lr)
    scale = ((0.3, "no"), (1, "weak"), (2, "moderate"), (3, "moderately strong"), (4, "strong"))
    word = next((word for end, word in scale if strength < end), "very strong")
    if word == "no":
        return "the findings support neither proposition over the other"
    first, second = PROPOSITIONS if log10_lr > 0 else PROPOSITIONS[::-1]
    return f"{word} support for the proposition that {first} rather than that {second}"


def _stated(calibration: Calibration, score: float) -> str:
    interval = calibration.interval(score)
    probability = f"probability {calibration.probability(score):.3f}"
    if interval is None:
        return probability
    low, high = probability_of(interval)
    return f"{probability} (95 % interval {low:.3f} to {high:.3f})"


def _beyond(calibration: Calibration, score: float) -> str:
    verdict, stated = calibration.verdict(score), _stated(calibration, score)
    if verdict == FAKE:
        return f"looks like motion transfer: {stated}, from {calibration.fake_from:.3f} on called fake"
    assert verdict == REAL
    return (
        f"no sign of the motion transfer it was trained on: {stated}, up to {calibration.real_to:.3f} called real; "
        "other kinds of synthesis are not looked for"
    )


def _straddling(calibration: Calibration, score: float) -> str:
    asked = f"called real up to {calibration.real_to:.3f} and fake from {calibration.fake_from:.3f}"
    if calibration.interval(score) is not None:
        asked += " on, which the whole interval has to lie beyond"
    return f"between the thresholds: {_stated(calibration, score)}, {asked}"
