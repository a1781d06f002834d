"""What happens to videos on their way: scaling, blur, noise, compression. For training, and for the robustness table.

In training the same draw falls on the real window and on its fake, so that no degradation tells the label.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from dataset.video import VideoInfo, VideoWriter, read_frames

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Degradation:
    """One draw. Each field's neutral value leaves the picture as it is.

    Attributes:
        flip: mirror left and right.
        shift: x and y of the cut inside the larger training window, each in [0, 1].
        zoom: enlargement by the cut; below 1 shows more of the larger window.
        reduce: the picture is shrunk by this factor and enlarged again, 1 for never.
        blur: standard deviation of a Gaussian, pixels.
        gamma: exponent on the brightness.
        noise: standard deviation, grey levels.
        quality: of a JPEG compression of each frame, 100 for none.
        seed: of the noise.
    """

    flip: bool = False
    shift: tuple[float, float] = (0.5, 0.5)
    zoom: float = 1.0
    reduce: float = 1.0
    blur: float = 0.0
    gamma: float = 1.0
    noise: float = 0.0
    quality: int = 100
    seed: int = 0

    @classmethod
    def draw(cls, random: np.random.Generator) -> Self:
        """Draw for training: every step happens in a part of the draws, several in many."""
        happens = random.random(6)
        return cls(
            flip=bool(random.random() < 0.5),
            shift=(float(random.random()), float(random.random())),
            zoom=float(random.uniform(0.85, 1.4)) if happens[0] < 0.5 else 1.0,
            reduce=float(random.uniform(0.45, 1.0)) if happens[1] < 0.3 else 1.0,
            blur=float(random.uniform(0.3, 1.2)) if happens[2] < 0.2 else 0.0,
            gamma=float(np.exp(random.uniform(-0.3, 0.3))) if happens[3] < 0.5 else 1.0,
            noise=float(random.uniform(1.0, 6.0)) if happens[4] < 0.25 else 0.0,
            quality=int(random.integers(35, 95)) if happens[5] < 0.4 else 100,
            seed=int(random.integers(1 << 31)),
        )

    def apply(self, window: Image, side: int) -> Image:
        """Degrade both frames of a window alike.

        Args:
            window: (2, S, S, 3) uint8 RGB with S at least `side`.
            side: of the result.

        Returns:
            (2, side, side, 3) uint8.
        """
        room = window.shape[1]
        extent = int(np.clip(round(side / self.zoom), 8, room))
        x, y = (round(part * (room - extent)) for part in self.shift)
        frames = [self._frame(frame, side) for frame in window[:, y : y + extent, x : x + extent]]
        out = np.stack(frames)
        if self.noise > 0:
            random = np.random.default_rng(self.seed)
            out = _to_bytes(out + random.standard_normal(out.shape, np.float32) * self.noise)
        if self.quality < 100:
            out = np.stack([_jpeg(frame, self.quality) for frame in out])
        return out

    def _frame(self, frame: Image, side: int) -> Image:
        if self.flip:
            frame = frame[:, ::-1]
        if frame.shape[0] != side:
            frame = cv2.resize(frame, (side, side), interpolation=cv2.INTER_LINEAR)
        if self.reduce < 1:
            less = max(round(side * self.reduce), 8)
            small = cv2.resize(frame, (less, less), interpolation=cv2.INTER_AREA)
            frame = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
        if self.blur > 0:
            frame = cv2.GaussianBlur(np.ascontiguousarray(frame), (0, 0), self.blur)
        if self.gamma != 1:
            levels = (np.arange(256) / 255.0) ** self.gamma * 255.0
            frame = _to_bytes(levels)[frame]
        return np.ascontiguousarray(frame)


def _to_bytes(values: npt.NDArray[np.floating]) -> Image:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _jpeg(frame: Image, quality: int) -> Image:
    done, data = cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError(f"OpenCV could not compress a {frame.shape} picture as JPEG")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise RuntimeError("OpenCV could not read back its own JPEG")
    return np.asarray(decoded[:, :, ::-1], np.uint8)


def reencode(path: str | Path, out: str | Path, *, crf: int, scale: float = 1.0) -> None:
    """Write a copy of a video through H.264, as an upload site would; times are kept.

    Args:
        path: the video.
        out: where the copy goes.
        crf: constant rate factor; 18 is hardly visible, 28 ordinary, 40 poor.
        scale: of width and height.
    """
    info = VideoInfo.from_path(path)
    size = (max(round(info.width * scale), 2), max(round(info.height * scale), 2))
    with VideoWriter(out, size, crf=crf) as writer, read_frames(path) as frames:
        for frame in frames:
            image = frame.image
            if (image.shape[1], image.shape[0]) != size:
                image = cv2.resize(
                    image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
                )
            writer.write(image, frame.time)
