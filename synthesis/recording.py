"""A recording made ready for training: poses, windows, the background plate and small frames on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dataset.errors import SynthesisError
from dataset.pose import SilhouetteFinder, cached_poses, clean
from dataset.pose.keypoints import PoseSequence
from dataset.video import VideoInfo, read_frames
from synthesis.config import DataConfig
from synthesis.densepose import LabelSource, label_source
from synthesis.kept import kept
from synthesis.plate import background, person_mask
from synthesis.windows import Windows, choose_shape, extents, follow

Image = npt.NDArray[np.uint8]
Report = Callable[[str, int, int | None], None]

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
        silhouettes: (T, h, w) uint8, how certainly each pixel of `frames` shows the person, 255 at most; on disk. Where
            they cannot be found, a generous mask about the key points.
        told: (T,) bool, where they were found.
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
    silhouettes: npt.NDArray[np.uint8]
    told: npt.NDArray[np.bool_]
    scale: float
    plate: Image
    usable: npt.NDArray[np.int64]
    labels: LabelSource

    def forget_frames(self) -> None:
        """Remove the stored frames, which take much room and are made again when needed."""
        if isinstance(self.frames, np.memmap) and self.frames.filename:
            # Stages keep pictures of their own beside them, under names that begin alike.
            folder, digest = Path(self.frames.filename).parent, self.sha256[:16]
            for kind in ("frames", "silhouettes"):
                for stored in folder.glob(f"{kind}_{digest}_*.npy"):
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
    frames = _frames(
        path, cache / f"frames_{info.sha256[:16]}_{size[0]}x{size[1]}.npy", size, len(poses), report
    )
    silhouettes, told = _outlines(
        frames, poses, cache / f"silhouettes_{info.sha256[:16]}_{size[0]}x{size[1]}.npy", report, path.name
    )
    known = round(len(poses) * (1 - config.holdout))
    plate = background(
        path, poses[:known], report
    )  # what is held out must not be seen in the background either
    pairs = np.flatnonzero(present[1:] & present[:-1]) + 1
    usable = pairs[(pairs > 1) & (pairs < known)]
    labels = label_source(config.labels, poses, config.face, iuv)
    return Prepared(
        path=path,
        sha256=info.sha256,
        poses=poses,
        windows=windows,
        frames=frames,
        silhouettes=silhouettes,
        told=told,
        scale=size[1] / info.height,
        plate=plate,
        usable=usable,
        labels=labels,
    )


def shrink(image: Image, size: tuple[int, int]) -> Image:
    """Resize by area, for pictures that get smaller."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _frames(
    path: Path, target: Path, size: tuple[int, int], count: int, report: Report
) -> npt.NDArray[np.uint8]:
    """The recording's frames, small, in a file that is mapped into memory."""

    def small() -> Iterator[Image]:
        for row, frame in enumerate(read_frames(path)):
            yield shrink(frame.image, size)
            report(f"frames of {path.name}", row + 1, count)

    # Rows are counted, as in the poses: a damaged file may skip frame numbers.
    return kept(target, (count, size[1], size[0], 3), small())


def _outlines(
    frames: npt.NDArray[np.uint8], poses: PoseSequence, target: Path, report: Report, name: str
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """The silhouettes of stored frames, in a file that is mapped into memory, and which of them were found."""
    size = (frames.shape[2], frames.shape[1])
    scale = np.array([size[0] / poses.size[0], size[1] / poses.size[1], 1.0], np.float32)
    present = poses.present()

    def outlines() -> Iterator[Image]:
        with SilhouetteFinder() as finder:
            for row in range(len(frames)):
                found = (
                    finder.find(np.asarray(frames[row]), poses.body[row] * scale) if present[row] else None
                )
                outline = person_mask(poses, row, size) if found is None else found
                # Above the silhouettes a line of their own says for each whether it was found.
                told = np.full((1, size[0]), 0 if found is None else 255, np.uint8)
                yield np.concatenate([told, outline])
                report(f"outlines of {name}", row + 1, len(frames))

    stored = kept(target, (len(frames), size[1] + 1, size[0]), outlines())
    return stored[:, 1:], np.asarray(stored[:, 0, 0] > 0)
