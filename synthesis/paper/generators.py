"""The preset's generators as they are used: empty ones for stored weights, and one frame painted by them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from synthesis.config import SynthesisConfig
from synthesis.paper.networks import GlobalGenerator, LocalEnhancer, face_generator
from synthesis.paper.precision import prepare_network, to_network


def paint(generator: GlobalGenerator | LocalEnhancer, label: Tensor, previous: Tensor | None) -> Tensor:
    """One frame (B, 3, H, W) in [-1, 1], float32.

    Args:
        generator: of the global or the local stage.
        label: (B, 3, H, W) in [0, 1].
        previous: the frame before; grey, the middle of the range, where there is none. Not looked at by a generator
            that works frame by frame.
    """
    if generator.enter.in_channels == 3:
        x = label
    else:
        x = torch.cat([label, torch.zeros_like(label) if previous is None else previous], 1)
    frame: Tensor = generator(to_network(x, generator))
    return frame


def picture_size(config: SynthesisConfig, generator: GlobalGenerator | LocalEnhancer) -> tuple[int, int]:
    """Width and height of the pictures that a generator paints."""
    factor = 2 if isinstance(generator, LocalEnhancer) else 1
    return config.paper.size[0] * factor, config.paper.size[1] * factor


def empty_generator(config: SynthesisConfig, names: set[str]) -> nn.Module:
    """A generator for weights to be loaded into, in the run's number format.

    Args:
        config: of the run.
        names: of the weights; they tell the local enhancer from the global generator, which a run may end at and
            snapshots may be of.
    """
    paper, channels = config.paper, 6 if config.schedule.temporal else 3
    network: GlobalGenerator | LocalEnhancer
    # Built without memory: initialising 182 million weights that are overwritten at once takes seconds.
    with torch.device("meta"):
        if any(name.startswith("coarse.") for name in names):
            network = LocalEnhancer(
                channels, paper.width // 2, paper.downs, paper.blocks, paper.enhancer_blocks
            )
        else:
            network = GlobalGenerator(channels, paper.width, paper.downs, paper.blocks)
    return prepare_network(network.to_empty(device="cpu"), config, torch.device("cpu"))


def empty_face_generator(config: SynthesisConfig) -> GlobalGenerator:
    """A face generator for weights to be loaded into."""
    return prepare_network(face_generator(config.face), config, torch.device("cpu"))
