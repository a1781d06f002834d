"""Poses kept on disk, found again by what they depend on and nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import replace
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
    A cache file that cannot be read is estimated again and replaced. Poses that `import_poses` put there go first.

    Raises:
        VideoError, ModelError, PoseError: as `estimate_poses`; or imported poses are damaged.
    """
    from dataset.video import VideoInfo

    sha256 = VideoInfo.from_path(video).sha256
    given = given_path(sha256, cache_dir, person)
    if given.is_file():
        return PoseSequence.load(given)
    path = Path(cache_dir) / f"{cache_key(sha256, model, bundle, person)}.npz"
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


def load_poses(path: str | Path, video: Path, *, person: str = MAIN) -> PoseSequence:
    """Poses of another tool, or of an earlier run, for a video: one row for each of its frames.

    Args:
        path: an ``.npz`` of `PoseSequence.save`, a folder of OpenPose files, or one JSON file of frames.
        video: the video that they were found in.
        person: whom to take from OpenPose files with several people, as in `dataset.pose.choice`.

    Raises:
        PoseError: the file cannot be read, or does not fit the video.
        VideoError: the video cannot be read.
    """
    from dataset.pose.openpose import from_openpose
    from dataset.video import VideoInfo, frame_times

    info = VideoInfo.from_path(video)
    times = frame_times(video)
    size = (info.width, info.height)
    if Path(path).suffix.lower() != ".npz":
        return from_openpose(path, size=size, times=times, person=person, video_sha256=info.sha256)
    poses = PoseSequence.load(path)
    if poses.video_sha256 and poses.video_sha256 != info.sha256:
        raise PoseError(f"the key points belong to another video than {video}", path=path)
    if len(poses) != len(times) or poses.size != size:
        raise PoseError(
            f"key points for {len(poses)} frames of {poses.size[0]}x{poses.size[1]}, but {video} has "
            f"{len(times)} of {size[0]}x{size[1]}",
            path=path,
        )
    return replace(poses, video_sha256=info.sha256)


def import_poses(video: Path, poses: PoseSequence, cache_dir: Path, *, person: str = MAIN) -> Path:
    """Put poses of another tool where `cached_poses` looks first, so that training and transfer take them.

    Args:
        video: the video that they belong to.
        poses: one row for each of its frames, see `load_poses`.
        cache_dir: the folder that will be given to `cached_poses`.
        person: the choice that they are an answer to.

    Returns:
        The file; without it poses are estimated again.
    """
    from dataset.video import VideoInfo

    path = given_path(VideoInfo.from_path(video).sha256, cache_dir, person)
    path.parent.mkdir(parents=True, exist_ok=True)
    poses.save(path)
    return path


def given_path(video_sha256: str, cache_dir: Path, person: str = MAIN) -> Path:
    """Where imported poses of a video are kept in a cache."""
    who = "" if (chosen := parse_person(person)) == MAIN else f"\nperson {chosen}"
    digest = hashlib.sha256(f"{video_sha256}{who}".encode()).hexdigest()[:32]
    return Path(cache_dir) / f"given_{digest}.npz"
