"""Trained generators as the face GAN sees them: they paint a frame of a recording, at the recording's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from synthesis.networks.generator import GeneratorInput
from synthesis.pairs import cut_pair, damage, image_tensor, tensor_image
from synthesis.paper.data import PaperPairs
from synthesis.windows import paste, sample

if TYPE_CHECKING:
    from synthesis.compact import CompactStage
    from synthesis.paper.stages import GeneratorStage

Image = npt.NDArray[np.uint8]


class PaperSource:
    """The global or local generator: two frames, the second from the first, as in its training."""

    def __init__(self, stage: GeneratorStage) -> None:
        self.stage = stage
        self.generator: nn.Module = stage.generator
        self.pairs: PaperPairs = stage.pairs

    @torch.no_grad()
    def paint(self, which: int, row: int) -> Image:
        """See `synthesis.paper.face_stage.Source`."""
        labels, _ = self.pairs.pair(which, row)
        made = self.stage.paint([label.to(self.stage.world.device) for label in labels])[-1]
        return self.pairs.boxes[which].undo(np.rint(tensor_image(made)).astype(np.uint8))


class CompactSource:
    """The averaged generator of the preset `compact`, over the plate at full size.

    The frame before is the real one, damaged as in training: the face GAN learns at every strength of error.
    """

    def __init__(self, stage: CompactStage) -> None:
        self.stage = stage
        self.generator: nn.Module = stage.average

    @torch.no_grad()
    def paint(self, which: int, row: int) -> Image:
        """See `synthesis.paper.face_stage.Source`."""
        stage = self.stage
        recording, schedule, device = stage.recordings[which], stage.config.schedule, stage.world.device
        window = recording.windows.one(row)
        matrix = window.matrix(0, recording.scale)
        pair = cut_pair(recording, stage.plates[which], stage.config.data, row, window)
        previous = pair.plate
        if schedule.temporal:
            rng = np.random.default_rng([schedule.seed, which, row])
            before = image_tensor(sample(np.asarray(recording.frames[row - 1]), matrix, window.shape))
            previous = damage(before, rng)
        with torch.autocast(device.type, torch.bfloat16, enabled=schedule.precision == "bf16"):
            painting = stage.average(
                GeneratorInput(
                    pair.labels[1].to(device),
                    previous.to(device),
                    pair.plate.to(device),
                    stage.reference,
                    stage.reference_label,
                )
            )
        person, alpha = tensor_image(painting.person), painting.alpha[0, 0].float().cpu().numpy()
        return paste(recording.plate, person, alpha, window.matrix(0))
