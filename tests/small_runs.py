"""Training runs of seconds, and one that can be started as a process of its own to be killed.

python small_runs.py RECORDING MODEL STEPS
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import TYPE_CHECKING

from synthesis.config import DataConfig, NetworkConfig, SynthesisConfig, preset

if TYPE_CHECKING:
    import torch

    from synthesis import checkpoint
    from synthesis.stage import Stage


def small_config(steps: int, snapshots: tuple[int, ...] = ()) -> SynthesisConfig:
    """The compact preset, much smaller; half of the steps are adversarial."""
    compact = preset("compact")
    return replace(
        compact,
        data=DataConfig(height=64),
        network=NetworkConfig(width=8, thin=8, ndf=8),
        schedule=replace(
            compact.schedule, steps=steps, warmup=0.5, lr=2e-3, snapshots=snapshots, precision="float32"
        ),
    )


def train_small(
    recording: Path,
    out: Path,
    steps: int,
    told: Connection | None = None,
    allowed: Semaphore | None = None,
    *,
    every: int = 1,
    die: tuple[str, int] | None = None,
) -> None:
    """Train in this process, which may be killed, and leave the last checkpoint where it is.

    Args:
        recording, out, steps: what, where and how long; half of the steps are adversarial.
        told: gets the number of each step that is done.
        allowed: is taken once after each step, so that whoever holds it can stop the run there.
        every: a checkpoint after each so many steps.
        die: end this process by SIGKILL inside the writing of a checkpoint: at "half" of the file, "before" the file
            before it is put aside, "between" the two renames, or "after" them; counted from 0.
    """
    import torch

    from synthesis import checkpoint, runner, train

    torch.set_num_threads(1)
    runner.CHECKPOINT_SECONDS, runner.CHECKPOINT_COST = 0.0, float("inf")
    save, replace_file, save_file = runner.save_checkpoint, os.replace, checkpoint.save_file
    written = 0

    def at(place: str) -> bool:
        return die == (place, written)

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def save_some(
        path: Path, stage: Stage, position: checkpoint.Position, identity: dict[str, object]
    ) -> None:
        nonlocal written
        if position.done % every == 0:
            save(path, stage, position, identity)
            if at("after"):
                kill()
            written += 1

    def write(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
        save_file(tensors, path, metadata=metadata)
        if at("half"):
            os.truncate(path, path.stat().st_size // 2)
            kill()

    def rename(source: Path, target: Path) -> None:
        aside = Path(target).name == checkpoint.PREVIOUS
        if aside and at("before"):
            kill()
        replace_file(source, target)
        if aside and at("between"):
            kill()

    def progress(done: int, total: int, note: str) -> None:
        told.send(done) if told else print(done, flush=True)
        if allowed:
            allowed.acquire()

    runner.save_checkpoint, checkpoint.save_file, os.replace = save_some, write, rename  # type: ignore[assignment]
    train.forget_checkpoints = lambda folder: None
    train.train(
        [recording],
        out,
        small_config(steps),
        subject="dancer",
        progress=progress,
    )


if __name__ == "__main__":
    train_small(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
