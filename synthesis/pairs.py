"""Consecutive frame pairs with their labels, cut from a recording's windows, as tensors for one training step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dataset.pose.keypoints import PoseSequence
from synthesis.appearance import Gallery, Looks, look_at
from synthesis.appearance.gallery import window_parts
from synthesis.appearance.looks import join_looks
from synthesis.appearance.skinning import Parts
from synthesis.config import DataConfig, ScheduleConfig
from synthesis.recording import Prepared, person_mask
from synthesis.windows import Windows, sample

Image = npt.NDArray[np.uint8]

_NEAR_ONES = 6  # training draws from so many of the nearest frames


@dataclass(frozen=True)
class FramePairBatch:
    """Frames t − 1 and t of a recording in one common window; every tensor is (B, 3, H, W) unless said otherwise.

    Attributes:
        labels: stick figures at t − 1 and t, in [0, 1].
        frames: real frames at t − 1 and t, in [-1, 1].
        plate: the background in the same window.
        previous: the real frame at t − 2, damaged, or the plate: what frame t − 1 is painted from.
        weight: (B, 1, H, W), 1 on the background and more on the person.
        looks: what the generator is shown of the target's looks at t − 1 and t.
    """

    labels: tuple[Tensor, Tensor]
    frames: tuple[Tensor, Tensor]
    plate: Tensor
    previous: Tensor
    weight: Tensor
    looks: tuple[Looks, Looks]


@dataclass(frozen=True)
class Material:
    """What training samples are cut from: recordings of one person.

    Attributes:
        recordings: with windows of one shape and at least one usable frame among them.
        plates: `Prepared.small_plate` of each.
        gallery: frames of all of them.
    """

    recordings: list[Prepared]
    plates: list[Image]
    gallery: Gallery


def draw_pair(material: Material, data: DataConfig, schedule: ScheduleConfig, number: int) -> FramePairBatch:
    """Training sample `number`, one pair: a pure function of the seed and the number, so that a run can resume.

    Args:
        material: what to cut from.
        data, schedule: how to cut and damage.
        number: from 0.
    """
    rng = np.random.default_rng([schedule.seed, number])
    counts = np.array([len(recording.usable) for recording in material.recordings])
    which = int(rng.choice(len(counts), p=counts / counts.sum()))
    recording = material.recordings[which]
    row = int(rng.choice(recording.usable))
    window = recording.windows.jittered(row, rng, data.jitter)
    parts = window_parts(recording.poses, row, window)
    least = data.apart * float(rng.uniform(0.5, 1.5))
    chosen = _near_ones(
        material.gallery, parts, recording.sha256, float(recording.poses.times[row]), least, rng
    )
    pair = cut_pair(material, which, row, window, chosen)
    if rng.random() < schedule.forget or not schedule.temporal:
        return pair
    before = image_tensor(
        sample(np.asarray(recording.frames[row - 2]), window.matrix(0, recording.scale), window.shape)
    )
    return replace(pair, previous=damage(before, rng))


def nearest(material: Material, which: int, row: int, least: float) -> list[int]:
    """The frames of the gallery that suit frame `row` of recording number `which` best, one for each region."""
    recording = material.recordings[which]
    parts = window_parts(recording.poses, row, recording.windows.one(row))
    time = float(recording.poses.times[row])
    distances = material.gallery.distances(parts)
    distances[:, ~material.gallery.apart(recording.sha256, time, least)] = np.inf
    return [int(index) for index in distances.argmin(1)]


def cut_pair(material: Material, which: int, row: int, window: Windows, chosen: list[int]) -> FramePairBatch:
    """Frames `row` − 1 and `row` in one window, the first to be painted from the plate.

    Args:
        material: where from.
        which: number of the recording.
        row: index of the second frame.
        window: one window.
        chosen: frames of the gallery, one for each region; both frames are shown the same.
    """
    recording, plate = material.recordings[which], material.plates[which]
    matrix = window.matrix(0, recording.scale)

    def cut(image: Image) -> Tensor:
        return image_tensor(sample(np.asarray(image), matrix, window.shape))

    background = cut(plate)
    poses = [window.label_poses(recording.poses, row + offset) for offset in (-1, 0)]
    mask = person_mask(poses[1], 0, window.shape)
    soft = cv2.GaussianBlur(mask, (0, 0), 4).astype(np.float32) / 255
    return FramePairBatch(
        labels=(
            label_tensor(recording.labels.label(row - 1, window)),
            label_tensor(recording.labels.label(row, window)),
        ),
        frames=(cut(recording.frames[row - 1]), cut(recording.frames[row])),
        plate=background,
        previous=background,
        weight=torch.from_numpy(1 + 4 * soft)[None, None],
        looks=(
            look_at(material.gallery, chosen, one_pose(poses[0])),
            look_at(material.gallery, chosen, one_pose(poses[1])),
        ),
    )


def one_pose(poses: PoseSequence) -> Parts:
    """The first row of a sequence."""
    return {name: points[0] for name, points in poses.parts().items()}


def _near_ones(
    gallery: Gallery, parts: Parts, recording: str, time: float, least: float, rng: np.random.Generator
) -> list[int]:
    """One of the nearest frames for each region, not always the nearest: a transfer finds no better ones either."""
    allowed = np.flatnonzero(gallery.apart(recording, time, least))
    chosen = []
    for distances in gallery.distances(parts)[:, allowed]:
        order = np.argsort(distances, kind="stable")[:_NEAR_ONES]
        chosen.append(int(allowed[order[min(int(rng.exponential(1.5)), len(order) - 1)]]))
    return chosen


def join_pairs(pairs: list[FramePairBatch], device: torch.device) -> FramePairBatch:
    """Several batches of the same size in pixels as one, on `device`."""

    def join(tensors: list[Tensor]) -> Tensor:
        return (tensors[0] if len(tensors) == 1 else torch.cat(tensors)).to(device)

    return FramePairBatch(
        labels=(join([p.labels[0] for p in pairs]), join([p.labels[1] for p in pairs])),
        frames=(join([p.frames[0] for p in pairs]), join([p.frames[1] for p in pairs])),
        plate=join([p.plate for p in pairs]),
        previous=join([p.previous for p in pairs]),
        weight=join([p.weight for p in pairs]),
        looks=(
            join_looks([p.looks[0] for p in pairs]).to(device),
            join_looks([p.looks[1] for p in pairs]).to(device),
        ),
    )


def damage(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Noise and blur of random strength, as errors of earlier frames will look; keeps errors from feeding back."""
    array = image[0].permute(1, 2, 0).numpy()
    if rng.random() < 0.5:
        array = cv2.GaussianBlur(array, (0, 0), float(rng.uniform(0.5, 3.0)))
    noise = rng.standard_normal(array.shape, np.float32) * np.float32(rng.uniform(0.0, 0.12))
    damaged = np.clip(array + noise, -1, 1).astype(np.float32)
    return torch.from_numpy(damaged).permute(2, 0, 1)[None].contiguous()


def image_tensor(image: Image) -> Tensor:
    """(H, W, 3) uint8 → (1, 3, H, W) float in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 127.5 - 1


def tensor_image(tensor: Tensor) -> npt.NDArray[np.float32]:
    """(1, C, H, W) in [-1, 1] → (H, W, C) float32 in [0, 255]."""
    array: npt.NDArray[np.float32] = (
        ((tensor[0].float().permute(1, 2, 0) + 1) * 127.5).clamp(0, 255).cpu().numpy()
    )
    return array


def label_tensor(label: Image) -> Tensor:
    """A label image (H, W, 3) uint8 → (1, 3, H, W) float in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(label)).permute(2, 0, 1)[None].float() / 255
