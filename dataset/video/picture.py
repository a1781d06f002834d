"""From a decoded frame to an upright RGB picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av.error
import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from dataset.errors import VideoError

# Exact arithmetic, the same on every machine; chroma at full width.
SCALING = (
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
    | Interpolation.FULL_CHR_H_INT
)

_ROWS = 64

# AVColorSpace numbers that say nothing about the matrix of Y'CbCr: identity, unspecified, reserved.
_UNSTATED = (0, 2, 3)


@dataclass(frozen=True)
class Orientation:
    """How a stored picture is turned to stand upright.

    Args:
        turns: quarter turns clockwise, 0 to 3.
        mirrored: whether the turned picture is then mirrored left to right.
    """

    turns: int = 0
    mirrored: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """Read the display matrix of a decoded frame; slanted angles are rounded to a quarter turn."""
        data = cast(Mapping[Type, SideData], frame.side_data).get(Type.DISPLAYMATRIX)
        if data is None:
            return cls()
        a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].astype(float)
        mirrored = a * d - b * c < 0
        if mirrored:  # undo the mirror, which comes last, to leave a rotation
            a = -a
        return cls(turns=round(np.degrees(np.arctan2(b, a)) / 90) % 4, mirrored=bool(mirrored))

    def upright(self, image: np.ndarray) -> np.ndarray:
        """Turn an (H, W, 3) picture; a contiguous array comes back."""
        turned = np.rot90(image, -self.turns)
        return np.ascontiguousarray(turned[:, ::-1] if self.mirrored else turned)


@dataclass(frozen=True)
class Stored:
    """How the pictures of a video are stored, as its first frame says.

    Args:
        width, height: in pixels, before they are turned upright.
        pixel_format: such as "yuv420p10le".
        orientation: how they are turned.
    """

    width: int
    height: int
    pixel_format: str
    orientation: Orientation

    @classmethod
    def of(cls, frame: VideoFrame) -> Stored:
        """Of a decoded frame, which is not kept."""
        return cls(frame.width, frame.height, frame.format.name, Orientation.of(frame))


class Converter:
    """Turns the frames of one video into upright RGB pictures of one size."""

    def __init__(self, first: Stored, path: Path) -> None:
        self._path = path
        self.orientation = first.orientation
        self._size = (first.width, first.height)
        self._reformatter = VideoReformatter()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright pictures."""
        width, height = self._size
        return (height, width) if self.orientation.turns % 2 else (width, height)

    def fits(self, frame: VideoFrame) -> bool:
        """Whether a frame has the size of the first one."""
        return (frame.width, frame.height) == self._size

    def convert(self, frame: VideoFrame) -> np.ndarray:
        """The picture of a frame: uint8 (H, W, 3), RGB, upright.

        The matrix and range that the stream states are used. A stream that states no matrix is taken as BT.709
        from 720 lines on and as BT.601 below, as players do. Transparent parts are laid on black. The transfer
        curve is left as it is, so high dynamic range looks flat.

        Raises:
            VideoError: the stream states a colour system that cannot be converted.
        """
        alpha = any(component.is_alpha for component in frame.format.components)
        try:
            converted = self._reformatter.reformat(
                frame,
                width=self._size[0],
                height=self._size[1],
                format="rgba" if alpha else "rgb24",
                src_colorspace=self._matrix(frame),
                src_color_range=frame.color_range
                or (ColorRange.JPEG if _is_full(frame) else ColorRange.MPEG),
                dst_color_range=ColorRange.JPEG,
                interpolation=SCALING,
                threads=1,
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise VideoError(
                f"its pictures ({frame.format.name}, colour matrix {frame.colorspace}) cannot be turned into RGB",
                path=self._path,
                hint="convert it to H.264 in .mp4 first",
            ) from error
        return self.orientation.upright(_on_black(converted) if alpha else converted.to_ndarray())

    def _matrix(self, frame: VideoFrame) -> int | None:
        if frame.format.is_rgb or frame.colorspace not in _UNSTATED:
            return None
        return Colorspace.ITU709 if max(self._size) >= 1280 or min(self._size) >= 720 else Colorspace.ITU601


def _on_black(frame: VideoFrame) -> np.ndarray:
    """An RGBA frame → (H, W, 3); a few rows at a time, since the products need twice the room of the picture."""
    plane = frame.planes[0]
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    rgba = lines[: frame.height, : 4 * frame.width].reshape(frame.height, frame.width, 4)
    rgb = np.empty((frame.height, frame.width, 3), np.uint8)
    for top in range(0, frame.height, _ROWS):
        rows = rgba[top : top + _ROWS]
        rgb[top : top + _ROWS] = (rows[..., :3] * rows[..., 3:].astype(np.uint16) + 127) // 255
    return rgb


def _is_full(frame: VideoFrame) -> bool:
    return frame.format.is_rgb or frame.format.name.startswith(("yuvj", "gray", "mono", "pal"))
