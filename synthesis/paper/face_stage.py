"""The face GAN as the last stage of a run, for any generator (paper §4.3): the generator is frozen, G_f learns."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dataset.errors import SynthesisError
from synthesis.config import SynthesisConfig
from synthesis.distributed import average_gradients
from synthesis.evaluate.ssim import ssim
from synthesis.networks.perceptual import PerceptualLoss
from synthesis.paper.data import stored
from synthesis.paper.face import FaceBox, cut, cut_label, face_boxes, paint_residual
from synthesis.paper.networks import face_generator, face_judge
from synthesis.paper.objective import Weights, differentiate
from synthesis.paper.ops import forget_uses
from synthesis.paper.precision import optimiser, prepare_network, to_network
from synthesis.recording import Prepared
from synthesis.stage import World, samples_of_step

Image = npt.NDArray[np.uint8]

_SALT = 3  # sets the order of samples apart from that of other stages
_SHOWN = 8
_LEAST_FACE = 12.0  # pixels of the recording that a face must fill to teach anything


class Source(Protocol):
    """A trained generator that shows how it paints a frame.

    Attributes:
        generator: its network, frozen while the face GAN trains.
    """

    generator: nn.Module

    def paint(self, which: int, row: int) -> Image:
        """Frame `row` of recording number `which` as the generator paints it, at the recording's size."""


class FaceStage:
    """Trains G_f and D_f on crops of the face; see `synthesis.stage.Stage`.

    Args:
        config: of the run; `config.face` is what it reads.
        prepared: the recordings.
        world: the processes that train together.
        source: paints the frames that are to be corrected.
        perceptual: the perceptual loss.

    Raises:
        SynthesisError: no frame shows a face.
    """

    name = "face"

    def __init__(
        self,
        config: SynthesisConfig,
        prepared: list[Prepared],
        world: World,
        source: Source,
        perceptual: PerceptualLoss,
    ) -> None:
        self.config, self.world, self.prepared, self.source = config, world, prepared, source
        self.perceptual = perceptual
        torch.manual_seed(config.schedule.seed + 2)
        self.face_generator = prepare_network(face_generator(config.face), config, world.device)
        self.face_judge = prepare_network(face_judge(config.face), config, world.device)
        self.networks: dict[str, nn.Module] = {
            "generator": source.generator,
            "face_generator": self.face_generator,
            "face_discriminator": self.face_judge,
        }
        self.adam_g = optimiser(self.face_generator, config)
        self.adam_d = optimiser(self.face_judge, config)
        self.optimisers: dict[str, torch.optim.Optimizer] = {"adam_g": self.adam_g, "adam_d": self.adam_d}
        self.boxes = [face_boxes(recording.poses, config.face.room) for recording in prepared]
        self.rows = [
            (which, int(row))
            for which, recording in enumerate(prepared)
            for row in recording.usable
            if self._learns_from(which, int(row))
        ]
        if not self.rows:
            raise SynthesisError(
                "no frame shows a face that is large enough for the face GAN",
                path=prepared[0].path,
                hint="film closer, or train without it",
            )
        face = config.face
        self.steps = (
            face.steps
            if face.steps is not None
            else math.ceil(face.epochs * len(self.rows) / config.schedule.batch)
        )
        self._truth = [self._store(which) for which in range(len(prepared))]
        self._fixed, self.shown = self._choose_fixed()

    def begin(self) -> None:
        """The generator paints from here on, and learns no more."""
        self.source.generator.requires_grad_(False)

    def step(self, index: int, share: float) -> dict[str, float]:
        """Update G_f and D_f once; see `synthesis.stage.Stage.step`."""
        self.source.generator.requires_grad_(False)
        passes = samples_of_step(index, self.config.schedule, self.world)
        losses: dict[str, float] = {}
        for numbers in passes:
            examples = [self.example(*self._number(number)) for number in numbers]
            label, painted, real = (torch.cat(parts) for parts in zip(*examples, strict=True))
            forget_uses(self.face_generator)
            made = painted + paint_residual(self.face_generator, label, painted)
            face = self.config.face
            weights = Weights(
                gan=self.config.loss.lambda_gan, fm=0.0, perceptual=face.lambda_p, l1=face.lambda_l1
            )
            found = differentiate(
                [made], [real], [label], self._judge, list(self.face_judge.parameters()), self.perceptual,
                weights, share=1 / len(passes),
            )  # fmt: skip
            del found.terms["fm"]
            for name, value in found.terms.items():
                losses[name] = losses.get(name, 0.0) + value
                if not math.isfinite(losses[name]):
                    raise SynthesisError(
                        f"the loss is not a number at step {index} of the stage {self.name}",
                        hint="start again with --precision float32",
                    )
            torch.autograd.backward([made], found.frames)
        for network, adam in ((self.face_generator, self.adam_g), (self.face_judge, self.adam_d)):
            average_gradients(network.parameters(), self.world)
            adam.step()
            adam.zero_grad(set_to_none=True)
        return losses

    def example(self, which: int, row: int) -> tuple[Tensor, Tensor, Tensor]:
        """Label crop in [0, 1], painted and real crop in [-1, 1], each (1, 3, s, s)."""
        box = self.boxes[which][row]
        assert box is not None
        size, poses = self.config.face.size, self.prepared[which].poses
        label = cut_label(poses, row, box, size, self.config.data.face)
        painted = cut(self.source.paint(which, row), box, size)
        device = self.world.device
        return (
            _tensor(label, device) / 255,
            _tensor(painted, device) / 127.5 - 1,
            _tensor(np.array(self._truth[which][row]), device) / 127.5 - 1,
        )

    def sample(self) -> Image:
        """For some faces, below each other: stick figure, painted, corrected, real."""
        columns = []
        for which, row in self._fixed:
            label, painted, corrected, real = self._correct(which, row)
            columns.append(
                np.concatenate([_image(part) for part in (label * 2 - 1, painted, corrected, real)])
            )
        return np.concatenate(columns, axis=1)

    def scores(self) -> dict[str, float]:
        """SSIM and perceptual distance of the face crop, after and before the correction."""
        found: dict[str, list[float]] = {}
        perceptual = f"perceptual {self.perceptual.backbone}"
        for which, row in self._fixed:
            _, painted, corrected, real = self._correct(which, row)
            for name, picture in (("", corrected), (" before", painted)):
                found.setdefault(f"ssim face{name}", []).append(ssim(_image(real), _image(picture)))
                with torch.no_grad():
                    distance = float(self.perceptual(picture, real))
                found.setdefault(f"{perceptual} face{name}", []).append(distance)
        return {name: float(np.mean(values)) for name, values in found.items()}

    def snapshot(self) -> nn.Module:
        """The generator that the face GAN corrects."""
        return self.source.generator

    def _correct(self, which: int, row: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        label, painted, real = self.example(which, row)
        with torch.no_grad():
            corrected = (painted + paint_residual(self.face_generator, label, painted)).clamp(-1, 1)
        return label, painted, corrected, real

    def _judge(self, x: Tensor) -> list[list[Tensor]]:
        return [self.face_judge(to_network(x, self.face_judge))]

    def _number(self, index: int) -> tuple[int, int]:
        epoch, place = divmod(index, len(self.rows))
        order = np.random.default_rng([self.config.schedule.seed, _SALT, epoch]).permutation(len(self.rows))
        return self.rows[int(order[place])]

    def _learns_from(self, which: int, row: int) -> bool:
        box = self.boxes[which][row]
        return box is not None and box.side / self.config.face.room >= _LEAST_FACE

    def _store(self, which: int) -> npt.NDArray[np.uint8]:
        """The real faces, cut from the recording at its own resolution, which the small frames do not have."""
        face = self.config.face

        def make(image: Image, row: int) -> Image:
            box: FaceBox | None = self.boxes[which][row]
            return (
                np.zeros((face.size, face.size, 3), np.uint8) if box is None else cut(image, box, face.size)
            )

        return stored(self.prepared[which], f"faces_{face.size}_{face.room:g}", (face.size, face.size), make)

    def _choose_fixed(self) -> tuple[list[tuple[int, int]], str]:
        main = max(range(len(self.prepared)), key=lambda one: len(self.prepared[one].usable))
        recording, kind = self.prepared[main], "training"
        rows = [row for which, row in self.rows if which == main] or [row for _, row in self.rows]
        after = range(int(recording.usable.max()) + 2, len(recording.poses))
        if self.config.data.holdout > 0 and (held := [row for row in after if self._learns_from(main, row)]):
            rows, kind = held, "held-out"
        chosen = [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, _SHOWN).round().astype(int))]
        return [
            (main, row) for row in chosen
        ], f"faces of {kind} frames {', '.join(map(str, chosen))} of {recording.path.name}"


def _tensor(image: Image, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float().to(device)


def _image(tensor: Tensor) -> Image:
    array = ((tensor[0].float().permute(1, 2, 0) + 1) * 127.5).clamp(0, 255).cpu().numpy()
    return np.rint(array).astype(np.uint8)
