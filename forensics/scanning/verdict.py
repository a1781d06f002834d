"""The verdict on a person, on a stretch of the video and on the video: `forensics.decide` for each, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from forensics.calibrate import FAKE, INCONCLUSIVE, REAL, Calibration
from forensics.decide import Limits, ScoreFacts, decide
from forensics.detectors.base import Scores
from forensics.scanning.look import Person
from forensics.scanning.result import Moment, PersonFinding, Span

#: A person judged in fewer frame pairs than this is not judged.
LEAST_PAIRS = Limits().pairs
#: Beyond any score.
_FAR = 1e4
_ORDER = (FAKE, INCONCLUSIVE, REAL)


@dataclass(frozen=True)
class Judgement:
    """What is said about one person or a whole video; see `forensics.scanning.result.PersonFinding`.

    Attributes:
        facts: that it was decided on.
    """

    verdict: str
    probability: float | None
    log10_lr: float | None
    interval: tuple[float, float] | None
    reasons: tuple[str, ...]
    why: tuple[str, ...] = ()
    score: float | None = None
    facts: ScoreFacts = field(default_factory=lambda: ScoreFacts(None, 0))


def judge_person(
    calibration: Calibration | None,
    scores: Scores,
    person: Person,
    *,
    least_height: float,
    bits: float | None,
) -> Judgement:
    """The verdict on one person by the first look.

    Args:
        calibration: of the detector; without one nothing is judged.
        scores: of every frame pair of the first look.
        person: how large and how often seen.
        least_height: from which on people are judged, pixels.
        bits: bits a pixel of the video; None if unknown.
    """
    judged = scores.pairs[np.isfinite(scores.pairs)]
    facts = ScoreFacts(
        score=float(judged.mean()) if len(judged) else None,
        pairs=len(judged),
        height=float(np.median([sighting.height for sighting in person.sightings])),
        distance=scores.distance,
        bits=bits,
        opinions=scores.opinions,
    )
    found = _decide(facts, calibration, least_height)
    enough = calibration is not None and len(judged) >= LEAST_PAIRS
    return replace(found, score=facts.score if enough else None)


def judge_span(
    judged: Judgement, calibration: Calibration, inside: Sequence[Moment], low: float, high: float
) -> Span | None:
    """Test a suspicious stretch on the pairs that did not raise the suspicion.

    Args:
        judged: the person as a whole; size, compression and the like are taken from there.
        calibration: the thresholds are those of whole videos.
        inside: the pairs of the stretch.
        low, high: the nearest looked-at times outside.

    Returns:
        None where too few pairs are left to test it on.
    """
    fresh = [moment.score for moment in inside if moment.look == 2]
    # A short clip has been looked at whole: nothing fresh is left, so the stretch has to be twice as long to count.
    if len(fresh) < LEAST_PAIRS:
        fresh = [moment.score for moment in inside]
        if len(fresh) < 2 * LEAST_PAIRS:
            return None
    score = float(np.mean(fresh))
    # What each detector says of the whole video says nothing of a part of it.
    facts = replace(judged.facts, score=score, pairs=len(fresh), opinions=MappingProxyType({}))
    found = _decide(facts, calibration, 0.0)
    if found.probability is None or found.log10_lr is None:
        return None
    return Span(
        begin=inside[0].time,
        end=inside[-1].time,
        begins_after=low,
        ends_before=high,
        pairs=len(inside),
        score=score,
        probability=found.probability,
        log10_lr=found.log10_lr,
        interval=found.interval,
        tested_on=len(fresh),
        verdict=found.verdict,
    )


def partly_fake(judged: Judgement, spans: Sequence[Span]) -> Judgement:
    """The verdict on a person with what was found in stretches: it can only become worse by it."""
    fake = [span for span in spans if span.verdict == FAKE]
    if fake:
        return _by_spans(judged, FAKE, "looks like motion transfer in a part of the video only", fake)
    doubtful = [span for span in spans if span.verdict == INCONCLUSIVE]
    if doubtful and judged.verdict == REAL:
        return _by_spans(judged, INCONCLUSIVE, "a part of the video is suspicious", doubtful)
    return judged


def worst(people: Sequence[PersonFinding], pairs: int) -> Judgement:
    """Fake if anybody is; real only if everybody large and long enough to be judged is.

    People too small or too briefly seen do not keep a video from a verdict, they are only counted.
    """
    if not people:
        told = "no person found" if pairs else "fewer than two frames could be decoded"
        return Judgement(INCONCLUSIVE, None, None, None, (told,))
    judged = [person for person in people if person.score is not None]
    if not judged:
        unjudged = tuple(f"person {one.person}: {reason}" for one in people for reason in one.reasons)
        return Judgement(INCONCLUSIVE, None, None, None, unjudged)
    chosen = min(judged, key=lambda person: (_ORDER.index(person.verdict), -(person.probability or 0.0)))
    reasons = [f"person {chosen.person}: {reason}" for reason in chosen.reasons]
    if others := len(people) - len(judged):
        reasons.append(f"{others} of {len(people)} people could not be judged")
    return Judgement(chosen.verdict, chosen.probability, chosen.log10_lr, chosen.interval, tuple(reasons))


def _decide(facts: ScoreFacts, calibration: Calibration | None, least_height: float) -> Judgement:
    found = decide(facts, calibration, Limits(height=least_height))
    return Judgement(
        verdict=found.verdict,
        probability=found.probability,
        log10_lr=found.log10_lr,
        interval=found.interval,
        reasons=tuple(reason.text for reason in found.reasons),
        why=tuple(reason.why.value for reason in found.reasons),
        facts=facts,
    )


def _by_spans(judged: Judgement, verdict: str, what: str, spans: Sequence[Span]) -> Judgement:
    told = ", ".join(f"{span.begin:.1f}–{span.end:.1f} s" for span in spans)
    strongest = max(spans, key=lambda span: span.log10_lr)
    reason = f"{what}: {told}, probability {strongest.probability:.3f}"
    return replace(
        judged,
        verdict=verdict,
        probability=strongest.probability,
        log10_lr=strongest.log10_lr,
        interval=strongest.interval,
        reasons=(reason, *(f"the video as a whole: {reason}" for reason in judged.reasons)),
        why=("in a part", *judged.why),
    )


def even_score(calibration: Calibration | None) -> float:
    """The score at which fake and real are equally likely; 0 without a calibration, or where no score decides."""
    if calibration is None:
        return 0.0
    low, high = -_FAR, _FAR
    if not calibration.log10_lr(low) < 0 < calibration.log10_lr(high):
        return 0.0
    # Any curve that rises has one; halving finds it to far below what scores differ by.
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if calibration.log10_lr(middle) >= 0 else (middle, high)
    return high
