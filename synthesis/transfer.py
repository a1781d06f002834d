"""Do as I do: source motion → normalised pose → frames of the target → video (paper §3.1).

Every frame of the source becomes one frame of the result at the same time, and the source's sound comes along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from dataset.errors import PoseError
from dataset.pose import cached_poses, clean, smooth
from dataset.pose.keypoints import PoseSequence
from dataset.provenance import synthetic_tags
from dataset.video import VideoInfo, VideoWriter
from synthesis.model import TargetModel
from synthesis.networks.generator import GeneratorInput
from synthesis.normalize import normalize
from synthesis.pairs import image_tensor, label_tensor, tensor_image
from synthesis.recording import shrink
from synthesis.windows import Windows, follow, paste, sample

Image = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]

#: Constant rate factor of everything that is written, real or fake, unless asked otherwise.
CRF = 18


@dataclass(frozen=True)
class Transferred:
    """What a transfer made.

    Attributes:
        path: the video.
        frames: how many frames it has, as many as the source.
        without_person: how many of them show nobody, because the source showed nobody.
        notes: what the user should know, e.g. which anchor the normalisation used.
    """

    path: Path
    frames: int
    without_person: int
    notes: tuple[str, ...]


def transfer(
    model: TargetModel,
    source: Path,
    out: Path,
    *,
    cache: Path,
    crf: int = CRF,
    pose_progress: Progress = lambda done, total: None,
    progress: Progress = lambda done, total: None,
) -> Transferred:
    """Make the model's target do what the person in `source` does.

    Args:
        model: a trained generator.
        source: any video of one person.
        out: the video to write; it says in its metadata that it is synthetic.
        cache: folder for the source's poses.
        crf: H.264 constant rate factor.
        pose_progress, progress: called with frames done and frames in all.

    Raises:
        PoseError: nobody is seen in the source.
        VideoError: the source cannot be read or the result not be written.
    """
    poses = clean(cached_poses(source, cache, progress=pose_progress))
    if not poses.present().any():
        raise PoseError("nobody is seen in the video", path=source, hint="give a video of one person")
    moved = smooth(normalize(poses, model.poses))
    if not moved.present().any():
        raise PoseError("a person is seen for an instant only", path=source, hint="give a longer video")
    written = _write(model, moved, out, audio_from=source, crf=crf, progress=progress)
    return Transferred(out, written, int((~poses.present()).sum()), moved.notes)


def reenact(
    model: TargetModel,
    poses: PoseSequence,
    plate: Image,
    out: Path,
    *,
    crf: int = CRF,
    progress: Progress = lambda done, total: None,
) -> None:
    """Self-re-enactment: the target does exactly what it did in a recording, frame for frame.

    Args:
        model: a trained generator.
        poses: cleaned poses of the target's own recording, neither normalised nor smoothed.
        plate: that recording's background.
        out: the video to write, marked as synthetic.
        crf: H.264 constant rate factor.
        progress: called with frames done and frames in all.
    """
    _write(model, poses, out, plate=plate, crf=crf, progress=progress)


def _write(
    model: TargetModel,
    poses: PoseSequence,
    out: Path,
    *,
    crf: int,
    progress: Progress,
    plate: Image | None = None,
    audio_from: Path | None = None,
) -> int:
    plate = model.plate if plate is None else plate
    tags = synthetic_tags("synthesize", model.sha256, model.subject)
    if audio_from is not None and not VideoInfo.from_path(audio_from).has_audio:
        audio_from = None
    size = (plate.shape[1], plate.shape[0])
    with VideoWriter(out, size, crf=crf, metadata=tags, audio_from=audio_from) as writer:
        for row, image in enumerate(generate(model, poses, plate)):
            writer.write(image, time=float(poses.times[row]))
            progress(row + 1, len(poses))
    return len(poses)


@torch.inference_mode()
def generate(model: TargetModel, poses: PoseSequence, plate: Image) -> Iterator[Image]:
    """Frames of the target in the given poses, one after the other, each painted from the one before.

    Memory does not grow with the length.

    Args:
        model: a trained generator.
        poses: in pixels of the plate.
        plate: (H, W, 3) uint8.

    Yields:
        (H, W, 3) uint8, one for each row of `poses`; the bare plate where nobody is.
    """
    present = poses.present()
    windows = follow(poses, model.shape, model.config.data.margin)
    scale = model.frame_scale
    small = shrink(plate, (round(plate.shape[1] * scale), round(plate.shape[0] * scale)))
    reference = image_tensor(model.reference)
    reference_label = (image_tensor(model.reference_label) + 1) / 2
    previous = small
    for row in range(len(poses)):
        if not present[row]:
            previous = small
            yield plate.copy()
            continue
        previous, image = _paint(
            model, poses, windows, row, plate, small, previous, reference, reference_label
        )
        yield image


def _paint(
    model: TargetModel,
    poses: PoseSequence,
    windows: Windows,
    row: int,
    plate: Image,
    small: Image,
    previous: Image,
    reference: torch.Tensor,
    reference_label: torch.Tensor,
) -> tuple[Image, Image]:
    """One frame, at the size it was trained at and at full size."""
    scale = small.shape[0] / plate.shape[0]
    matrix = windows.matrix(row, scale)
    plate_window = image_tensor(sample(small, matrix, windows.shape))
    before = image_tensor(sample(previous, matrix, windows.shape))
    label = label_tensor(windows.label_poses(poses, row, row), windows.shape, model.config.data.face)
    with torch.autocast("cpu", torch.bfloat16, enabled=model.config.schedule.precision == "bf16"):
        painting = model.generator(
            GeneratorInput(
                label,
                before if model.config.schedule.temporal else plate_window,
                plate_window,
                reference,
                reference_label,
            )
        )
    person = tensor_image(painting.person)
    alpha = painting.alpha[0, 0].float().numpy()
    return paste(small, person, alpha, matrix), paste(plate, person, alpha, windows.matrix(row))
