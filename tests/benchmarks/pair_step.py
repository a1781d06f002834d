"""How long a training step of the detector `pair` takes, by memory layout and arithmetic; processor time, one thread.

python tests/benchmarks/pair_step.py
"""

from __future__ import annotations

import time

import torch

from forensics.detectors.pair import PairConfig, PairNetwork

BATCH, SIDE, STEPS = 32, 128, 5


def seconds(layout: torch.memory_format, *, bf16: bool) -> float:
    """Median processor time of a forward and backward pass."""
    torch.manual_seed(0)
    network = PairNetwork(PairConfig()).train().to(memory_format=layout)  # type: ignore[call-overload]
    # The network brings its input into its own layout; this benchmark asks for another.
    network.layout = layout
    pairs = torch.rand(BATCH, 6, SIDE, SIDE) * 2 - 1
    taken = []
    for _ in range(STEPS):
        begin = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(pairs)
        logits.float().sum().backward()
        taken.append(time.process_time() - begin)
    return sorted(taken)[STEPS // 2]


def main() -> None:
    """Print the four, each as a share of the slowest."""
    torch.set_num_threads(1)
    found = {
        f"{name}, {'bfloat16' if bf16 else 'float32'}": seconds(layout, bf16=bf16)
        for name, layout in (("planes", torch.contiguous_format), ("channels last", torch.channels_last))
        for bf16 in (False, True)
    }
    slowest = max(found.values())
    for name, value in found.items():
        print(f"{name:26} {value / slowest:.2f}")


if __name__ == "__main__":
    main()
