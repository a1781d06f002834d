"""Poses kept on disk, found again by what they depend on and nothing else."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

from dataset.errors import PoseError
from dataset.files import sha256_file
from dataset.pose.choice import MAIN, parse_person
from dataset.pose.estimate import CODE_VERSION, Progress, estimate_poses
from dataset.pose.keypoints import PoseSequence
from dataset.pose.landmarkers import bundle_path


def cached_poses(
    video: Path,
    cache_dir: Path,
    *,
    model: str = "holistic",
    bundle: Path | None = None,
    person: str = MAIN,
    progress: Progress | None = None,
) -> PoseSequence:
    """`estimate_poses`, or what it returned last time for the same video, bundle, person and program version.

    The file's name is a hash of the video's bytes, the bundle's bytes, the person asked for, MediaPipe's version and
    the version of the code here: renaming a video does not lose its poses, and changing any of the others does not
    return stale ones.
    A cache file that cannot be read is estimated again and replaced.

    Raises:
        VideoError, ModelError, PoseError: as `estimate_poses`.
    """
    from dataset.video import VideoInfo

    key = cache_key(VideoInfo.from_path(video).sha256, model, bundle, person)
    path = Path(cache_dir) / f"{key}.npz"
    if path.is_file():
        try:
            return PoseSequence.load(path)
        except PoseError:
            path.unlink()
    poses = estimate_poses(video, model=model, bundle=bundle, person=person, progress=progress)
    poses.save(path)
    return poses


def cache_key(video_sha256: str, model: str, bundle: Path | None = None, person: str = MAIN) -> str:
    """32 hexadecimal digits that stand for everything the poses depend on."""
    parts = [
        video_sha256,
        model,
        sha256_file(bundle_path(bundle or model)),
        version("mediapipe"),
        str(CODE_VERSION),
    ]
    if (chosen := parse_person(person)) != MAIN:
        parts.append(f"person {chosen}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
