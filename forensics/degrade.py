"""What happens to videos on their way: scaling, blur, noise, compression. For training, and for the robustness table.

In training the same draw falls on the real window and on its fake, so that no degradation tells the label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from dataset.errors import DetectorError
from dataset.files import sha256_file
from dataset.records import Corpus
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


def add_copies(
    corpus: Corpus,
    *,
    crf: int,
    scale: float = 1.0,
    progress: Callable[[int, int | None], None] | None = None,
) -> int:
    """Add to a corpus a copy of every clip that went through an upload site; real and fake alike, pairs kept.

    Clips that are themselves such copies are left out, copies that are there already are kept.

    Args:
        corpus: on disk; its manifest is written after each clip.
        crf, scale: see `reencode`.
        progress: called with clips done and in all.

    Returns:
        How many copies were added.

    Raises:
        DetectorError: crf or scale make no sense.
    """
    if not 0 <= crf <= 51 or not 0.1 <= scale <= 1:
        raise DetectorError(f"crf is from 0 to 51 and scale from 0.1 to 1, not {crf} and {scale:g}")
    known = {clip.path for clip in corpus.clips}
    originals = [clip for clip in corpus.clips if "degraded" not in clip.origin]
    added = 0
    for index, clip in enumerate(originals):
        copy = _copy_name(clip.path, crf, scale)
        if copy not in known:
            reencode(corpus.absolute(clip), corpus.root / copy, crf=crf, scale=scale)
            corpus.clips.append(
                replace(
                    clip,
                    path=copy,
                    pair=_copy_name(clip.pair, crf, scale) if clip.pair else None,
                    sha256=sha256_file(corpus.root / copy),
                    origin=clip.origin
                    | {"crf": str(crf), "degraded": f"crf {crf}, scale {scale:g}", "copy_of": clip.sha256},
                )
            )
            corpus.save()
            added += 1
        if progress is not None:
            progress(index + 1, len(originals))
    return added


def _copy_name(path: str, crf: int, scale: float) -> str:
    whole = Path(path)
    return str(whole.with_name(f"{whole.stem}_crf{crf}_x{scale:g}{whole.suffix}").as_posix())
