"""Which frames a model is evaluated on: the part of each of its recordings that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataset.errors import SynthesisError
from dataset.files import sha256_file
from dataset.pose import cached_poses, clean
from dataset.pose.keypoints import PoseSequence
from synthesis.model import TargetModel
from synthesis.plate import background

Image = npt.NDArray[np.uint8]
Report = Callable[..., None]

#: Share of each recording that is looked at when a model that held nothing out is evaluated all the same.
TRAINING_SHARE = 0.15
ON_TRAINING_FRAMES = "ON TRAINING FRAMES: the models were trained on the frames they are evaluated on"


@dataclass(frozen=True)
class HeldOut:
    """The held-out end of one recording.

    Attributes:
        path, sha256: the recording.
        poses: of the whole recording, cleaned as for training.
        start: first held-out row; every row before it may have been trained on.
        plate: (H, W, 3) uint8, the background that frames are painted over.
        trained_on: the rows from `start` on were trained on after all.
    """

    path: Path
    sha256: str
    poses: PoseSequence
    start: int
    plate: Image
    trained_on: bool = False

    @property
    def held(self) -> PoseSequence:
        """The poses of the held-out rows."""
        return self.poses[self.start :]

    @property
    def fps(self) -> float:
        """Frames a second, from the median step between timestamps."""
        steps = np.diff(self.poses.times)
        return 1.0 / float(np.median(steps)) if len(steps) and np.median(steps) > 0 else 25.0


def held_out(
    models: Sequence[TargetModel],
    recordings: dict[str, Path],
    cache: Path,
    *,
    on_training_frames: bool = False,
    report: Report = lambda *facts: None,
) -> list[HeldOut]:
    """The frames that none of the models has seen, recording by recording.

    Args:
        models: of one subject, trained on the same recordings.
        recordings: the files by their SHA-256; others than the models' are passed over.
        cache: folder for the recordings' poses.
        on_training_frames: evaluate the last `TRAINING_SHARE` of each recording if a model held nothing out.
        report: called as ``report(what, done, total)``.

    Raises:
        SynthesisError: a recording is not among `recordings`, a model held nothing out, or nobody is in the part.
    """
    first = models[0]
    share = min(model.config.data.holdout for model in models)
    if share <= 0 and not on_training_frames:
        raise SynthesisError(
            f"a generator of {first.subject} was trained on all frames, none was held out",
            hint="train with a held-out share, or look at training frames all the same with --on-training-frames",
        )
    found = []
    for facts in first.recordings:
        digest = facts["sha256"]
        if digest not in recordings:
            raise SynthesisError(
                f"the recording {facts['name']} of {first.subject} was not given",
                hint=f"name it with --recording; it is the file with SHA-256 {digest[:12]}…",
            )
        path = recordings[digest]
        poses = clean(_poses(path, cache, report))
        start = round(len(poses) * (1 - (share if share > 0 else TRAINING_SHARE)))
        if not poses[start:].present().any() or len(poses) - start < 2:
            raise SynthesisError(
                "nobody is seen in the held-out part", path=path, hint="hold out a larger share"
            )
        own = first.poses.video_sha256 == digest
        # Only frames that may be known are used for the background of a recording that did not give the model's plate.
        plate = first.plate if own else background(path, poses[:start], report)
        found.append(HeldOut(path, digest, poses, start, plate, trained_on=share <= 0))
    return found


def _poses(path: Path, cache: Path, report: Report) -> PoseSequence:
    return cached_poses(
        path, cache, progress=lambda done, total: report(f"poses of {path.name}", done, total)
    )


def by_hash(paths: Sequence[Path]) -> dict[str, Path]:
    """Recordings by the SHA-256 of their bytes.

    Raises:
        SynthesisError: there is no such file.
    """
    for path in paths:
        if not path.is_file():
            raise SynthesisError("there is no such recording", path=path)
    return {sha256_file(path): path for path in paths}
