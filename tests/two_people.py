"""Films two mannequins into one picture, side by side, so that tests can ask for one of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dataset.mannequin import Performer, render
from dataset.video import VideoWriter


def film_two(
    path: Path,
    *,
    seconds: float = 1.0,
    fps: float = 8,
    size: tuple[int, int] = (160, 240),
    motions: tuple[str, str] = ("wave", "squat"),
) -> list[np.ndarray]:
    """Two performers, each in the room of their own.

    Returns:
        The true body points (T, 25, 3) of the left and the right one, in the pixels of the common picture.
    """
    halves = [
        list(render(Performer.from_seed(seed), motion, seconds=seconds, fps=fps, size=size))
        for seed, motion in zip((3, 8), motions, strict=True)
    ]
    with VideoWriter(path, (2 * size[0], size[1]), fps=fps, crf=16) as writer:
        for (left, _), (right, _) in zip(*halves, strict=True):
            writer.write(np.concatenate([left, right], axis=1))
    truths = [np.stack([truth for _, truth in half]) for half in halves]
    truths[1][:, :, 0] += size[0]
    return truths
