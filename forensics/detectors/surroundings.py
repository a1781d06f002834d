"""The surroundings detector: does the scene round the person stand still as no camera leaves it?

It does not look at the person at all; see `forensics.surroundings` for what is measured and why. Alone it would call
every well-compressed film of a still camera a fake, so it is made to be weighed with others (`fused`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from forensics.detectors.base import Evidence, Scores
from forensics.detectors.measured import Figures, MeasuredDetector
from forensics.detectors.registry import register
from forensics.surroundings import FIGURES


@dataclass(frozen=True)
class SurroundingsConfig:
    """How the measurements are classified."""

    window: int = 128  # side of the windows; none is looked at
    variants: int = (
        1  # measured as it is: windows tell nothing of the scene, so copies of whole clips have to
    )
    hidden: int = 0  # units of the classifier's hidden layer, 0 for logistic regression
    decay: float = 1e-3  # weight of its squared weights
    least: float = -1.5  # logits: a scene that changes speaks for a film by no more than this


@register("surroundings")
class SurroundingsDetector(MeasuredDetector):
    """Measures how much of the scene stands still from one frame to the next, and from one look to the next."""

    Config = SurroundingsConfig
    config: SurroundingsConfig
    needs_surroundings = True

    def measured_as(self) -> str:
        """See `MeasuredDetector.measured_as`."""
        return "pairs"

    def measure(self, evidence: Evidence) -> Figures:
        """A row for each pair whose surroundings are known."""
        if evidence.around is None:
            return np.zeros((0, FIGURES), np.float32)
        return evidence.around[_known(evidence.around)]

    def looked_at(self, evidence: Evidence) -> list[int]:
        """None: it looks at whole frames."""
        return []

    def judge(self, evidence: Evidence) -> Scores:
        """See `Detector.judge`."""
        pairs = np.full(len(evidence.times), np.nan)
        logits, _ = self.look(self.measure(evidence))
        if evidence.around is not None:
            # That a scene stands still is hard to come by with a camera; that it changes, any other generator can do.
            pairs[_known(evidence.around)] = np.maximum(logits, self.config.least)
        # How still scenes are in training is no reason to leave a person unjudged.
        return Scores(pairs)


def _known(around: Figures) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isfinite(around[:, 0]))
