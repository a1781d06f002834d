"""Consecutive frame pairs with their labels, cut from a recording's windows, as tensors for one training step."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthesis.appearance import Gallery, Looks, look_at
from synthesis.appearance.gathering import window_parts
from synthesis.appearance.looks import Motion, join_looks, join_motions, motion_to
from synthesis.appearance.skinning import Skin
from synthesis.config import DataConfig
from synthesis.plate import person_mask
from synthesis.recording import Prepared
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
        weight: (B, 1, H, W), 1 on the background and more on the person.
        looks: what the generator is shown of the target's looks at t − 1 and t.
        motions: where the body of t − 1 was at t − 2, and that of t at t − 1.
        before: stick figure and looks at t − 2, of which the generator paints what frame t − 1 is painted from.
        silhouettes: (B, 1, H, W) each, how certainly each pixel of the frames shows the person, in [0, 1].
        told: (B, 1, 1, 1) each, 1 where the silhouette is known, 0 where it says nothing.
    """

    labels: tuple[Tensor, Tensor]
    frames: tuple[Tensor, Tensor]
    plate: Tensor
    weight: Tensor
    looks: tuple[Looks, Looks]
    motions: tuple[Motion, Motion]
    before: tuple[Tensor, Looks]
    silhouettes: tuple[Tensor, Tensor]
    told: tuple[Tensor, Tensor]


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


def draw_pair(material: Material, data: DataConfig, seed: int, number: int) -> FramePairBatch:
    """Training sample `number`, one pair: a pure function of the seed and the number, so that a run can resume.

    Args:
        material: what to cut from.
        data: how to cut.
        seed: of the run.
        number: from 0.
    """
    rng = np.random.default_rng([seed, number])
    counts = np.array([len(recording.usable) for recording in material.recordings])
    which = int(rng.choice(len(counts), p=counts / counts.sum()))
    recording = material.recordings[which]
    row = int(rng.choice(recording.usable))
    window = recording.windows.jittered(row, rng, data.jitter)
    parts = window_parts(recording.poses, row, window)
    least = data.apart * float(rng.uniform(0.5, 1.5))
    allowed = np.flatnonzero(
        material.gallery.apart(recording.sha256, float(recording.poses.times[row]), least)
    )
    near = near_ones(material.gallery.distances(parts)[:, allowed], data.unlike, rng)
    chosen = [int(index) for index in allowed[near]]
    return cut_pair(material, which, row, window, chosen)


def nearest(material: Material, which: int, row: int, least: float) -> list[int]:
    """The frames of the gallery that suit frame `row` of recording number `which` best, one for each region."""
    recording = material.recordings[which]
    parts = window_parts(recording.poses, row, recording.windows.one(row))
    time = float(recording.poses.times[row])
    distances = material.gallery.distances(parts)
    distances[:, ~material.gallery.apart(recording.sha256, time, least)] = np.inf
    return [int(index) for index in distances.argmin(1)]


def cut_pair(material: Material, which: int, row: int, window: Windows, chosen: list[int]) -> FramePairBatch:
    """Frames `row` − 1 and `row` in one window, with the pose before them.

    Args:
        material: where from.
        which: number of the recording.
        row: index of the second frame, at least 2.
        window: one window.
        chosen: frames of the gallery, one for each region; all frames are shown the same.
    """
    recording, plate = material.recordings[which], material.plates[which]
    matrix = window.matrix(0, recording.scale)

    def cut(image: Image) -> Tensor:
        return image_tensor(sample(np.asarray(image), matrix, window.shape))

    def outline(at: int) -> Tensor:
        cut_out = sample(np.asarray(recording.silhouettes[at]), matrix, window.shape)
        return torch.from_numpy(cut_out.astype(np.float32) / 255)[None, None]

    def told(at: int) -> Tensor:
        return torch.full((1, 1, 1, 1), float(recording.told[at]))

    def label(at: int) -> Tensor:
        return label_tensor(recording.labels.label(at, window))

    skins = [Skin(window_parts(recording.poses, at, window), window.shape) for at in range(row - 2, row + 1)]
    looks = [look_at(material.gallery, chosen, skin) for skin in skins]
    mask = person_mask(window.label_poses(recording.poses, row), 0, window.shape)
    soft = cv2.GaussianBlur(mask, (0, 0), 4).astype(np.float32) / 255
    return FramePairBatch(
        labels=(label(row - 1), label(row)),
        frames=(cut(recording.frames[row - 1]), cut(recording.frames[row])),
        plate=cut(plate),
        weight=torch.from_numpy(1 + 4 * soft)[None, None],
        looks=(looks[1], looks[2]),
        motions=(motion_to(skins[1], skins[0]), motion_to(skins[2], skins[1])),
        before=(label(row - 2), looks[0]),
        silhouettes=(outline(row - 1), outline(row)),
        told=(told(row - 1), told(row)),
    )


def near_ones(distances: npt.NDArray[np.float64], unlike: float, rng: np.random.Generator) -> list[int]:
    """For each row of (R, N) distances one of the nearest frames, not always the nearest.

    Poses of a recording lie close to each other, those of somebody else's dance do not. So frames that are too like
    what is painted, by a measure drawn from 0 to `unlike`, are passed over while others are left.
    """
    least = float(rng.uniform(0, unlike)) if unlike else 0.0
    chosen = []
    for row in distances:
        # Those passed over come last, the least like among them first.
        order = np.argsort(np.where(row < least, 1e3 - row, row), kind="stable")[:_NEAR_ONES]
        chosen.append(int(order[min(int(rng.exponential(1.5)), len(order) - 1)]))
    return chosen


def join_pairs(pairs: list[FramePairBatch], device: torch.device) -> FramePairBatch:
    """Several batches of the same size in pixels as one, on `device`."""

    def join(tensors: list[Tensor]) -> Tensor:
        return (tensors[0] if len(tensors) == 1 else torch.cat(tensors)).to(device)

    return FramePairBatch(
        labels=(join([p.labels[0] for p in pairs]), join([p.labels[1] for p in pairs])),
        frames=(join([p.frames[0] for p in pairs]), join([p.frames[1] for p in pairs])),
        plate=join([p.plate for p in pairs]),
        weight=join([p.weight for p in pairs]),
        looks=(
            join_looks([p.looks[0] for p in pairs]).to(device),
            join_looks([p.looks[1] for p in pairs]).to(device),
        ),
        motions=(
            join_motions([p.motions[0] for p in pairs]).to(device),
            join_motions([p.motions[1] for p in pairs]).to(device),
        ),
        before=(join([p.before[0] for p in pairs]), join_looks([p.before[1] for p in pairs]).to(device)),
        silhouettes=(join([p.silhouettes[0] for p in pairs]), join([p.silhouettes[1] for p in pairs])),
        told=(join([p.told[0] for p in pairs]), join([p.told[1] for p in pairs])),
    )


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
