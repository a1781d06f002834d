"""From scores to likelihood ratios: a logistic or an isotonic curve, and how far it may be off.

Platt, *Probabilistic Outputs for Support Vector Machines*, 1999; Zadrozny and Elkan, *Transforming Classifier Scores
into Accurate Multiclass Probability Estimates*, 2002 (isotonic). Both labels weigh the same whatever their numbers, so
that the odds of the fitted probability are the likelihood ratio. Likelihood ratios are base-10 logarithms here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]
Knots = tuple[tuple[float, float], ...]
Band = tuple[tuple[float, float, float], ...]

LOGISTIC, ISOTONIC = "logistic", "isotonic"
CURVES = (LOGISTIC, ISOTONIC)
#: Draws of subjects, points of the band, and the part of the draws it holds.
_DRAWS, _POINTS, _LEVEL = 200, 41, 0.95
_LN10 = float(np.log(10))


def logistic(x: npt.ArrayLike) -> Array:
    """1 / (1 + exp(−x)), without overflow."""
    return np.asarray(1 / (1 + np.exp(-np.clip(np.asarray(x, np.float64), -30, 30))))


def probability_of(log10_lr: npt.ArrayLike) -> Array:
    """Probability of a fake at even prior odds."""
    return logistic(np.asarray(log10_lr, np.float64) * _LN10)


def log10_lr_of(probability: npt.ArrayLike) -> Array:
    """What `probability_of` undoes; probabilities in (0, 1)."""
    p = np.asarray(probability, np.float64)
    return np.asarray((np.log(p) - np.log1p(-p)) / _LN10)


def fit_logistic(scores: Array, fake: Labels, weight: Array | None = None) -> tuple[float, float]:
    """Slope and intercept of the logistic curve, both labels weighing the same, targets smoothed as Platt does.

    The smoothing keeps the curve finite where the labels are separated; the slope is never negative, so that a
    useless detector gets a flat curve instead of an inverted one.

    Args:
        scores: (N,).
        fake: (N,); both labels occur with a weight above 0.
        weight: (N,) how often each counts; once if None.
    """
    times = np.ones_like(scores) if weight is None else weight
    n_fake, n_real = float(times[fake].sum()), float(times[~fake].sum())
    target = np.where(fake, (n_fake + 1) / (n_fake + 2), 1 / (n_real + 2))
    share = times * np.where(fake, 0.5 / n_fake, 0.5 / n_real)
    centre, spread = float(scores.mean()), max(float(scores.std()), 1e-6)
    design = np.stack([(scores - centre) / spread, np.ones_like(scores)], 1)
    beta = np.zeros(2)
    for _ in range(100):
        p = logistic(design @ beta)
        gradient = design.T @ (share * (p - target)) + 1e-4 * beta
        curvature = (design * (share * np.maximum(p * (1 - p), 1e-6))[:, None]).T @ design + 1e-4 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        beta -= step
        if np.abs(step).max() < 1e-10:
            break
    slope = max(float(beta[0]) / spread, 0.0)
    if slope == 0.0:
        return 0.0, 0.0
    return slope, float(beta[1]) - slope * centre


def fit_isotonic(scores: Array, fake: Labels, weight: Array | None = None) -> Knots:
    """(score, log10 likelihood ratio) at the ends of every step of the isotonic curve, to be joined by straight lines.

    One fake below all scores and one real video above them are added. They keep the ratio finite: it is never above
    the number of real videos plus one, nor below one by the number of fakes plus one.

    Args:
        scores, fake, weight: as for `fit_logistic`.
    """
    from sklearn.isotonic import IsotonicRegression

    times = np.ones_like(scores) if weight is None else weight
    kept = times > 0
    values, labels, times = scores[kept], fake[kept], times[kept]
    margin = max(float(np.ptp(values)), 1e-6) * 1e-3
    values = np.concatenate([values, [values.min() - margin, values.max() + margin]])
    labels = np.concatenate([labels, [True, False]])
    times = np.concatenate([times, [1.0, 1.0]])
    share = times * np.where(labels, 0.5 / times[labels].sum(), 0.5 / times[~labels].sum())
    curve = IsotonicRegression(y_min=0, y_max=1).fit(values, labels.astype(np.float64), sample_weight=share)
    x, y = np.asarray(curve.X_thresholds_, np.float64), np.asarray(curve.y_thresholds_, np.float64)
    # The two that were added lie in steps with others, but for scores that are all alike.
    inner = (y > 0) & (y < 1)
    return tuple((float(a), float(b)) for a, b in zip(x[inner], log10_lr_of(y[inner]), strict=True))


def along(knots: Sequence[tuple[float, float]], score: npt.ArrayLike) -> Array:
    """The height of a line of knots at a score, level beyond its ends."""
    x, y = np.array(knots, np.float64).T
    return np.asarray(np.interp(np.asarray(score, np.float64), x, y))


def band(
    fit: Callable[[Array], Callable[[Array], Array]],
    fake: Labels,
    subjects: Sequence[str],
    ends: tuple[float, float],
    bounds: tuple[float, float],
    seed: int = 0,
) -> Band:
    """Between which curves the likelihood ratio lies: 95 % of those fitted to other draws of the same people.

    Args:
        fit: weights (N,) → curve: scores → log10 likelihood ratios.
        fake: (N,).
        subjects: (N,), drawn whole.
        ends: first and last score of the band.
        bounds: to which every ratio is held.
        seed: of the draws.

    Returns:
        (score, low, high) in even steps of the score; (): no draw had both labels.
    """
    names, person = np.unique(np.asarray(subjects), return_inverse=True)
    random = np.random.default_rng(seed)
    scores = np.linspace(*ends, _POINTS)
    drawn = []
    for _ in range(_DRAWS):
        times = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names))
        weight = times[person].astype(np.float64)
        if weight[fake].any() and weight[~fake].any():
            drawn.append(np.clip(fit(weight)(scores), *bounds))
    if not drawn:
        return ()
    low, high = np.quantile(np.stack(drawn), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    return tuple((float(s), float(a), float(b)) for s, a, b in zip(scores, low, high, strict=True))
