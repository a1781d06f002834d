"""How good scores are: pure functions of scores, labels and subjects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]


def auc(scores: Scores, fake: Labels) -> float:
    """Area under the ROC curve: the chance that a fake scores higher than a real one, ties counting half.

    Args:
        scores: (N,), higher speaks for a fake.
        fake: (N,); both values must occur.
    """
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    ranks = (upper - (counts - 1) / 2)[inverse]
    n_fake, n_real = int(fake.sum()), int((~fake).sum())
    return float((ranks[fake].sum() - n_fake * (n_fake + 1) / 2) / (n_fake * n_real))


def eer(scores: Scores, fake: Labels) -> float:
    """Equal error rate: where the share of real called fake equals that of fakes called real.

    Between two thresholds the curve is taken as straight.
    """
    false_alarms, misses = [], []
    real_sorted, fake_sorted = np.sort(scores[~fake]), np.sort(scores[fake])
    for threshold in np.concatenate([[-np.inf], np.unique(scores), [np.inf]]):
        false_alarms.append(1 - np.searchsorted(real_sorted, threshold, "left") / len(real_sorted))
        misses.append(np.searchsorted(fake_sorted, threshold, "left") / len(fake_sorted))
    gap = np.array(false_alarms) - np.array(misses)
    after = int(np.argmax(gap <= 0))
    if gap[after] == 0:
        return float(misses[after])
    part = gap[after - 1] / (gap[after - 1] - gap[after])
    return float(misses[after - 1] + part * (misses[after] - misses[after - 1]))


def accuracy(scores: Scores, fake: Labels) -> float:
    """Share of scores on the right side of zero, zero counting as real."""
    return float(((scores > 0) == fake).mean())


#: All figures that are reported for a set of scores.
FIGURES: dict[str, Callable[[Scores, Labels], float]] = {"accuracy": accuracy, "auc": auc, "eer": eer}


def with_intervals(
    scores: Sequence[float],
    fake: Sequence[bool],
    subjects: Sequence[str],
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Every figure with its bootstrap interval over subjects (percentile method).

    Whole subjects are drawn, because two videos of one person are not two independent trials. Draws without both
    labels are left out.

    Returns:
        figure → {"value", "low", "high"}; empty where one of the labels does not occur.
    """
    values, labels, people = np.asarray(scores, np.float64), np.asarray(fake, bool), np.asarray(subjects)
    if labels.all() or not labels.any():
        return {}
    rows = [np.flatnonzero(people == name) for name in np.unique(people)]
    random = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in FIGURES}
    for _ in range(draws):
        chosen = np.concatenate([rows[index] for index in random.integers(len(rows), size=len(rows))])
        if labels[chosen].all() or not labels[chosen].any():
            continue
        for name, figure in FIGURES.items():
            drawn[name].append(figure(values[chosen], labels[chosen]))
    result = {}
    for name, figure in FIGURES.items():
        low, high = np.quantile(drawn[name], [(1 - level) / 2, (1 + level) / 2])
        result[name] = {"value": figure(values, labels), "low": float(low), "high": float(high)}
    return result
