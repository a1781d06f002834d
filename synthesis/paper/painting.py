"""Residual blocks made ready for painting, where weights no longer change.

A 3×3 convolution over 2×2 pixels needs 16 products where it takes 36 the plain way, if weights and pictures are first
brought to another basis (Winograd's minimal filtering F(2×2, 3×3): Lavin & Gray, CVPR 2016). For pictures that is
little work; for 18.9 million weights a layer it is as much as is saved, so that only painting gains by it.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from synthesis.paper.networks import GlobalGenerator, LocalEnhancer
from synthesis.paper.ops import Conv

#: Channels from which on the products outweigh the change of basis.
_LEAST_CHANNELS = 512


class FixedConv(nn.Module):
    """A 3×3 convolution with one pixel of reflection padding, its weights in Winograd's basis.

    It equals the convolution it is made from but for rounding: about 0.5 % of the output in bf16, where the plain way
    has 0.2 %.
    """

    def __init__(self, conv: Conv) -> None:
        super().__init__()
        taps = conv.weight.detach().float().permute(2, 3, 1, 0)  # 3, 3, in, out
        rows = torch.stack(_spread_weights(taps[0], taps[1], taps[2]))
        whole = torch.stack(_spread_weights(rows[:, 0], rows[:, 1], rows[:, 2]), 1)
        self.weight = whole.reshape(16, conv.in_channels, conv.out_channels).to(conv.weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) with even H and W → (B, out, H, W), channels last."""
        batch, _, height, width = x.shape
        pixels = F.pad(x, (1, 1, 1, 1), mode="reflect").permute(0, 2, 3, 1).float()
        rows = torch.stack(_spread_pixels([pixels[:, i : i + height : 2] for i in range(4)]))
        spread = torch.stack(_spread_pixels([rows[:, :, :, j : j + width : 2] for j in range(4)]), 1)
        tiles = spread.to(x.dtype).view(16, -1, x.shape[1])
        products = torch.bmm(tiles, self.weight).float()
        grid = products.view(4, 4, batch, height // 2, width // 2, -1)
        four = torch.stack([torch.stack(_gather(row), 3) for row in _gather(grid)], 2)
        return four.view(batch, height, width, -1).to(x.dtype).permute(0, 3, 1, 2)


def prepare_painting(
    generator: GlobalGenerator | LocalEnhancer, size: tuple[int, int]
) -> GlobalGenerator | LocalEnhancer:
    """A generator that paints the same, sooner; it shares its other weights with the one it is made from.

    Only for a CPU and bf16, where it was measured to help (`tests/benchmarks/paper_step.py`), and for pictures whose
    sides are even where the residual blocks see them; otherwise the generator itself.

    Args:
        generator: trained.
        size: width and height of its pictures.
    """
    coarse = generator.coarse if isinstance(generator, LocalEnhancer) else generator
    steps = len(coarse.downs) + (1 if isinstance(generator, LocalEnhancer) else 0)
    weight = generator.enter.weight
    even = all(side % (1 << (steps + 1)) == 0 for side in size)
    if weight.device.type != "cpu" or weight.dtype != torch.bfloat16 or not even:
        return generator
    twin = copy.deepcopy(generator, {id(one): one for one in generator.parameters()})
    for block in (twin.coarse if isinstance(twin, LocalEnhancer) else twin).blocks:
        for name, child in list(block.named_children()):
            if isinstance(child, Conv) and child.in_channels >= _LEAST_CHANNELS:
                setattr(block, name, FixedConv(child))
    return twin


def _spread_weights(a: Tensor, b: Tensor, c: Tensor) -> list[Tensor]:
    return [a, (a + b + c) / 2, (a - b + c) / 2, c]


def _spread_pixels(d: list[Tensor]) -> list[Tensor]:
    return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]


def _gather(m: Tensor) -> list[Tensor]:
    return [m[0] + m[1] + m[2], m[1] - m[2] - m[3]]
