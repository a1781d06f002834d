"""From what was seen of a person to what a detector is shown, and back to scores of frame pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from forensics.detectors.base import Detector, Evidence
from forensics.scanning.look import SeenPair
from forensics.surroundings import Figures, unknown


def as_evidence(pairs: Sequence[SeenPair]) -> Evidence:
    """All windows of one person, in order of the pairs."""
    views = [view for pair in pairs for view in pair.views]
    bodies = np.zeros((len(pairs), 2, 25, 3), np.float32)
    for index, pair in enumerate(pairs):
        bodies[index, 0] = pair.sighting.body
        if pair.second_body is not None:
            bodies[index, 1] = pair.second_body
    return Evidence(
        pixels=np.stack([view.pixels for view in views]),
        pairs=np.array([index for index, pair in enumerate(pairs) for _ in pair.views], np.int64),
        parts=tuple(view.part for view in views),
        times=np.array([pair.sighting.time for pair in pairs], np.float64),
        bodies=np.nan_to_num(bodies),
        boxes=np.array([view.box for view in views], np.float32),
        around=None if pairs[0].around is None else np.stack([_known(pair.around) for pair in pairs]),
    )


def _known(figures: Figures | None) -> Figures:
    return unknown() if figures is None else figures


def window_logits(
    detector: Detector, windows: npt.NDArray[np.uint8], parts: tuple[str, ...]
) -> npt.NDArray[np.float64]:
    """(N, 2, S, S, 3) windows → (N,) scores, each window as a pair of its own."""
    bare = Evidence.of_windows(windows)
    scores = detector.judge(Evidence(windows, bare.pairs, parts, bare.times, bare.bodies))
    return scores.pairs if scores.windows is None else scores.windows
