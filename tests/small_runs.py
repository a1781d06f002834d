"""Training runs of seconds, and one that can be started as a process of its own to be killed.

python small_runs.py RECORDING MODEL STEPS
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from synthesis.config import DataConfig, NetworkConfig, SynthesisConfig, preset


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


if __name__ == "__main__":
    import torch

    from synthesis import runner, train

    torch.set_num_threads(1)
    runner.CHECKPOINT_SECONDS = (
        0.0  # a checkpoint after every step, so that there is always one to be killed in
    )
    train.train(
        [Path(sys.argv[1])],
        Path(sys.argv[2]),
        small_config(int(sys.argv[3])),
        subject="dancer",
        progress=lambda done, total, note: print(done, flush=True),
    )
