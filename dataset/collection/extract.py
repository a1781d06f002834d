"""The poses of a whole collection: found once, kept by content and model, several videos at a time.

Each video is one item and each result one file, written whole under a hash of all that it depends on. So a run that
was cut off goes on where it was, and one that is repeated does nothing. `extract_files` does the same for videos that
are in no collection.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dataset.collection.collection import Collection
from dataset.collection.records import Fake, Recording
from dataset.errors import PoseError
from dataset.files import sha256_file
from dataset.pose.cache import cache_key, cached_poses
from dataset.pose.estimate import CODE_VERSION, estimate_poses
from dataset.pose.landmarkers import bundle_path
from dataset.pose.openpose import write_openpose
from dataset.video.limits import at_most_threads
from dataset.work import Item, Summary, local_file, run_items
from dataset.work.run import Progress, one_line, work_through
from dataset.work.worker import Limits

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
    ray: str | None = None,
    time_limit: float | None = None,
    memory_limit: int | None = None,
    model: str = "holistic",
    fakes: bool = False,
    report: Report = lambda done, total, what: None,
) -> Extraction:
    """Find the key points in every recording that has none yet, and keep them in ``poses/``.

    Args:
        collection: whose recordings.
        workers: processes; the number of cores if None. The result does not depend on it.
        ray: "auto" or the address of a Ray cluster whose nodes see the collection's folder.
        time_limit: seconds that a video may take.
        memory_limit: resident bytes of a worker.
        model: "holistic" (body, face and hands) or "pose" (body alone).
        fakes: do the fakes as well.
        report: called whenever a video is done.

    Returns:
        What was done; a video that cannot be read does not stop the others.
    """
    videos: list[Recording | Fake] = [*collection.recordings(), *(collection.fakes() if fakes else ())]
    known = [video.id for video in videos if pose_path(collection, video.sha256, model).is_file()]
    set_aside = frozenset(known)
    # Long ones first, so that the last process to end does not end long after the others.
    waiting = sorted(
        (video for video in videos if video.id not in set_aside),
        key=lambda video: (-collection.path_of(video).stat().st_size, video.id),
    )
    failed: dict[str, str] = {}
    jobs = [(collection.path_of(video), video.sha256) for video in waiting]
    outcomes = work_through(
        jobs, _Poses(collection.poses_folder, model), workers=workers, ray=ray,
        limits=Limits(time_limit, memory_limit),
    )  # fmt: skip
    with closing(outcomes):
        for done, (number, outcome) in enumerate(outcomes, start=1):
            if outcome.kind != "done":
                failed[waiting[number].id] = one_line(outcome.value)
            report(done, len(waiting), waiting[number].id)
    return Extraction(
        found=tuple(sorted(video.id for video in waiting if video.id not in failed)),
        known=tuple(known),
        failed=dict(sorted(failed.items())),
    )


def pose_path(collection: Collection, video_sha256: str, model: str = "holistic") -> Path:
    """Where `dataset.pose.cached_poses` keeps the poses of a video of the collection."""
    return collection.poses_folder / f"{cache_key(video_sha256, model)}.npz"


def extract_files(
    items: Iterable[Item],
    out: Path,
    *,
    model: str = "holistic",
    person: str = "main",
    form: str = "npz",
    layout: str = "BODY_25",
    workers: int | None = None,
    ray: str | None = None,
    time_limit: float | None = None,
    memory_limit: int | None = None,
    retry: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Find the key points in many videos, wherever they are, once.

    Of each video ``OUT/<key>.npz`` (or the folder ``OUT/<key>`` with OpenPose's files) holds the key points, and
    ``OUT/<key>.json`` says what was found.

    Args:
        items: as `dataset.work.items_from` gives them.
        out: folder of the results.
        model, person: as `dataset.pose.estimate_poses` takes them.
        form: "npz" or "openpose".
        layout: of OpenPose's files.
        workers, ray, time_limit, memory_limit, retry, progress: as `dataset.work.run_items` takes them.

    Raises:
        WorkError: the folder holds poses of other settings, or the run cannot go on.
    """
    identity = {
        "what": "poses", "model": model, "person": person, "form": form, "layout": layout,
        "bundle": sha256_file(bundle_path(model)), "mediapipe": version("mediapipe"), "code": CODE_VERSION,
    }  # fmt: skip
    return run_items(
        items, _PoseFiles(os.path.abspath(out), model, person, form, layout), out, workers=workers, ray=ray,
        time_limit=time_limit, memory_limit=memory_limit, retry=retry, identity=identity, progress=progress,
    )  # fmt: skip


@dataclass(frozen=True)
class _Poses:
    """Find the poses of videos of a collection, and keep them where `cached_poses` looks for them."""

    folder: Path
    model: str

    @contextmanager
    def open(self) -> Iterator[Callable[[tuple[Path, str]], None]]:
        with at_most_threads(1):
            yield self._extract

    def _extract(self, job: tuple[Path, str]) -> None:
        video, sha256 = job
        if cached_poses(video, self.folder, model=self.model).video_sha256 != sha256:
            raise PoseError("the video is not the one that its record names")


@dataclass(frozen=True)
class _PoseFiles:
    """Find the poses of any videos, and write them into a folder."""

    out: str
    model: str
    person: str
    form: str
    layout: str

    @contextmanager
    def open(self) -> Iterator[Callable[[Item], dict[str, Any]]]:
        with at_most_threads(1):
            yield self._extract

    def _extract(self, item: Item) -> dict[str, Any]:
        with local_file(item) as video:
            poses = estimate_poses(video, model=self.model, person=self.person)
        if self.form == "openpose":
            file = item.key
            write_openpose(poses, Path(self.out) / file, layout=self.layout, name="video")
        else:
            file = f"{item.key}.npz"
            poses.save(Path(self.out) / file)
        return {
            "file": file, "frames": len(poses), "found": int(poses.present().sum()), "notes": list(poses.notes),
            "video_sha256": poses.video_sha256,
        }  # fmt: skip
