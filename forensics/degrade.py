"""What happens to videos on their way: scaling, blur, noise, compression. For training, and for the robustness table.

In training the same draw falls on the real window and on its fake, so that no degradation tells the label.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from forensics.copies import add_copies, reencode
from forensics.encode import through_codec

__all__ = ["Degradation", "add_copies", "reencode"]

Image = npt.NDArray[np.uint8]

#: Share of the draws in training that leave a window as it is, but for its place.
_UNTOUCHED = 0.35


@dataclass(frozen=True)
class Degradation:
    """One draw. Each field's neutral value leaves the picture as it is.

    Applied in the order of a video's way: camera and cut, edit, upload.

    Attributes:
        flip: mirror left and right.
        shift: x and y of the cut inside the larger training window, each in [0, 1].
        zoom: enlargement by the cut; below 1 shows more of the larger window.
        held: share of the first frame in the second, as a change of the frame rate leaves it: 1 repeats the frame.
        reduce: the picture is shrunk by this factor and enlarged again, 1 for never.
        blur: standard deviation of a Gaussian, pixels.
        sharpen: how much of the detail is added once more.
        gamma: exponent on the brightness.
        contrast: factor on the distance from middle grey.
        overlay: number that a caption, logo or frame on both pictures is drawn from, 0 for none.
        noise: standard deviation, grey levels.
        quality: of a JPEG compression of each frame, 100 for none.
        codec: "h264" or "vp9" that both frames go through, "" for none.
        rate: its rate factor.
        seed: of the noise.
    """

    flip: bool = False
    shift: tuple[float, float] = (0.5, 0.5)
    zoom: float = 1.0
    held: float = 0.0
    reduce: float = 1.0
    blur: float = 0.0
    sharpen: float = 0.0
    gamma: float = 1.0
    contrast: float = 1.0
    overlay: int = 0
    noise: float = 0.0
    quality: int = 100
    codec: str = ""
    rate: int = 0
    seed: int = 0

    @classmethod
    def draw(cls, random: np.random.Generator) -> Self:
        """Draw for training: every step happens in a part of the draws, several in many, none in a third of them.

        A mirror, shift and zoom lose nothing and happen in all.
        """
        happens = random.random(11)
        if random.random() < _UNTOUCHED:
            happens[1:] = 1.0
        codec = ("h264", "h264", "vp9")[int(random.integers(3))] if happens[5] < 0.4 else ""
        return cls(
            flip=bool(random.random() < 0.5),
            shift=(float(random.random()), float(random.random())),
            zoom=float(random.uniform(0.85, 1.4)) if happens[0] < 0.5 else 1.0,
            held=float(random.choice([1.0, 0.5, 0.25])) if happens[1] < 0.06 else 0.0,
            reduce=float(random.uniform(0.4, 1.0)) if happens[2] < 0.3 else 1.0,
            blur=float(random.uniform(0.3, 1.2)) if happens[3] < 0.2 else 0.0,
            sharpen=float(random.uniform(0.2, 1.0)) if happens[4] < 0.12 else 0.0,
            gamma=float(np.exp(random.uniform(-0.3, 0.3))) if happens[6] < 0.4 else 1.0,
            contrast=float(random.uniform(0.75, 1.25)) if happens[7] < 0.3 else 1.0,
            overlay=int(random.integers(1, 1 << 31)) if happens[8] < 0.08 else 0,
            noise=float(random.uniform(1.0, 6.0)) if happens[9] < 0.2 else 0.0,
            quality=int(random.integers(35, 95)) if happens[10] < 0.25 else 100,
            codec=codec,
            rate=int(random.integers(*_RATES[codec])) if codec else 0,
            seed=int(random.integers(1 << 31)),
        )

    def in_place(self) -> Self:
        """The same without a mirror, shift or zoom: what lies where stays known."""
        return replace(self, flip=False, shift=(0.5, 0.5), zoom=1.0)

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
        frames = window[:, y : y + extent, x : x + extent]
        if self.held > 0:
            frames = np.stack([frames[0], cv2.addWeighted(frames[0], self.held, frames[1], 1 - self.held, 0)])
        out = np.stack([self._frame(frame, side) for frame in frames])
        if self.overlay:
            out = _overlaid(out, self.overlay)
        if self.noise > 0:
            random = np.random.default_rng(self.seed)
            out = _to_bytes(out + random.standard_normal(out.shape, np.float32) * self.noise)
        if self.quality < 100:
            out = np.stack([_jpeg(frame, self.quality) for frame in out])
        if self.codec:
            out = through_codec(out, self.codec, self.rate)
        return out

    def _frame(self, frame: Image, side: int) -> Image:
        if self.flip:
            frame = frame[:, ::-1]
        if frame.shape[0] != side:
            frame = cv2.resize(np.ascontiguousarray(frame), (side, side), interpolation=cv2.INTER_LINEAR)
        if self.reduce < 1:
            less = max(round(side * self.reduce), 8)
            small = cv2.resize(np.ascontiguousarray(frame), (less, less), interpolation=cv2.INTER_AREA)
            frame = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
        if self.blur > 0:
            frame = cv2.GaussianBlur(np.ascontiguousarray(frame), (0, 0), self.blur)
        if self.sharpen > 0:
            frame = np.ascontiguousarray(frame)
            frame = cv2.addWeighted(
                frame, 1 + self.sharpen, cv2.GaussianBlur(frame, (0, 0), 1.0), -self.sharpen, 0
            )
        if self.gamma != 1 or self.contrast != 1:
            levels = (np.arange(256) / 255.0) ** self.gamma * 255.0
            frame = _to_bytes((levels - 127.5) * self.contrast + 127.5)[frame]
        return np.ascontiguousarray(frame)


#: Rate factors in training, from hardly visible to poor.
_RATES = {"h264": (20, 43), "vp9": (24, 56)}


def _overlaid(frames: Image, seed: int) -> Image:
    """A caption on a bar, or a half-transparent logo, at the same place of both frames."""
    random = np.random.default_rng(seed)
    side = frames.shape[1]
    layer, weight = np.zeros((side, side, 3), np.uint8), np.zeros((side, side), np.uint8)
    colour = tuple(int(value) for value in random.integers(0, 256, 3))
    x, y = (int(value) for value in random.integers(0, side, 2))
    width, height = (int(random.integers(side // 8, side // 2)), int(random.integers(side // 16, side // 5)))
    opaque = int(random.integers(100, 256))
    if random.random() < 0.5:
        cv2.rectangle(layer, (x, y), (x + width, y + height), colour, -1)
        cv2.rectangle(weight, (x, y), (x + width, y + height), opaque, -1)
    else:
        cv2.ellipse(layer, (x, y), (width // 2, height), 0, 0, 360, colour, -1)
        cv2.ellipse(weight, (x, y), (width // 2, height), 0, 0, 360, opaque, -1)
    text = "".join(chr(int(letter)) for letter in random.integers(48, 91, 6))
    ink = tuple(255 - value for value in colour)
    scale = side / 256
    cv2.putText(layer, text, (x, y + height), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)
    cv2.putText(weight, text, (x, y + height), cv2.FONT_HERSHEY_SIMPLEX, scale, opaque, 1, cv2.LINE_AA)
    share = weight[None, :, :, None].astype(np.float32) / 255
    return _to_bytes(frames * (1 - share) + layer * share)


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
