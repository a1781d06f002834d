"""Real training processes, killed without warning and started again."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from small_runs import train_small

from synthesis.checkpoint import CHECKPOINT, read_checkpoint

STEPS = 72
KILLS = 20
#: Places inside the writing of a checkpoint, and which checkpoint of that life; see `train_small`.
INSIDE = [("half", 1), ("before", 1), ("between", 1), ("after", 0), ("between", 2), ("half", 0)]

# Each life is a process of its own. They are forked from a server that has PyTorch loaded already, or most of the
# time would go into imports; the server itself never trains, so a life begins as a fresh process would.
lives = multiprocessing.get_context("forkserver")
lives.set_forkserver_preload(["torch", "synthesis.train", "synthesis.compact.stage", "small_runs"])


class Life:
    """One training process. It goes on after a step only when it is allowed to, if it is `held`."""

    def __init__(
        self, recording: Path, out: Path, die: tuple[str, int] | None = None, *, held: bool = False
    ) -> None:
        self.told, told = lives.Pipe(duplex=False)
        self.allowed = lives.Semaphore(0) if held else None
        self.process = lives.Process(
            target=train_small,
            args=(recording, out, STEPS, told, self.allowed),
            kwargs={"every": 2, "die": die},
        )
        self.process.start()
        told.close()

    def wait_for(self, steps: int) -> None:
        """Let it take so many steps and begin another one."""
        for _ in range(steps):
            self.told.recv()
            if self.allowed:
                self.allowed.release()

    def kill(self) -> int | None:
        assert self.process.pid is not None
        if self.process.is_alive():
            os.kill(self.process.pid, signal.SIGKILL)
        return self.end()

    def end(self) -> int | None:
        self.process.join(120)
        self.told.close()
        return self.process.exitcode


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_no_bit(recording, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    first = Life(recording, whole)
    first.wait_for(1)
    begun = time.monotonic()
    first.wait_for(STEPS - 1)
    pace = (time.monotonic() - begun) / (STEPS - 1)
    assert first.end() == 0

    shutil.copytree(whole / "cache", killed / "cache")  # poses and frames are no part of what is tested
    for place in INSIDE:
        assert Life(recording, killed, place).end() == -signal.SIGKILL
    rng = random.Random(5)
    for count in range(KILLS):
        life = Life(recording, killed, held=True)
        life.wait_for(count % 4)  # none: killed while it is starting
        time.sleep(rng.uniform(0, 1.2 * pace if count % 4 else 10 * pace))
        assert life.kill() == -signal.SIGKILL
    assert not (killed / "model.json").exists()
    assert Life(recording, killed).end() == 0

    expected, found = (read_checkpoint(folder / CHECKPOINT) for folder in (whole, killed))
    assert found.tensors.keys() == expected.tensors.keys()
    assert {key.split()[1] for key in found.tensors} == {
        "generator",
        "average",
        "discriminator",
        "adam_g",
        "adam_d",
    }
    assert [key for key in found.tensors if not torch.equal(found.tensors[key], expected.tensors[key])] == []
    assert (killed / "generator.safetensors").read_bytes() == (whole / "generator.safetensors").read_bytes()
    for name in ("log.jsonl", "scores.jsonl"):
        told = [
            [json.loads(line) | {"seconds": 0} for line in (folder / name).read_text().splitlines()]
            for folder in (whole, killed)
        ]
        assert told[0] == told[1]
    assert len((killed / "log.jsonl").read_text().splitlines()) == STEPS
    assert not list(killed.glob(".*"))
