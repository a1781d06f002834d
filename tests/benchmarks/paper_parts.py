"""Each rearranged convolution of the preset `paper` against PyTorch's own: python tests/benchmarks/paper_parts.py

Both take turns in one process, on one thread, in bf16 with channels last, in the sizes of the global stage at 512×256.
Times are the processor's, the least of some turns, in milliseconds; "error" is the distance from the float32 result,
divided by its size.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from synthesis.paper import winograd
from synthesis.paper.ops import Conv

#: Channels in, out, and height of pictures twice as wide.
SIZES = {
    "residual block": (1024, 1024, 16),
    "VGG19 conv4_1": (256, 512, 32),
    "VGG19 conv4_2": (512, 512, 32),
    "VGG19 conv5_1": (512, 512, 16),
    "VGG19 conv3_2": (256, 256, 64),
    "VGG19 conv2_2": (128, 128, 128),  # not replaced: on two threads nothing is gained
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    turns = parser.parse_args().turns
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"{'':34} {'PyTorch':>8} {'ours':>8} {'ratio':>6}   error PyTorch, ours")
    for name, (into, out, height) in SIZES.items():
        three_by_three(name, into, out, height, turns)
    last_layer(turns)


def three_by_three(name: str, into: int, out: int, height: int, turns: int) -> None:
    """A 3×3 convolution forwards and backwards; its weights change in a residual block and are fixed in VGG19."""
    learns = name == "residual block"
    x, dy = picture(into, height + 2, 2 * height + 2), picture(out, height, 2 * height)
    weight = torch.randn(out, into, 3, 3).mul(0.02).bfloat16()
    lasting = weight.to(memory_format=torch.channels_last)
    by_taps, fixed = winograd.by_taps(weight), winograd.spread_weights(weight)
    room = torch.empty_like(fixed)

    def spread() -> Tensor:
        return winograd.spread_weights(by_taps, room) if learns else fixed

    def backward(pictures: list[tuple[Tensor, Tensor]], wanted: list[bool]) -> list[Tensor]:
        arguments = (None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, wanted)
        return [torch.ops.aten.convolution_backward(d, p, lasting, *arguments) for p, d in pictures]

    compare(
        f"{name} forwards", lambda: F.conv2d(x, lasting), lambda: winograd.convolve(x, spread()), turns,
        F.conv2d(x.float(), weight.float()),
    )  # fmt: skip
    compare(
        f"{name} to its input", lambda: backward([(x, dy)], [True, False, False])[0][0],
        lambda: winograd.input_gradient(dy, spread()), turns,
        F.conv_transpose2d(dy.float(), weight.float()),
    )  # fmt: skip
    if learns:
        uses = [(x, dy), (picture(into, height + 2, 2 * height + 2), picture(out, height, 2 * height))]
        compare(
            f"{name} to weights, 2 uses",
            lambda: sum(part[1] for part in backward(uses, [False, True, False])),
            lambda: winograd.weight_gradient(uses), turns,
            sum(torch.nn.grad.conv2d_weight(p.float(), weight.shape, d.float()) for p, d in uses),
        )  # fmt: skip


def last_layer(turns: int) -> None:
    """The convolution that paints the picture, from 64 channels to three."""
    conv = Conv(64, 3, 7, normalised=False).bfloat16().to(memory_format=torch.channels_last)
    x, dy = picture(64, 262, 518).requires_grad_(), picture(3, 256, 512)
    plain, ours = (lambda: F.conv2d(x, conv.weight, conv.bias)), (lambda: conv(x))
    exact = F.conv2d(x.detach().float(), conv.weight.detach().float(), conv.bias.detach().float())
    compare("last layer forwards", plain, ours, turns, exact)
    wanted = [x, conv.weight, conv.bias]
    made = plain(), ours()
    compare(
        "last layer backwards",
        *(lambda y=y: torch.autograd.grad(y, wanted, dy, retain_graph=True)[1] for y in made), turns,
        torch.nn.grad.conv2d_weight(x.detach().float(), conv.weight.shape, dy.float()),
    )  # fmt: skip


def compare(name: str, plain: Callable, ours: Callable, turns: int, exact: Tensor) -> None:
    """One row of the table."""
    times: tuple[list[float], list[float]] = ([], [])
    errors = [float((way().detach().float() - exact).norm() / exact.norm()) for way in (plain, ours)]
    for _ in range(turns):
        for way, found in zip((plain, ours), times, strict=True):
            begun = time.process_time()
            way()
            found.append(time.process_time() - begun)
    one, other = (1e3 * min(found) for found in times)
    print(
        f"{name:34} {one:8.2f} {other:8.2f} {one / other:6.2f}   {errors[0]:.4f} {errors[1]:.4f}", flush=True
    )


def picture(channels: int, height: int, width: int) -> Tensor:
    return torch.randn(1, channels, height, width).bfloat16().to(memory_format=torch.channels_last)


if __name__ == "__main__":
    main()
