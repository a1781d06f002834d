"""Subjects that are moving textures, for trying detectors in seconds: no pose, no person, no weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dataset.records import Clip
from dataset.video import VideoWriter
from forensics.detectors.patch import PatchConfig
from forensics.windows import ClipWindows

Video = npt.NDArray[np.uint8]
#: The smallest network whose trunk still has its four layers.
TINY = PatchConfig(window=48, ndf=6)


def texture(seed: int, frames: int = 12, side: int = 64, motion: int | None = None) -> Video:
    """(frames, side, side, 3) of one subject: its own colours and grain, moving its own way."""
    subject = np.random.default_rng(seed)
    large = side + 3 * frames + 8
    grain = subject.standard_normal((large, large, 3))
    cloth = cv2.GaussianBlur(grain, (0, 0), float(subject.uniform(2, 6)))
    picture = (
        cloth / cloth.std() * 40 + cv2.GaussianBlur(grain, (0, 0), 0.8) * 25 + subject.uniform(60, 190, 3)
    )
    path = np.random.default_rng(seed if motion is None else motion)
    step = path.integers(0, 4, (frames, 2)).cumsum(0)
    moved = [picture[y : y + side, x : x + side] for y, x in step]
    noise = path.standard_normal((frames, side, side, 3)) * 2
    return np.clip(np.stack(moved) + noise, 0, 255).astype(np.uint8)


def make_clip(
    path: str, subject: str, fake: bool, pair: str | None = None, source: str | None = None
) -> Clip:
    """A clip's record without a file."""
    return Clip(
        path=path,
        label="fake" if fake else "real",
        subject=subject,
        source_subject=source or subject,
        source="recording",
        generator="planted" if fake else "",
        kind="recording" if not fake else ("self" if source in (None, subject) else "cross"),
        pair=pair,
        sha256=hashlib.sha256(path.encode()).hexdigest(),
    )


def as_windows(clip: Clip, video: Video) -> ClipWindows:
    """Every two consecutive frames of a square video as one pair with one window."""
    pixels = np.stack([video[:-1], video[1:]], 1)
    return ClipWindows(clip, pixels, np.arange(len(pixels)), ("torso",) * len(pixels))


def planted(video: Video) -> Video:
    """The artefact: a checkerboard of 4×4 pixels, as transposed convolutions leave it."""
    side = video.shape[1]
    board = ((np.indices((side, side)) // 4).sum(0) % 2 * 2 - 1)[None, :, :, None] * 20
    return np.clip(video.astype(int) + board, 0, 255).astype(np.uint8)


def planted_corpus(subjects: int, clips: int = 1) -> list[ClipWindows]:
    """Real textures and their planted fakes, frame for frame."""
    windows = []
    for subject in range(subjects):
        for number in range(clips):
            real = texture(subject, motion=1000 * number + subject)
            name = f"person-{subject}"
            record = make_clip(f"real-{subject}-{number}.mp4", name, fake=False)
            windows.append(as_windows(record, real))
            fake = make_clip(f"fake-{subject}-{number}.mp4", name, fake=True, pair=record.path)
            windows.append(as_windows(fake, planted(real)))
    return windows


def write_video(path: Path, frames: Video, crf: int = 20, fps: float = 25) -> Path:
    """Encode as H.264."""
    height, width = frames.shape[1:3]
    with VideoWriter(path, (width, height), fps=fps, crf=crf, preset="veryfast") as writer:
        for frame in frames:
            writer.write(frame)
    return path
