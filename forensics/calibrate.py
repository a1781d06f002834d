"""From scores to probabilities and verdicts, fitted on people whom the scoring detector had not seen.

Platt, *Probabilistic Outputs for Support Vector Machines*, 1999: a logistic curve over the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from dataset.errors import DetectorError

FAKE, REAL, INCONCLUSIVE = "fake", "real", "inconclusive"
#: Least probability for "fake" and greatest for "real", however well the calibration data are separated.
_SURE_FAKE, _SURE_REAL = 0.7, 0.3


@dataclass(frozen=True)
class Calibration:
    """What a score means. All scores are logits averaged over the windows of a pair and the pairs of a person.

    Attributes:
        slope, intercept: probability of a fake = 1 / (1 + exp(−(slope · score + intercept))), at even prior odds.
        fake_from: least probability for the verdict "fake".
        real_to: greatest probability for the verdict "real".
        unfamiliar_from: least distance from the training data at which nothing is judged.
        false_alarms: share of real videos called fake that `fake_from` was set for.
        misses: share of fakes called real that `real_to` was set for.
        real_clips, fake_clips, subjects: how much calibration data there was.
        method: how the scores were made, in words.
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

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = getattr(self, spec.name)
            if spec.name != "method" and not (isinstance(value, int | float) and np.isfinite(value)):
                raise ValueError(f"calibration: {spec.name} is {value!r}, not a number")

    def probability(self, score: float) -> float:
        """Probability that a video with this score is a fake, if fakes and real videos were equally frequent."""
        return float(_logistic(self.slope * score + self.intercept))

    def verdict(self, score: float) -> str:
        """ "fake", "real" or "inconclusive"."""
        probability = self.probability(score)
        if probability >= self.fake_from:
            return FAKE
        return REAL if probability <= self.real_to else INCONCLUSIVE

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
    ) -> Self:
        """Fit on one score per video, made by a detector that had not seen the video's people.

        With few videos no share of 1 % can be counted. The thresholds are then prediction bounds: where the next
        video of a new person falls with that chance, by Student's t with as many degrees of freedom as there are
        people less one, and never inside the scores that were seen.

        Args:
            scores: one for each video.
            fake: whether it is one.
            subjects: who is seen; videos of one person are not independent.
            distances: each video's distance from the training data.
            method: how the scores were made, for the record.
            false_alarms: share of real videos that may be called fake.
            misses: share of fakes that may be called real.

        Raises:
            DetectorError: fewer than two people, or only one label.
        """
        values, labels = np.asarray(scores, np.float64), np.asarray(fake, bool)
        people = len(set(subjects))
        if people < 2 or labels.all() or not labels.any():
            raise DetectorError(
                f"cannot calibrate on {people} people with {int(labels.sum())} fake and "
                f"{int((~labels).sum())} real videos",
                hint="add people with real and fake clips to the corpus",
            )
        slope, intercept = fit_logistic(values, labels)
        highest_real = _bound(values[~labels], people, false_alarms, +1)
        lowest_fake = _bound(values[labels], people, misses, -1)
        return cls(
            slope=slope,
            intercept=intercept,
            fake_from=max(_SURE_FAKE, float(_logistic(slope * highest_real + intercept))),
            real_to=min(_SURE_REAL, float(_logistic(slope * lowest_fake + intercept))),
            unfamiliar_from=_bound(np.asarray(distances, np.float64), people, 0.01, +1),
            false_alarms=false_alarms,
            misses=misses,
            real_clips=int((~labels).sum()),
            fake_clips=int(labels.sum()),
            subjects=people,
            method=method,
        )


def fit_logistic(scores: npt.NDArray[np.float64], fake: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept of the logistic curve, both labels weighing the same, targets smoothed as Platt does.

    The smoothing keeps the curve finite where the labels are separated; the slope is never negative, so that a
    useless detector gets a flat curve instead of an inverted one.
    """
    n_fake, n_real = int(fake.sum()), int((~fake).sum())
    target = np.where(fake, (n_fake + 1) / (n_fake + 2), 1 / (n_real + 2))
    weight = np.where(fake, 0.5 / n_fake, 0.5 / n_real)
    centre, spread = float(scores.mean()), max(float(scores.std()), 1e-6)
    design = np.stack([(scores - centre) / spread, np.ones_like(scores)], 1)
    beta = np.zeros(2)
    for _ in range(100):
        p = _logistic(design @ beta)
        gradient = design.T @ (weight * (p - target)) + 1e-4 * beta
        curvature = (design * (weight * np.maximum(p * (1 - p), 1e-6))[:, None]).T @ design + 1e-4 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        beta -= step
        if np.abs(step).max() < 1e-10:
            break
    slope = max(float(beta[0]) / spread, 0.0)
    if slope == 0.0:
        return 0.0, 0.0
    return slope, float(beta[1]) - slope * centre


def _bound(values: npt.NDArray[np.float64], people: int, share: float, side: int) -> float:
    """Beyond which a new person's value lies with chance `share` on the given side (+1 above, −1 below).

    The spread is that of the values on this side of the median: videos that are far on the other side, such as grainy
    recordings that look more filmed than any other, say nothing about how far this side reaches.
    """
    from scipy.stats import t

    reach = float(t.ppf(1 - share, max(people - 1, 1))) * float(np.sqrt(1 + 1 / people))
    middle = float(np.median(values))
    beyond = values[side * (values - middle) >= 0] - middle
    spread = float(np.sqrt((beyond**2).mean()))
    extreme = float((side * values).max()) * side
    bound = middle + side * reach * spread
    return max(bound, extreme) if side > 0 else min(bound, extreme)


def _logistic(x: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(np.asarray(x, np.float64), -30, 30))))
