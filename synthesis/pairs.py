"""Consecutive frame pairs with their labels, cut from a recording's windows, as tensors for one training step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dataset.pose.keypoints import PoseSequence
from synthesis.config import DataConfig, ScheduleConfig
from synthesis.recording import Prepared, person_mask
from synthesis.stickfigure import draw
from synthesis.windows import Windows, sample

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FramePairBatch:
    """Frames t − 1 and t of a recording in one common window; every tensor is (B, 3, H, W) unless said otherwise.

    Attributes:
        labels: stick figures at t − 1 and t, in [0, 1].
        frames: real frames at t − 1 and t, in [-1, 1].
        plate: the background in the same window.
        previous: the real frame at t − 2, damaged, or the plate: what frame t − 1 is painted from.
        weight: (B, 1, H, W), 1 on the background and more on the person.
    """

    labels: tuple[Tensor, Tensor]
    frames: tuple[Tensor, Tensor]
    plate: Tensor
    previous: Tensor
    weight: Tensor


def draw_pair(
    recordings: list[Prepared], plates: list[Image], data: DataConfig, schedule: ScheduleConfig, number: int
) -> FramePairBatch:
    """Training sample `number`, one pair: a pure function of the seed and the number, so that a run can resume.

    Args:
        recordings: at least one with usable frames.
        plates: `Prepared.small_plate` of each.
        data, schedule: how to cut and damage.
        number: from 0.
    """
    rng = np.random.default_rng([schedule.seed, number])
    counts = np.array([len(recording.usable) for recording in recordings])
    choice = int(rng.choice(len(recordings), p=counts / counts.sum()))
    recording, plate = recordings[choice], plates[choice]
    row = int(rng.choice(recording.usable))
    window = recording.windows.jittered(row, rng, data.jitter)
    pair = cut_pair(recording, plate, data, row, window)
    if rng.random() < schedule.forget or not schedule.temporal:
        return pair
    before = image_tensor(
        sample(np.asarray(recording.frames[row - 2]), window.matrix(0, recording.scale), window.shape)
    )
    return replace(pair, previous=damage(before, rng))


def cut_pair(
    recording: Prepared, plate: Image, data: DataConfig, row: int, window: Windows
) -> FramePairBatch:
    """Frames `row` − 1 and `row` in one window, the first to be painted from the plate.

    Args:
        recording: where from.
        plate: its `Prepared.small_plate`.
        data: how the stick figure shows the face.
        row: index of the second frame.
        window: one window.
    """
    matrix = window.matrix(0, recording.scale)

    def cut(image: Image) -> Tensor:
        return image_tensor(sample(np.asarray(image), matrix, window.shape))

    background = cut(plate)
    poses = [window.label_poses(recording.poses, row + offset) for offset in (-1, 0)]
    mask = person_mask(poses[1], 0, window.shape)
    soft = cv2.GaussianBlur(mask, (0, 0), 4).astype(np.float32) / 255
    return FramePairBatch(
        labels=(
            label_tensor(poses[0], window.shape, data.face),
            label_tensor(poses[1], window.shape, data.face),
        ),
        frames=(cut(recording.frames[row - 1]), cut(recording.frames[row])),
        plate=background,
        previous=background,
        weight=torch.from_numpy(1 + 4 * soft)[None, None],
    )


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


def label_tensor(poses: PoseSequence, shape: tuple[int, int], face: str) -> Tensor:
    """The one pose in `poses`, in window pixels, drawn → (1, 3, H, W) float in [0, 1]."""
    label = draw(poses, 0, shape, face=face)
    return torch.from_numpy(np.ascontiguousarray(label)).permute(2, 0, 1)[None].float() / 255


def best_reference(recording: Prepared) -> int:
    """Index of the frame that shows most of the person: the highest mean confidence of body, face and hands."""
    poses = recording.poses
    seen = (
        poses.body[:, :, 2].mean(1)
        + poses.face[:, :, 2].mean(1)
        + 0.5 * (poses.left_hand[:, :, 2].mean(1) + poses.right_hand[:, :, 2].mean(1))
    )
    return int(recording.usable[np.argmax(seen[recording.usable])])


def cut_reference(recording: Prepared, row: int, face: str) -> tuple[Image, Image]:
    """Picture and stick figure of one frame in its own window, both (H, W, 3) uint8."""
    one = recording.windows.one(row)
    picture = sample(np.asarray(recording.frames[row]), one.matrix(0, recording.scale), one.shape)
    return picture, draw(one.label_poses(recording.poses, row), 0, one.shape, face=face)
