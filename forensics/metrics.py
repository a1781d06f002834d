"""How good scores are: pure functions of scores, labels and subjects.

A score is the natural logarithm of a likelihood ratio, above zero speaking for a fake; at even prior odds the
probability of a fake is 1 / (1 + exp(−score)). Figures that look at the order alone (AUC, EER, TPR at 1 % FPR, the
least C_llr) are the same for every increasing function of it.

Log-loss, ECE and C_llr let both labels weigh the same, because the probabilities are stated at even odds: what a
corpus holds more of must not count more. C_llr: Brümmer and du Preez, *Application-independent evaluation of speaker
detection*, Computer Speech & Language, 2006. ECE: Naeini et al., *Obtaining Well Calibrated Probabilities Using
Bayesian Binning*, AAAI 2015, over the probability of a fake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]
#: How often each score counts; once if None.
Weight = npt.NDArray[np.float64] | None

#: Bins of the reliability curve and of the ECE.
BINS = 10
#: False alarms that `tpr_at_1` allows.
FALSE_ALARMS = 0.01


def roc(scores: Scores, fake: Labels, weight: Weight = None) -> tuple[Scores, Scores]:
    """The curve of false alarms and hits as the threshold falls, from (0, 0) to (1, 1), one point a distinct score.

    Args:
        scores: (N,).
        fake: (N,); both values must occur with a weight above 0.
        weight: (N,).

    Returns:
        (M,) share of real called fake, and (M,) share of fakes called fake.
    """
    times = np.ones_like(scores) if weight is None else weight
    order = np.argsort(scores, kind="stable")[::-1]
    values, labels, times = scores[order], fake[order], times[order]
    last = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)
    hits, alarms = np.cumsum(times * labels)[last], np.cumsum(times * ~labels)[last]
    return np.append(0.0, alarms / alarms[-1]), np.append(0.0, hits / hits[-1])


def auc(scores: Scores, fake: Labels, weight: Weight = None) -> float:
    """Area under the ROC curve: the chance that a fake scores higher than a real one, ties counting half."""
    alarms, hits = roc(scores, fake, weight)
    return float((np.diff(alarms) * (hits[1:] + hits[:-1])).sum() / 2)


def auc_within(scores: Scores, fake: Labels, detector: npt.NDArray[np.intp], weight: Weight = None) -> float:
    """The mean AUC of several detectors, each among its own scores, which are never compared with another's.

    A detector counts by its scores; those with scores of one label only do not count.

    Args:
        scores, fake, weight: as for `auc`.
        detector: (N,) whose score it is.

    Returns:
        NaN where every detector has scores of one label only.
    """
    times = np.ones_like(scores) if weight is None else weight
    areas, counts = [], []
    for one in np.unique(detector):
        own = (detector == one) & (times > 0)
        if fake[own].any() and not fake[own].all():
            areas.append(auc(scores[own], fake[own], times[own]))
            counts.append(times[own].sum())
    return float(np.average(areas, weights=counts)) if areas else float("nan")


def eer(scores: Scores, fake: Labels, weight: Weight = None) -> float:
    """Equal error rate: where the share of real called fake equals that of fakes called real.

    Between two thresholds the curve is taken as straight.
    """
    alarms, hits = roc(scores, fake, weight)
    gap = alarms - (1 - hits)
    after = int(np.argmax(gap >= 0))
    if gap[after] == 0:
        return float(alarms[after])
    part = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(alarms[after - 1] + part * (alarms[after] - alarms[after - 1]))


def tpr_at_1(scores: Scores, fake: Labels, weight: Weight = None) -> float:
    """Share of fakes found at a threshold that calls at most 1 % of the real ones fake.

    With fewer than a hundred real ones that is a threshold above all of them.
    """
    alarms, hits = roc(scores, fake, weight)
    return float(hits[alarms <= FALSE_ALARMS + 1e-12].max())


def accuracy(scores: Scores, fake: Labels, weight: Weight = None) -> float:
    """Share of scores on the right side of zero, zero counting as real; each counts once, whatever its label."""
    return float(np.average((scores > 0) == fake, weights=weight))


def log_loss(scores: Scores, fake: Labels, weight: Weight = None) -> float:
    """Mean negative logarithm of the probability given to the true label, both labels weighing the same; in nats."""
    return float((_balanced(fake, weight) * np.logaddexp(0, np.where(fake, -scores, scores))).sum())


def cllr(scores: Scores, fake: Labels, weight: Weight = None) -> float:
    """Cost of the log likelihood ratios in bits: 0 is perfect, 1 is what always saying "even" costs."""
    return log_loss(scores, fake, weight) / float(np.log(2))


def min_cllr(scores: Scores, fake: Labels, weight: Weight = None) -> float:
    """`cllr` after the best increasing curve over these very scores: what is left when calibration costs nothing."""
    from sklearn.isotonic import isotonic_regression

    share = _balanced(fake, weight)
    values, group = np.unique(scores, return_inverse=True)
    total = np.bincount(group, share, minlength=len(values))
    hits = np.bincount(group, share * fake, minlength=len(values))
    kept = total > 0
    total, hits = total[kept], hits[kept]
    p = np.clip(isotonic_regression(hits / total, sample_weight=total, y_min=0, y_max=1), 0, 1)
    # A step that holds one label only costs nothing, and has no logarithm.
    said = hits * np.log2(p, out=np.zeros_like(p), where=p > 0)
    unsaid = (total - hits) * np.log2(1 - p, out=np.zeros_like(p), where=p < 1)
    return float(-(said + unsaid).sum()) + 0.0


def reliability(
    scores: Scores, fake: Labels, weight: Weight = None, bins: int = BINS
) -> tuple[Scores, Scores, Scores]:
    """What is said against what is so, in bins of equal width of the probability of a fake.

    Returns:
        (bins,) mean probability, (bins,) share of fakes, both NaN in empty bins, and (bins,) the bin's part of all.
    """
    share = _balanced(fake, weight)
    p = 1 / (1 + np.exp(-np.clip(scores, -500, 500)))
    place = np.minimum((p * bins).astype(int), bins - 1)
    part = np.asarray(np.bincount(place, share, minlength=bins), np.float64)
    empty = np.full(bins, np.nan)
    said = np.divide(np.bincount(place, share * p, minlength=bins), part, out=empty.copy(), where=part > 0)
    so = np.divide(np.bincount(place, share * fake, minlength=bins), part, out=empty, where=part > 0)
    return said, so, part


def ece(scores: Scores, fake: Labels, weight: Weight = None) -> float:
    """Expected calibration error: mean distance of what is said from what is so, see `reliability`.

    Never 0 on few videos, however good the calibration: a bin of five cannot hold 93 % fakes.
    """
    said, so, part = reliability(scores, fake, weight)
    filled = part > 0
    return float((part[filled] * np.abs(said[filled] - so[filled])).sum())


#: All figures that are reported for a set of scores.
FIGURES: dict[str, Callable[[Scores, Labels, Weight], float]] = {
    "accuracy": accuracy,
    "auc": auc,
    "eer": eer,
    "tpr_at_1": tpr_at_1,
    "log_loss": log_loss,
    "ece": ece,
    "cllr": cllr,
    "min_cllr": min_cllr,
}


def with_intervals(
    scores: Sequence[float],
    fake: Sequence[bool],
    subjects: Sequence[str],
    *,
    detectors: Sequence[int] | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Every figure with its bootstrap interval over subjects (percentile method).

    Whole subjects are drawn, because two videos of one person are not two independent trials. Draws without both
    labels are left out.

    Args:
        scores, fake, subjects: (N,) each.
        detectors: (N,) whose scores they are; with several there is "auc_within" as well.
        draws, level, seed: of the bootstrap.

    Returns:
        figure → {"value", "low", "high"}; empty where one of the labels does not occur.
    """
    order = np.argsort(np.asarray(scores, np.float64), kind="stable")
    values, labels = np.asarray(scores, np.float64)[order], np.asarray(fake, bool)[order]
    if labels.all() or not labels.any():
        return {}
    names, person = np.unique(np.asarray(subjects)[order], return_inverse=True)
    figures = dict(FIGURES)
    if detectors is not None and len(set(detectors)) > 1:
        whose = np.asarray(detectors, np.intp)[order]
        figures["auc_within"] = lambda scores, fake, weight: auc_within(scores, fake, whose, weight)
    random = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in figures}
    for _ in range(draws):
        times = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names))
        weight = times[person].astype(np.float64)
        if not weight[labels].any() or not weight[~labels].any():
            continue
        for name, figure in figures.items():
            drawn[name].append(figure(values, labels, weight))
    result = {}
    for name, figure in figures.items():
        value, told = figure(values, labels, None), np.array(drawn[name])
        if np.isnan(value):
            continue
        low, high = np.quantile(told[~np.isnan(told)], [(1 - level) / 2, (1 + level) / 2])
        result[name] = {"value": value, "low": float(low), "high": float(high)}
    return result


def _balanced(fake: Labels, weight: Weight) -> Scores:
    """(N,) weights that add up to a half for each label."""
    times = np.ones(len(fake)) if weight is None else weight
    return np.asarray(times * np.where(fake, 0.5 / times[fake].sum(), 0.5 / times[~fake].sum()), np.float64)
