"""Trained generators as the face GAN sees them: they paint a frame of a recording, at the recording's size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from synthesis.pairs import tensor_image
from synthesis.paper.data import PaperPairs
from synthesis.recording import Prepared

if TYPE_CHECKING:
    from synthesis.model import TargetModel
    from synthesis.paper.stages import GeneratorStage

Image = npt.NDArray[np.uint8]

_BEFORE = 2  # frames that are painted before the one that is asked for


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
        made = self.stage.learner.paint([label.to(self.stage.world.device) for label in labels])[-1]
        return self.pairs.boxes[which].undo(np.rint(tensor_image(made)).astype(np.uint8))


class ModelSource:
    """A generator as a transfer will use it: a few frames rolled out, each from the one before.

    Args:
        generator: its network.
        recordings: what the frames are of.
        build: makes a model of the generator; called when the first frame is asked for, when the generator is trained.
    """

    def __init__(
        self, generator: nn.Module, recordings: list[Prepared], build: Callable[[], TargetModel]
    ) -> None:
        self.generator, self.recordings, self._build = generator, recordings, build
        self._model: TargetModel | None = None

    def paint(self, which: int, row: int) -> Image:
        """See `synthesis.paper.face_stage.Source`."""
        from synthesis.transfer import generate

        self._model = self._model or self._build()
        recording = self.recordings[which]
        *_, image = generate(self._model, recording.poses[max(row - _BEFORE, 0) : row + 1], recording.plate)
        return image
