"""Recognising a video by its content: encoded again, cut out, or mirrored, but not merely the same person and room.

The picture is averaged over a coarse grid of cells a few times a second. Each cell's mean over the time is taken away,
and with it everything that stands still; what is left is how light moves about, which two performances before the same
wall do not share and two encodings of one performance do. Two such series are compared at every shift in time; what
stands still has to be alike as well.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
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
#: Videos that are compared with one at once; of a minute each they take some 50 MB.
_BLOCK = 32


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
    return compare_all([first], second)[0]


def compare_all(others: Sequence[dict[str, Any]], video: dict[str, Any]) -> list[Likeness]:
    """`compare` of each of some fingerprints with that of one video, all shifts of many of them at once."""
    found: list[Likeness | None] = [None] * len(others)
    for every in {max(other["every"], video["every"]) for other in others}:
        b = unpack(video)[:: round(every / video["every"])]
        columns, rows = video["grid"]
        flipped = b.reshape(-1, rows, columns)[:, :, ::-1].reshape(len(b), -1)
        places = [place for place, other in enumerate(others) if max(other["every"], video["every"]) == every]
        for start in range(0, len(places), _BLOCK):
            part = places[start : start + _BLOCK]
            series = [unpack(others[place])[:: round(every / others[place]["every"])] for place in part]
            for place, plain, turned in zip(part, _best(series, b), _best(series, flipped), strict=True):
                score, lag = max(plain, turned, key=lambda entry: entry[0])
                found[place] = Likeness(score, lag * every, turned[0] > plain[0])
    return [likeness for likeness in found if likeness is not None]


def _best(several: Sequence[Series], b: Series) -> list[tuple[float, int]]:
    """Of each series, the highest correlation with `b` over all shifts, and the shift of `b` in samples.

    Sums over every window come from running sums and, for the products of two series, from their spectra.
    """
    lengths = np.array([len(a) for a in several])
    lags = np.arange(1 - len(b), lengths.max())
    # A shade that is taken away everywhere changes no variance, and keeps the sums small.
    shade = b.mean()
    a = np.zeros((len(several), lengths.max(), b.shape[1]))
    for row, one in enumerate(several):
        a[row, : len(one)] = one - shade
    b = b - shade
    # Windows: samples first to last of a, and as many of b from `-first` on, where those are negative.
    first, last = np.maximum(lags, 0)[None], np.minimum(lengths[:, None], lags[None] + len(b))
    count = last - first
    shorter = np.minimum(lengths, len(b))
    least = np.minimum(shorter, np.maximum(_LEAST_SAMPLES, np.rint(_LEAST_PART * shorter)))
    enough = count >= np.maximum(least, 1)[:, None]
    first, last, n = np.where(enough, first, 0), np.where(enough, last, 1), np.where(enough, count, 1)
    begin = np.maximum(-lags, 0)[None] * enough
    rows = np.arange(len(several))[:, None]
    sum_a, sum_b = _running(a), _running(b[None])[0]
    mean_a = (sum_a[rows, last] - sum_a[rows, first]) / n[..., None]
    mean_b = (sum_b[begin + n] - sum_b[begin]) / n[..., None]
    power_a, power_b = _running((a**2).mean(2)), _running((b**2).mean(1)[None])[0]
    deviation_a = _root((power_a[rows, last] - power_a[rows, first]) / n - (mean_a**2).mean(2))
    deviation_b = _root((power_b[begin + n] - power_b[begin]) / n - (mean_b**2).mean(2))
    together = _products(a, b, lags) / n - (mean_a * mean_b).mean(2)
    weaker, stronger = np.minimum(deviation_a, deviation_b), np.maximum(deviation_a, deviation_b)
    good = enough & (_alike(mean_a, mean_b) >= _SCENE) & (weaker >= _STILL) & (stronger <= _STRENGTH * weaker)
    score = np.divide(together, deviation_a * deviation_b, out=np.zeros_like(together), where=good)
    best = score.argmax(1)
    return [
        (float(score[row, at]), int(lags[at])) if score[row, at] > 0 else (0.0, 0)
        for row, at in enumerate(best)
    ]


def _running(values: Series) -> Series:
    """Sums of the first 0, 1, 2 … along the second axis."""
    return np.concatenate([np.zeros_like(values[:, :1]), np.cumsum(values, axis=1)], axis=1)


def _root(values: Series) -> Series:
    return np.sqrt(np.maximum(values, 0.0))


def _products(a: Series, b: Series, lags: npt.NDArray[np.int64]) -> Series:
    """(series, lags) sums of the products of two series at each shift, the mean over the cells."""
    room = 1 << (a.shape[1] + len(b) - 1).bit_length()
    spectrum = np.fft.rfft(a, room, axis=1) * np.fft.rfft(b, room, axis=0).conj()[None]
    return np.asarray(np.fft.irfft(spectrum.mean(2), room, axis=1)[:, lags % room], np.float64)


def _alike(one: Series, two: Series) -> Series:
    """Correlation over the cells, the last axis, of mean pictures; 1 where both are one shade."""
    one, two = one - one.mean(-1, keepdims=True), two - two.mean(-1, keepdims=True)
    size = np.sqrt((one**2).sum(-1) * (two**2).sum(-1))
    return np.divide((one * two).sum(-1), size, out=np.ones_like(size), where=size > 1e-9)
