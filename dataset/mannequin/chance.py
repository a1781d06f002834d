"""Chance that is the same every time: generators and wanderings made from whole numbers."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def dice(*numbers: int) -> np.random.Generator:
    """A generator that belongs to these numbers; they may be negative."""
    return np.random.default_rng([number % 2**64 for number in numbers])


@lru_cache(maxsize=4096)
def _wave(seed: int, channel: int, slow: float, fast: float) -> tuple[Floats, Floats]:
    rng = dice(seed, channel, 7)
    return 2 * np.pi * rng.uniform(slow, fast, 3), rng.uniform(0, 2 * np.pi, 3)


_SHARES = np.array([0.5, 0.3, 0.2])


def wobble(time: float, seed: int, channel: int, slow: float = 0.08, fast: float = 0.45) -> float:
    """A smooth, never quite repeating wander in [-1, 1].

    Args:
        time: seconds.
        channel: another wander of the same seed.
        slow, fast: range of its frequencies in Hz.
    """
    rates, starts = _wave(seed, channel, slow, fast)
    return float(np.sin(rates * time + starts) @ _SHARES)
