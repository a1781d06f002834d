"""Scores of every held-out frame of one recording, for all systems in one pass over the real video."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataset.pose import clean, estimate_poses
from dataset.pose.keypoints import PoseSequence
from dataset.provenance import synthetic_tags
from dataset.video import VideoWriter, read_frames
from synthesis.evaluate.flicker import Motion, MotionFinder
from synthesis.evaluate.held_out import HeldOut
from synthesis.evaluate.perceptual import Distance
from synthesis.evaluate.poses import pose_errors
from synthesis.evaluate.regions import body_boxes, crop, face_boxes, window_scales
from synthesis.evaluate.ssim import ssim
from synthesis.evaluate.systems import System

Image = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
Report = Callable[..., None]

#: The real video under the same measurements; only its pose figures are meant.
REAL = "real video"
NATIVE, WINDOW = "native", "window"
#: H.264 rate factor of the videos in which poses are looked for again; the input poses come from compressed video too.
CRF = 10


@dataclass
class ClipScores:
    """One recording's held-out frames.

    Attributes:
        clip: which.
        values: system → measure → (T,), NaN where not measurable. Measures are "body/ssim/native",
            "face/perceptual/window", …, "flicker/made", "flicker/real", "pose/distance", "pose/missed_frame", ….
        videos: system → the made video, for the page.
        notes: what the reader should know.
    """

    clip: HeldOut
    values: dict[str, dict[str, Values]] = field(default_factory=dict)
    videos: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def score_clip(
    clip: HeldOut,
    systems: dict[str, System],
    distance: Distance,
    folder: Path,
    *,
    with_poses: bool = True,
    report: Report = lambda *facts: None,
) -> ClipScores:
    """Roll every system out over the held-out part and compare it with the real frames.

    Args:
        clip: the held-out part.
        systems: by column name.
        distance: the perceptual distance.
        folder: where the made videos go.
        with_poses: find the poses again in the output (the slowest part).
        report: called as ``report(what, done, total)``.
    """
    scores = ClipScores(clip)
    frames = _Frames(clip, list(systems), distance)
    with ExitStack() as stack:
        writers: dict[str, VideoWriter] = {}
        for number, name in enumerate((REAL, *systems)):
            scores.videos[name] = folder / f"{clip.sha256[:16]}_{number}.mp4"
            tags = None if name == REAL else synthetic_tags("synthesize evaluate", "", "")
            size = clip.poses.size
            writers[name] = stack.enter_context(
                VideoWriter(scores.videos[name], size, crf=CRF, preset="veryfast", metadata=tags)
            )
        rolling = [system.frames(clip) for system in systems.values()]
        for row, (real, *made) in enumerate(zip(_real(clip), *rolling, strict=True)):
            time = float(clip.held.times[row] - clip.held.times[0])
            for name, image in zip((REAL, *systems), (real, *made), strict=True):
                writers[name].write(image, time=time)
            frames.compare(row, real, dict(zip(systems, made, strict=True)))
            report(f"frames of {clip.path.name}", row + 1, len(clip.held))
    scores.values = frames.values
    scores.values[REAL] = {}
    if with_poses:
        for name, video in scores.videos.items():
            found = _found_again(name, video, report)
            for measure, values in vars(pose_errors(clip.held, found)).items():
                scores.values[name][f"pose/{measure}"] = values
    return scores


def _real(clip: HeldOut) -> Iterator[Image]:
    """The recording's frames from the first held-out row on; rows are counted as in the poses."""
    with read_frames(clip.path) as reader:
        for frame in islice(reader, clip.start, None):
            yield frame.image


def _found_again(name: str, video: Path, report: Report) -> PoseSequence:
    return clean(estimate_poses(video, progress=lambda done, total: report(f"poses in {name}", done, total)))


class _Frames:
    """Region and flicker scores, frame after frame."""

    def __init__(self, clip: HeldOut, names: list[str], distance: Distance) -> None:
        held = clip.held
        self._distance = distance
        # Boxes of the whole recording, cut: the window's size is smoothed over time.
        self._boxes = {
            "body": body_boxes(clip.poses)[clip.start :],
            "face": face_boxes(clip.poses)[clip.start :],
        }
        self._scales = window_scales(clip.poses)[clip.start :]
        self._finder = MotionFinder()
        self._before: tuple[Image, dict[str, Image]] | None = None
        measures = [
            f"{region}/{metric}/{size}"
            for region in self._boxes
            for metric in ("ssim", "perceptual")
            for size in (NATIVE, WINDOW)
        ]
        self.values = {
            name: {
                measure: np.full(len(held), np.nan) for measure in (*measures, "flicker/made", "flicker/real")
            }
            for name in names
        }

    def compare(self, row: int, real: Image, made: dict[str, Image]) -> None:
        for region, boxes in self._boxes.items():
            for size, scale in ((NATIVE, 1.0), (WINDOW, float(self._scales[row]))):
                expected = crop(real, boxes[row], scale)
                for name, image in made.items():
                    found, values = crop(image, boxes[row], scale), self.values[name]
                    values[f"{region}/ssim/{size}"][row] = ssim(expected, found)
                    values[f"{region}/perceptual/{size}"][row] = self._distance(expected, found)
        if self._before is not None:
            self._flicker(row, real, made, *self._before)
        self._before = real, made

    def _flicker(
        self, row: int, real: Image, made: dict[str, Image], before: Image, made_before: dict[str, Image]
    ) -> None:
        pair = self._boxes["body"][row - 1 : row + 1]
        if np.isnan(pair).any():
            return
        both = np.array([*pair[:, :2].min(axis=0), *pair[:, 2:].max(axis=0)])
        scale = float(self._scales[row])

        def cut(image: Image) -> Image:
            return crop(image, both, scale)

        motion: Motion | None = self._finder.find(cut(before), cut(real))
        if motion is None:
            return
        own = motion.error(cut(before), cut(real))
        for name, image in made.items():
            self.values[name]["flicker/made"][row] = motion.error(cut(made_before[name]), cut(image))
            self.values[name]["flicker/real"][row] = own
