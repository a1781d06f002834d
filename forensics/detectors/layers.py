"""Layers of detectors that give several processes together what one process alone would compute.

A process that trains alone needs nothing of this; `take_part` tells the layers of a network who else there is.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from synthesis.distributed import peers
from synthesis.stage import World


class Level(nn.BatchNorm1d):
    """Brings each feature to mean 0 and deviation 1 over a step's whole batch, and learns nothing else.

    Ioffe and Szegedy, *Batch Normalization*, ICML 2015, without scale and shift. With several processes the mean and
    the deviation are those of all their samples (PyTorch's own synchronised form needs GPUs).
    """

    def __init__(self, width: int, momentum: float = 0.05) -> None:
        super().__init__(width, affine=False, momentum=momentum)
        self.world = World()

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) → (B, D)."""
        if not self.training or self.world.size == 1:
            levelled: Tensor = super().forward(x)
            return levelled
        values = x.float()
        count = len(values) * self.world.size
        mean = _sum_of_all(values.sum(0), self.world) / count
        variance = _sum_of_all((values - mean).square().sum(0), self.world) / count
        share = self.momentum or 0.0
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        with torch.no_grad():
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance * count / (count - 1), share)
            self.num_batches_tracked += 1
        return (values - mean) / (variance + self.eps).sqrt()


class Dropout(nn.Module):
    """Dropout whose mask is drawn for a step's whole batch; each process applies its own rows of it.

    Args:
        share: of the features that are dropped.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.world = World()

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) → (B, D); rows are couples of a real and a fake window, dealt out to the processes in turn."""
        if not self.training or self.share <= 0:
            return x
        rank, size = self.world.rank, self.world.size
        drawn = torch.rand(len(x) * size // 2, 2, x.shape[1], device=x.device)[rank::size].reshape(x.shape)
        return x * (drawn >= self.share) / (1 - self.share)


def take_part(network: nn.Module, world: World) -> None:
    """Tell all layers of this file in a network which processes train it."""
    for module in network.modules():
        if isinstance(module, Level | Dropout):
            module.world = world


class _SumOfAll(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        # Every process's loss depends on every process's value.
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _sum_of_all(value: Tensor, world: World) -> Tensor:
    with peers(world):
        total: Tensor = _SumOfAll.apply(value)
    return total
