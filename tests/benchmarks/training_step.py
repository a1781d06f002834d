"""What each way of computing does to the time of one compact training step: python tests/benchmarks/training_step.py

A step of the adversarial part, on a filmed mannequin, the preset's networks. Each way is timed against float32 alone,
in turns on the same samples, so that whatever else the machine does falls on both alike; the figure is the median of
the ratios (above 1: slower than float32), with the quartiles. On a CPU the time is the processor's, which other
programs disturb less; the first step, which compiles, is timed by the clock on the wall. Loss: the sum of the
terms after the last step, divided by that of float32, for ways that should not change it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dataset.mannequin import Performer, film
from synthesis.compact.stage import CompactStage
from synthesis.config import SynthesisConfig, preset
from synthesis.distributed import choose_device
from synthesis.recording import Prepared
from synthesis.stage import World
from synthesis.train import prepare_all

WAYS: dict[str, dict[str, object]] = {
    "float32": {},
    "float32 channels-last": {"channels_last": True},
    "float32 compiled": {"compile": True},
    "bf16": {"precision": "bf16"},
    "bf16 channels-last": {"precision": "bf16", "channels_last": True},
    "bf16 compiled": {"precision": "bf16", "compile": True},
    "bf16 compiled channels-last": {"precision": "bf16", "compile": True, "channels_last": True},
    "float32 batch 2": {"batch": 2},
    "float32 batch 2 in two passes": {"batch": 2, "accumulate": 2},
}


def configured(way: str, height: int) -> SynthesisConfig:
    """The preset with the settings of a way."""
    compact = preset("compact")
    schedule = replace(compact.schedule, precision="float32", compile=False, channels_last=False)
    return replace(
        compact,
        data=replace(compact.data, height=height),
        schedule=replace(schedule, **WAYS[way]),  # type: ignore[arg-type]
    )


def timed(stage: CompactStage, index: int) -> tuple[float, float]:
    """Seconds of one adversarial step, and its loss."""
    on_gpu = stage.world.device.type == "cuda"
    now = time.perf_counter if on_gpu else time.process_time
    begun = now()
    losses = stage.step(index, 0.5)
    if on_gpu:
        torch.cuda.synchronize()
    return now() - begun, sum(losses.values())


def compare(way: str, plain: CompactStage, prepared: list[Prepared], rounds: int, height: int) -> str:
    """One row of the table."""
    stage = CompactStage(configured(way, height), prepared, plain.world)
    begun = time.perf_counter()
    timed(stage, 0)
    first = time.perf_counter() - begun
    ratios = []
    for index in range(1, rounds + 1):
        pair = [timed(one, index) for one in ((plain, stage) if index % 2 else (stage, plain))]
        (own, loss), (other, expected) = pair[::-1] if index % 2 else pair
        ratios.append(own / other)
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    likeness = "" if "batch" in WAYS[way] else f"{loss / expected:.3f}"
    return f"{way:32} {middle:6.2f}   {low:.2f}–{high:.2f}   {likeness:6} {first:8.1f} s"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--ways", nargs="*", default=list(WAYS)[1:], choices=list(WAYS))
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    world = World(device=choose_device(given.device))
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "dancer.mp4"
        film(video, Performer.from_seed(3), "dance", seconds=2, fps=12, size=(480, 640))
        plain_config = configured("float32", given.height)
        prepared = prepare_all([video], Path(folder), plain_config, lambda what, done, total: None)
        plain = CompactStage(plain_config, prepared, world)
        seconds = min(timed(plain, 0)[0] for _ in range(2))
        print(f"torch {torch.__version__}, {given.threads} thread(s), {world.device}, height {given.height}")
        print(f"float32: {seconds:.2f} s a step")
        print(f"{'way':32} {'ratio':>6}   quartiles   loss   first step")
        for way in given.ways:
            plain = CompactStage(plain_config, prepared, world)
            timed(plain, 0)
            print(compare(way, plain, prepared, given.rounds, given.height), flush=True)


if __name__ == "__main__":
    main()
