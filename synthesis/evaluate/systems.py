"""What is evaluated: anything that gives a frame of the target for every held-out pose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import cv2
import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import SEEN, PoseSequence
from dataset.video import read_frames
from synthesis.evaluate.held_out import HeldOut
from synthesis.evaluate.regions import WINDOW_HEIGHT, WINDOW_MARGIN
from synthesis.model import TargetModel, read_image, write_image
from synthesis.plate import person_mask
from synthesis.transfer import generate
from synthesis.windows import Windows, choose_shape, extents, follow, paste

Image = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ModelRef:
    """A model folder, or a snapshot in it, written ``FOLDER`` or ``FOLDER@STEP``."""

    folder: Path
    snapshot: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """From its written form; a folder whose name ends in @ and digits is taken as that folder if it exists."""
        folder, _, step = text.rpartition("@")
        if folder and step.isdigit() and not Path(text).exists():
            return cls(Path(folder), int(step))
        return cls(Path(text))

    def load(self) -> TargetModel:
        """The generator.

        Raises:
            ModelError: there is no such model or snapshot.
        """
        return TargetModel.load(self.folder, snapshot=self.snapshot)


class System(Protocol):
    """One column of a table for one subject."""

    def frames(self, clip: HeldOut) -> Iterator[Image]:
        """(H, W, 3) uint8, one for each held-out row of the clip."""
        ...


def frames_of(model: TargetModel, poses: PoseSequence, plate: Image) -> Iterator[Image]:
    """The model's frames, each painted from the one before, exactly as in a transfer."""
    return generate(model, poses, plate)


class ModelSystem:
    """A trained generator of whatever kind."""

    def __init__(self, model: TargetModel) -> None:
        self.model = model

    def frames(self, clip: HeldOut) -> Iterator[Image]:
        """Rolled out over the held-out part, from the bare plate on."""
        return frames_of(self.model, clip.held, clip.plate)


#: Weight of a point in the pose distance of the nearest neighbour: body, either hand, face.
_WEIGHTS = {"body": 1.0, "left_hand": 0.1, "right_hand": 0.1, "face": 0.05}
#: Distance, in window heights, that counts for a point seen in only one of two poses.
_UNSEEN = 0.1


class NearestNeighbour:
    """Baseline: for each held-out pose the training frame with the nearest pose, laid where the person stands now.

    Poses are normalised by the window that follows the person: its middle is the origin, its height the unit. The
    distance of two poses is the weighted mean over body (1), hand (0.1) and face points (0.05) of the L2 distance, with
    0.1 for a point that is seen in only one of them. Training frames are all rows before the held-out part, in all
    recordings of the subject. The frame's window is scaled and moved onto the window of the held-out frame.

    Args:
        clips: the subject's recordings.
        folder: an empty folder for pictures.
        masked: blend only the person's surroundings (`synthesis.recording.person_mask`) onto the plate, instead of the
            whole window; a stronger baseline where the camera stands still.
    """

    def __init__(self, clips: list[HeldOut], folder: Path, *, masked: bool = False) -> None:
        self._clips, self._folder, self._masked = clips, folder, masked
        self._shape = choose_shape(extents(clips[0].poses), WINDOW_HEIGHT)
        self._windows = [follow(clip.poses, self._shape, WINDOW_MARGIN) for clip in clips]

    def nearest(self, clip: HeldOut) -> list[tuple[int, int] | None]:
        """For each held-out row the recording and the row of its neighbour; None where nobody is."""
        which = self._clips.index(clip)
        places = [
            (number, row)
            for number, other in enumerate(self._clips)
            for row in np.flatnonzero(other.poses.present()[: other.start])
        ]
        if not places:
            return [None] * len(clip.held)
        known = np.concatenate(
            [
                _normalised(other.poses, windows)[other.poses.present().nonzero()[0]][
                    : int(other.poses.present()[: other.start].sum())
                ]
                for other, windows in zip(self._clips, self._windows, strict=True)
            ]
        )
        asked = _normalised(clip.poses, self._windows[which])
        found: list[tuple[int, int] | None] = []
        for row in range(clip.start, len(clip.poses)):
            if not clip.poses.present()[row]:
                found.append(None)
                continue
            number, index = places[int(np.argmin(_distances(asked[row], known)))]
            found.append((number, int(index)))
        return found

    def frames(self, clip: HeldOut) -> Iterator[Image]:
        """The neighbours, each over the plate."""
        found = self.nearest(clip)
        windows = self._windows[self._clips.index(clip)]
        folder = self._folder / clip.sha256[:16]
        folder.mkdir(parents=True, exist_ok=True)
        for number, other in enumerate(self._clips):
            wanted: dict[int, list[int]] = {}
            for offset, place in enumerate(found):
                if place is not None and place[0] == number:
                    wanted.setdefault(place[1], []).append(offset)
            self._cut(other, self._windows[number], wanted, folder)
        for offset, place in enumerate(found):
            if place is None:
                yield clip.plate.copy()
                continue
            person = read_image(folder / f"{offset}.png").astype(np.float32)
            mask = read_image(folder / f"{offset}_mask.png")[..., 0].astype(np.float32) / np.float32(255)
            shape = (
                person.shape[1],
                person.shape[0],
            )  # the neighbour's own size, in the place of this frame's window
            matrix = Windows(windows.center, windows.height, shape).matrix(clip.start + offset)
            yield paste(clip.plate, person, mask, matrix)

    def _cut(self, clip: HeldOut, windows: Windows, wanted: dict[int, list[int]], folder: Path) -> None:
        if not wanted:
            return
        last = max(wanted)
        for row, frame in enumerate(read_frames(clip.path)):
            if row in wanted:
                self._keep(clip, windows, row, frame.image, [folder / str(offset) for offset in wanted[row]])
            if row == last:
                return

    def _keep(self, clip: HeldOut, windows: Windows, row: int, image: Image, names: list[Path]) -> None:
        """The window of one frame at its own size, without resampling loss, and what of it is laid down."""
        matrix, shape = _native(windows, row)
        cut = cv2.warpAffine(image, matrix, shape, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        mask = np.full((shape[1], shape[0]), 255, np.uint8)
        if self._masked:
            whole = person_mask(clip.poses, row, clip.poses.size)
            mask = cv2.warpAffine(whole, matrix, shape, flags=cv2.INTER_LINEAR)
            mask = cv2.GaussianBlur(mask, (0, 0), max(shape[1] / 128, 1.0))
        for name in names:
            write_image(name.with_name(name.name + ".png"), cut)
            write_image(name.with_name(name.name + "_mask.png"), np.repeat(mask[..., None], 3, axis=2))


def _native(windows: Windows, row: int) -> tuple[npt.NDArray[np.float64], tuple[int, int]]:
    """Frame → window at the frame's own resolution, and the window's width and height."""
    height = max(round(float(windows.height[row])), 16)
    shape = (max(round(height * windows.shape[0] / windows.shape[1]), 16), height)
    return Windows(windows.center, windows.height, shape).matrix(row), shape


def _normalised(poses: PoseSequence, windows: Windows) -> Values:
    """(T, K, 4) x, y in window heights from the window's middle, seen (0 or 1), weight."""
    columns = []
    for name, points in poses.parts().items():
        places = (points[:, :, :2] - windows.center[:, None, :]) / windows.height[:, None, None]
        seen = (points[:, :, 2:] >= SEEN).astype(np.float64)
        columns.append(np.concatenate([places, seen, np.full_like(seen, _WEIGHTS[name])], axis=2))
    return np.concatenate(columns, axis=1).astype(np.float64)


def _distances(asked: Values, known: Values) -> Values:
    """(N,) from one pose (K, 4) to each of (N, K, 4)."""
    apart = np.hypot(*np.moveaxis(known[:, :, :2] - asked[None, :, :2], 2, 0))
    both = known[:, :, 2] * asked[None, :, 2]
    either = np.maximum(known[:, :, 2], asked[None, :, 2])
    weights = known[:, :, 3]
    cost = (apart * both + _UNSEEN * (either - both)) * weights
    return np.asarray(cost.sum(axis=1) / np.maximum((either * weights).sum(axis=1), 1e-9), np.float64)
