"""A recording made ready for training: poses, windows, the background plate and small frames on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dataset.errors import SynthesisError
from dataset.pose import cached_poses, clean
from dataset.pose.keypoints import SEEN, B, PoseSequence
from dataset.video import VideoInfo, read_frames
from synthesis.config import DataConfig
from synthesis.densepose import LabelSource, label_source
from synthesis.windows import Windows, choose_shape, extents, follow

Image = npt.NDArray[np.uint8]
Report = Callable[[str, int, int | None], None]

_PLATE_FRAMES = 48
#: Frames are kept at a scale at which the window is this much larger than it is painted.
_OVERSAMPLING = 1.1
_LEAST_FRAMES = 16


@dataclass(frozen=True)
class Prepared:
    """Everything that training needs to know of one recording.

    Attributes:
        path: the video file.
        sha256: its hash.
        poses: cleaned, in full-frame pixels.
        windows: one per frame, in full-frame pixels.
        frames: (T, h, w, 3) uint8, the whole frames at `scale`; on disk, read as needed.
        scale: factor from full-frame pixels to those of `frames`.
        plate: (H, W, 3) uint8, the background at full size.
        labels: what shows the pose of each frame to the generator.
        usable: indices t > 1 at which t and t − 1 show the person.
    """

    path: Path
    sha256: str
    poses: PoseSequence
    windows: Windows
    frames: npt.NDArray[np.uint8]
    scale: float
    plate: Image
    usable: npt.NDArray[np.int64]
    labels: LabelSource

    def forget_frames(self) -> None:
        """Remove the stored frames, which take much room and are made again when needed."""
        if isinstance(self.frames, np.memmap) and self.frames.filename:
            # Stages keep pictures of their own beside them, under names that begin alike.
            for stored in Path(self.frames.filename).parent.glob(f"frames_{self.sha256[:16]}_*.npy"):
                stored.unlink()

    @property
    def small_plate(self) -> Image:
        """The plate at the size of `frames`."""
        return shrink(self.plate, (self.frames.shape[2], self.frames.shape[1]))


def prepare(
    path: Path,
    cache: Path,
    config: DataConfig,
    shape: tuple[int, int] | None,
    report: Report,
    iuv: Path | None = None,
) -> Prepared:
    """Estimate the poses, place the windows, find the background and store small frames.

    Args:
        path: the recording.
        cache: folder for poses and frames; what is there already is used.
        config: window height and margin.
        shape: width and height of the window; chosen from the poses when None.
        report: called as ``report(what, done, total)``.
        iuv: folder of DensePose maps of the video, where these are the labels.

    Raises:
        SynthesisError: the person is seen in too few frames.
        VideoError: the file cannot be read.
    """
    info = VideoInfo.from_path(path)
    poses = clean(
        cached_poses(path, cache, progress=lambda done, total: report(f"poses of {path.name}", done, total))
    )
    present = poses.present()
    if present.sum() < _LEAST_FRAMES:
        raise SynthesisError(
            f"a person is seen in {int(present.sum())} of {len(poses)} frames",
            path=path,
            hint=f"training needs a recording with one person in at least {_LEAST_FRAMES} frames",
        )
    if shape is None:
        shape = choose_shape(extents(poses), config.height)
    windows = follow(poses, shape, config.margin)
    # The median window is painted at about its own resolution; nothing is gained by more than the video has.
    scale = min(1.0, _OVERSAMPLING * shape[1] / float(np.median(windows.height[present])))
    size = (max(round(info.width * scale), 8), max(round(info.height * scale), 8))
    frames = _store(
        path, cache / f"frames_{info.sha256[:16]}_{size[0]}x{size[1]}.npy", size, len(poses), report
    )
    known = round(len(poses) * (1 - config.holdout))
    plate = background(
        path, poses[:known], report
    )  # what is held out must not be seen in the background either
    pairs = np.flatnonzero(present[1:] & present[:-1]) + 1
    usable = pairs[(pairs > 1) & (pairs < known)]
    labels = label_source(config.labels, poses, config.face, iuv)
    return Prepared(path, info.sha256, poses, windows, frames, size[1] / info.height, plate, usable, labels)


def shrink(image: Image, size: tuple[int, int]) -> Image:
    """Resize by area, for pictures that get smaller."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _store(
    path: Path, target: Path, size: tuple[int, int], count: int, report: Report
) -> npt.NDArray[np.uint8]:
    """The recording's frames, small, in a file that is mapped into memory."""
    if not target.exists():
        temporary = target.with_suffix(".part.npy")
        stored = _reserve(temporary, (count, size[1], size[0], 3))
        # Rows are counted, as in the poses: a damaged file may skip frame numbers.
        for row, frame in enumerate(read_frames(path)):
            stored[row] = shrink(frame.image, size)
            report(f"frames of {path.name}", row + 1, count)
        stored.flush()
        del stored
        temporary.replace(target)
    frames: npt.NDArray[np.uint8] = np.load(target, mmap_mode="r")
    return frames


def _reserve(path: Path, shape: tuple[int, int, int, int]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """A new array on disk whose room the file system has set aside: a disk that is full later kills the process.

    Raises:
        SynthesisError: there is not so much room; no file is left.
    """
    try:
        stored = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise SynthesisError(
            f"the recording's frames need {np.prod(shape) / 1e6:.0f} MB: {error.strerror}",
            path=path.parent,
            hint="make room and give the same command again",
        ) from error
    return stored


def person_mask(poses: PoseSequence, row: int, size: tuple[int, int]) -> Image:
    """A generous mask of where the person may be, from the key points alone.

    Args:
        poses: key points in the pixels of ``poses.size``.
        row: which frame.
        size: width and height of the mask.

    Returns:
        (height, width) uint8, 255 on the person.
    """
    mask = np.zeros((size[1], size[0]), np.uint8)
    scale = np.array([size[0] / poses.size[0], size[1] / poses.size[1]], np.float32)
    body = poses.body[row].copy()
    body[:, :2] *= scale
    seen = body[:, 2] >= SEEN
    if not seen.any():
        return mask
    spread = np.ptp(body[seen, :2], axis=0)
    torso = max(float(np.hypot(*(body[B["Neck"], :2] - body[B["MidHip"], :2]))), 0.15 * float(spread.max()))
    thick = max(round(0.45 * torso), 3)
    for names in (
        ("RShoulder", "RElbow", "RWrist"), ("LShoulder", "LElbow", "LWrist"), ("RHip", "RKnee", "RAnkle", "RBigToe"),
        ("LHip", "LKnee", "LAnkle", "LBigToe"), ("Neck", "Nose"), ("Neck", "MidHip"),
        ("RShoulder", "RHip"), ("LShoulder", "LHip"), ("RShoulder", "LHip"), ("LShoulder", "RHip"),
    ):  # fmt: skip
        points = [body[B[name], :2] for name in names if seen[B[name]]]
        if len(points) >= 2:
            cv2.polylines(mask, [np.rint(np.stack(points)).astype(np.int32)], False, 255, thick)
    head = [body[B[name], :2] for name in ("Nose", "REye", "LEye", "REar", "LEar") if seen[B[name]]]
    if head:
        x, y = np.mean(head, axis=0)
        cv2.circle(mask, (round(float(x)), round(float(y))), max(round(0.5 * torso), 3), 255, -1)
    for hand in (poses.left_hand[row], poses.right_hand[row]):
        points = hand[hand[:, 2] >= SEEN, :2] * scale
        if len(points) >= 3:
            hull = cv2.convexHull(np.rint(points).astype(np.int32))
            cv2.drawContours(mask, [hull], -1, 255, -1)
            cv2.drawContours(mask, [hull], -1, 255, max(thick // 2, 3))
    return mask


def background(path: Path, poses: PoseSequence, report: Report | None = None) -> Image:
    """The picture without the person: the median over time of what the person does not cover.

    What is covered in every frame is painted in from its surroundings (Telea, 2004).

    Args:
        path: a recording by a camera that stands still.
        poses: its key points.
        report: called as ``report(what, done, total)``.

    Returns:
        (H, W, 3) uint8 at the recording's size.
    """
    wanted = set(np.unique(np.linspace(0, len(poses) - 1, _PLATE_FRAMES).round().astype(int)).tolist())
    pictures, masks = [], []
    for row, frame in enumerate(read_frames(path)):
        if row in wanted:
            pictures.append(frame.image)
            masks.append(person_mask(poses, row, (frame.image.shape[1], frame.image.shape[0])) > 0)
            if report:
                report(f"background of {path.name}", len(pictures), len(wanted))
    height, width = pictures[0].shape[:2]
    plate = np.empty((height, width, 3), np.uint8)
    hidden = np.logical_and.reduce(masks)
    band = max(1, 2_000_000 // (width * len(pictures)))  # rows at a time keep the memory small
    for top in range(0, height, band):
        rows = slice(top, top + band)
        stack = np.stack([picture[rows] for picture in pictures]).astype(np.float32)
        covered = np.stack([mask[rows] for mask in masks])
        plain = np.median(stack, axis=0)
        stack[covered] = np.nan
        stack[:, hidden[rows]] = plain[hidden[rows]]
        plate[rows] = np.rint(np.nanmedian(stack, axis=0)).astype(np.uint8)
    return _paint_in(plate, hidden)


def _paint_in(plate: Image, hidden: npt.NDArray[np.bool_]) -> Image:
    if not hidden.any():
        return plate
    height, width = hidden.shape
    factor = max(1.0, max(height, width) / 320)  # large holes are filled small: slow otherwise, and no better
    size = (max(round(width / factor), 1), max(round(height / factor), 1))
    small = shrink(plate, size)
    hole = (cv2.resize(hidden.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    hole = cv2.dilate(hole, np.ones((3, 3), np.uint8))
    filled = cv2.resize(cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA), (width, height))
    soft = cv2.GaussianBlur(hidden.astype(np.float32), (0, 0), max(factor, 1.0))[..., None]
    soft = np.maximum(soft, hidden[..., None])
    return np.rint(soft * filled + (1 - soft) * plate).astype(np.uint8)
