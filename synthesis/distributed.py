"""Training by several processes: one per GPU, or a few on CPUs, started by ``torchrun``.

Gradients are averaged explicitly, one network at a time, with one all-reduce over all its gradients. Every loss here
is a mean over samples of per-sample values and every process has equally many samples, so the mean of the processes'
gradients *is* the gradient of the whole batch. `DistributedDataParallel` would do the same sum from hooks that expect
one forward pass per backward pass; here the generator runs twice in a step, the second time on its own output (the
paper's joint two-frame gradient), and the discriminator is judged with and without gradients in between. A sum after
the backward pass cannot get such a graph wrong. What it gives up is overlap of communication with the backward pass.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import nn

from synthesis.stage import World


def average_gradients(parameters: Iterable[nn.Parameter], world: World) -> None:
    """Replace each gradient by its mean over the processes; nothing to do in a run of one.

    A parameter without a gradient has none in any process, as all run the same graph.
    """
    if world.size == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    flat /= world.size
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()
