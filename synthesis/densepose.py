"""Labels from DensePose instead of stick figures: a body part and a place on its surface for every pixel.

IUV maps (Güler, Neverova, Kokkinos, *DensePose*, CVPR 2018) are made by other tools; here they are read. I is the part,
0 for background and 1 to 24; U and V are the place on the part's surface, 0 to 255.

`LabelSource` is what training and transfer ask for the label of a frame, whichever kind it is.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import cv2
import numpy as np
import numpy.typing as npt

from dataset.errors import PoseError
from dataset.pose.keypoints import PoseSequence
from synthesis.stickfigure import draw
from synthesis.windows import Windows

Image = npt.NDArray[np.uint8]

#: Parts of the body's surface.
PARTS = 24
#: Part numbers are spread over the levels of the label's first channel, so that a network can tell them apart.
PART_STEP = 10
_HINT = (
    "a folder of one map a frame: PNG with the channels I, U, V, or NPZ with an array iuv of shape (H, W, 3)"
)
_NUMBER = re.compile(r"(\d+)(?:_IUV|_iuv|_densepose)?\.(?:png|npz)$")


class LabelSource(Protocol):
    """Label images of one video, by frame."""

    def label(self, row: int, window: Windows, index: int = 0) -> Image:
        """The label of frame `row` in a window.

        Args:
            row: which frame of the video.
            window: windows in full-frame pixels.
            index: which of them.

        Returns:
            (h, w, 3) uint8 of the window's shape.
        """
        ...


@dataclass(frozen=True)
class StickFigures:
    """Labels drawn from key points (paper §3.1).

    Attributes:
        poses: key points in full-frame pixels.
        face: how the face is drawn, see `synthesis.stickfigure.draw`.
    """

    poses: PoseSequence
    face: str = "dots"

    def label(self, row: int, window: Windows, index: int = 0) -> Image:
        """See `LabelSource.label`: the stick figure on white."""
        return draw(window.label_poses(self.poses, row, index), 0, window.shape, face=self.face)


@dataclass(frozen=True)
class DensePose:
    """Labels from a folder of IUV maps, read as they are asked for.

    Attributes:
        files: for each frame its map, None where there is none: nobody is in it.
        size: width and height of the video's frames. Maps may be smaller, in the same proportions.
    """

    files: tuple[Path | None, ...]
    size: tuple[int, int]

    @classmethod
    def open(cls, folder: str | Path, *, size: tuple[int, int], frames: int) -> Self:
        """The maps of a video.

        Args:
            folder: one file a frame with the frame's number in its name, PNG or NPZ; numbers count from 0, or from
                1 if there is no 0.
            size: width and height of the video's frames.
            frames: how many the video has.

        Raises:
            PoseError: no map in the folder, two for one frame, or one for a frame that the video does not have.
        """
        root = Path(folder)
        if not root.is_dir():
            raise PoseError("there is no such folder", path=root, hint=_HINT)
        found: dict[int, Path] = {}
        for path in sorted(root.iterdir()):
            match = _NUMBER.search(path.name)
            if match is None:
                continue
            number = int(match.group(1))
            if number in found:
                raise PoseError(f"frame {number} is in {found[number].name} too", path=path)
            found[number] = path
        if not found:
            raise PoseError("no IUV map in this folder", path=root, hint=_HINT)
        start = 0 if 0 in found else min(min(found), 1)
        if max(found) - start >= frames:
            raise PoseError(
                f"it is of frame {max(found)}, but the video has {frames}",
                path=found[max(found)],
                hint="give the maps of this very video",
            )
        source = cls(tuple(found.get(row + start) for row in range(frames)), size)
        first = read_iuv(found[min(found)])
        _scale(first, size, found[min(found)])
        return source

    def label(self, row: int, window: Windows, index: int = 0) -> Image:
        """See `LabelSource.label`: part × `PART_STEP`, U and V; black where nobody is.

        Everything is sampled to the nearest pixel: between two parts neither number means anything.

        Raises:
            PoseError: the map is damaged or does not have the video's proportions.
        """
        path = self.files[row]
        width, height = window.shape
        if path is None:
            return np.zeros((height, width, 3), np.uint8)
        iuv = read_iuv(path)
        matrix = window.matrix(index, _scale(iuv, self.size, path))
        cut = cv2.warpAffine(
            iuv, matrix, window.shape, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0
        )
        out = np.asarray(cut, np.uint8)
        out[out[..., 0] == 0] = 0
        out[..., 0] *= PART_STEP
        return out


def label_source(kind: str, poses: PoseSequence, face: str, iuv: Path | None) -> LabelSource:
    """The labels of a video.

    Args:
        kind: "stickfigure" or "densepose", as in `config.data.labels`.
        poses: of the video, in full-frame pixels.
        face: how a stick figure shows the face.
        iuv: folder of DensePose maps of the video.

    Raises:
        PoseError: maps are wanted and none are given, or given and not wanted; or as `DensePose.open`.
    """
    if kind == "densepose":
        if iuv is None:
            raise PoseError("DensePose maps of the video are needed", hint="name their folder with --iuv")
        return DensePose.open(iuv, size=poses.size, frames=len(poses))
    if iuv is not None:
        raise PoseError(
            "maps were given, but the labels are stick figures", path=iuv, hint="train on maps as well: --iuv"
        )
    return StickFigures(poses, face)


@dataclass(frozen=True)
class Moved:
    """The labels of one video where normalisation has brought its person.

    Normalisation scales and shifts each frame (paper §3.3); a window on the target's picture is looked up where it lies
    on the source's.

    Attributes:
        labels: of the source, with frames of its size.
        scale: (T,), pixels of the target per pixel of the source.
        shift: (T, 2), pixels of the target: p on the source is at ``scale * p + shift`` on the target.
    """

    labels: LabelSource
    scale: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]

    @classmethod
    def between(cls, labels: LabelSource, source: PoseSequence, moved: PoseSequence) -> Self:
        """The scale and shift that carry the source's key points to the moved ones, by least squares in each frame.

        Raises:
            PoseError: the sequences have different lengths.
        """
        if len(source) != len(moved):
            raise PoseError(f"{len(source)} poses and {len(moved)} moved ones do not belong together")
        scale, shift = np.ones(len(source)), np.zeros((len(source), 2))
        for row, (a, b) in enumerate(zip(source.body, moved.body, strict=True)):
            seen = np.minimum(a[:, 2], b[:, 2]) > 0
            if seen.sum() < 2:
                continue
            own, other = a[seen, :2].astype(np.float64), b[seen, :2].astype(np.float64)
            off, spread = own - own.mean(0), other - other.mean(0)
            scale[row] = float((off * spread).sum()) / max(float((off**2).sum()), 1e-9)
            shift[row] = other.mean(0) - scale[row] * own.mean(0)
        return cls(labels, scale, shift)

    def label(self, row: int, window: Windows, index: int = 0) -> Image:
        """See `LabelSource.label`."""
        scale = max(float(self.scale[row]), 1e-6)
        center = (window.center[index] - self.shift[row]) / scale
        there = Windows(center[None], window.height[index : index + 1] / scale, window.shape)
        return self.labels.label(row, there)


def read_iuv(path: str | Path) -> Image:
    """One IUV map, (H, W, 3) uint8: part 0 to 24, U, V.

    PNG files hold I, U, V in the order in which OpenCV writes them, as DensePose's own tools do, or I, U, V as RGB:
    the channel that never exceeds 24 is I. NPZ files hold an array ``iuv``, (H, W, 3) or (3, H, W); U and V may be
    shares in [0, 1].

    Raises:
        PoseError: the file cannot be read or is not such a map.
    """
    file = Path(path)
    if file.suffix.lower() == ".npz":
        iuv = _from_npz(file)
    else:
        bgr = cv2.imread(str(file), cv2.IMREAD_COLOR) if file.is_file() else None
        if bgr is None:
            raise PoseError("the picture is missing or damaged", path=file, hint=_HINT)
        # OpenCV gives the channels in the order in which it would have written them.
        iuv = np.asarray(bgr, np.uint8)
        if iuv[..., 0].max() > PARTS and iuv[..., 2].max() <= PARTS:
            iuv = iuv[..., ::-1]
    if iuv[..., 0].max(initial=0) > PARTS:
        raise PoseError(f"part numbers go up to {iuv[..., 0].max()}, not {PARTS}", path=file, hint=_HINT)
    return np.ascontiguousarray(iuv)


def _from_npz(path: Path) -> Image:
    try:
        with np.load(path, allow_pickle=False) as data:
            values = np.asarray(data["iuv"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise PoseError(f"not an IUV map ({error})", path=path, hint=_HINT) from error
    if values.ndim == 3 and values.shape[2] != 3 and values.shape[0] == 3:
        values = values.transpose(1, 2, 0)
    if values.ndim != 3 or values.shape[2] != 3 or not np.issubdtype(values.dtype, np.number):
        raise PoseError(f"iuv has shape {values.shape}, expected (H, W, 3)", path=path, hint=_HINT)
    if not np.isfinite(values).all() or values.min(initial=0) < 0 or values.max(initial=0) > 255:
        raise PoseError("iuv has values outside 0 to 255", path=path, hint=_HINT)
    if np.issubdtype(values.dtype, np.floating) and values[..., 1:].max(initial=0) <= 1.0:
        values = np.concatenate([values[..., :1], values[..., 1:] * 255], axis=2)
    return np.rint(values).astype(np.uint8)


def _scale(iuv: Image, size: tuple[int, int], path: Path) -> float:
    """Factor from the video's pixels to the map's."""
    height, width = iuv.shape[:2]
    across, down = width / size[0], height / size[1]
    # A pixel of rounding on the shorter side is nobody's mistake.
    if abs(across - down) * max(size) > 2.0:
        raise PoseError(f"a map of {width}x{height} does not fit frames of {size[0]}x{size[1]}", path=path)
    return down
