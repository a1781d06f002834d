"""Residual blocks made ready for painting: where weights no longer change, Winograd's basis is taken once."""

from __future__ import annotations

import copy

import torch

from synthesis.paper.networks import GlobalGenerator, LocalEnhancer
from synthesis.paper.ops import Conv
from synthesis.paper.winograd import FixedConv


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
            if isinstance(child, Conv) and child.by_winograd:
                setattr(block, name, FixedConv(child, "reflect", bias=False))
    return twin
