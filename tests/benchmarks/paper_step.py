"""One global training step of the preset `paper` at 512×256 against the plain transcription in `paper_yardstick.py`.

    python tests/benchmarks/paper_step.py              time, memory, transfer; processes take turns
    python tests/benchmarks/paper_step.py curve        200 steps of both from the same weights on the same frames

Each side runs in a process of its own, on one thread or on `--threads`. The processor time of one thread is what other
programs on the machine disturb least; on an idle machine the wall-clock time is what counts, and it is printed as well.
Memory is the process's peak (VmHWM). VGG19 has random weights on both sides, which matters to neither.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
SIDES = ("plain", "ours")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("what", nargs="?", choices=["cost", "curve", "child"], default="cost")
    options.add_argument("--side", choices=SIDES)
    options.add_argument("--rounds", type=int, default=3, help="processes of each side")
    options.add_argument("--steps", type=int, help="timed steps per process (2), or steps of the curve (200)")
    options.add_argument("--width", type=int, help="channels at full resolution (64; the curve's 16)")
    options.add_argument("--threads", type=int, default=1, help="with several, look at the wall-clock time")
    options.add_argument("--size", type=int, nargs=2, help="width and height (512 256; the curve's 256 128)")
    options.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--curve", action="store_true", help=argparse.SUPPRESS)
    options.add_argument("--json", type=Path, help="also write the result here")
    asked = options.parse_args()
    if asked.what == "child":
        print(json.dumps(child(asked)))
        return
    curve = asked.what == "curve"
    asked.curve = curve
    asked.steps = asked.steps or (200 if curve else 2)
    asked.width = asked.width or (16 if curve else 64)
    asked.size = asked.size or ([256, 128] if curve else [512, 256])
    with tempfile.TemporaryDirectory() as folder:
        asked.weights = random_vgg19(Path(folder) / "vgg19.safetensors")
        result = compare_curves(asked) if curve else compare_costs(asked)
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def compare_costs(asked: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for number in range(asked.rounds):
        for side in SIDES:
            found[side].append(run(asked, side))
            print(f"round {number + 1} {side}: {json.dumps(found[side][-1])}", flush=True)
    rows: dict[str, Any] = {}
    for key in ("step_cpu", "step_wall", "frame_cpu", "frame_wall", "peak_mb"):
        plain, ours = (median([value for one in found[side] for value in _many(one[key])]) for side in SIDES)
        rows[key] = {"plain": round(plain, 3), "ours": round(ours, 3), "plain/ours": round(plain / ours, 2)}
        print(f"{key:11} plain {plain:9.3f}   ours {ours:9.3f}   plain/ours {plain / ours:.2f}")
    print(f"peak memory, ours/plain: {rows['peak_mb']['ours'] / rows['peak_mb']['plain']:.2f}")
    return {
        "size": asked.size,
        "width": asked.width,
        "threads": asked.threads,
        "rounds": asked.rounds,
        "medians": rows,
        "runs": found,
    }


def compare_curves(asked: argparse.Namespace) -> dict[str, Any]:
    found = {side: run(asked, side)["losses"] for side in SIDES}
    fifth = max(asked.steps // 5, 1)
    table: dict[str, Any] = {}
    for term in ("perceptual", "fm", "gan", "d"):
        means = {
            side: [
                round(sum(one[term] for one in found[side][start : start + fifth]) / fifth, 4)
                for start in range(0, asked.steps, fifth)
            ]
            for side in SIDES
        }
        table[term] = means
        print(f"{term:11} mean of each fifth   plain {means['plain']}   ours {means['ours']}")
    return {
        "size": asked.size,
        "width": asked.width,
        "steps": asked.steps,
        "means_of_fifths": table,
        "losses": found,
    }


def run(asked: argparse.Namespace, side: str) -> dict[str, Any]:
    """One side in a process of its own."""
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        "child",
        "--side",
        side,
        "--steps",
        str(asked.steps),
    ]
    command += [
        "--threads",
        str(asked.threads),
        "--width",
        str(asked.width),
        "--size",
        *map(str, asked.size),
        "--weights",
        str(asked.weights),
    ]
    command += ["--curve"] if asked.curve else []
    environment = {**os.environ, "OMP_NUM_THREADS": str(asked.threads)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def child(asked: argparse.Namespace) -> dict[str, Any]:
    import torch

    sys.path.insert(0, str(HERE))
    torch.set_num_threads(asked.threads)
    width, height = asked.size
    step, frame = (plain_side if asked.side == "plain" else our_side)(asked)
    batches = scenes(width, height, 8)
    if asked.curve:
        return {"losses": [step(*batches[index % len(batches)]) for index in range(asked.steps)]}
    result: dict[str, Any] = {"step_cpu": [], "step_wall": [], "frame_cpu": [], "frame_wall": []}
    for index in range(asked.steps + 1):
        cpu, wall = _timed(lambda index=index: step(*batches[index]))
        if index:  # the first one also makes the optimisers' state
            result["step_cpu"].append(cpu)
            result["step_wall"].append(wall)
    result["peak_mb"] = _peak()
    with torch.inference_mode():
        for index in range(4):
            labels, frames = batches[index]
            cpu, wall = _timed(lambda label=labels[1], before=frames[0]: frame(label, before))
            if index:
                result["frame_cpu"].append(cpu)
                result["frame_wall"].append(wall)
    return result


def plain_side(asked: argparse.Namespace) -> tuple[Any, Any]:
    from paper_yardstick import PlainStep, Vgg19
    from safetensors.torch import load_file

    vgg = Vgg19()
    stored = list(load_file(asked.weights).items())
    numbers = sorted({int(key.split(".")[1]) for key, _ in stored})
    weights = dict(stored)
    convolutions = [part for part in vgg.modules() if hasattr(part, "kernel_size") and hasattr(part, "bias")]
    for number, convolution in zip(numbers, convolutions, strict=True):
        convolution.weight.copy_(weights[f"features.{number}.weight"])
        convolution.bias.copy_(weights[f"features.{number}.bias"])
    side = PlainStep(asked.width, asked.width, perceptual=vgg)
    return side.step, side.frame


def our_side(asked: argparse.Namespace) -> tuple[Any, Any]:
    from dataclasses import replace

    import torch
    from paper_yardstick import PlainStep, init

    from synthesis.config import PaperConfig, preset
    from synthesis.paper.generators import paint
    from synthesis.paper.learner import Learner
    from synthesis.paper.networks import global_generator, judge
    from synthesis.paper.objective import Weights
    from synthesis.paper.painting import prepare_painting
    from synthesis.paper.stages import perceptual_loss
    from synthesis.stage import World

    config = preset("paper")
    config = replace(
        config,
        paper=PaperConfig(size=tuple(asked.size), width=asked.width, ndf=asked.width),
        loss=replace(config.loss, perceptual_weights=str(asked.weights)),
    )
    with torch.device("meta"):
        networks = global_generator(config.paper), judge(config.paper, 2)
    ours = [network.to(torch.bfloat16).to_empty(device="cpu") for network in networks]
    if asked.curve:  # the same weights as the other side
        twin = PlainStep(asked.width, asked.width, perceptual=torch.nn.Identity())
        for mine, other in zip(ours, (twin.generator, twin.discriminator), strict=True):
            for one, two in zip(mine.parameters(), other.parameters(), strict=True):
                one.data.copy_(two.data)
    else:
        for mine in ours:
            mine.apply(init)
    cpu = torch.device("cpu")
    learner = Learner(config, World(), *ours, perceptual_loss(config, cpu), Weights())

    def step(labels: Any, frames: Any) -> dict[str, float]:
        return learner.learn([(list(labels), list(frames))])

    painter: list[Any] = []

    def frame(label: Any, previous: Any) -> Any:
        if not painter:  # once per video
            painter.append(prepare_painting(learner.generator, tuple(asked.size)))
        return paint(painter[0], label, previous)

    return step, frame


def scenes(width: int, height: int, count: int) -> list[Any]:
    """Pairs of frames with something to learn: a coloured figure over a gradient, and the lines of its label."""
    import torch

    torch.manual_seed(1)
    yy, xx = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-2, 2, width), indexing="ij")
    batches = []
    for _ in range(count):
        place, step = torch.rand(2) - 0.5, 0.1 * (torch.rand(2) - 0.5)
        labels, frames = [], []
        for moment in range(2):
            x, y = (place + moment * step) * torch.tensor([2.0, 0.6])
            inside = ((((xx - x) / 0.25) ** 2 + ((yy - y) / 0.6) ** 2) < 1).float()
            lines = 1 - ((xx - x).abs() < 0.02).float() * inside
            label = torch.stack([lines, torch.ones_like(lines), 1 - ((yy - y).abs() < 0.03).float() * inside])
            stripes = torch.sin(8 * (yy - y))
            person = torch.stack([0.8 * stripes, 0.5 + 0.3 * torch.cos(9 * (xx - x)), -0.5 * stripes])
            behind = torch.stack([0.3 * xx, 0.5 * yy, 0.2 * torch.sin(3 * xx) - 0.3])
            labels.append(label[None])
            frames.append((inside * person + (1 - inside) * behind)[None])
        batches.append((tuple(labels), tuple(frames)))
    return batches


def random_vgg19(path: Path) -> Path:
    """Weights of VGG19's shape that keep the size of activations."""
    import torch
    from safetensors.torch import save_file
    from torch import nn

    from synthesis.networks.perceptual import vgg_layers

    torch.manual_seed(0)
    layers, _ = vgg_layers("vgg19")
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    save_file({f"features.{key}": value for key, value in layers.state_dict().items()}, path)
    return path


def _timed(action: Any) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    action()
    return time.process_time() - cpu, time.perf_counter() - wall


def _peak() -> float:
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1024


def _many(value: Any) -> list[float]:
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    main()
