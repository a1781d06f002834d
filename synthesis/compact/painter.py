"""Frames of the target from poses, by the generator of the preset `compact`.

The generator works in windows of a fixed small size. What it decides there – where to look in which real frame of the
target, how these mix, what is added – is enlarged and carried out on the frames at the size at which they were filmed.
So the picture is as sharp as the recording, whatever the size of the window. So is what is kept of the frame before: it
is taken from the large person painted then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import torch

from dataset.errors import ModelError
from dataset.pose.keypoints import PoseSequence
from synthesis.appearance import Gallery, look_at
from synthesis.appearance.gathering import window_parts
from synthesis.appearance.looks import motion_to
from synthesis.appearance.skinning import Skin
from synthesis.densepose import LabelSource
from synthesis.networks.generator import Carried, CompactGenerator, GeneratorInput, Painting
from synthesis.pairs import image_tensor, label_tensor, tensor_image
from synthesis.paper.face import blend, face_boxes, face_corrector
from synthesis.recording import shrink
from synthesis.windows import Windows, follow, paste, sample

if TYPE_CHECKING:
    from synthesis.model import TargetModel

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_BLOCK = 512  # rows of a sequence for which frames of the gallery are looked up together


@dataclass(frozen=True)
class _Before:
    """The frame before: its pose, what the generator painted, and the large person made of it."""

    skin: Skin
    painting: Painting
    person: Floats


@torch.inference_mode()
def frames(model: TargetModel, poses: PoseSequence, plate: Image, labels: LabelSource) -> Iterator[Image]:
    """One frame for each row of `poses`, each painted from the one before.

    Memory does not grow with the length. Frames of the gallery that lie near a pose's own moment in the same
    recording are not shown to the generator (`config.data.apart`).

    Args:
        model: a model of the preset `compact`.
        poses: in pixels of the plate.
        plate: (H, W, 3) uint8.
        labels: what shows each pose to the generator.

    Yields:
        (H, W, 3) uint8; the bare plate where nobody is.

    Raises:
        ModelError: the model has no gallery, or another generator.
    """
    generator, gallery = model.generator, model.gallery
    if not isinstance(generator, CompactGenerator) or gallery is None:
        raise ModelError("not a model of the preset compact")
    temporal, precision = model.config.schedule.temporal, model.config.schedule.precision
    present = poses.present()
    windows = follow(poses, model.shape, model.config.data.margin)
    chosen = _choose(gallery, poses, windows, model.config.data.apart)
    scale = model.frame_scale
    small = shrink(plate, (round(plate.shape[1] * scale), round(plate.shape[0] * scale)))
    corrector = face_corrector(model)
    faces = face_boxes(poses, model.config.face.room) if corrector else []
    previous, last = small, None
    for row in range(len(poses)):
        if not present[row]:
            previous, last = small, None
            yield plate.copy()
            continue
        matrix = windows.matrix(row, small.shape[0] / plate.shape[0])
        behind = image_tensor(sample(small, matrix, windows.shape))
        before = image_tensor(sample(previous, matrix, windows.shape)) if temporal else behind
        label = label_tensor(labels.label(row, windows, row))
        using = next(chosen)
        skin = Skin(window_parts(poses, row, windows, row), gallery.shape)
        looks = look_at(gallery, using, skin)
        carried = _carry(last, skin) if temporal else None
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            painting = generator(GeneratorInput(label, before, behind, looks, carried))
        alpha = painting.alpha[0, 0].float().numpy()
        previous = paste(small, tensor_image(painting.person), alpha, matrix)
        if generator.copy:
            person = enlarge(painting, [gallery.items[index].picture for index in using])
            if last is not None and carried is not None:
                person = keep(person, last.person, painting, carried)
        else:
            person = tensor_image(painting.person)
        last = _Before(skin, painting, person)
        image = _paste_large(plate, person, alpha, windows, row)
        if corrector and (face := faces[row]):
            residual = corrector.residual(image, poses, row, face)
            image = blend(image, residual, face.matrix(len(residual)))
            previous = blend(previous, residual, face.scaled(scale).matrix(len(residual)))
        yield image


def _choose(gallery: Gallery, poses: PoseSequence, windows: Windows, least: float) -> Iterator[list[int]]:
    """The frames of the gallery for each row that shows somebody; looked up block by block, to bound the memory."""
    before = None
    rows = np.flatnonzero(poses.present())
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        parts = [window_parts(poses, row, windows, row) for row in block]
        found = gallery.choose(parts, poses.video_sha256, poses.times[block], least, before)
        before = found[-1]
        yield from found.tolist()


def _carry(last: _Before | None, skin: Skin) -> Carried | None:
    """What the frame before has for a pose of now."""
    if last is None:
        return None
    motion = motion_to(skin, last.skin)
    return Carried(last.painting.person, last.painting.alpha, motion.flow, motion.seen)


def enlarge(painting: Painting, pictures: list[Image]) -> Floats:
    """The person of a painting, mixed anew from larger pictures.

    Args:
        painting: of a batch of one.
        pictures: K of (h, w, 3) uint8, larger than the window.

    Returns:
        (h, w, 3) float32 in [0, 255].
    """
    size = pictures[0].shape[:2]
    gate = _resize(painting.gate[0], size)
    person = _resize(painting.touch[0], size) * np.float32(127.5)
    for index, picture in enumerate(pictures):
        flow = _resize_flow(painting.flow[0, index], size)
        taken = cv2.remap(picture, flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        person += gate[:, :, index, None] * taken
    return np.clip(person, 0, 255)


def keep(person: Floats, before: Floats, painting: Painting, carried: Carried) -> Floats:
    """The larger person with as much of the one before as the generator kept.

    Args:
        person, before: (h, w, 3) float32 in [0, 255], as from `enlarge`, of now and of the frame before.
        painting: of now, a batch of one.
        carried: what it was painted with.
    """
    if painting.stay is None:
        return person
    size = person.shape[:2]
    flow = _resize_flow(carried.flow[0], size)
    # Bilinear sampling, again in each frame, would blur what stays for long.
    moved = cv2.remap(before, flow, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    mixed: Floats = person + _resize(painting.stay[0], size).reshape(*size, 1) * (moved - person)
    return np.clip(mixed, 0, 255)


def _resize(planes: torch.Tensor, size: tuple[int, ...]) -> Floats:
    """(C, h, w) → (H, W, C), or (H, W) of one plane; `size` is height and width."""
    array = np.ascontiguousarray(planes.float().permute(1, 2, 0).numpy())
    return cv2.resize(array, (size[1], size[0]), interpolation=cv2.INTER_LINEAR).astype(
        np.float32, copy=False
    )


def _resize_flow(flow: torch.Tensor, size: tuple[int, ...]) -> Floats:
    """The flow of a larger picture, in its pixels."""
    return (_resize(flow, size) + 0.5) * np.float32(size[0] / flow.shape[1]) - np.float32(0.5)


def _paste_large(plate: Image, person: Floats, alpha: Floats, windows: Windows, row: int) -> Image:
    size = (person.shape[1], person.shape[0])
    if size == windows.shape:
        return paste(plate, person, alpha, windows.matrix(row))
    # The window's edge of the mask, enlarged, would be a staircase.
    mask = np.clip(cv2.resize(alpha, size, interpolation=cv2.INTER_CUBIC), 0, 1)
    larger = Windows(windows.center, windows.height, size)
    return paste(plate, person, mask, larger.matrix(row))
