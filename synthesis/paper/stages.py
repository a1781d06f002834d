"""The stages of the preset `paper`: global, then local, then the face; and the face stage for any generator.

Ablations are choices of the configuration, for both presets:

    FBF          schedule.temporal off, face.enabled off: one frame at a time, the discriminator sees one label with one
                 frame; the single-frame baseline in the manner of pix2pixHD
    FBF+TS       schedule.temporal on, face.enabled off
    FBF+TS+FG    both on

The authors' code hands the generator's parameters to its optimiser twice, so that they move at twice the rate it is
given. Here they move once, at the rate that the paper names.
"""

from __future__ import annotations

import math
from typing import TypeGuard

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dataset.errors import SynthesisError
from synthesis.config import SynthesisConfig
from synthesis.evaluate.ssim import ssim
from synthesis.networks.discriminator import MultiScaleDiscriminator
from synthesis.networks.perceptual import PerceptualLoss
from synthesis.pairs import tensor_image
from synthesis.paper.data import PaperPairs
from synthesis.paper.face_stage import FaceStage
from synthesis.paper.generators import picture_size
from synthesis.paper.learner import Learner
from synthesis.paper.networks import (
    GlobalGenerator,
    LocalEnhancer,
    global_generator,
    judge,
    local_enhancer,
)
from synthesis.paper.objective import Weights
from synthesis.paper.precision import prepare_network
from synthesis.paper.sources import PaperSource
from synthesis.paper.winograd import FixedConv
from synthesis.recording import Prepared
from synthesis.stage import Stage, World, samples_of_step

_SCORED = 4  # frames that scores() looks at; a frame takes seconds
_SHOWN = 2  # of them, those that sample() shows


def build(
    config: SynthesisConfig, prepared: list[Prepared], device: torch.device, world: World
) -> list[Stage]:
    """The stages of a run with the preset `paper`, with fresh weights.

    A stage whose epochs (or steps) are none is left out: without a local stage the run ends at the global size.

    Args:
        config: of the run.
        prepared: the recordings of one person.
        device: where this process computes.
        world: the processes that train together.

    Raises:
        ModelError: the perceptual loss has no weights.
        SynthesisError: no stage is left.
    """
    paper, temporal = config.paper, config.schedule.temporal
    perceptual = perceptual_loss(config, device)
    stages: list[Stage] = []
    last: GeneratorStage | None = None
    if length(paper.global_steps, paper.global_epochs, prepared, config):
        torch.manual_seed(config.schedule.seed)
        coarse = global_generator(paper, temporal=temporal)
        weights = Weights(
            config.loss.lambda_gan, config.loss.lambda_fm, config.loss.lambda_p, config.loss.lambda_l1
        )
        last = GeneratorStage(
            "global", config, prepared, world, coarse, judge(paper, paper.global_scales, temporal=temporal),
            perceptual, weights, length(paper.global_steps, paper.global_epochs, prepared, config), None,
        )  # fmt: skip
        stages.append(last)
    if length(paper.local_steps, paper.local_epochs, prepared, config):
        torch.manual_seed(config.schedule.seed + 1)
        enhancer = local_enhancer(paper, temporal=temporal)
        weights = Weights(
            config.loss.lambda_gan, config.loss.lambda_fm, paper.local_lambda_p, config.loss.lambda_l1
        )
        last = GeneratorStage(
            "local", config, prepared, world, enhancer, judge(paper, paper.local_scales, temporal=temporal),
            perceptual, weights, length(paper.local_steps, paper.local_epochs, prepared, config), last,
        )  # fmt: skip
        stages.append(last)
    if last is None:
        raise SynthesisError("neither the global nor the local stage has a step to take")
    if config.face.enabled:
        stages.append(FaceStage(config, prepared, world, PaperSource(last), perceptual))
    return stages


def length(steps: int | None, epochs: float, prepared: list[Prepared], config: SynthesisConfig) -> int:
    """Steps of a stage: as many as given, or as many as its epochs take."""
    if steps is not None:
        return steps
    pairs = sum(len(recording.usable) for recording in prepared)
    return math.ceil(epochs * pairs / config.schedule.batch)


def perceptual_loss(config: SynthesisConfig, device: torch.device) -> PerceptualLoss:
    """The perceptual loss of a run, in the run's precision."""
    loss = PerceptualLoss(config.loss.perceptual, config.loss.perceptual_weights or None)
    prepare_network(loss.features, config, device)
    loss.to(device)
    for index, layer in enumerate(loss.features):
        if _gains_by_winograd(layer):
            loss.features[index] = FixedConv(layer, "constant", bias=True)
    return loss


def _gains_by_winograd(layer: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Whether Winograd's filtering is quicker: from 256 channels on (`tests/benchmarks/paper_parts.py`)."""
    if not isinstance(layer, nn.Conv2d) or (layer.kernel_size, layer.padding) != ((3, 3), (1, 1)):
        return False
    on_cpu = (layer.weight.device.type, layer.weight.dtype) == ("cpu", torch.bfloat16)
    return on_cpu and min(layer.in_channels, layer.out_channels) >= 256


class GeneratorStage:
    """Trains a generator on whole frames; see `synthesis.stage.Stage`.

    Args:
        name: "global" or "local".
        config: of the run.
        prepared: the recordings.
        world: the processes that train together.
        generator: takes label and previous frame, or a label alone.
        discriminator: of as many labels and frames as `schedule.temporal` asks for.
        perceptual: the perceptual loss.
        weights: of the terms.
        steps: how many to take.
        before: the stage whose generator this one starts from.
    """

    def __init__(
        self,
        name: str,
        config: SynthesisConfig,
        prepared: list[Prepared],
        world: World,
        generator: GlobalGenerator | LocalEnhancer,
        discriminator: MultiScaleDiscriminator,
        perceptual: PerceptualLoss,
        weights: Weights,
        steps: int,
        before: GeneratorStage | None,
    ) -> None:
        self.name, self.config, self.world, self.steps, self.before = name, config, world, steps, before
        self.learner = Learner(config, world, generator, discriminator, perceptual, weights)
        self.generator, self.perceptual = generator, perceptual
        self.networks, self.optimisers = self.learner.networks, self.learner.optimisers
        size = picture_size(config, generator)
        self.pairs = PaperPairs(prepared, config, size, salt=2 if isinstance(generator, LocalEnhancer) else 1)
        from synthesis.compact.stage import fixed_rows

        main = max(range(len(prepared)), key=lambda one: len(prepared[one].usable))
        rows, kind = fixed_rows(prepared[main], config.data.holdout, _SCORED)
        self.shown = f"{kind} frames {', '.join(map(str, rows))} of {prepared[main].path.name}"
        self._fixed = [(main, row) for row in rows]

    def begin(self) -> None:
        """Take over the coarse network of the stage before, and free what that stage alone needed."""
        if self.before is not None and isinstance(self.generator, LocalEnhancer):
            assert isinstance(self.before.generator, GlobalGenerator)
            self.generator.start_from(self.before.generator)
            for adam in self.before.optimisers.values():
                adam.state.clear()

    def step(self, index: int, share: float) -> dict[str, float]:
        """Update both networks once; see `synthesis.stage.Stage.step`."""
        passes = samples_of_step(index, self.config.schedule, self.world)
        return self.learner.learn(self.pairs.batch(numbers, self.world.device) for numbers in passes)

    def sample(self) -> npt.NDArray[np.uint8]:
        """Stick figure, generated and real frame, below each other; some frames side by side."""
        columns = []
        for which, row in self._fixed[:: max(len(self._fixed) // _SHOWN, 1)][:_SHOWN]:
            label, made, real = self._paint_fixed(which, row)
            columns.append(np.concatenate([tensor_image(part) for part in (label * 2 - 1, made, real)]))
        return np.rint(np.concatenate(columns, axis=1)).astype(np.uint8)

    def scores(self) -> dict[str, float]:
        """SSIM of the whole picture and the perceptual distance, means over the fixed frames."""
        likeness, distance = [], []
        for which, row in self._fixed:
            _, made, real = self._paint_fixed(which, row)
            one, other = (np.rint(tensor_image(picture)).astype(np.uint8) for picture in (made, real))
            likeness.append(ssim(other, one))
            with torch.no_grad():
                distance.append(float(self.perceptual(made, real)))
        return {
            "ssim": float(np.mean(likeness)),
            f"perceptual {self.perceptual.backbone}": float(np.mean(distance)),
        }

    def snapshot(self) -> nn.Module:
        """The generator."""
        return self.generator

    def _paint_fixed(self, which: int, row: int) -> tuple[Tensor, Tensor, Tensor]:
        labels, frames = self.pairs.pair(which, row)
        labels = [label.to(self.world.device) for label in labels]
        with torch.no_grad():
            return labels[-1], self.learner.paint(labels)[-1], frames[-1].to(self.world.device)
