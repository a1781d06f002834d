"""A model without a network, for tests of what happens round the painting: times, sound, signatures, stamps, lineage.

python lay_figure.py SOURCE OUT CACHE    transfers and prints "signing" when it is about to sign, then waits
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from small_runs import small_config
from synthesis_figures import standing
from torch import nn

from dataset.files import sha256_file, write_json
from dataset.pose.cache import cache_key
from dataset.pose.keypoints import B, PoseSequence
from dataset.video import VideoInfo, frame_times
from synthesis.consent import MANNEQUIN, Basis
from synthesis.model import MODEL_SCHEMA, TargetModel, read_facts, snapshot_path

#: Frame size of the target.
SIZE = (128, 160)
WEIGHTS = "5f" * 32


def lay_figure(subject: str = "dancer", **changes: Any) -> TargetModel:
    """A target of 128×160 pixels; what `paint` makes of it is its plate with a white square on the hips."""
    ramp = np.linspace(40, 160, SIZE[0]).astype(np.uint8)
    model = TargetModel(
        config=small_config(1),
        subject=subject,
        recordings=[{"name": "dancer.mp4", "sha256": "ab" * 32}],
        shape=(64, 64),
        frame_scale=1.0,
        plate=np.repeat(np.tile(ramp, (SIZE[1], 1))[..., None], 3, axis=2),
        poses=standing(np.tile([64.0, 150.0], (20, 1)), np.full(20, 100.0), SIZE),
        generator=nn.Identity(),
        steps=1,
        sha256=WEIGHTS,
        consent=Basis(MANNEQUIN, subject, public_name=True),
    )
    return replace(model, **changes)


def paint(
    model: TargetModel, poses: PoseSequence, plate: np.ndarray, labels: object = None
) -> Iterator[np.ndarray]:
    """Stands in for `synthesis.transfer.generate`."""
    for row, present in enumerate(poses.present()):
        image = plate.copy()
        if present:
            x, y = (int(value) for value in poses.body[row, B["MidHip"], :2])
            image[max(y - 8, 0) : y + 8, max(x - 8, 0) : x + 8] = 255
        yield image


def put_poses(cache: Path, video: Path, *, empty: int = 0, x: float = 48.0) -> PoseSequence:
    """Save poses for a video where `cached_poses` finds them: somebody who stands at `x`, after `empty` frames."""
    info = VideoInfo.from_path(video)
    times = frame_times(video)
    height = 0.7 * info.height
    feet = np.tile([x, 0.95 * info.height], (len(times), 1))
    poses = standing(feet, np.full(len(times), height), (info.width, info.height))
    body = poses.body.copy()
    body[:empty, :, 2] = 0
    poses = replace(poses, body=body, times=np.asarray(times, np.float64), video_sha256=sha256_file(video))
    poses.save(cache / f"{cache_key(poses.video_sha256, 'holistic')}.npz")
    return poses


def save_figure(
    folder: Path,
    recording: Path,
    subject: str,
    *,
    steps: int = 6,
    width: int = 8,
    snapshots: tuple[int, ...] = (),
    basis: Basis | None = None,
) -> Path:
    """A model folder with nothing in it to paint with; `load_figure` reads it."""
    facts = {
        "schema": MODEL_SCHEMA,
        "subject": subject,
        "recordings": [{"name": recording.name, "sha256": sha256_file(recording)}],
        "steps": steps,
        "width": width,
        "weights_sha256": _hash(folder.name, steps),
        "consent": (basis or Basis(MANNEQUIN, subject, public_name=True)).to_dict(folder),
    }
    write_json(folder / "model.json", facts)
    for step in snapshots:
        snapshot_path(folder, step).parent.mkdir(exist_ok=True)
        snapshot_path(folder, step).touch()
    return folder


def load_figure(folder: Path, *, snapshot: int | None = None) -> TargetModel:
    """Stands in for `TargetModel.load`."""
    facts = read_facts(folder)
    steps = facts["steps"] if snapshot is None else snapshot
    config = small_config(1)
    return lay_figure(
        facts["subject"],
        config=replace(config, network=replace(config.network, width=facts["width"])),
        recordings=facts["recordings"],
        steps=steps,
        sha256=_hash(folder.name, steps),
        consent=Basis.from_dict(facts["consent"], folder, facts["subject"]),
    )


def _hash(name: str, steps: int) -> str:
    return hashlib.sha256(f"{name} {steps}".encode()).hexdigest()


if __name__ == "__main__":
    import c2pa

    import synthesis.transfer
    from dataset.provenance import find_identity

    def halt(self: c2pa.Builder, signer: object, media_type: str, given: Any, dest: Any) -> None:
        """Half a file, then nothing more."""
        dest.write(given.read(2000))
        dest.flush()
        print("signing", flush=True)
        time.sleep(60)

    identity = find_identity()
    c2pa.Builder.sign = halt
    synthesis.transfer.generate = paint
    source, out, cache = (Path(argument) for argument in sys.argv[1:])
    synthesis.transfer.transfer(lay_figure(), source, out, cache=cache, identity=identity)
