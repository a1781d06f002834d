"""Copies of the clips of a corpus as the internet leaves them: compressed again, smaller, at another frame rate.

Whatever is done to a fake is done to the recording beside it, so that no copy tells the label.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dataset.errors import DetectorError
from dataset.files import sha256_file
from dataset.records import BACKDROP_OF, Clip, Corpus
from dataset.video import VideoInfo, read_frames
from forensics.encode import check_rate, write_video

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Treatment:
    """What is done to a clip.

    Attributes:
        codec: "h264", "h265" or "vp9".
        crf: its rate factor; of H.264, 18 is hardly visible, 28 ordinary, 40 poor.
        scale: of width and height.
        fps: frames per second, by leaving frames out or repeating them; None keeps all.
        again: codec and rate factor of a second compression.
    """

    codec: str = "h264"
    crf: int = 30
    scale: float = 1.0
    fps: float | None = None
    again: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        check_rate(self.codec, self.crf)
        if self.again is not None:
            check_rate(*self.again)
        if not 0.1 <= self.scale <= 1:
            raise DetectorError(f"scale is from 0.1 to 1, not {self.scale:g}")
        if self.fps is not None and not 1 <= self.fps <= 120:
            raise DetectorError(f"frames per second are from 1 to 120, not {self.fps:g}")

    @property
    def name(self) -> str:
        """For file names."""
        told = f"crf{self.crf}_x{self.scale:g}"
        if self.codec != "h264":
            told = f"{self.codec}_{told}"
        if self.fps is not None:
            told += f"_fps{self.fps:g}"
        if self.again is not None:
            told += f"_then_{self.again[0]}_crf{self.again[1]}"
        return told

    def __str__(self) -> str:
        """In words."""
        told = f"{self.codec} crf {self.crf}, scale {self.scale:g}"
        if self.fps is not None:
            told += f", {self.fps:g} fps"
        if self.again is not None:
            told += f", then {self.again[0]} crf {self.again[1]}"
        return told

    @classmethod
    def draw(cls, random: np.random.Generator, codec: str) -> Treatment:
        """A way that videos go, by `codec`: rates from hardly visible to poor, often smaller, some twice."""
        rates = {"h264": (22, 42), "h265": (24, 42), "vp9": (28, 54)}
        again = ("h264", int(random.integers(24, 36))) if random.random() < 0.3 else None
        return cls(
            codec=codec,
            crf=int(random.integers(*rates[codec])),
            scale=round(float(random.uniform(0.4, 1.0)), 2) if random.random() < 0.6 else 1.0,
            fps=float(random.choice([15, 20, 24])) if random.random() < 0.15 else None,
            again=again,
        )


def reencode(
    path: str | Path,
    out: str | Path,
    *,
    crf: int,
    scale: float = 1.0,
    codec: str = "h264",
    fps: float | None = None,
    again: tuple[str, int] | None = None,
) -> None:
    """Write a copy of a video as an upload site would; times are kept unless `fps` is given.

    Args:
        path: the video.
        out: where the copy goes, .mp4.
        crf, scale, codec, fps, again: see `Treatment`.

    Raises:
        DetectorError: a setting makes no sense.
        VideoError: the video cannot be read or the copy not be written.
    """
    treatment = Treatment(codec, crf, scale, fps, again)
    target = Path(out)
    first = target if again is None else target.with_name(f".{target.stem}.once{target.suffix}")
    try:
        info = VideoInfo.from_path(path)
        size = (max(round(info.width * scale), 2), max(round(info.height * scale), 2))
        with read_frames(path) as frames:
            pictures = ((frame.image, frame.time) for frame in frames)
            write_video(first, _scaled(_timed(pictures, fps), size), size, codec, crf)
        if treatment.again is not None:
            info = VideoInfo.from_path(first)
            with read_frames(first) as frames:
                pictures = ((frame.image, frame.time) for frame in frames)
                write_video(target, pictures, (info.width, info.height), *treatment.again)
    finally:
        if first != target:
            first.unlink(missing_ok=True)


def add_copies(
    corpus: Corpus,
    *,
    crf: int = 30,
    scale: float = 1.0,
    codec: str = "h264",
    fps: float | None = None,
    again: tuple[str, int] | None = None,
    mixed: int | None = None,
    workers: int = 1,
    progress: Callable[[int, int | None], None] | None = None,
) -> int:
    """Add to a corpus a copy of every clip that went through an upload site; real and fake alike, pairs kept.

    Clips that are themselves such copies, or have a backdrop, are left out, copies that are there already are kept.

    Args:
        corpus: on disk; its manifest is written after each clip.
        crf, scale, codec, fps, again: see `Treatment`.
        mixed: draw another treatment for every recording, and the same for the fakes that mirror it, from this seed;
            the other settings are then not looked at.
        workers: processes that encode.
        progress: called with clips done and in all.

    Returns:
        How many copies were added.

    Raises:
        DetectorError: a setting makes no sense.
    """
    one = Treatment(codec, crf, scale, fps, again)
    known = {clip.path for clip in corpus.clips}
    originals = [clip for clip in corpus.clips if not {"degraded", BACKDROP_OF} & set(clip.origin)]
    chosen = {clip.path: one for clip in originals} if mixed is None else _drawn(originals, mixed)
    label = one.name if mixed is None else f"mixed{mixed}"
    todo = [clip for clip in originals if copy_name(clip.path, label) not in known]
    jobs = [
        (corpus.absolute(clip), corpus.root / copy_name(clip.path, label), chosen[clip.path]) for clip in todo
    ]
    before = len(originals) - len(todo)
    for done, clip in enumerate(_encoded(jobs, todo, workers)):
        copy, treatment = copy_name(clip.path, label), chosen[clip.path]
        corpus.clips.append(
            replace(
                clip,
                path=copy,
                pair=copy_name(clip.pair, label) if clip.pair else None,
                sha256=sha256_file(corpus.root / copy),
                origin=clip.origin
                | {"crf": str(treatment.crf), "degraded": str(treatment), "copy_of": clip.sha256},
            )
        )
        corpus.save()
        if progress is not None:
            progress(before + done + 1, len(originals))
    return len(todo)


def _drawn(clips: list[Clip], seed: int) -> dict[str, Treatment]:
    """A treatment for each clip. Codecs take turns among recordings and among fakes, so that both have all of them."""
    chosen: dict[str, Treatment] = {}
    turns = {"real": 0, "fake": 0}
    for clip in sorted(clips, key=lambda clip: (clip.pair is not None, clip.path)):
        if clip.pair is not None and clip.pair in chosen:
            chosen[clip.path] = chosen[clip.pair]
            continue
        random = np.random.default_rng([seed, *clip.path.encode()])
        codec = ("h264", "vp9", "h265")[turns[clip.label] % 3]
        turns[clip.label] += 1
        chosen[clip.path] = Treatment.draw(random, codec)
    return chosen


def _encoded(jobs: list[tuple[Path, Path, Treatment]], clips: list[Clip], workers: int) -> Iterator[Clip]:
    """Each clip when its copy is written, in their order."""
    if workers == 1:
        for job, clip in zip(jobs, clips, strict=True):
            _encode(job)
            yield clip
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for clip, _ in zip(clips, pool.map(_encode, jobs), strict=True):
            yield clip


def _encode(job: tuple[Path, Path, Treatment]) -> None:
    path, out, treatment = job
    reencode(
        path,
        out,
        crf=treatment.crf,
        scale=treatment.scale,
        codec=treatment.codec,
        fps=treatment.fps,
        again=treatment.again,
    )


def _timed(frames: Iterable[tuple[Image, float]], fps: float | None) -> Iterator[tuple[Image, float]]:
    """At another frame rate: at each time the frame that is shown then."""
    if fps is None:
        yield from frames
        return
    count = 0
    shown: Image | None = None
    for image, time in frames:
        while shown is not None and count / fps < time - 1e-6:
            yield shown, count / fps
            count += 1
        shown = image
    if shown is not None:
        yield shown, count / fps


def _scaled(frames: Iterable[tuple[Image, float]], size: tuple[int, int]) -> Iterator[tuple[Image, float]]:
    for image, time in frames:
        if (image.shape[1], image.shape[0]) != size:
            shrinking = image.shape[1] > size[0]
            way = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
            image = np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)
        yield image, time


def copy_name(path: str, label: str) -> str:
    """Path of a copy of a clip that is called so, beside it."""
    whole = Path(path)
    return whole.with_name(f"{whole.stem}_{label}{whole.suffix}").as_posix()
