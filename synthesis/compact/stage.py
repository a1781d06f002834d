"""The one stage of the compact preset.

The objective is the paper's (eq. 3): two consecutive frames are painted, the second from the first without cutting
the gradient, and judged together. A short first part uses pixel and perceptual loss alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dataset.errors import SynthesisError
from synthesis.appearance.gathering import gather
from synthesis.appearance.looks import Motion
from synthesis.compact.generators import empty_generator
from synthesis.config import SynthesisConfig
from synthesis.distributed import average_gradients
from synthesis.evaluate.ssim import ssim
from synthesis.losses import feature_matching, gan_loss, person_l1, silhouette_loss
from synthesis.networks.base import load_base
from synthesis.networks.discriminator import MultiScaleDiscriminator, init_weights
from synthesis.networks.generator import Carried, CompactGenerator, GeneratorInput, Painting
from synthesis.networks.perceptual import PerceptualLoss
from synthesis.pairs import FramePairBatch, Material, cut_pair, draw_pair, join_pairs, nearest, tensor_image
from synthesis.recording import Prepared
from synthesis.stage import World, samples_of_step

GALLERY = 512  # frames of the recordings that training samples are shown, at most
_SCORED = 8  # frames that scores() looks at
_SHOWN = 3  # of them, those that sample() shows


@dataclass(frozen=True)
class Draws:
    """What is drawn for the samples of a pass.

    Attributes:
        first, second: (B, 1, 1, 1) bool, whether frames t − 1 and t are painted from the frame before, not the plate.
        noise: (B, 3, H, W), added to the frame that another is painted from.
    """

    first: Tensor
    second: Tensor
    noise: Tensor


class CompactStage:
    """Trains generator and discriminator on pairs of frames; see `synthesis.stage.Stage`.

    Args:
        config: of the run.
        recordings: of one person.
        world: the processes that train together.
    """

    name = "compact"

    def __init__(self, config: SynthesisConfig, recordings: list[Prepared], world: World) -> None:
        self.config, self.world, self.recordings = config, world, recordings
        self.steps = config.schedule.steps
        network, schedule = config.network, config.schedule
        torch.manual_seed(schedule.seed)
        self.generator, self.average = (empty_generator(config) for _ in range(2))
        # Without temporal smoothing frames are judged one by one: a stick figure and a frame instead of two of each.
        channels = 12 if schedule.temporal else 6
        self.discriminator = MultiScaleDiscriminator(channels, network.ndf, network.n_layers, network.scales)
        self.discriminator.apply(init_weights)
        if network.base:
            load_base(network.base, self.generator, self.discriminator if schedule.temporal else None)
        self.average.load_state_dict(self.generator.state_dict())
        self.average.requires_grad_(False).eval()
        self.perceptual = PerceptualLoss(config.loss.perceptual, config.loss.perceptual_weights or None)
        self.networks: dict[str, nn.Module] = {
            "generator": self.generator,
            "average": self.average,
            "discriminator": self.discriminator,
        }
        for module in (*self.networks.values(), self.perceptual):
            module.to(world.device)
            if schedule.channels_last:
                module.to(memory_format=torch.channels_last)
            if schedule.compile:
                module.compile()
        betas = (schedule.beta1, schedule.beta2)
        self.adam_g = torch.optim.Adam(self.generator.parameters(), lr=schedule.lr, betas=betas)
        self.adam_d = torch.optim.Adam(self.discriminator.parameters(), lr=schedule.lr_gan, betas=betas)
        self.optimisers: dict[str, torch.optim.Optimizer] = {"adam_g": self.adam_g, "adam_d": self.adam_d}
        self.material = Material(
            recordings, [recording.small_plate for recording in recordings], gather(recordings, GALLERY)
        )
        main = max(range(len(recordings)), key=lambda one: len(recordings[one].usable))
        rows, kind = fixed_rows(recordings[main], config.data.holdout, _SCORED)
        self.shown = f"{kind} frames {', '.join(map(str, rows))} of {recordings[main].path.name}"
        self._fixed = (main, rows)

    def begin(self) -> None:
        """Nothing comes before this stage."""

    def step(self, index: int, share: float) -> dict[str, float]:
        """Update both networks once; see `synthesis.stage.Stage.step`."""
        schedule = self.config.schedule
        adversarial = share >= schedule.warmup
        rate = (schedule.lr_gan if adversarial else schedule.lr) * decay(share)
        for group in self.adam_g.param_groups:
            group["lr"] = rate
        passes = samples_of_step(index, schedule, self.world)
        batches = [self._draw(numbers) for numbers in passes]
        losses: dict[str, float] = {}
        # With one pass the pictures that the discriminator learns from are those that the generator is judged by;
        # with several, their graphs would all have to be kept, so they are painted again.
        painted = self._paint(*batches[0]) if len(batches) == 1 else None
        if adversarial:
            self.adam_d.zero_grad(set_to_none=True)
            for batch, draws in batches:
                with torch.no_grad():
                    made = painted or self._paint(batch, draws)
                with self._autocast():
                    loss = self._discriminator_loss(batch, (made[0].frame.detach(), made[1].frame.detach()))
                self._add(losses, {"d": loss}, len(batches), index)
                (loss / len(batches)).backward()
            average_gradients(self.discriminator.parameters(), self.world)
            self.adam_d.step()
        self.adam_g.zero_grad(set_to_none=True)
        self.discriminator.requires_grad_(False)
        for batch, draws in batches:
            made = painted or self._paint(batch, draws)
            with self._autocast():
                terms = self._generator_terms(batch, made, adversarial=adversarial)
            self._add(losses, terms, len(batches), index)
            (torch.stack(list(terms.values())).sum() / len(batches)).backward()
        self.discriminator.requires_grad_(True)
        average_gradients(self.generator.parameters(), self.world)
        self.adam_g.step()
        self._update_average(index)
        return losses

    def sample(self) -> npt.NDArray[np.uint8]:
        """Stick figure, generated and real frame, three times in a row."""
        tiles = []
        for row in self._fixed[1][:: max(len(self._fixed[1]) // _SHOWN, 1)][:_SHOWN]:
            batch, made = self._paint_fixed(row)
            tiles += [
                tensor_image(batch.labels[1] * 2 - 1),
                tensor_image(made),
                tensor_image(batch.frames[1]),
            ]
        return np.rint(np.concatenate(tiles, axis=1)).astype(np.uint8)

    def scores(self) -> dict[str, float]:
        """SSIM of the window and the perceptual distance, means over the fixed frames."""
        likeness, distance = [], []
        for row in self._fixed[1]:
            batch, made = self._paint_fixed(row)
            pair = [np.rint(tensor_image(picture)).astype(np.uint8) for picture in (made, batch.frames[1])]
            likeness.append(ssim(pair[1], pair[0]))
            with torch.no_grad():
                distance.append(float(self.perceptual(made, batch.frames[1])))
        return {
            "ssim": float(np.mean(likeness)),
            f"perceptual {self.perceptual.backbone}": float(np.mean(distance)),
        }

    def snapshot(self) -> nn.Module:
        """The averaged generator."""
        return self.average

    def _draw(self, numbers: list[int]) -> tuple[FramePairBatch, Draws]:
        """Pairs of frames, and what is drawn for each."""
        schedule = self.config.schedule
        pairs = [self._pair(number) for number in numbers]
        keeps, noises = [], []
        for number, pair in zip(numbers, pairs, strict=True):
            rng = np.random.default_rng([schedule.seed, number, 1])
            keeps.append(rng.random(2) >= schedule.forget if schedule.temporal else np.zeros(2, np.bool_))
            noises.append(
                rng.standard_normal(pair.plate.shape, np.float32) * np.float32(rng.uniform(0, 0.08))
            )
        device = self.world.device
        keep = torch.from_numpy(np.array(keeps).T.copy()).to(device).view(2, -1, 1, 1, 1)
        noise = torch.from_numpy(np.concatenate(noises)).to(device)
        return join_pairs(pairs, device), Draws(keep[0], keep[1], noise)

    def _pair(self, number: int) -> FramePairBatch:
        return draw_pair(self.material, self.config.data, self.config.schedule.seed, number)

    def _paint(
        self, batch: FramePairBatch, draws: Draws, generator: CompactGenerator | None = None
    ) -> tuple[Painting, Painting]:
        """Frames t − 1 and t, each from the one before as it was painted, or from the plate.

        What frame t − 1 is painted from is painted as well, and not taken from the recording: a network that learns
        from true frames trusts its own ones too much, and their errors grow.
        """
        network = generator or self.generator

        def after(painted: Painting | None, keep: Tensor) -> Tensor:
            return (
                batch.plate
                if painted is None
                else torch.where(keep, painted.frame + draws.noise, batch.plate)
            )

        def paint(index: int, before: Painting | None, keep: Tensor) -> Painting:
            painted: Painting = network(
                GeneratorInput(
                    batch.labels[index],
                    after(before, keep),
                    batch.plate,
                    batch.looks[index],
                    carry(before, batch.motions[index], keep),
                )
            )
            return painted

        with self._autocast():
            before = None
            if bool(draws.first.any()):
                label, looks = batch.before
                with torch.no_grad():
                    before = network(GeneratorInput(label, batch.plate, batch.plate, looks))
            first = paint(0, before, draws.first)
            return first, paint(1, first, draws.second)

    def _cut(self, which: int, row: int) -> FramePairBatch:
        chosen = nearest(self.material, which, row, self.config.data.apart)
        return cut_pair(self.material, which, row, self.recordings[which].windows.one(row), chosen)

    def _paint_fixed(self, row: int) -> tuple[FramePairBatch, Tensor]:
        batch = join_pairs([self._cut(self._fixed[0], row)], self.world.device)
        keep = torch.tensor(self.config.schedule.temporal, device=self.world.device)
        with torch.no_grad():
            _, made = self._paint(batch, Draws(keep, keep, torch.zeros_like(batch.plate)), self.average)
        return batch, made.frame

    def _judged(self, batch: FramePairBatch, frames: tuple[Tensor, Tensor]) -> Tensor:
        """What the discriminator looks at: both stick figures and frames (paper eq. 1), or each pair by itself."""
        if self.config.schedule.temporal:
            return torch.cat([*batch.labels, *frames], 1)
        return torch.cat([torch.cat(batch.labels), torch.cat(frames)], 1)

    def _discriminator_loss(self, batch: FramePairBatch, made: tuple[Tensor, Tensor]) -> Tensor:
        judged_real = self.discriminator(self._judged(batch, batch.frames))
        judged_made = self.discriminator(self._judged(batch, made))
        return 0.5 * (gan_loss(judged_real, True) + gan_loss(judged_made, False))

    def _generator_terms(
        self, batch: FramePairBatch, made: tuple[Painting, Painting], *, adversarial: bool
    ) -> dict[str, Tensor]:
        weights = self.config.loss
        frames = (made[0].frame, made[1].frame)
        l1 = sum(person_l1(one, real, batch.weight) for one, real in zip(frames, batch.frames, strict=True))
        alpha = sum(
            silhouette_loss(one.alpha, real, told)
            for one, real, told in zip(made, batch.silhouettes, batch.told, strict=True)
        )
        perceptual = self.perceptual(torch.cat(frames), torch.cat(batch.frames))
        terms = {
            "l1": weights.lambda_l1 * 0.5 * l1,
            "perceptual": weights.lambda_p * 0.5 * perceptual,
            "alpha": weights.lambda_alpha * 0.5 * alpha,
        }
        if adversarial:
            judged = self.discriminator(self._judged(batch, frames))
            with torch.no_grad():
                expected = self.discriminator(self._judged(batch, batch.frames))
            terms["gan"] = weights.lambda_gan * gan_loss(judged, True)
            terms["fm"] = weights.lambda_fm * feature_matching(judged, expected)
        return terms

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.world.device.type, torch.bfloat16, enabled=self.config.schedule.precision == "bf16"
        )

    def _add(self, losses: dict[str, float], terms: dict[str, Tensor], passes: int, index: int) -> None:
        for name, value in terms.items():
            losses[name] = losses.get(name, 0.0) + float(value.detach()) / passes
            if not math.isfinite(losses[name]):
                raise SynthesisError(
                    f"the loss is not a number at step {index}", hint="start again with --precision float32"
                )

    def _update_average(self, index: int) -> None:
        # In the beginning the average follows closely, so that it does not hold on to the random start.
        weight = 1 - min(self.config.schedule.ema, (index + 1) / (index + 11))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                kept.lerp_(new, weight)


def carry(before: Painting | None, motion: Motion, keep: Tensor) -> Carried | None:
    """What is carried on from a painted frame, of those samples where `keep` (B, 1, 1, 1) says so."""
    if before is None:
        return None
    return Carried(before.person, before.alpha, motion.flow, motion.seen * keep)


def decay(share: float) -> float:
    """Factor on the learning rate: 1, with a linear fall to a tenth over the last fifth of the stage."""
    return min(1.0, max((1 - share) / 0.2, 0.1))


def fixed_rows(recording: Prepared, holdout: float, count: int) -> tuple[list[int], str]:
    """The frames that samples and scores look at, spread evenly: held-out ones, or training frames without any.

    Returns:
        Up to `count` row numbers, and "held-out" or "training".
    """
    rows, kind = recording.usable, "training"
    if holdout > 0:
        present = recording.poses.present()
        pairs = np.flatnonzero(present[1:] & present[:-1]) + 1
        left = pairs[pairs > recording.usable.max()]
        if len(left):
            rows, kind = left, "held-out"
    chosen = np.unique(np.linspace(0, len(rows) - 1, count).round().astype(int))
    return [int(rows[i]) for i in chosen], kind
