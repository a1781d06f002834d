"""Videos for a study from models: two systems rolled out over the same held-out poses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataset.errors import SynthesisError
from dataset.provenance import synthetic_tags
from dataset.video import VideoWriter, read_frames
from synthesis.consent import RESEARCH_ONLY, confirm
from synthesis.evaluate.held_out import HeldOut, by_hash, held_out
from synthesis.evaluate.systems import ModelRef, frames_of
from synthesis.study.make import Material

Image = npt.NDArray[np.uint8]
Report = Callable[..., None]

#: H.264 rate factor before the clips are cut.
CRF = 12


def material_of_models(
    first: Sequence[ModelRef],
    second: Sequence[ModelRef],
    recordings: Sequence[Path],
    folder: Path,
    *,
    reference: bool = False,
    on_training_frames: bool = False,
    report: Report = lambda *facts: None,
) -> list[Material]:
    """Roll two systems out over the held-out frames of each subject.

    Args:
        first, second: models of the two systems, one for each subject, in the same order.
        recordings: the models' recordings.
        folder: where the videos go.
        reference: add the filmed frames.
        on_training_frames: also take models that held nothing out.
        report: called as ``report(what, done, total)``.

    Raises:
        ConsentError: the consent behind a model has run out or was revoked.
        SynthesisError: the models do not pair up; or as `synthesis.evaluate.held_out.held_out`.
    """
    if len(first) != len(second):
        raise SynthesisError(
            f"{len(first)} models stand against {len(second)}", hint="give one of each subject to both"
        )
    files = by_hash(recordings)
    found: list[Material] = []
    for one, other in zip(first, second, strict=True):
        models = [ref.load() for ref in (one, other)]
        hashes = [{recording["sha256"] for recording in model.recordings} for model in models]
        if hashes[0] != hashes[1]:
            raise SynthesisError(
                f"not trained on the same recordings as {one.folder}",
                path=other.folder,
                hint="pair models of the same subject",
            )
        for model in models:
            confirm(model.consent)
        clips = held_out(
            models, files, one.folder / "cache", on_training_frames=on_training_frames, report=report
        )
        clip = max(clips, key=lambda clip: len(clip.held))
        videos = []
        for number, model in enumerate(models):
            video = folder / f"{len(found)}_{number}.mp4"
            tags = synthetic_tags("synthesize study", model.sha256, model.subject)
            _write(video, frames_of(model, clip.held, clip.plate), clip, tags, report)
            videos.append(video)
        filmed = None
        if reference:
            filmed = folder / f"{len(found)}_real.mp4"
            _write(filmed, _real(clip), clip, None, report)
        grounds = {model.consent.kind for model in models}
        ground = RESEARCH_ONLY if RESEARCH_ONLY in grounds else grounds.pop()
        found.append(Material(models[0].subject, videos[0], videos[1], filmed, ground))
    return found


def _write(
    path: Path, frames: Iterator[Image], clip: HeldOut, tags: dict[str, str] | None, report: Report
) -> None:
    times = clip.held.times - clip.held.times[0]
    with VideoWriter(path, clip.poses.size, crf=CRF, metadata=tags) as writer:
        for row, image in enumerate(frames):
            writer.write(image, time=float(times[row]))
            report(f"frames for {path.name}", row + 1, len(clip.held))


def _real(clip: HeldOut) -> Iterator[Image]:
    with read_frames(clip.path) as reader:
        for frame in islice(reader, clip.start, None):
            yield frame.image
