"""Which stretches of a video are fake, where the rest is not.

The frame pairs in order of time are cut into the disjoint stretches that have most above even odds
(Ruzzo and Tompa, *A linear time algorithm for finding all maximal scoring subsequences*, ISMB 1999). Such a stretch
was picked because it is high, so its own scores prove nothing: it is looked at again, and the frame pairs that
were seen only then decide, against the threshold that whole videos are held to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: A stretch of fewer frame pairs is an outlier, not a suspicion.
LEAST_IN_SPAN = 2
#: A stretch that holds more than this share of the pairs is the video.
WHOLE = 0.85


@dataclass(frozen=True)
class Stretch:
    """Pairs `first` … `last` (both inside) of a time line."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


def suspicious(probabilities: Sequence[float]) -> list[Stretch]:
    """The stretches that stand out, in order of time; none where the whole does, or nothing.

    Args:
        probabilities: (P,) of a fake, of each pair in order of time. Probabilities and not scores: one pair that is far
            out then weighs no more than one that is merely certain.
    """
    stretches = [
        found for found in _maximal([2 * p - 1 for p in probabilities]) if len(found) >= LEAST_IN_SPAN
    ]
    if sum(map(len, stretches)) > WHOLE * len(probabilities):
        return []
    return stretches


def _maximal(values: Sequence[float]) -> list[Stretch]:
    """All maximal scoring subsequences: left, right and the sums before and after each, merged as the paper does."""
    found: list[tuple[int, int, float, float]] = []
    total = 0.0
    for index, value in enumerate(values):
        before, total = total, total + value
        if value <= 0:
            continue
        first, low, high = index, before, total
        while True:
            # The nearest stretch that begins lower than this one; those between begin no lower and stay apart.
            place = next((k for k in range(len(found) - 1, -1, -1) if found[k][2] < low), None)
            if place is None or found[place][3] >= high:
                found.append((first, index, low, high))
                break
            first, low = found[place][0], found[place][2]
            del found[place:]
    return [Stretch(first, last) for first, last, _, _ in found]


def times_between(
    frames: Sequence[float], begin: float, end: float, seen: set[float], count: int
) -> list[float]:
    """At most `count` times of first frames in [begin, end] that have not been looked at, evenly spread."""
    fresh = [time for time in frames if begin <= time <= end and time not in seen]
    if len(fresh) <= count:
        return fresh
    return [fresh[int((index + 0.5) * len(fresh) / count)] for index in range(count)]
