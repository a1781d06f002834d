"""A detector's training as a process of its own, for tests: python detector_run.py OUT STEPS [--die STEP]

Started by torchrun it is one of several. A checkpoint after every step; --die ends the process by SIGKILL after one,
of several the last, and only when torchrun has not started them anew.
SGD stands in for AdamW, which divides gradients by their size: it would turn those that are zero but for rounding (of
a bias before a normalisation) into steps of full size, and would hide a wrong factor.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from textures import TINY, planted_corpus

from forensics.jobs import EVERYBODY, Job, do_job
from forensics.recipe import Recipe
from forensics.train import Run, TrainConfig
from synthesis.distributed import join


def plain(
    parameters: Iterable[torch.nn.Parameter], rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=weight_decay)


def recipe(steps: int) -> Recipe:
    # The whole chain in float32, so that what remains is the order of sums.
    return Recipe(
        replace(TINY, dropout=0.3),
        TrainConfig(steps=steps, batch=8, rate=5e-3, average=0.5, precision="float32"),
        folds=2,
    )


def train(out: Path, steps: int, die: int | None = None) -> None:
    torch.set_num_threads(1)
    adamw, torch.optim.AdamW = torch.optim.AdamW, plain  # type: ignore[misc, assignment]

    def progress(done: int, total: int | None, note: str) -> None:
        print(done, flush=True)
        last = os.environ.get("RANK", "0") == str(int(os.environ.get("WORLD_SIZE", "1")) - 1)
        if done == die and last and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
            os.kill(os.getpid(), signal.SIGKILL)

    windows = planted_corpus(subjects=3)
    try:
        with join("cpu") as world:
            do_job(windows, recipe(steps), Job(EVERYBODY, 0, ("person-0",)), out, "mark", progress, world)
    finally:
        torch.optim.AdamW = adamw  # type: ignore[misc]


if __name__ == "__main__":
    # A checkpoint is due at once, whenever it is asked.
    Run.__init__.__defaults__ = (*(Run.__init__.__defaults__ or ())[:-1], 0.0)
    train(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[4]) if len(sys.argv) > 3 else None)
