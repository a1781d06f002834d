"""What a score means, fitted on people whom the scoring detector had not seen: likelihood ratio, probability, verdict.

`forensics.curves` has the curves and `forensics.thresholds` the bounds; `forensics.decide` weighs everything that
speaks for or against a verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from dataset.errors import DetectorError
from forensics.curves import (
    CURVES,
    ISOTONIC,
    LOGISTIC,
    Array,
    Band,
    Knots,
    along,
    band,
    fit_isotonic,
    fit_logistic,
    probability_of,
)
from forensics.thresholds import subject_bound

FAKE, REAL, INCONCLUSIVE = "fake", "real", "inconclusive"
#: Least probability for "fake" and greatest for "real", however well the calibration data are separated.
SURE_FAKE, SURE_REAL = 0.7, 0.3
#: On either side of this the interval of the probability has to lie for a verdict.
EVEN = 0.5
#: A distance that nothing exceeds: the detector has no notion of what is unlike its training data.
NO_LIMIT = 1e9
_LN10 = float(np.log(10))
_OTHERS = ("method", "curve", "fake_by", "real_by", "data_sha256")


@dataclass(frozen=True)
class Calibration:
    """What a score means. All scores are logits averaged over the windows of a pair and the pairs of a person.

    The later half of the fields is missing in calibrations of earlier versions: they then have no interval, and
    `fake_from` and `real_to` apply to the probability itself.

    Attributes:
        slope, intercept: of the logistic curve: ln of the likelihood ratio = slope · score + intercept.
        fake_from: for "fake", the least lower end of the probability's interval.
        real_to: for "real", the greatest upper end of it.
        unfamiliar_from: least distance from the training data at which nothing is judged; `NO_LIMIT`: none.
        false_alarms: share of real videos called fake that `fake_from` was set for.
        misses: share of fakes called real that `real_to` was set for.
        real_clips, fake_clips, subjects: how much calibration data there was.
        method: how the scores were made, in words.
        curve: "logistic" or "isotonic".
        knots: of the isotonic curve, (score, log10 likelihood ratio).
        least_log10_lr, greatest_log10_lr: no ratio outside these is stated: so many videos support no more.
        band: (score, low, high): interval of the log10 likelihood ratio from draws of the subjects.
        fake_score: score from which "fake" is called: the bound for `false_alarms`.
        real_score: score up to which "real" is called: the bound for `misses`.
        fake_by, real_by: how these bounds were found, see `forensics.thresholds`.
        least_pairs: fewest frame pairs of a calibration video.
        least_bits: fewest bits a pixel of a calibration video; 0 where they were not measured.
        names: the calibration subjects.
        data_sha256: hash of the calibration videos' hashes and labels.
    """

    slope: float
    intercept: float
    fake_from: float
    real_to: float
    unfamiliar_from: float
    false_alarms: float
    misses: float
    real_clips: int
    fake_clips: int
    subjects: int
    method: str
    curve: str = LOGISTIC
    knots: Knots = ()
    least_log10_lr: float = -13.0
    greatest_log10_lr: float = 13.0
    band: Band = ()
    fake_score: float | None = None
    real_score: float | None = None
    fake_by: str = ""
    real_by: str = ""
    least_pairs: int = 0
    least_bits: float = 0.0
    names: tuple[str, ...] = ()
    data_sha256: str = ""

    def __post_init__(self) -> None:
        for name in ("knots", "band", "names"):  # JSON knows lists only
            value = getattr(self, name)
            object.__setattr__(
                self, name, tuple(tuple(entry) if isinstance(entry, list) else entry for entry in value)
            )
        numbers: list[tuple[str, Any]] = []
        for spec in fields(self):
            value = getattr(self, spec.name)
            if spec.name in ("knots", "band"):
                numbers += [(spec.name, number) for entry in value for number in entry]
            elif spec.name not in (*_OTHERS, "names") and value is not None:
                numbers.append((spec.name, value))
        for name, value in numbers:
            if not (isinstance(value, int | float) and np.isfinite(value)):
                raise ValueError(f"calibration: {name} is {value!r}, not a number")
        if self.curve not in CURVES:
            raise ValueError(f"calibration: the curve is one of {', '.join(CURVES)}, not {self.curve!r}")
        if self.curve == ISOTONIC and not self.knots:
            raise ValueError("calibration: an isotonic curve without knots")

    def log10_lr(self, score: float) -> float:
        """Base-10 logarithm of the likelihood ratio: how much more often fakes have this score than real videos."""
        raw = (
            along(self.knots, score)
            if self.curve == ISOTONIC
            else (self.slope * score + self.intercept) / _LN10
        )
        return float(np.clip(raw, self.least_log10_lr, self.greatest_log10_lr))

    def interval(self, score: float) -> tuple[float, float] | None:
        """95 % interval of `log10_lr`, had other people been calibrated on; None in calibrations without one."""
        if not self.band:
            return None
        point = self.log10_lr(score)
        low = float(along([(s, a) for s, a, _ in self.band], score))
        high = float(along([(s, b) for s, _, b in self.band], score))
        return min(low, point), max(high, point)

    def probability(self, score: float) -> float:
        """Probability that a video with this score is a fake, if fakes and real videos were equally frequent."""
        return float(probability_of(self.log10_lr(score)))

    def verdict(self, score: float) -> str:
        """ "fake", "real" or "inconclusive", by the score alone; `forensics.decide` weighs everything else."""
        low = high = self.log10_lr(score)
        if (interval := self.interval(score)) is not None:
            low, high = interval
        probability = self.probability(score)
        beyond = self.fake_score is None or (score >= self.fake_score and probability >= SURE_FAKE)
        below = self.real_score is None or (score <= self.real_score and probability <= SURE_REAL)
        if beyond and float(probability_of(low)) >= self.fake_from:
            return FAKE
        return REAL if below and float(probability_of(high)) <= self.real_to else INCONCLUSIVE

    @classmethod
    def fit(
        cls,
        scores: Sequence[float],
        fake: Sequence[bool],
        subjects: Sequence[str],
        distances: Sequence[float],
        *,
        method: str,
        false_alarms: float = 0.01,
        misses: float = 0.05,
        curve: str = LOGISTIC,
        hashes: Sequence[str] = (),
        least_pairs: int = 0,
        least_bits: float = 0.0,
    ) -> Self:
        """Fit on one score per video, made by a detector that had not seen the video's people.

        The thresholds are bounds for a person who is not among the calibration subjects: by counting subjects where
        there are enough of them for the share that is asked for, else Student's t (`forensics.thresholds`).

        Args:
            scores: one for each video.
            fake: whether it is one.
            subjects: who is seen; videos of one person are not independent.
            distances: each video's distance from the training data; empty if the detector has no such notion.
            method: how the scores were made, for the record.
            false_alarms: share of real videos that may be called fake.
            misses: share of fakes that may be called real.
            curve: "logistic" or "isotonic".
            hashes: SHA-256 of each video, to name the calibration set by.
            least_pairs, least_bits: see the attributes.

        Raises:
            DetectorError: fewer than two people, or only one label.
        """
        values, labels = np.asarray(scores, np.float64), np.asarray(fake, bool)
        names = np.asarray(subjects)
        people = sorted(set(subjects))
        if len(people) < 2 or labels.all() or not labels.any():
            raise DetectorError(
                f"cannot calibrate on {len(people)} people with {int(labels.sum())} fake and "
                f"{int((~labels).sum())} real videos",
                hint="add people with real and fake clips to the corpus",
            )
        slope, intercept = fit_logistic(values, labels)
        knots = fit_isotonic(values, labels) if curve == ISOTONIC else ()
        highest_real = subject_bound(values[~labels].tolist(), names[~labels].tolist(), false_alarms, +1)
        lowest_fake = subject_bound(values[labels].tolist(), names[labels].tolist(), misses, -1)
        common: dict[str, Any] = {
            "slope": slope,
            "intercept": intercept,
            "unfamiliar_from": _farthest(distances, len(people)),
            "false_alarms": false_alarms,
            "misses": misses,
            "real_clips": int((~labels).sum()),
            "fake_clips": int(labels.sum()),
            "subjects": len(people),
            "method": method,
            "curve": curve,
            "knots": knots,
            "fake_score": highest_real.value,
            "real_score": lowest_fake.value,
            "fake_by": highest_real.method,
            "real_by": lowest_fake.method,
            "least_pairs": least_pairs,
            "least_bits": least_bits,
            "names": tuple(people),
            "data_sha256": _name_data(hashes, labels.tolist()),
        }
        # The curve at the thresholds, before any bound is put on it.
        bare = cls(fake_from=EVEN, real_to=EVEN, **common)
        bounds = (
            min(-float(np.log10(labels.sum() + 1)), bare.log10_lr(lowest_fake.value)),
            max(float(np.log10((~labels).sum() + 1)), bare.log10_lr(highest_real.value)),
        )
        common |= {"least_log10_lr": bounds[0], "greatest_log10_lr": bounds[1]}
        common["band"] = _band(values, labels, subjects, curve, bounds, (slope, intercept))
        whole = cls(fake_from=EVEN, real_to=EVEN, **common)
        low, _ = whole.interval(highest_real.value) or (whole.log10_lr(highest_real.value), 0)
        _, high = whole.interval(lowest_fake.value) or (0, whole.log10_lr(lowest_fake.value))
        # Where the interval lies at the threshold itself: so that asking the whole interval to be beyond it changes
        # nothing in the share of false alarms, but that no interval may hold even odds.
        return cls(
            fake_from=max(EVEN, float(probability_of(low))),
            real_to=min(EVEN, float(probability_of(high))),
            **common,
        )


def _band(
    values: Array,
    labels: Any,
    subjects: Sequence[str],
    curve: str,
    bounds: tuple[float, float],
    line: tuple[float, float],
) -> Band:
    begin, end = float(values.min()), float(values.max())
    if curve == LOGISTIC and line[0] > 0:
        # As far as the curve itself goes before a bound holds it.
        begin = min(begin, (bounds[0] * _LN10 - line[1]) / line[0])
        end = max(end, (bounds[1] * _LN10 - line[1]) / line[0])

    def fit(weight: Array) -> Any:
        if curve == ISOTONIC:
            knots = fit_isotonic(values, labels, weight)
            return lambda scores: along(knots, scores)
        slope, intercept = fit_logistic(values, labels, weight)
        return lambda scores: (slope * scores + intercept) / _LN10

    return band(fit, labels, subjects, (begin, end), bounds)


def _farthest(distances: Sequence[float], people: int) -> float:
    from forensics.thresholds import student_bound

    if not len(distances):
        return NO_LIMIT
    return student_bound(np.asarray(distances, np.float64), people, 0.01, +1)


def _name_data(hashes: Sequence[str], fake: Sequence[bool]) -> str:
    if not hashes:
        return ""
    told = sorted(
        f"{sha256} {'fake' if label else 'real'}" for sha256, label in zip(hashes, fake, strict=True)
    )
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
