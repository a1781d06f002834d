"""Trials: scores made comparable by calibrations in which nobody who is judged had a part.

Every trial is calibrated on the other people's trials of the same protocol, each of them scored by a detector that
had not met them either. Where a family of generators is left out, its fakes have no part in the calibration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from forensics.calibrate import Calibration
from forensics.curves import LOGISTIC, fit_logistic
from forensics.decide import Decision, ScoreFacts, decide
from forensics.folds import Fold, family, trainable

if TYPE_CHECKING:
    from forensics.crossfit import ClipScore

_LN10 = float(np.log(10))


@dataclass(frozen=True)
class Judge:
    """What turns scores into figures.

    Attributes:
        video: the calibration of videos; None where there are too few people.
        pair: slope and intercept for the score of a single pair, None likewise.
        facts: the calibration set, for the record.
    """

    video: Calibration | None
    pair: tuple[float, float] | None
    facts: dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One clip as it was judged.

    Attributes:
        item: the clip and its scores.
        value: natural logarithm of the likelihood ratio; the bare score where there is no calibration; None where
            nothing could be judged.
        pairs: (P,) the same of each frame pair.
        decision: the verdict; None where there is no calibration or nothing could be judged.
    """

    item: ClipScore
    value: float | None
    pairs: tuple[float, ...]
    decision: Decision | None


@dataclass
class Judging:
    """The trials of one protocol, and the calibrations behind them.

    Attributes:
        trials: one a score.
        calibrations: the sets that were calibrated on, for the record.
        uncalibrated: trials for which too few people or only one label remained to calibrate on.
    """

    trials: list[Trial]
    calibrations: list[dict[str, Any]] = field(default_factory=list)
    uncalibrated: int = 0


def judge(
    scores: Sequence[tuple[ClipScore, Fold]],
    *,
    bits: Mapping[str, float] | None = None,
    **options: Any,
) -> Judging:
    """Calibrate and decide every trial of one protocol.

    Args:
        scores: each with what was left out when its detector was trained.
        bits: bits a pixel of a clip's file, by path, where they are known.
        options: for `Calibration.fit`: curve, false_alarms, misses.
    """
    made: dict[tuple[frozenset[str], frozenset[str]], Judge] = {}
    chosen = []
    for item, fold in scores:
        people = frozenset((item.clip.subject, item.clip.source_subject))
        if people <= set(fold.subjects):
            people = frozenset(fold.subjects)
        key = (people, frozenset(fold.families))
        if key not in made:
            made[key] = _fit(scores, *key, bits or {}, options)
        chosen.append(made[key])
    if any(one.video is None for one in chosen):
        # Half of them calibrated would be two kinds of numbers in one figure.
        trials = [Trial(item, item.score, item.pair_scores, None) for item, _ in scores]
    else:
        trials = [
            _trial(item, one.video, one.pair, bits or {})
            for (item, _), one in zip(scores, chosen, strict=True)
        ]
    named = [one.facts for one in made.values() if one.video is not None]
    return Judging(trials, named, sum(one.video is None for one in chosen))


def judge_by(calibration: Calibration | None, scores: Sequence[ClipScore]) -> Judging:
    """Decide trials by one given calibration; pairs are judged by the curve for videos, there being no other."""
    if calibration is None:
        trials = [Trial(item, item.score, item.pair_scores, None) for item in scores]
        return Judging(trials, [], len(trials))
    line = (calibration.slope, calibration.intercept)
    return Judging([_trial(item, calibration, line, {}) for item in scores], [_named(calibration, (), ())])


def _fit(
    scores: Sequence[tuple[ClipScore, Fold]],
    people: frozenset[str],
    families: frozenset[str],
    bits: Mapping[str, float],
    options: dict[str, Any],
) -> Judge:
    used = [
        item
        for item, _ in scores
        if item.score is not None
        and trainable(item.clip, tuple(people))
        and not (item.clip.generator and family(item.clip.generator) in families)
    ]
    if len({item.clip.subject for item in used}) < 2 or len({item.fake for item in used}) < 2:
        return Judge(None, None, {})
    known = [bits[item.clip.path] for item in used if item.clip.path in bits]
    calibration = Calibration.fit(
        [item.score for item in used if item.score is not None],
        [item.fake for item in used],
        [item.clip.subject for item in used],
        [item.distance for item in used if item.distance is not None],
        method="scores of clips by detectors that had not met their people, none of whom is judged by it",
        hashes=[item.clip.sha256 for item in used],
        least_pairs=min(len(item.pair_scores) for item in used),
        least_bits=min(known) if len(known) == len(used) else 0.0,
        **{"curve": LOGISTIC, **options},
    )
    values = [(value, item.fake) for item in used for value in item.pair_scores]
    line = fit_logistic(np.array([value for value, _ in values]), np.array([fake for _, fake in values]))
    return Judge(calibration, line, _named(calibration, sorted(people), sorted(families)))


def _named(calibration: Calibration, people: Sequence[str], families: Sequence[str]) -> dict[str, Any]:
    return {
        "judged": list(people),
        "families_left_out": list(families),
        "subjects": list(calibration.names) or calibration.subjects,
        "real_clips": calibration.real_clips,
        "fake_clips": calibration.fake_clips,
        "data_sha256": calibration.data_sha256,
        "curve": calibration.curve,
        "log10_lr_bounds": [calibration.least_log10_lr, calibration.greatest_log10_lr],
        "fake_from": calibration.fake_from,
        "real_to": calibration.real_to,
        "false_alarms": calibration.false_alarms,
        "misses": calibration.misses,
        "fake_by": calibration.fake_by,
        "real_by": calibration.real_by,
    }


def _trial(
    item: ClipScore,
    calibration: Calibration | None,
    line: tuple[float, float] | None,
    bits: Mapping[str, float],
) -> Trial:
    assert calibration is not None
    assert line is not None
    if item.score is None:
        return Trial(item, None, (), None)
    facts = ScoreFacts(
        item.score,
        len(item.pair_scores),
        distance=item.distance,
        bits=bits.get(item.clip.path),
        opinions=item.opinions,
    )
    pairs = tuple(line[0] * value + line[1] for value in item.pair_scores)
    return Trial(item, calibration.log10_lr(item.score) * _LN10, pairs, decide(facts, calibration))
