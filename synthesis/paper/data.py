"""Whole frames for the paper's generators: letterboxed, squashed to the network's size, with their stick figures.

The paper's preparation (supplement, and what is known of its code): frames get bars to 16:9 and are resized to
1024×512, whatever their shape; there is no crop round the person. Stick figures are drawn at full size and resized the
same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dataset.video import read_frames
from synthesis.config import SynthesisConfig
from synthesis.densepose import LabelSource, StickFigures
from synthesis.kept import kept
from synthesis.pairs import image_tensor, label_tensor
from synthesis.recording import Prepared, shrink
from synthesis.stickfigure import draw
from synthesis.windows import Windows

Image = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]

_FULL_HEIGHT = 1080  # at which the paper draws


@dataclass(frozen=True)
class Letterbox:
    """The way from a recording's frame to the network's picture and back.

    Attributes:
        frame: width and height of the recording.
        aspect: shape that bars bring the frame to, e.g. (16, 9).
        size: width and height of the network's picture.
    """

    frame: tuple[int, int]
    aspect: tuple[int, int]
    size: tuple[int, int]

    @property
    def canvas(self) -> tuple[float, float]:
        """Width and height of the frame with its bars, in the frame's pixels."""
        (w, h), (a, b) = self.frame, self.aspect
        return max(w, h * a / b), max(h, w * b / a)

    @property
    def inner(self) -> tuple[int, int, int, int]:
        """x, y, width and height of the frame within the network's picture."""
        wide = max(round(self.frame[0] / self.canvas[0] * self.size[0]), 1)
        tall = max(round(self.frame[1] / self.canvas[1] * self.size[1]), 1)
        return (self.size[0] - wide) // 2, (self.size[1] - tall) // 2, wide, tall

    def matrix(self) -> Matrix:
        """(2, 3) affine map from pixels of the frame to pixels of the picture, pixel centres at whole numbers."""
        x, y, wide, tall = self.inner
        sx, sy = wide / self.frame[0], tall / self.frame[1]
        return np.array([[sx, 0.0, x + 0.5 * sx - 0.5], [0.0, sy, y + 0.5 * sy - 0.5]])

    def apply(self, image: Image) -> Image:
        """A frame (h, w, 3) as the network's picture, with black bars."""
        x, y, wide, tall = self.inner
        smaller = wide <= image.shape[1] and tall <= image.shape[0]
        flag = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        picture = np.zeros((self.size[1], self.size[0], 3), np.uint8)
        picture[y : y + tall, x : x + wide] = cv2.resize(image, (wide, tall), interpolation=flag)
        return picture

    def undo(self, picture: Image) -> Image:
        """The network's picture as a frame, without the bars."""
        x, y, wide, tall = self.inner
        inner = picture[y : y + tall, x : x + wide]
        frame: Image = cv2.resize(inner, self.frame, interpolation=cv2.INTER_CUBIC).astype(
            np.uint8, copy=False
        )
        return frame

    def label(self, labels: LabelSource, row: int) -> Image:
        """The label of one frame on the letterboxed frame, (H, W, 3) uint8.

        A stick figure is drawn large and resized; a DensePose map is sampled to the nearest pixel.
        """
        width, height = self.canvas
        if not isinstance(labels, StickFigures):
            # Letterboxed at one scale first: the network's picture is squashed.
            center = np.array([[self.frame[0] / 2, self.frame[1] / 2]])
            even = (max(round(width / height * self.size[1]), 1), self.size[1])
            label = labels.label(row, Windows(center, np.array([height]), even))
            return cv2.resize(label, self.size, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
        poses, face = labels.poses, labels.face
        shift = np.array([(width - self.frame[0]) / 2, (height - self.frame[1]) / 2])
        tall = min(_FULL_HEIGHT, 4 * self.size[1])
        size = (round(tall * width / height), tall)
        placed = poses[row : row + 1].transformed(1.0, shift, (round(width), round(height)))
        return shrink(draw(placed, 0, size, face=face, large=tall), self.size)


class PaperPairs:
    """Consecutive frames of all recordings, in a new order each epoch.

    Args:
        recordings: of one person.
        config: of the run.
        size: width and height of the pictures.
        salt: sets the order apart from that of other stages.
    """

    def __init__(
        self, recordings: list[Prepared], config: SynthesisConfig, size: tuple[int, int], salt: int
    ) -> None:
        self.recordings, self.config, self.size, self.salt = recordings, config, size, salt
        self.boxes = [letterbox(recording, config, size) for recording in recordings]
        self.rows = [(which, int(row)) for which, one in enumerate(recordings) for row in one.usable]
        self.stored = [
            stored_frames(recording, box) for recording, box in zip(recordings, self.boxes, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def number(self, index: int) -> tuple[int, int]:
        """Recording and row of sample `index`: a function of the seed and the index alone.

        Each epoch, `len(self)` samples, is a pass over all pairs.
        """
        epoch, place = divmod(index, len(self.rows))
        order = np.random.default_rng([self.config.schedule.seed, self.salt, epoch]).permutation(
            len(self.rows)
        )
        return self.rows[int(order[place])]

    def pair(self, which: int, row: int) -> tuple[list[Tensor], list[Tensor]]:
        """Labels in [0, 1] and frames in [-1, 1] at t − 1 and t, each (1, 3, H, W); only t when frame by frame."""
        box, source = self.boxes[which], self.recordings[which].labels
        times = (row - 1, row) if self.config.schedule.temporal else (row,)
        labels = [label_tensor(box.label(source, time)) for time in times]
        frames = [image_tensor(np.array(self.stored[which][time])) for time in times]
        return labels, frames

    def batch(self, numbers: list[int], device: torch.device) -> tuple[list[Tensor], list[Tensor]]:
        """Several samples as one batch on `device`."""
        found = [self.pair(*self.number(number)) for number in numbers]
        joined = [
            [torch.cat(parts).to(device) for parts in zip(*side, strict=True)]
            for side in zip(*found, strict=True)
        ]
        return joined[0], joined[1]


def letterbox(recording: Prepared, config: SynthesisConfig, size: tuple[int, int]) -> Letterbox:
    """The letterbox of a recording's frames."""
    return Letterbox(recording.poses.size, config.paper.aspect, size)


def stored_frames(recording: Prepared, box: Letterbox) -> npt.NDArray[np.uint8]:
    """The recording's frames as the network's pictures (T, H, W, 3), in a file beside those of `Prepared.frames`.

    `Prepared.forget_frames` removes it with them.
    """
    name = f"letterbox_{box.size[0]}x{box.size[1]}"
    return stored(recording, name, (box.size[1], box.size[0]), lambda image, row: box.apply(image))


def stored(
    recording: Prepared, name: str, size: tuple[int, int], make: Callable[[Image, int], Image]
) -> npt.NDArray[np.uint8]:
    """One picture made of each frame (T, height, width, 3), kept on disk and made only once.

    Args:
        recording: whose frames are read from its video, at full size.
        name: sets the file apart from others of the recording.
        size: height and width of the pictures.
        make: called with each frame and its row.
    """
    pictures = (make(frame.image, row) for row, frame in enumerate(read_frames(recording.path)))
    if not isinstance(recording.frames, np.memmap) or not recording.frames.filename:
        return np.stack(list(pictures))
    target = Path(recording.frames.filename).with_name(f"frames_{recording.sha256[:16]}_{name}.npy")
    return kept(target, (len(recording.poses), *size, 3), pictures)
