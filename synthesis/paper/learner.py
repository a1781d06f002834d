"""A generator and its discriminator while they learn: networks, optimisers, and one step on given frames."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from dataset.errors import SynthesisError
from synthesis.config import SynthesisConfig
from synthesis.distributed import average_gradients
from synthesis.networks.discriminator import MultiScaleDiscriminator
from synthesis.networks.perceptual import PerceptualLoss
from synthesis.paper.generators import paint
from synthesis.paper.networks import GlobalGenerator, LocalEnhancer
from synthesis.paper.objective import Weights, differentiate
from synthesis.paper.ops import forget_uses
from synthesis.paper.optimiser import SplitAdam
from synthesis.paper.precision import optimiser, prepare_network, to_network
from synthesis.stage import World

Pairs = tuple[list[Tensor], list[Tensor]]


class Learner:
    """Trains a generator on whole frames.

    Args:
        config: of the run.
        world: the processes that train together.
        generator: takes label and previous frame, or a label alone.
        discriminator: of as many labels and frames as `schedule.temporal` asks for.
        perceptual: the perceptual loss.
        weights: of the terms.
    """

    def __init__(
        self,
        config: SynthesisConfig,
        world: World,
        generator: GlobalGenerator | LocalEnhancer,
        discriminator: MultiScaleDiscriminator,
        perceptual: PerceptualLoss,
        weights: Weights,
    ) -> None:
        self.world, self.perceptual, self.weights = world, perceptual, weights
        self.passes = config.schedule.accumulate
        self.generator = prepare_network(generator, config, world.device)
        self.discriminator = prepare_network(discriminator, config, world.device)
        self.adam_g = optimiser(generator, config)
        self.adam_d = optimiser(discriminator, config)
        self.networks: dict[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
        self.optimisers: dict[str, torch.optim.Optimizer] = {"adam_g": self.adam_g, "adam_d": self.adam_d}
        # With one process and one pass a gradient is final as soon as it is known, and need not be kept.
        self.at_once = False
        if isinstance(self.adam_g, SplitAdam) and world.size == self.passes == 1:
            self.adam_g.step_in_backward()
            self.at_once = True

    def learn(self, passes: Iterable[Pairs]) -> dict[str, float]:
        """Update both networks once.

        Args:
            passes: as many as the configuration's `accumulate`; labels in [0, 1] and frames in [-1, 1], two of each or
                one of each (frame by frame), (B, 3, H, W).

        Returns:
            Each term of the loss.

        Raises:
            SynthesisError: a term is not a number; the generator is as it was before.
        """
        losses: dict[str, float] = {}
        for labels, frames in passes:
            forget_uses(self.generator)
            made = self.paint(labels)
            found = differentiate(
                made, frames, labels, self._judge, list(self.discriminator.parameters()), self.perceptual,
                self.weights, share=1 / self.passes,
            )  # fmt: skip
            for name, value in found.terms.items():
                losses[name] = losses.get(name, 0.0) + value
                if not math.isfinite(value):
                    raise SynthesisError(
                        f"the loss {name} is not a number", hint="start again with --precision float32"
                    )
            torch.autograd.backward(made[::-1], found.frames[::-1])
        moving: list[tuple[nn.Module, torch.optim.Optimizer]] = [(self.discriminator, self.adam_d)]
        if not self.at_once:
            moving.append((self.generator, self.adam_g))
        for network, adam in moving:
            average_gradients(network.parameters(), self.world)
            adam.step()
            adam.zero_grad(set_to_none=True)
        return losses

    def paint(self, labels: list[Tensor], previous: Tensor | None = None) -> list[Tensor]:
        """A frame for each label, each from the one before; the first from `previous`, or from nothing."""
        made: list[Tensor] = []
        for label in labels:
            made.append(paint(self.generator, label, made[-1] if made else previous))
        return made

    def _judge(self, x: Tensor) -> list[list[Tensor]]:
        judged: list[list[Tensor]] = self.discriminator(to_network(x, self.discriminator))
        return judged
