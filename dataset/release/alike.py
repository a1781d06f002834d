"""Which of many videos show the same: every fingerprint against every other, in blocks.

The mean correlation of two fingerprints at every shift in time is a cross-correlation, so it comes from products of
their spectra, for a whole block of pairs at once. What comes near the limit that way is compared again by
`dataset.release.fingerprint.likeness`, so that the answer is that of comparing pair by pair.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from dataset.release.fingerprint import ALIKE, OVERLAP, SHARE, SIDE, Fingerprint, likeness

#: Fingerprints in a block: two blocks of the longest ones and their products take a few hundred MB.
BLOCK = 128
#: What the spectra may be off by, generously: the arithmetic is in 32 bits.
_MARGIN = 1e-3


def alike(
    looks: Sequence[Fingerprint], groups: Sequence[Hashable], *, block: int = BLOCK
) -> list[tuple[int, int, float]]:
    """Pairs of different groups that show the same.

    Args:
        looks: of each video.
        groups: subject or split of each; pairs within one are not compared.
        block: how many are compared with how many at once.

    Returns:
        (first, second, likeness) by place in `looks`, first < second, in order; likeness ≥ `ALIKE`.
    """
    names = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    group = np.array([names[name] for name in groups], np.int64)
    found = []
    for first, second in _candidates(looks, group, block):
        value = likeness(looks[first], looks[second])
        if value >= ALIKE:
            found.append((first, second, value))
    return sorted(found)


def _candidates(
    looks: Sequence[Fingerprint], group: npt.NDArray[np.int64], block: int
) -> Iterator[tuple[int, int]]:
    starts = range(0, len(looks), block)
    for left in starts:
        mine = _Spectra(looks[left : left + block], _room(looks))
        for right in starts[left // block :]:
            other = mine if right == left else _Spectra(looks[right : right + block], mine.room)
            near = _best(mine, other) >= ALIKE - _MARGIN
            near &= group[left : left + block, None] != group[None, right : right + block]
            for row, column in np.argwhere(near):
                if left + row < right + column:
                    yield int(left + row), int(right + column)


def _room(looks: Sequence[Fingerprint]) -> int:
    """Samples in which no shift of any two overlaps itself."""
    return 1 << (2 * max((len(one.looks) for one in looks), default=1) - 1).bit_length()


class _Spectra:
    """Fourier transforms over time of a block's looks, and of where they move."""

    def __init__(self, looks: Sequence[Fingerprint], room: int) -> None:
        self.room = room
        self.lengths = np.array([len(one.looks) for one in looks])
        padded = np.zeros((len(looks), room, SIDE * SIDE), np.float32)
        moving = np.zeros((len(looks), room), np.float32)
        for row, one in enumerate(looks):
            padded[row, : len(one.looks)] = one.looks
            moving[row, : len(one.looks)] = np.abs(one.looks).max(axis=1) > 0
        # (frequencies, block, cells), and (block, frequencies).
        self.looks = np.ascontiguousarray(np.fft.rfft(padded, axis=1).transpose(1, 0, 2)).astype(np.complex64)
        self.moving = np.fft.rfft(moving, axis=1).astype(np.complex64)


def _best(one: _Spectra, other: _Spectra) -> npt.NDArray[np.float32]:
    """(one, other) highest mean correlation over all shifts at which enough looks overlap, 0 where none do."""
    table = np.matmul(one.looks.conj(), other.looks.transpose(0, 2, 1)).transpose(1, 2, 0)
    sums = np.fft.irfft(table, one.room, axis=2)
    counts = np.rint(np.fft.irfft(one.moving.conj()[:, None] * other.moving[None], one.room, axis=2))
    shorter = np.minimum(one.lengths[:, None], other.lengths[None])
    least = np.maximum(np.minimum(OVERLAP, shorter), np.rint(SHARE * shorter))
    means = np.divide(
        sums, counts, out=np.zeros_like(sums), where=(counts >= least[..., None]) & (counts > 0)
    )
    best: npt.NDArray[np.float32] = means.max(axis=2)
    return best
