"""Frames of the target from poses, by the generators of the preset `paper`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dataset.errors import ModelError
from dataset.pose.keypoints import PoseSequence
from synthesis.densepose import LabelSource
from synthesis.pairs import image_tensor, label_tensor, tensor_image
from synthesis.paper.data import Letterbox
from synthesis.paper.face import blend, face_boxes, face_corrector
from synthesis.paper.generators import paint, picture_size
from synthesis.paper.networks import GlobalGenerator, LocalEnhancer
from synthesis.paper.painting import prepare_painting

if TYPE_CHECKING:
    from synthesis.model import TargetModel

Image = npt.NDArray[np.uint8]


@torch.inference_mode()
def frames(model: TargetModel, poses: PoseSequence, plate: Image, labels: LabelSource) -> Iterator[Image]:
    """One frame for each row of `poses`, each painted from the one before with its face corrected (paper §4).

    Args:
        model: a model of the preset `paper`.
        poses: in pixels of the plate.
        plate: (H, W, 3) uint8, shown where nobody is; the generator paints the background itself.
        labels: what shows each pose to the generator.

    Yields:
        (H, W, 3) uint8.
    """
    config, generator = model.config, model.generator
    if not isinstance(generator, GlobalGenerator | LocalEnhancer):
        raise ModelError(f"not a generator of the preset paper: {type(generator).__name__}")
    box = Letterbox((plate.shape[1], plate.shape[0]), config.paper.aspect, picture_size(config, generator))
    quick = prepare_painting(generator, box.size)
    corrector = face_corrector(model)
    boxes = face_boxes(poses, config.face.room) if corrector else []
    to_frame = np.vstack([_inverse(box.matrix()), [0.0, 0.0, 1.0]])
    present = poses.present()
    previous: Tensor | None = None
    for row in range(len(poses)):
        if not present[row]:
            previous = None
            yield plate.copy()
            continue
        label = label_tensor(box.label(labels, row))
        made = paint(quick, label, previous)
        picture = np.rint(tensor_image(made)).astype(np.uint8)
        image = box.undo(picture)
        face = boxes[row] if corrector else None
        if corrector and face:
            residual = corrector.residual(image, poses, row, face)
            to_crop = face.matrix(config.face.size)
            image = blend(image, residual, to_crop)
            made = image_tensor(blend(picture, residual, to_crop @ to_frame))
        previous = made
        yield image


def _inverse(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    sx, sy = matrix[0, 0], matrix[1, 1]
    return np.array([[1 / sx, 0.0, -matrix[0, 2] / sx], [0.0, 1 / sy, -matrix[1, 2] / sy]])
