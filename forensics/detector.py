"""The patch detector under its former name, for callers that show it bare windows; see `forensics.detectors`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch

from dataset.errors import ModelError
from forensics.detectors.base import CONFIG_FILE, WEIGHTS_FILE, Evidence, Scores, to_tensor
from forensics.detectors.patch import PatchConfig, PatchDetector, fine_detail
from forensics.detectors.registry import DEFAULT_FOLDER

__all__ = [
    "CONFIG_FILE",
    "DEFAULT_FOLDER",
    "WEIGHTS_FILE",
    "Detector",
    "DetectorConfig",
    "fine_detail",
    "load_detector",
    "to_tensor",
]

DetectorConfig = PatchConfig


class Detector(PatchDetector):
    """A patch detector that also judges windows of which nothing else is known."""

    @overload
    def judge(self, evidence: Evidence) -> Scores: ...
    @overload
    def judge(
        self, evidence: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]: ...
    def judge(self, evidence: Any) -> Any:
        """`Evidence` → `Scores`; (N, 2, S, S, 3) windows → (N,) logits and (N, D) embeddings."""
        return super().judge(evidence) if isinstance(evidence, Evidence) else self.look(evidence)

    @property
    def classify(self) -> torch.nn.Linear:
        """The network's last layer."""
        return self.network.classify

    def eval(self) -> Detector:
        """The detector itself: its network is never left in training mode."""
        return self


def load_detector(folder: str | Path | None = None) -> Detector:
    """The patch detector in `folder`, or the one that ships with the package.

    Raises:
        ModelError: there is none, it is damaged or of another kind.
    """
    if folder is None and not (DEFAULT_FOLDER / CONFIG_FILE).is_file():
        raise ModelError(
            "no detector ships with this copy",
            path=DEFAULT_FOLDER,
            hint="train one with: fakedetect train CORPUS --out DIR, then scan with --model DIR",
        )
    return Detector.load(DEFAULT_FOLDER if folder is None else folder)
