"""Training the detector on the windows of a corpus: real and fake of the same frames, side by side in every batch."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from dataset.errors import DetectorError
from forensics.degrade import Degradation
from forensics.detector import Detector, DetectorConfig, to_tensor
from forensics.familiarity import Familiarity
from forensics.windows import ClipWindows

#: Windows of the training clips that describe how training data look; more tell nothing new.
_FAMILIAR_WINDOWS = 4000

Progress = Callable[[int, int | None, str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained. The whole run follows from `seed`."""

    steps: int = 700  # optimiser steps of one network
    batch: int = 32  # windows a step, half of them real
    rate: float = 3e-3  # AdamW's learning rate at its highest, after a warm-up of a twentieth of the steps
    weight_decay: float = 1e-2  # AdamW's
    smoothing: float = 0.05  # the targets are this far from 0 and 1
    average: float = 0.98  # decay of the moving average of the weights, which is what is kept
    seed: int = 0  # of the initial weights, the order of the windows and the degradations
    precision: str = (
        "bf16"  # arithmetic of the training steps, "bf16" (autocast) or "float32"; judging is float32
    )


@dataclass
class _Source:
    """What one subject gives: fakes with the real windows to set beside them."""

    fakes: list[ClipWindows]
    reals: list[ClipWindows]


class Sampler:
    """Draws balanced batches: a subject, one of its fakes, a window, and beside it the same window of the real clip.

    A fake without a frame-for-frame pair gets a real window of the same part of the same person, or of anybody where
    that person has none. Subjects who have only real clips are not drawn otherwise: their looks would come to speak for
    "real" (tried, and worse on people left out); they serve to calibrate.
    """

    def __init__(self, clips: Sequence[ClipWindows], side: int, random: np.random.Generator) -> None:
        self._side, self._random = side, random
        used = [clip for clip in clips if len(clip)]
        self._by_path = {clip.clip.path: clip for clip in used}
        sources: dict[str, _Source] = defaultdict(lambda: _Source([], []))
        for clip in used:
            source = sources[clip.clip.subject]
            (source.fakes if clip.clip.label == "fake" else source.reals).append(clip)
        self._sources = [source for _, source in sorted(sources.items()) if source.fakes]
        self._reals = [clip for clip in used if clip.clip.label == "real"]
        if not self._sources or not self._reals:
            raise DetectorError(
                f"nothing to train on: {sum(len(s.fakes) for s in self._sources)} fake and "
                f"{len(self._reals)} real clips show a person large enough",
                hint="each needs a person at least 96 pixels high",
            )

    def draw(self, count: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """(count, 2, side, side, 3) windows and (count,) labels, 1 for fake; each fake stands beside its real one."""
        windows = []
        for _ in range(count // 2):
            fake, real = self._couple()
            degradation = Degradation.draw(self._random)
            windows += [degradation.apply(real, self._side), degradation.apply(fake, self._side)]
        return np.stack(windows), np.tile(np.array([0, 1], np.float32), count // 2)

    def _couple(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        source = self._pick(self._sources)
        fake = self._pick(source.fakes)
        index = int(self._random.integers(len(fake)))
        mirrored = self._by_path.get(fake.clip.pair or "")
        if mirrored is not None and mirrored.parts == fake.parts:
            return fake.pixels[index], mirrored.pixels[index]
        return fake.pixels[index], self._alike(self._pick(source.reals or self._reals), fake.parts[index])

    def _alike(self, clip: ClipWindows, part: str) -> npt.NDArray[np.uint8]:
        """A window of the same part, or any where the clip does not show it."""
        rows = [row for row, name in enumerate(clip.parts) if name == part] or range(len(clip))
        window: npt.NDArray[np.uint8] = clip.pixels[self._pick(rows)]
        return window

    def _pick(self, items: Sequence[T]) -> T:
        return items[int(self._random.integers(len(items)))]


def train_network(
    clips: Sequence[ClipWindows],
    network: DetectorConfig,
    config: TrainConfig,
    progress: Progress | None = None,
) -> Detector:
    """Train one detector on all of `clips`; it is not calibrated yet.

    Args:
        clips: windows with a margin, of real and fake clips.
        network: shape of the detector.
        config: how to train.
        progress: called after each step with steps done, steps in all, and the loss in words.

    Raises:
        DetectorError: one of the labels is missing, or the loss is no longer a number.
    """
    torch.manual_seed(config.seed)
    sampler = Sampler(clips, network.window, np.random.default_rng(config.seed))
    detector = Detector(network).train()
    kept = copy.deepcopy(detector)
    optimiser = torch.optim.AdamW(detector.parameters(), config.rate, weight_decay=config.weight_decay)
    warm = max(config.steps // 20, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, warm, config.steps))
    recent = float("nan")
    for step in range(config.steps):
        windows, labels = sampler.draw(config.batch)
        target = torch.from_numpy(labels) * (1 - 2 * config.smoothing) + config.smoothing
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16"):
            logits = detector(to_tensor(windows))
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(detector.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        value = float(loss.detach())
        if not np.isfinite(value):
            raise DetectorError(f"the loss is {value} at step {step + 1}", hint="train with a lower --rate")
        recent = value if step == 0 else 0.95 * recent + 0.05 * value
        # Early on the average follows faster, or it would still hold the initial weights.
        _follow(kept, detector, min(config.average, (1 + step) / (10 + step)))
        if progress is not None:
            progress(step + 1, config.steps, f"loss {recent:.3f}")
    kept.familiarity = Familiarity.fit(kept.judge(_sample(clips, network.window, config.seed))[1])
    return kept


def centre(pixels: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """(N, 2, S, S, 3) windows with margin → (N, 2, side, side, 3) without."""
    begin = (pixels.shape[2] - side) // 2
    return np.ascontiguousarray(pixels[:, :, begin : begin + side, begin : begin + side])


def _rate(step: int, warm: int, steps: int) -> float:
    """Rises in a line, then falls along half a cosine."""
    if step < warm:
        return (step + 1) / warm
    return 0.5 + 0.5 * float(np.cos(np.pi * (step - warm) / max(steps - warm, 1)))


@torch.no_grad()
def _follow(kept: Detector, detector: Detector, decay: float) -> None:
    for mine, its in zip(kept.parameters(), detector.parameters(), strict=True):
        mine.lerp_(its, 1 - decay)
    for figure, its_figure in zip(kept.buffers(), detector.buffers(), strict=True):
        figure.copy_(its_figure)


def _sample(clips: Sequence[ClipWindows], side: int, seed: int) -> npt.NDArray[np.uint8]:
    """An even share of the windows of each clip, undegraded."""
    random = np.random.default_rng(seed)
    share = max(_FAMILIAR_WINDOWS // max(len(clips), 1), 8)
    chosen = []
    for clip in clips:
        if len(clip):
            rows = np.sort(random.permutation(len(clip))[:share])
            chosen.append(centre(np.asarray(clip.pixels[rows]), side))
    return np.concatenate(chosen)
