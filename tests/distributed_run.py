"""``synthesize train`` as torchrun starts it: python distributed_run.py [--fail STEP | --die STEP] ARGUMENTS…

In that step the second process fails, or is killed; started anew by torchrun it is left alone.

Batches of four, a checkpoint after every step, the last one kept. SGD stands in for Adam, which divides gradients by
their size: it would turn those that are zero but for rounding (of a bias before a normalisation) into steps of full
size, and would hide a wrong factor.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from small_runs import small_config

from cli.synthesize import main
from dataset.errors import SynthesisError
from synthesis import config, runner, train
from synthesis.compact.stage import CompactStage

STEPS = 6
#: What `patch` changes.
PATCHED = [
    (runner, "CHECKPOINT_SECONDS"),
    (runner, "CHECKPOINT_COST"),
    (train, "forget_checkpoints"),
    (torch.optim, "Adam"),
    (CompactStage, "step"),
]


def spread_config(steps: int = STEPS, batch: int = 4, accumulate: int = 1) -> config.SynthesisConfig:
    """The small run with several pairs a step."""
    small = small_config(steps)
    return replace(small, schedule=replace(small.schedule, batch=batch, accumulate=accumulate))


def patch(fail: int | None = None, die: int | None = None) -> None:
    """Make the changes named above in this process; `fail`, `die`: the second process does so in that step."""
    runner.CHECKPOINT_SECONDS, runner.CHECKPOINT_COST = 0.0, float("inf")
    train.forget_checkpoints = lambda folder: None
    step = CompactStage.step

    def plain(parameters: Iterable[torch.nn.Parameter], lr: float, betas: object) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9)

    def maybe_fail(self: CompactStage, index: int, share: float) -> dict[str, float]:
        if index == fail and self.world.rank == 1:
            raise SynthesisError("the second process has had enough")
        if index == die and self.world.rank == 1 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, index, share)

    torch.optim.Adam, CompactStage.step = plain, maybe_fail  # type: ignore[misc, assignment, method-assign]


if __name__ == "__main__":
    arguments = sys.argv[1:]
    planned = {}
    if arguments[0] in ("--fail", "--die"):
        planned = {arguments.pop(0)[2:]: int(arguments.pop(0))}
    config.PRESETS["small"] = spread_config()
    torch.set_num_threads(1)
    patch(**planned)
    main([*arguments, "--preset", "small"], prog_name=Path(sys.argv[0]).stem)
