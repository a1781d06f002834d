"""The poses of a whole collection: found once, kept by content and model, several videos at a time.

Each video is one task and each result one file, written whole under a hash of all that it depends on. So a run that
was cut off goes on where it was, and one that is repeated does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from dataset.collection.collection import Collection
from dataset.collection.records import Fake, Recording
from dataset.errors import CollectionError, DanceproofError
from dataset.pose.cache import cache_key, cached_poses

#: Called with the videos done and in all, and the id of the last.
Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Extraction:
    """What came of a run.

    Attributes:
        found: ids of the videos whose poses were found now.
        known: ids of those that were there already.
        failed: for each video that could not be done, why.
    """

    found: tuple[str, ...]
    known: tuple[str, ...]
    failed: dict[str, str]


def extract_poses(
    collection: Collection,
    *,
    workers: int | None = None,
    model: str = "holistic",
    fakes: bool = False,
    report: Report = lambda done, total, what: None,
) -> Extraction:
    """Find the key points in every recording that has none yet, and keep them in ``poses/``.

    Args:
        collection: whose recordings.
        workers: processes; the number of cores if None. The result does not depend on it.
        model: "holistic" (body, face and hands) or "pose" (body alone).
        fakes: do the fakes as well.
        report: called whenever a video is done.

    Returns:
        What was done; a video that cannot be read does not stop the others.
    """
    videos: list[Recording | Fake] = [*collection.recordings(), *(collection.fakes() if fakes else ())]
    known = [video.id for video in videos if pose_path(collection, video.sha256, model).is_file()]
    # Long ones first, so that the last process to end does not end long after the others.
    waiting = sorted(
        (video for video in videos if video.id not in known),
        key=lambda video: (-collection.path_of(video).stat().st_size, video.id),
    )
    failed: dict[str, str] = {}
    workers = max(1, min(workers or os.cpu_count() or 1, len(waiting)))
    if waiting:
        # Fresh processes: MediaPipe does not survive a fork.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            tasks = {
                pool.submit(
                    _extract, collection.path_of(video), video.sha256, collection.poses_folder, model
                ): video
                for video in waiting
            }
            for done, task in enumerate(as_completed(tasks), start=1):
                video = tasks[task]
                try:
                    problem = task.result()
                except BrokenProcessPool as error:
                    raise CollectionError(
                        "a worker process was killed, perhaps for want of memory",
                        path=collection.root,
                        hint="run it again with fewer --workers: what is done is kept",
                    ) from error
                if problem is not None:
                    failed[video.id] = problem
                report(done, len(waiting), video.id)
    return Extraction(
        found=tuple(sorted(video.id for video in waiting if video.id not in failed)),
        known=tuple(known),
        failed=dict(sorted(failed.items())),
    )


def pose_path(collection: Collection, video_sha256: str, model: str = "holistic") -> Path:
    """Where `dataset.pose.cached_poses` keeps the poses of a video of the collection."""
    return collection.poses_folder / f"{cache_key(video_sha256, model)}.npz"


def _extract(video: Path, sha256: str, folder: Path, model: str) -> str | None:
    """Find the poses of one video; the problem in words, None if there was none."""
    try:
        poses = cached_poses(video, folder, model=model)
    except (DanceproofError, OSError) as error:
        return str(error)
    return None if poses.video_sha256 == sha256 else "the video is not the one that its record names"
