"""Training a network on the windows of a corpus: the loop that all detectors with a network share."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dataset.errors import DetectorError
from forensics.detectors.base import Detector, Progress, to_tensor
from forensics.detectors.layers import take_part
from forensics.detectors.registry import kind_of
from forensics.keeper import Keeper
from forensics.windows import ClipWindows, centre, wanted_rows
from synthesis.distributed import average_gradients
from synthesis.stage import World

#: Windows of the training clips that describe how training data look; more tell nothing new.
_FAMILIAR_WINDOWS = 4000

Network = TypeVar("Network", bound=nn.Module)


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


@dataclass(frozen=True)
class Run:
    """Where a training takes place, and where it is kept so that it can go on.

    Attributes:
        world: the processes that take part; each takes a share of every batch, and the leading one writes.
        folder: for a checkpoint while the training is under way; None to keep none.
        identity: what the training follows from; a checkpoint of another one is not taken up.
        seconds: between two checkpoints, at least; writing them takes at most a twentieth of the time.
    """

    world: World = field(default_factory=World)
    folder: Path | None = None
    identity: str = ""
    seconds: float = 60.0

    def part(self, name: str) -> Run:
        """The same for a part of the training that is kept apart."""
        folder = None if self.folder is None else self.folder / name
        return replace(self, folder=folder, identity=f"{self.identity}/{name}")


class Batches(Protocol):
    """Where the windows of a step come from; see `forensics.sampler.Sampler`."""

    def draw(
        self, step: int, count: int, rank: int = 0, size: int = 1
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """The windows (count / size, 2, S, S, 3) and labels of one process's share of a step."""

    def state(self) -> Any:
        """JSON value from which `restore` goes on after the step drawn last."""

    def restore(self, state: Any) -> None:
        """Go on from `state`."""


def train_network(
    clips: Sequence[ClipWindows],
    network: Any,
    config: TrainConfig,
    progress: Progress | None = None,
    *,
    run: Run | None = None,
) -> Detector:
    """Train one detector on all of `clips`; it is not calibrated yet.

    Args:
        clips: windows with a margin, of real and fake clips.
        network: config of a detector, such as `forensics.detectors.patch.PatchConfig`.
        config: how to train.
        progress: called after each step with steps done, steps in all, and the loss in words.
        run: see `Detector.fit`.

    Raises:
        DetectorError: one of the labels is missing, or the loss is no longer a number.
    """
    detector = kind_of(network)(network)
    detector.fit(clips, config, progress, run=run)
    return detector


def fit_network(
    network: Network,
    batches: Batches,
    config: TrainConfig,
    progress: Progress | None = None,
    run: Run | None = None,
) -> Network:
    """Train a network that takes (B, 6, S, S) in [-1, 1] and gives (B,) logits.

    Every step follows from the weights, the optimiser's state and the step's number alone. So a run that goes on from a
    checkpoint ends at the same bits as one that was never cut off, and several processes take the steps that one
    would.

    Args:
        network: as initialised; it is trained in place. Only parameters that require gradients are changed.
        batches: the windows of each step.
        config: how to train.
        progress: called after each step.
        run: processes and checkpoints.

    Returns:
        Another network with the moving average of the weights, in evaluation mode.

    Raises:
        DetectorError: the loss is no longer a number, or the batch cannot be shared out evenly.
        PeerError: another process of the run has failed.
    """
    run = run or Run()
    world = run.world
    if config.batch % (2 * world.size):
        raise DetectorError(
            f"a batch of {config.batch} windows cannot be shared out to {world.size} processes",
            hint=f"give a --batch that can be divided by {2 * world.size}",
        )
    network.train()
    kept = copy.deepcopy(network)
    tuned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(tuned, config.rate, weight_decay=config.weight_decay)
    keeper = Keeper(run, network, kept, optimiser)
    first, state = keeper.resume()
    if state is not None:
        batches.restore(state[world.rank])
    take_part(network, world)
    recent = float("nan")
    for step in range(first, config.steps):
        # What is drawn in a step, such as dropout, does not depend on the steps before.
        torch.manual_seed(int(np.random.SeedSequence([config.seed, step]).generate_state(1)[0]))
        for group in optimiser.param_groups:
            group["lr"] = config.rate * _rate(step, max(config.steps // 20, 1), config.steps)
        windows, labels = batches.draw(step, config.batch, world.rank, world.size)
        target = torch.from_numpy(labels) * (1 - 2 * config.smoothing) + config.smoothing
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16"):
            logits: Tensor = network(to_tensor(windows))
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(tuned, world)
        # After averaging: a process whose own loss is sound must stop with the others.
        length = float(nn.utils.clip_grad_norm_(tuned, 5.0))
        if not np.isfinite(length):
            raise DetectorError(
                f"the loss is not a number at step {step + 1}", hint="train with a lower --rate"
            )
        optimiser.step()
        value = float(loss.detach())
        recent = value if recent != recent else 0.95 * recent + 0.05 * value
        # Early on the average follows faster, or it would still hold the initial weights.
        _follow(kept, network, min(config.average, (1 + step) / (10 + step)))
        if progress is not None:
            progress(step + 1, config.steps, f"loss {recent:.3f}")
        keeper.after(step + 1, batches)
    keeper.forget()
    return kept.eval()


def sample_windows(
    clips: Sequence[ClipWindows], side: int, seed: int, parts: Sequence[str] = ()
) -> npt.NDArray[np.uint8]:
    """(N, 2, side, side, 3): an even share of the windows of each clip, undegraded, to know how training data look.

    Args:
        clips: windows with their margin.
        side: of the result.
        seed: of the choice.
        parts: only windows of these parts of the body; all if empty.
    """
    random = np.random.default_rng(seed)
    share = max(_FAMILIAR_WINDOWS // max(len(clips), 1), 8)
    chosen = []
    for clip in clips:
        usable = np.array(wanted_rows(clip.parts, parts), np.int64)
        if len(usable):
            rows = usable[np.sort(random.permutation(len(usable))[:share])]
            chosen.append(centre(np.asarray(clip.pixels[rows]), side))
    return np.concatenate(chosen)


def _rate(step: int, warm: int, steps: int) -> float:
    """Rises in a line, then falls along half a cosine."""
    if step < warm:
        return (step + 1) / warm
    return 0.5 + 0.5 * float(np.cos(np.pi * (step - warm) / max(steps - warm, 1)))


@torch.no_grad()
def _follow(kept: nn.Module, network: nn.Module, decay: float) -> None:
    for mine, its in zip(kept.parameters(), network.parameters(), strict=True):
        mine.lerp_(its, 1 - decay)
    for figure, its_figure in zip(kept.buffers(), network.buffers(), strict=True):
        figure.copy_(its_figure)
