"""A detector that says what it was told to, by the brightness of what it is shown: for the logic round a detector.

A stretch of a video is planted as fake by brightening it, so the way from frames to spans is the real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from dataset.mannequin import Performer, render
from dataset.video import VideoWriter
from forensics.calibrate import Calibration
from forensics.detectors import Detector, Evidence, Scores
from forensics.detectors.base import mean_by_pair


@dataclass(frozen=True)
class ScriptedConfig:
    window: int = 48
    real: float = -3.0
    fake: float = 3.0
    noise: float = 1.0


class Scripted(Detector):
    """Scores a pair by its brightness, with noise that follows from its time."""

    name = "scripted"
    Config = ScriptedConfig
    config: ScriptedConfig

    def fit(self, *args: Any, **more: Any) -> None:
        raise NotImplementedError

    def judge(self, evidence: Evidence) -> Scores:
        bright = evidence.pixels.mean(axis=(1, 2, 3, 4)) > BRIGHT
        times = np.nan_to_num(evidence.times)[evidence.pairs]
        noise = np.sin(times * 997.0) * self.config.noise
        logits = np.where(bright, self.config.fake, self.config.real) + noise
        return Scores(mean_by_pair(logits, evidence.pairs, len(evidence.times)), logits, 1.0)

    def tensors(self) -> dict[str, Tensor]:
        return {}

    def put_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        return None


#: Mean of a window above which it counts as fake; filmed mannequins lie well below, brightened ones above.
BRIGHT = 150.0


def scripted(calibration: Calibration, **config: float) -> Scripted:
    detector = Scripted(ScriptedConfig(**config))  # type: ignore[arg-type]
    detector.calibration = calibration
    return detector


def film_partly(
    path: Path, spans: list[tuple[float, float]], *, seconds: float = 8.0, fps: int = 12, seed: int = 3
) -> Path:
    """A mannequin whose picture is bright, and so scored as fake, in some stretches (seconds)."""
    frames = render(Performer.from_seed(seed), "wave", seconds=seconds, fps=fps, size=(240, 320))
    with VideoWriter(path, (240, 320), fps=fps, crf=20) as writer:
        for number, (image, _) in enumerate(frames):
            time = number / fps
            fake = any(begin <= time < end for begin, end in spans)
            shown = image // 2 + (127 if fake else 0)
            writer.write(shown.astype(np.uint8))
    return path
