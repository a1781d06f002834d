"""Recognising a video by its content: encoded again, cut out, or mirrored, but not merely the same person and room.

The picture is averaged over a coarse grid of cells a few times a second. Each cell's mean over the time is taken away,
and with it everything that stands still; what is left is how light moves about, which two performances before the same
wall do not share and two encodings of one performance do. Two such series are compared at every shift in time; what
stands still has to be alike as well.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Series = npt.NDArray[np.float64]

#: Cells of the grid: columns and rows.
GRID = (4, 4)
#: Seconds between samples of long videos; short ones are sampled more often, so that there is enough to compare.
COARSE, FINE = 0.25, 0.0625
#: Videos shorter than this, in seconds, are sampled finely.
SHORT = 8.0
#: Samples and part of the shorter video that must overlap to be compared.
_LEAST_SAMPLES, _LEAST_PART = 8, 0.5
#: Correlation of the mean pictures, cell by cell: a short film may move like another by chance, but not elsewhere.
_SCENE = 0.8
#: Levels of 255: below this standard deviation nothing moves, and what is left is noise.
_STILL = 0.25
#: How differently strong the movement may be: an encoder softens, brightness may have been changed a little.
_STRENGTH = 1.5


@dataclass(frozen=True)
class Likeness:
    """How alike two videos are.

    Attributes:
        score: correlation of what moves, from -1 to 1; 0 where it cannot be told.
        shift: seconds by which the second one begins later than the first.
        mirrored: whether they agree when one is mirrored.
    """

    score: float
    shift: float
    mirrored: bool


def interval(duration: float) -> float:
    """Seconds between samples for a video of this length."""
    return FINE if duration < SHORT else COARSE


def sample(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """(rows × columns,) mean luma of the cells of an (H, W, 3) RGB picture, in levels of 255."""
    small = cv2.resize(image, (GRID[0] * 8, GRID[1] * 8), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.resize(grey, GRID, interpolation=cv2.INTER_AREA), np.float64).reshape(-1)


def pack(samples: Series, every: float) -> dict[str, Any]:
    """(N, cells) samples as they are kept in a recording's record."""
    cells = np.clip(np.round(samples * 256), 0, 65535).astype(">u2")
    return {"every": every, "grid": list(GRID), "cells": base64.b64encode(cells.tobytes()).decode()}


def unpack(fingerprint: dict[str, Any]) -> Series:
    """(N, cells) samples in levels of 255."""
    columns, rows = fingerprint["grid"]
    cells = np.frombuffer(base64.b64decode(fingerprint["cells"]), ">u2").astype(np.float64) / 256
    return cells.reshape(-1, columns * rows)


def compare(first: dict[str, Any], second: dict[str, Any]) -> Likeness:
    """The shift at which two videos agree best, and how well.

    Args:
        first, second: fingerprints, as `pack` makes them.
    """
    a, b = unpack(first), unpack(second)
    every = max(first["every"], second["every"])
    a, b = a[:: round(every / first["every"])], b[:: round(every / second["every"])]
    columns, rows = second["grid"]
    flipped = b.reshape(-1, rows, columns)[:, :, ::-1].reshape(len(b), -1)
    found = [(*_best(a, other), mirrored) for other, mirrored in ((b, False), (flipped, True))]
    score, lag, mirrored = max(found, key=lambda entry: entry[0])
    return Likeness(score, lag * every, mirrored)


def _best(a: Series, b: Series) -> tuple[float, int]:
    """Highest correlation over all shifts, and the shift of `b` in samples."""
    shorter = min(len(a), len(b))
    least = min(shorter, max(_LEAST_SAMPLES, round(_LEAST_PART * shorter)))
    best = (0.0, 0)
    for lag in range(least - len(b), len(a) - least + 1):
        one = a[max(lag, 0) : lag + len(b)]
        two = b[max(-lag, 0) : max(-lag, 0) + len(one)]
        score = _correlation(one, two)
        if score > best[0]:
            best = (score, lag)
    return best


def _correlation(one: Series, two: Series) -> float:
    if _alike(one.mean(0), two.mean(0)) < _SCENE:
        return 0.0
    one, two = one - one.mean(0), two - two.mean(0)
    strength = float(np.sqrt((one**2).mean())), float(np.sqrt((two**2).mean()))
    if min(strength) < _STILL or max(strength) > _STRENGTH * min(strength):
        return 0.0
    return float((one * two).mean()) / (strength[0] * strength[1])


def _alike(one: Series, two: Series) -> float:
    """Correlation over the cells of two mean pictures; 1 where both are one shade."""
    one, two = one - one.mean(), two - two.mean()
    size = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum()) / size if size > 1e-9 else 1.0
