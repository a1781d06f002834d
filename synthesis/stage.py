"""What a training run is made of: stages, one after the other, each a loop over one step function.

    compact              one stage
    paper                global → local → face

`synthesis.train` runs a list of stages and knows nothing of what they do. What it asks of them makes a run that can be
killed at any moment and go on to the same bits: a step depends on the weights, the optimisers and four numbers (seed,
stage, index, share), and on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import nn

from dataset.errors import SynthesisError

if TYPE_CHECKING:
    from synthesis.config import ScheduleConfig


@dataclass(frozen=True)
class World:
    """The processes that train together, seen from one of them.

    Attributes:
        rank: number of this process, from 0; rank 0 writes all files.
        size: how many there are.
        device: where this one computes.
        local_size: how many of them are on this machine.
        store: what they tell each other by; None in a run of one.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    local_size: int = 1
    store: dist.Store | None = field(default=None, repr=False, compare=False)

    @property
    def leads(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0


class Stage(Protocol):
    """One part of a run.

    Stages of one run share modules: a later stage that starts from the generator of an earlier one has the same
    object in its `networks`. A checkpoint holds the networks and optimisers of the stage it was written in, so
    `networks` names everything with weights that this stage or a later one needs: trained, averaged and frozen.

    Learning rates, warm-up and decay are set by `step` from `index` and `share`; they are not stored.

    Attributes:
        name: "compact", or "global", "local", "face"; stable, it is written into checkpoints and logs.
        steps: optimisation steps of this stage; in a run limited by time, its share of the time among the stages.
        networks: by name.
        optimisers: by name.
        shown: what `sample` and `scores` look at, for the reader: "held-out frames 87, 95, 103 of dancer.mp4".
    """

    name: str
    steps: int
    networks: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]
    shown: str

    def begin(self) -> None:
        """Called once before step 0, when the stage before is over, and not when a checkpoint of this stage is read.

        The place to copy weights that the stage before has trained.
        """

    def step(self, index: int, share: float) -> dict[str, float]:
        """One optimisation step.

        A function of networks, optimisers, seed, `index` and `share`. With several processes each takes its own
        samples (`samples_of_step`) and the gradients are averaged (`synthesis.distributed.average_gradients`) before
        an optimiser moves, so that all processes hold the same weights.

        Args:
            index: number of the step in this stage, from 0.
            share: how much of the stage is over, 0 ≤ share < 1: ``index / steps``, or the share of its time.

        Returns:
            Each loss term by name, of this process's samples.
        """

    def sample(self) -> npt.NDArray[np.uint8]:
        """A picture strip (H, W, 3) of the same few frames each time, held-out ones if there are any."""

    def scores(self) -> dict[str, float]:
        """Metrics on the frames of `sample`, the backbone in the name: {"ssim": …, "perceptual squeezenet1_1": …}."""

    def snapshot(self) -> nn.Module:
        """The module whose weights are kept as the generator, for snapshots and at the end."""


def samples_of_step(index: int, schedule: ScheduleConfig, world: World) -> list[list[int]]:
    """Numbers of the samples that this process takes in a step, in passes whose gradients are added up.

    Sample number n is drawn from (seed, n), whoever draws it: with any number of processes a step sees the same
    samples, each once.

    >>> samples_of_step(3, ScheduleConfig(batch=4, accumulate=2), World(rank=0, size=1))
    [[12, 13], [14, 15]]
    >>> samples_of_step(3, ScheduleConfig(batch=4), World(rank=1, size=2))
    [[14, 15]]

    Raises:
        SynthesisError: the batch cannot be divided among the processes and passes.
    """
    each, rest = divmod(schedule.batch, world.size * schedule.accumulate)
    if rest or not each:
        raise SynthesisError(
            f"a batch of {schedule.batch} cannot be shared by {world.size} processes"
            f" with {schedule.accumulate} passes each",
            hint=f"give a --batch that is a multiple of {world.size * schedule.accumulate}",
        )
    first = index * schedule.batch + world.rank * each * schedule.accumulate
    return [[first + part * each + i for i in range(each)] for part in range(schedule.accumulate)]
