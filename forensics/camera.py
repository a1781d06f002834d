"""Recordings as other cameras might have filmed them, to train generators on that know more cameras than there are.

A degraded copy (`forensics.copies`) is made of a finished fake, together with the recording beside it. What a camera
does comes before: the generator learns from its noise, its sharpening and its compression, and hands them on in its
own way. A detector that has seen few cameras takes what is theirs for the label. So each recording is filmed anew by
cameras drawn at random, a generator is trained on each, and its fakes are trained on, but are no evidence
(`forensics.folds.is_train_only`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from dataset.errors import VideoError
from dataset.files import sha256_file
from dataset.provenance import read_marks
from dataset.video import VideoInfo, VideoWriter, read_frames

Picture = npt.NDArray[np.float32]

#: Pictures are never made lower than the first unless they were, and never higher than the second, pixels.
_LOWEST, _HIGHEST = 240, 720
#: Grey levels by which a denoised picture may follow the one before.
_STILL = 10.0


@dataclass(frozen=True)
class Camera:
    """One camera, in the order of what it does; sizes in pixels of its own pictures, noise in grey levels.

    Attributes:
        flip: it films a mirror.
        scale: of width and height.
        blur: standard deviation of its lens.
        enlarged: its sensor has seven tenths of the pixels on a side.
        balance: factors on red, green and blue.
        gamma: exponent on the brightness.
        saturation: factor on what departs from grey.
        noise: standard deviation at full brightness, of each picture anew.
        grain: standard deviation of the blur of that noise.
        denoise: whether what hardly changes follows the picture before.
        sharpen: how much of the detail is added once more.
        crf: of its H.264.
    """

    flip: bool
    scale: float
    blur: float
    enlarged: bool
    balance: tuple[float, float, float]
    gamma: float
    saturation: float
    noise: float
    grain: float
    denoise: bool
    sharpen: float
    crf: int

    @classmethod
    def draw(cls, random: np.random.Generator) -> Self:
        """Any camera."""
        flip, scale = bool(random.random() < 0.5), float(random.uniform(0.55, 1.0))
        blur = float(random.choice([0, 0, 0.6, 1.0]))
        gamma, saturation = float(random.uniform(0.75, 1.3)), float(random.uniform(0.6, 1.2))
        red, green, blue = (float(value) for value in random.uniform(0.93, 1.07, 3))
        noise, grain = float(random.choice([0, 2, 4, 7])), float(random.choice([0, 0.5, 0.8]))
        denoise = bool(random.random() < 0.35)
        sharpen = float(random.choice([0, 0, 0.5, 1.0]))
        crf = int(random.integers(18, 32))
        return cls(
            flip=flip,
            scale=scale,
            blur=blur,
            enlarged=bool(random.random() < 0.25),
            balance=(red, green, blue),
            gamma=gamma,
            saturation=saturation,
            noise=noise,
            grain=grain,
            denoise=denoise,
            sharpen=sharpen,
            crf=crf,
        )

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of its pictures, even, of a scene of that size."""
        scale = max(_LOWEST / height, self.scale) if height >= _LOWEST else 1.0
        scale = min(scale, _HIGHEST / height)
        return round(width * scale / 2) * 2, round(height * scale / 2) * 2

    def film(
        self, pictures: Iterator[npt.NDArray[np.uint8]], random: np.random.Generator
    ) -> Iterator[npt.NDArray[np.uint8]]:
        """(H, W, 3) RGB pictures, one after the other, as this camera gives them.

        Args:
            pictures: of one scene.
            random: of the noise.
        """
        before: Picture | None = None
        for picture in pictures:
            seen = self._seen(picture)
            balanced = np.clip(seen / 255 * np.array(self.balance, np.float32), 0, 1)
            lit = np.asarray(255 * balanced**self.gamma, np.float32)
            grey = lit.mean(2, keepdims=True)
            lit = grey + (lit - grey) * self.saturation
            if self.noise:
                lit = lit + self._grains(lit, random)
            if self.denoise and before is not None:
                moved = np.abs(cv2.GaussianBlur(lit - before, (0, 0), 1)).mean(2, keepdims=True)
                held = np.clip(1 - moved / _STILL, 0, 1) * 0.7
                lit = lit * (1 - held) + before * held
            before = lit
            if self.sharpen:
                lit = lit + self.sharpen * (lit - cv2.GaussianBlur(lit, (0, 0), 1.2))
            yield np.ascontiguousarray(np.clip(lit + 0.5, 0, 255).astype(np.uint8))

    def _seen(self, picture: npt.NDArray[np.uint8]) -> Picture:
        width, height = self.size(picture.shape[1], picture.shape[0])
        seen: Picture = picture[:, ::-1].astype(np.float32) if self.flip else picture.astype(np.float32)
        if self.blur:
            seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), self.blur), np.float32)
        if (height, width) != seen.shape[:2]:
            seen = np.asarray(cv2.resize(seen, (width, height), interpolation=cv2.INTER_AREA), np.float32)
        if self.enlarged:
            few = cv2.resize(seen, (round(width * 0.7), round(height * 0.7)), interpolation=cv2.INTER_AREA)
            seen = np.asarray(cv2.resize(few, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
        return seen

    def _grains(self, lit: Picture, random: np.random.Generator) -> Picture:
        grains: Picture = random.normal(0, 1, lit.shape).astype(np.float32)
        if self.grain:
            grains = np.asarray(cv2.GaussianBlur(grains, (0, 0), self.grain), np.float32)
            grains /= grains.std()
        # Brighter parts have more noise, as counts of light do.
        strength: Picture = (0.4 + 0.9 * np.sqrt(np.clip(lit, 0, 255) / 255)).astype(np.float32)
        return grains * np.float32(self.noise) * strength


def refilm(recording: str | Path, out: Path, camera: Camera, *, seed: int, seconds: float) -> None:
    """Write the recording as `camera` would have filmed it, with the same times of its frames and without sound.

    Args:
        recording: a filmed video.
        out: where to, as H.264.
        camera: by which.
        seed: of its noise.
        seconds: of the recording, from its beginning.

    Raises:
        VideoError: it cannot be read, or says of itself that it is synthetic.
    """
    info = VideoInfo.from_path(recording)
    if marks := read_marks(info.metadata):
        raise VideoError(
            f"this is no recording: {marks}", path=recording, hint="refilm what a camera has filmed"
        )
    told = {"comment": f"Filmed anew from sha256 {sha256_file(recording)}: {asdict(camera)}"}
    times: list[float] = []

    def pictures() -> Iterator[npt.NDArray[np.uint8]]:
        for frame in read_frames(recording, stop=seconds):
            times.append(frame.time)
            yield frame.image

    size = camera.size(info.width, info.height)
    with VideoWriter(out, size, crf=camera.crf, preset="veryfast", metadata=told) as writer:
        for number, picture in enumerate(camera.film(pictures(), np.random.default_rng(seed))):
            writer.write(picture, times[number])


def refilm_all(
    recordings: Sequence[Path], folder: Path, *, cameras: int, seed: int, seconds: float
) -> Iterator[Path]:
    """Film every recording anew by so many cameras; what is there already is passed over.

    Args:
        recordings: each has cameras of its own.
        folder: for ``refilmed_NUMBER_NAME.mp4``.
        cameras: of each recording.
        seed: of the cameras and their noise, together with the recording's bytes.
        seconds: of each recording.

    Yields:
        Each file, once it is there.

    Raises:
        VideoError: as `refilm`; or two recordings have one name.
    """
    if twice := next((one for one in recordings if [r.stem for r in recordings].count(one.stem) > 1), None):
        raise VideoError("another recording has the same name", path=twice, hint="rename one of them")
    folder.mkdir(parents=True, exist_ok=True)
    for recording in recordings:
        content = int(sha256_file(recording)[:12], 16)
        for number in range(1, cameras + 1):
            out = folder / f"refilmed_{number}_{recording.stem}.mp4"
            if not out.exists():
                drawn = np.random.SeedSequence([seed, number, content])
                camera = Camera.draw(np.random.default_rng(drawn))
                refilm(recording, out, camera, seed=int(drawn.generate_state(1)[0]), seconds=seconds)
            yield out
