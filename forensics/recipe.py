"""What a training run follows from, and what comes out of judging a clip."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dataset.records import Clip
from forensics.detectors.base import Detector
from forensics.detectors.patch import PatchConfig
from forensics.detectors.registry import kind_of
from forensics.train import TrainConfig
from forensics.views import ViewConfig
from forensics.windows import ClipWindows

#: Trained on, never evidence: subjects that are nobody, and recordings filmed anew by `forensics.camera` or cut out by
#: `forensics.backdrop`.
NOBODY = ("mannequin*", "refilmed_*", "backdrop_*")


@dataclass(frozen=True)
class Recipe:
    """Everything that a training run follows from, besides the corpus."""

    network: Any = field(default_factory=PatchConfig)  # config of a detector, which it also chooses
    training: TrainConfig = field(default_factory=TrainConfig)
    # Fewer pairs than in a scan: training sees many clips.
    views: ViewConfig = field(default_factory=lambda: ViewConfig(pairs=8))
    folds: int = 4  # groups of subjects left out in turn; at least as many as subjects: leave-one-subject-out
    train_only: tuple[str, ...] = (
        NOBODY  # patterns of subjects and recordings that neither calibrate nor count
    )

    @property
    def detector(self) -> str:
        """Name of the detector."""
        return kind_of(self.network).name

    def check(self) -> None:
        """Raise what would keep the detector from being trained; see `Detector.check`."""
        kind_of(self.network)(self.network).check()

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"detector": self.detector} | asdict(self)


@dataclass(frozen=True)
class ClipScore:
    """What a detector that knows nobody in a clip says about it.

    Attributes:
        clip: which.
        fold: group of subjects that was left out, -1 for a detector trained elsewhere.
        score: mean over the pairs, a logit; None where nothing could be judged.
        pair_scores: one a frame pair that could be judged.
        distance: from the training data; None where nothing could be judged or the detector has no such notion.
        opinions: member → the probability that it would give alone, of a detector that is made of several.
    """

    clip: Clip
    fold: int
    score: float | None
    pair_scores: tuple[float, ...]
    distance: float | None
    opinions: dict[str, float] = field(default_factory=dict)

    @property
    def fake(self) -> bool:
        """Whether the clip is one."""
        return self.clip.label == "fake"


def score_clip(detector: Detector, windows: ClipWindows, fold: int = -1) -> ClipScore:
    """Judge the windows of one clip, without their margin."""
    if not len(windows):
        return ClipScore(windows.clip, fold, None, (), None)
    scores = detector.judge(windows.evidence(detector.window))
    judged = scores.pairs[np.isfinite(scores.pairs)]
    return ClipScore(
        windows.clip, fold, scores.score, tuple(judged.tolist()), scores.distance, dict(scores.opinions)
    )


def fingerprint(windows: Sequence[ClipWindows], recipe: Recipe, left_out: Sequence[str]) -> str:
    """Hash of all that a group's detector follows from."""
    told = [[asdict(item.clip) for item in windows], recipe.to_dict(), list(left_out)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
