"""The command ``synthesize train`` as torchrun starts it, for tests: python distributed_run.py [--fail STEP] ARGUMENTS…

Batches of four, a checkpoint after every step, the last one kept. SGD stands in for Adam, which divides gradients by
their size: it would turn those that are zero but for rounding (of a bias before a normalisation) into steps of full
size, and would hide a wrong factor.
"""

from __future__ import annotations

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


def patch(fail: int | None = None) -> None:
    """Make the changes named above in this process; `fail`: the second process fails in that step."""
    runner.CHECKPOINT_SECONDS, runner.CHECKPOINT_COST = 0.0, float("inf")
    train.forget_checkpoints = lambda folder: None
    step = CompactStage.step

    def plain(parameters: Iterable[torch.nn.Parameter], lr: float, betas: object) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9)

    def maybe_fail(self: CompactStage, index: int, share: float) -> dict[str, float]:
        if index == fail and self.world.rank == 1:
            raise SynthesisError("the second process has had enough")
        return step(self, index, share)

    torch.optim.Adam, CompactStage.step = plain, maybe_fail  # type: ignore[misc, assignment, method-assign]


if __name__ == "__main__":
    arguments = sys.argv[1:]
    failing = int(arguments.pop(1)) if arguments[0] == "--fail" else None
    config.PRESETS["small"] = spread_config()
    torch.set_num_threads(1)
    patch(failing)
    main([*arguments[failing is not None :], "--preset", "small"], prog_name=Path(sys.argv[0]).stem)
