"""What moves in a video, small enough to compare every video with every other.

A room that many people were filmed in must not make their recordings look alike, so the still part of the picture is
taken out: what is left of a few small grey frames a second is the person's shape and motion. A copy that was
re-encoded, scaled or cut at its ends keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

#: Looks a second, and at most so many from the start.
RATE = 4.0
LOOKS = 96
#: Side of a look in pixels.
SIDE = 16
#: Two videos whose overlapping looks correlate above this are near-duplicates.
ALIKE = 0.85
#: Least looks that have to overlap for two videos to be compared, and least share of the shorter one.
OVERLAP, SHARE = 6, 0.5


@dataclass(frozen=True)
class Fingerprint:
    """Looks of a video.

    Attributes:
        looks: (T, 256) float32, each row of length 1, or 0 where nothing moved.
    """

    looks: npt.NDArray[np.float32]

    def to_hex(self) -> str:
        """The looks in 8 bits each, as text for JSON."""
        return np.clip(np.rint(self.looks * 127), -127, 127).astype(np.int8).tobytes().hex()

    @classmethod
    def from_hex(cls, text: str) -> Fingerprint:
        """What `to_hex` wrote."""
        levels = np.frombuffer(bytes.fromhex(text), np.int8).reshape(-1, SIDE * SIDE)
        return cls(_unit(levels.astype(np.float32)))


class Sketcher:
    """Collects the looks while the frames of a video pass by."""

    def __init__(self) -> None:
        self._small: list[npt.NDArray[np.float32]] = []
        self._due = 0.0

    def add(self, image: npt.NDArray[np.uint8], time: float) -> None:
        """Take a look if one is due.

        Args:
            image: (H, W, 3) uint8.
            time: seconds from the first frame.
        """
        if time + 1e-6 >= self._due and len(self._small) < LOOKS:
            self._due = (len(self._small) + 1) / RATE
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            self._small.append(
                cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
            )

    def finish(self) -> Fingerprint:
        """The fingerprint of what was seen."""
        small = np.stack(self._small).reshape(len(self._small), -1)
        # The median over time is the room; of two looks or fewer it would be the person as well.
        still = np.median(small, axis=0) if len(small) > 2 else np.full(small.shape[1], small.mean())
        moved = small - still
        moved[np.abs(moved).max(axis=1) < 4] = 0  # noise of a still scene is not a motion
        return Fingerprint(_unit(moved))


def likeness(first: Fingerprint, second: Fingerprint) -> float:
    """How alike two videos are at the best shift in time: mean correlation of the overlapping looks, in [-1, 1].

    Looks at which nothing moves in either are left out; videos with fewer than `OVERLAP` common looks (or both
    shorter than that: fewer than the shorter one has) compare as 0.
    """
    table = first.looks @ second.looks.T
    moving = np.outer(np.abs(first.looks).max(axis=1) > 0, np.abs(second.looks).max(axis=1) > 0)
    rows, columns = table.shape
    least = max(min(OVERLAP, rows, columns), round(SHARE * min(rows, columns)))
    best = 0.0
    for shift in range(least - rows, columns - least + 1):
        seen = np.diagonal(moving, shift)
        if seen.sum() >= least:
            best = max(best, float(np.diagonal(table, shift)[seen].mean()))
    return best


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0).astype(np.float32)
