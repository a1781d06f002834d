"""How a run computes: float32, or weights and pictures in bf16 with float32 kept for the sums."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from synthesis.config import SynthesisConfig
from synthesis.paper.ops import Conv
from synthesis.paper.optimiser import SplitAdam
from synthesis.paper.winograd import by_taps

Network = TypeVar("Network", bound=nn.Module)


def prepare_network(network: Network, config: SynthesisConfig, device: torch.device) -> Network:
    """Bring a network to the run's number format and device, channels last; the same object.

    Weights that Winograd's filtering reads lie in memory as it reads them.
    """
    if config.schedule.precision == "bf16":
        network.to(torch.bfloat16)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in network.modules():
        if isinstance(module, Conv) and module.by_winograd:
            module.weight.data = by_taps(module.weight.data)
    return network


def optimiser(network: nn.Module, config: SynthesisConfig) -> torch.optim.Optimizer:
    """Adam with the paper's settings: rate 2e-4, betas 0.5 and 0.999."""
    schedule = config.schedule
    betas = (schedule.beta1, schedule.beta2)
    if schedule.precision == "bf16":
        return SplitAdam(network.parameters(), schedule.lr_gan, betas)
    return torch.optim.Adam(network.parameters(), schedule.lr_gan, betas, fused=True)


def to_network(x: Tensor, network: nn.Module) -> Tensor:
    """A picture in the number format and memory order of a network's weights."""
    weight = next(network.parameters())
    return x.to(weight.dtype).contiguous(memory_format=torch.channels_last)
