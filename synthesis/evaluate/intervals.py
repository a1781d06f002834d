"""Means with bootstrap intervals (percentile method, 95 %).

Within a subject, blocks of consecutive frames are drawn, because neighbouring frames are nearly the same frame. Over
subjects, whole subjects are drawn. Where an interval cannot be told, a reason stands in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

LEVEL = 0.95
DRAWS = 1000
#: Length of a block in seconds.
BLOCK_SECONDS = 1.0
#: Blocks are shortened to have so many of them, and the figure says so.
FEW_BLOCKS = 8
#: With fewer blocks than this the spread between them says little.
LEAST_BLOCKS = 4


@dataclass(frozen=True)
class Figure:
    """A mean, its interval, how many values are behind it, and why something is missing.

    Attributes:
        value: NaN where nothing could be measured.
        low, high: NaN where no interval can be told.
        count: frames, or subjects, that were measured.
        of: frames, or subjects, there are.
        reason: why values or the interval are missing; empty where nothing is.
    """

    value: float
    low: float
    high: float
    count: int
    of: int
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what is not a number becomes null."""
        values = {name: plain(getattr(self, name)) for name in ("value", "low", "high")}
        facts: dict[str, Any] = values | {"count": self.count, "of": self.of}
        return facts | ({"reason": self.reason} if self.reason else {})


def nothing(reason: str, of: int = 0) -> Figure:
    """A figure that was not measured."""
    return Figure(float("nan"), float("nan"), float("nan"), 0, of, reason)


def over_frames(
    top: Values, block: int, *, bottom: Values | None = None, missing: str = "", seed: int = 0
) -> Figure:
    """Mean over frames, or ratio of two means, with an interval from blocks of frames.

    Args:
        top: (T,) one value a frame; NaN where it could not be measured.
        block: frames in a block.
        bottom: (T,) if given, the figure is mean(top) / mean(bottom) over frames where both are known.
        missing: why frames may be NaN.
        seed: of the draws.
    """
    values = np.stack([top, np.ones_like(top) if bottom is None else bottom])
    known: npt.NDArray[np.bool_] = np.logical_not(np.isnan(values).any(axis=0))
    count, total = int(known.sum()), len(top)
    if count == 0:
        return nothing(missing or "no frame could be measured", total)
    if values[1, known].mean() == 0:
        return nothing("the real video's own value is zero", total)
    reason = f"{total - count} of {total} frames left out: {missing}" if count < total and missing else ""
    value = float(values[0, known].mean() / values[1, known].mean())
    short = ""
    if total < FEW_BLOCKS * block:
        block = max(total // FEW_BLOCKS, 1)
        short = f"blocks of only {block} frames: the interval is too narrow"
    starts = np.arange(0, total, max(block, 1))
    blocks = [rows for start in starts if len(rows := start + np.flatnonzero(known[start : start + block]))]
    if len(blocks) < LEAST_BLOCKS:
        reason = "; ".join(filter(None, (reason, f"no interval: {len(blocks)} blocks of {block} frames")))
        return Figure(value, float("nan"), float("nan"), count, total, reason)
    sums = np.array([[*values[:, rows].sum(axis=1)] for rows in blocks])
    drawn = np.random.default_rng(seed).integers(len(blocks), size=(DRAWS, len(blocks)))
    tops, bottoms = sums[drawn].sum(axis=1).T
    low, high = _quantiles(tops[bottoms > 0] / bottoms[bottoms > 0])
    return Figure(value, low, high, count, total, "; ".join(filter(None, (reason, short))))


def over_subjects(figures: list[Figure], *, seed: int = 0) -> Figure:
    """Mean of the subjects' figures, each counting once, with an interval from drawing subjects."""
    values = np.array([figure.value for figure in figures], np.float64)
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return nothing("; ".join(sorted({figure.reason for figure in figures if figure.reason})), len(values))
    reason = (
        "" if len(known) == len(values) else f"{len(values) - len(known)} of {len(values)} subjects left out"
    )
    if len(known) < 2:
        reason = "; ".join(filter(None, (reason, "no interval: one subject")))
        return Figure(float(known[0]), float("nan"), float("nan"), 1, len(values), reason)
    drawn = np.random.default_rng(seed).integers(len(known), size=(DRAWS, len(known)))
    low, high = _quantiles(known[drawn].mean(axis=1))
    return Figure(float(known.mean()), low, high, len(known), len(values), reason)


def _quantiles(values: Values) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def plain(value: float) -> float | None:
    """For JSON: what is not a number becomes null."""
    return None if np.isnan(value) else round(value, 6)
