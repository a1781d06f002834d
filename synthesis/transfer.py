"""Do as I do: source motion → normalised pose → frames of the target → video (paper §3.1).

Every frame of the source becomes one frame of the result at the same time, and the source's sound comes along. Whatever
is written here is signed (`dataset.provenance.signing`); there is no way round it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from dataset.errors import PoseError, SynthesisError
from dataset.pose import cached_poses, clean, smooth
from dataset.pose.cache import load_poses
from dataset.pose.keypoints import PoseSequence
from dataset.provenance import Identity, Statement, find_identity, signed_video, synthetic_tags
from dataset.provenance.signing import require_signable
from dataset.video import VideoInfo, VideoWriter, read_frames
from synthesis.compact import painter as compact_painter
from synthesis.consent import confirm
from synthesis.densepose import LabelSource, Moved, label_source
from synthesis.model import TargetModel
from synthesis.normalize import normalize
from synthesis.paper import painter as paper_painter
from synthesis.sound import sound_of
from synthesis.stickfigure import draw

Image = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]

#: Constant rate factor of everything that is written, real or fake, unless asked otherwise.
CRF = 18
#: What is added to the name of the video that shows source, stick figure and result side by side.
BESIDE = "_side_by_side"


@dataclass(frozen=True)
class Transferred:
    """What a transfer made.

    Attributes:
        path: the video.
        frames: how many frames it has, as many as the source.
        without_person: how many of them show nobody, because the source showed nobody.
        notes: what the user should know, e.g. which anchor the normalisation used.
        beside: the video with source, stick figure and result side by side, if it was asked for.
    """

    path: Path
    frames: int
    without_person: int
    notes: tuple[str, ...]
    beside: Path | None = None


@dataclass(frozen=True)
class Choices:
    """How a transfer is done.

    Attributes:
        person: who in the source, see `dataset.pose.choice`.
        limbs: also give every limb the length that it has on the target (not in the paper).
        side_by_side: also write a video with source, stick figure and result side by side.
        sound: take the source's sound along.
        crf: H.264 constant rate factor.
        poses: key points of another tool for the source, instead of our own.
        iuv: folder of DensePose maps of the source, for a model that takes these.
    """

    person: str = "main"
    limbs: bool = False
    side_by_side: bool = False
    crf: int = CRF
    sound: bool = True
    poses: Path | None = None
    iuv: Path | None = None


def transfer(
    model: TargetModel,
    source: Path,
    out: Path,
    *,
    cache: Path,
    choices: Choices | None = None,
    consent: Path | None = None,
    identity: Identity | None = None,
    tool: str = "synthesize transfer",
    pose_progress: Progress = lambda done, total: None,
    progress: Progress = lambda done, total: None,
) -> Transferred:
    """Make the model's target do what the person in `source` does.

    Frames are read, painted and written one by one; what grows with the length are the key points, see
    `tests/benchmarks/transfer_memory.py`.

    Args:
        model: a trained generator.
        source: any video with a person in it.
        out: the .mp4 or .mov to write, signed; it says in its metadata as well that it is synthetic.
        cache: folder for the source's poses.
        choices: who, how, and what else to write.
        consent: a newer consent record than the one that the model remembers.
        identity: who signs; see `find_identity`.
        tool: what the manifest names as the command.
        pose_progress, progress: called with frames done and frames in all.

    Raises:
        ConsentError: the consent behind the model has run out or was revoked.
        ProvenanceError: the result cannot be signed.
        PoseError: nobody is seen in the source, or not the person asked for.
        VideoError: the source cannot be read or the result not be written.
    """
    choices = choices or Choices()
    require_signable(out)
    _spare(source, out, choices)
    doubt = confirm(model.consent, consent=consent)
    identity = identity or find_identity()
    if choices.poses is None:
        poses = clean(cached_poses(source, cache, person=choices.person, progress=pose_progress))
    else:
        poses = clean(load_poses(choices.poses, source, person=choices.person))
    if not poses.present().any():
        raise PoseError("nobody is seen in the video", path=source, hint="give a video of one person")
    moved = smooth(normalize(poses, model.poses, limbs=choices.limbs))
    if not moved.present().any():
        raise PoseError("a person is seen for an instant only", path=source, hint="give a longer video")
    missing = int((~poses.present()).sum())
    data = model.config.data
    labels = label_source(data.labels, moved if choices.iuv is None else poses, data.face, choices.iuv)
    if choices.iuv is not None:
        labels = Moved.between(labels, poses, moved)
    del poses  # of an hour of video these are 200 MB
    own = any(recording["sha256"] == moved.video_sha256 for recording in model.recordings)
    video = _Video(model, identity, tool, "self" if own else "cross", choices.crf)
    notes = video.write(
        moved,
        out,
        model.plate,
        sound_from=source if choices.sound else None,
        beside=source if choices.side_by_side else None,
        labels=labels,
        progress=progress,
    )
    return Transferred(
        out,
        len(moved),
        missing,
        (*moved.notes, *notes, *((doubt,) if doubt else ())),
        beside_path(out) if choices.side_by_side else None,
    )


def reenact(
    model: TargetModel,
    poses: PoseSequence,
    plate: Image,
    out: Path,
    *,
    crf: int = CRF,
    consent: Path | None = None,
    identity: Identity | None = None,
    progress: Progress = lambda done, total: None,
) -> None:
    """Self-re-enactment: the target does exactly what it did in a recording, frame for frame.

    Args:
        model: a trained generator.
        poses: cleaned poses of the target's own recording, neither normalised nor smoothed.
        plate: that recording's background.
        out: the video to write, marked as synthetic and signed.
        crf: H.264 constant rate factor.
        consent: a newer consent record than the one that the model remembers.
        identity: who signs; see `find_identity`.
        progress: called with frames done and frames in all.

    Raises:
        ConsentError, ProvenanceError, VideoError: as `transfer`.
    """
    require_signable(out)
    confirm(model.consent, consent=consent)
    video = _Video(model, identity or find_identity(), "synthesize fakes", "self", crf)
    video.write(poses, out, plate, progress=progress)


def beside_path(out: Path) -> Path:
    """Where the video with source, stick figure and result is written."""
    return out.with_name(f"{out.stem}{BESIDE}{out.suffix}")


def _spare(source: Path, out: Path, choices: Choices) -> None:
    written = [out, beside_path(out)] if choices.side_by_side else [out]
    if source.resolve() in [path.resolve() for path in written]:
        raise SynthesisError("the source would be overwritten", path=source, hint="give another --out")


@dataclass(frozen=True)
class _Video:
    """Writes what a model paints: marked, signed, and under its name only when it is whole."""

    model: TargetModel
    identity: Identity
    tool: str
    kind: str
    crf: int

    def write(
        self,
        poses: PoseSequence,
        out: Path,
        plate: Image,
        *,
        sound_from: Path | None = None,
        beside: Path | None = None,
        labels: LabelSource | None = None,
        progress: Progress,
    ) -> tuple[str, ...]:
        """Paint and write, and where a source is given as `beside`, the three pictures as well. Returns notes."""
        size = (plate.shape[1], plate.shape[0])
        with ExitStack() as stack:
            sound: Path | None = None
            notes: tuple[str, ...] = ()
            if sound_from is not None:
                sound, notes = stack.enter_context(sound_of(sound_from, out.suffix.lower()))
            plain = self._open(stack, out, size, poses, sound)
            panels = None
            if beside is not None:
                panels = _Panels(beside, size, self.model.config.data.face)
                stack.callback(panels.close)
                strip = self._open(stack, beside_path(out), panels.size, poses, sound, picture="side by side")
            for row, image in enumerate(generate(self.model, poses, plate, labels)):
                time = float(poses.times[row])
                plain.write(image, time=time)
                if panels is not None:
                    strip.write(panels.strip(poses, row, image), time=time)
                progress(row + 1, len(poses))
        return notes

    def _open(
        self,
        stack: ExitStack,
        out: Path,
        size: tuple[int, int],
        poses: PoseSequence,
        sound: Path | None,
        picture: str = "",
    ) -> VideoWriter:
        basis = self.model.consent
        statement = Statement(
            tool=self.tool,
            kind=self.kind,
            model_sha256=self.model.sha256,
            motion_sha256=poses.video_sha256,
            consent=basis.kind,
            consent_sha256=basis.record_sha256,
            subject=basis.told_name,
            picture=picture,
        )
        unsigned = stack.enter_context(signed_video(out, self.identity, statement))
        tags = synthetic_tags(
            self.tool, self.model.sha256, basis.told_name, research_only=basis.research_only
        )
        return stack.enter_context(VideoWriter(unsigned, size, crf=self.crf, metadata=tags, audio_from=sound))


class _Panels:
    """Source, stick figure and result in one picture, each as high as the result."""

    def __init__(self, source: Path, size: tuple[int, int], face: str) -> None:
        info = VideoInfo.from_path(source)
        self._result, self._face = size, face
        self._left = (max(round(info.width * size[1] / info.height), 1), size[1])
        self._frames = read_frames(source)
        self._iterator = iter(self._frames)
        self.size = (self._left[0] + 2 * size[0], size[1])

    def strip(self, poses: PoseSequence, row: int, result: Image) -> Image:
        """The picture of one frame; called for each row of the poses in turn."""
        frame = next(self._iterator).image
        how = cv2.INTER_AREA if frame.shape[0] > self._left[1] else cv2.INTER_LINEAR
        left = cv2.resize(frame, self._left, interpolation=how).astype(np.uint8, copy=False)
        return np.concatenate([left, draw(poses, row, self._result, face=self._face), result], axis=1)

    def close(self) -> None:
        self._frames.close()


@torch.inference_mode()
def generate(
    model: TargetModel, poses: PoseSequence, plate: Image, labels: LabelSource | None = None
) -> Iterator[Image]:
    """Frames of the target in the given poses, one after the other, each painted from the one before.

    Memory does not grow with the length.

    Args:
        model: a trained generator.
        poses: in pixels of the plate.
        plate: (H, W, 3) uint8.
        labels: what shows each pose to the generator; stick figures of `poses` when None.

    Raises:
        PoseError: the model takes DensePose maps, and none are given.

    Yields:
        (H, W, 3) uint8, one for each row of `poses`; the bare plate where nobody is.
    """
    data = model.config.data
    labels = labels or label_source(data.labels, poses, data.face, None)
    if model.config.preset.startswith("paper"):
        return paper_painter.frames(model, poses, plate, labels)
    return compact_painter.frames(model, poses, plate, labels)
