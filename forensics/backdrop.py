"""Recordings with a still picture behind the person: what a fake has in common with a filmed video call.

Motion transfer pastes a person into a background that was computed once. A detector that is shown only such fakes
beside plain recordings may look at that background instead of at the person, and then calls everybody a fake who was
filmed and cut out by a conference program. So each recording is also shown with the same still background as its fakes,
and the label "real". Such clips are trained on, and are no evidence (`forensics.recipe.NOBODY`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataset.errors import DetectorError
from dataset.files import sha256_file
from dataset.pose import SilhouetteFinder, clean, estimate_poses
from dataset.pose.keypoints import PoseSequence
from dataset.records import BACKDROP_OF, Clip, Corpus
from dataset.video import VideoInfo, VideoWriter, read_frames
from forensics.copies import copy_name
from synthesis.plate import background, person_mask

Image = npt.NDArray[np.uint8]

#: What the copies are called.
_LABEL = "backdrop"


def add_backdrops(corpus: Corpus, progress: Callable[[int, int | None], None] | None = None) -> int:
    """Add to a corpus a copy of each undegraded recording with a still picture behind the person.

    Recordings without a fake, and copies that are there already, are passed over.

    Args:
        corpus: on disk; its manifest is written after each clip.
        progress: called with clips done and in all.

    Returns:
        How many were added.

    Raises:
        DetectorError: a recording of the corpus does not say how it was encoded, or nobody is seen in it.
        VideoError: a recording cannot be read.
    """
    known = {clip.path for clip in corpus.clips}
    mirrored = {clip.pair for clip in corpus.clips if clip.pair}
    wanted = [clip for clip in corpus.clips if clip.path in mirrored and "degraded" not in clip.origin]
    todo = [clip for clip in wanted if copy_name(clip.path, _LABEL) not in known]
    for done, clip in enumerate(todo, 1):
        path = copy_name(clip.path, _LABEL)
        put_backdrop(corpus.absolute(clip), corpus.root / path, crf=_crf(clip))
        corpus.clips.append(
            replace(
                clip,
                path=path,
                source=f"{_LABEL}_{clip.source}",
                sha256=sha256_file(corpus.root / path),
                origin=clip.origin | {BACKDROP_OF: clip.path},
            )
        )
        corpus.save()
        if progress is not None:
            progress(len(wanted) - len(todo) + done, len(wanted))
    return len(todo)


def put_backdrop(recording: Path, out: Path, *, crf: int) -> None:
    """Write a recording with all but its main person replaced by the median of what is behind them.

    Args:
        recording: a video by a camera that stands still.
        out: where to, as H.264, with the same times and without sound.
        crf: its rate factor.

    Raises:
        DetectorError: nobody is seen in it.
        VideoError: it cannot be read.
    """
    info = VideoInfo.from_path(recording)
    poses = clean(estimate_poses(recording))
    if not poses.present().any():
        raise DetectorError(
            "nobody is seen in it, so nobody can be cut out", path=recording, hint="leave it out"
        )
    plate = background(recording, poses)
    with (
        VideoWriter(out, (info.width, info.height), crf=crf) as writer,
        SilhouetteFinder() as finder,
    ):
        for image, time in _cut_out(recording, poses, plate, finder):
            writer.write(image, time)


def _cut_out(
    recording: Path, poses: PoseSequence, plate: Image, finder: SilhouetteFinder
) -> Iterator[tuple[Image, float]]:
    """Each frame over the plate, and its time."""
    present = poses.present()
    size = (plate.shape[1], plate.shape[0])
    for row, frame in enumerate(read_frames(recording)):
        if not present[row]:
            yield plate, frame.time
            continue
        found = finder.find(frame.image, poses.body[row])
        sure = person_mask(poses, row, size) if found is None else found
        share = (sure.astype(np.float32) / 255)[..., None]
        yield np.rint(frame.image * share + plate * (1 - share)).astype(np.uint8), frame.time


def _crf(clip: Clip) -> int:
    told = clip.origin.get("crf", "")
    if not told.isdigit():
        raise DetectorError(
            "the manifest does not say at which crf it was encoded",
            path=clip.path,
            hint="make the corpus with: synthesize fakes",
        )
    return int(told)
