"""Encoding and levelling, kept in a folder by what they depend on, so that nothing is done twice.

``releases/.work`` holds finished videos under a hash of all that their bytes depend on. A build that was killed goes on
from there, and the next version re-encodes only what is new. What a build does not use it removes, so nothing of a
withdrawn subject stays behind. The folder may be deleted at any time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dataset.errors import ReleaseError
from dataset.files import sha256_file, write_json
from dataset.pose import cached_poses
from dataset.release.encode import ENCODING, encode, statement_of
from dataset.release.fingerprint import Fingerprint
from dataset.release.items import Item, digest
from dataset.release.level import common_sizes, fill, packet_sizes
from dataset.work import spread

WORK = ".work"
Report = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Job:
    """One item to encode."""

    item: Item
    work: Path
    poses: Path
    blur_faces: bool


@dataclass(frozen=True)
class Prepared:
    """An encoded item and what is known of it.

    Attributes:
        key: names its files in the work folder.
        frames, size, times: of the video.
        fingerprint: see `dataset.release.fingerprint`.
        sizes: bytes of each packet.
        sha256: of the encoded file, before levelling.
        blurred: frames in which a face was blurred.
        estimator: what found the key points.
    """

    key: str
    frames: int
    size: tuple[int, int]
    times: tuple[float, ...]
    fingerprint: str
    sizes: tuple[int, ...]
    sha256: str
    blurred: int
    estimator: str


@dataclass(frozen=True)
class Levelled:
    """The file of an item as it is released."""

    path: Path
    sha256: str
    size_bytes: int


def prepare(job: Job) -> Prepared:
    """Encode one item and find its poses, or read what was done before.

    Raises:
        ReleaseError: the collection's file is not the one that was imported, or cannot be encoded whole.
        VideoError, PoseError: it cannot be read.
    """
    item = job.item
    model = str(item.lineage.get("generator", {}).get("model_sha256", ""))
    statement = statement_of(item.label, item.mark, item.subject, model)
    key = digest([ENCODING, item.sha256, statement, job.blur_faces])[:40]
    told = job.work / f"{key}.json"
    video = job.work / f"{key}.mp4"
    if told.is_file() and video.is_file():
        known = _read(told)
        # Poses are cached elsewhere and may have been cleared.
        cached_poses(item.path, job.poses)
        if known is not None and sha256_file(video) == known.sha256:
            return known
    if sha256_file(item.path) != item.sha256:
        raise ReleaseError(
            "is not the file that was imported: its hash differs",
            path=item.path,
            hint="restore it, or add it anew",
        )
    poses = cached_poses(item.path, job.poses)
    made = encode(item.path, video, statement=statement, faces=poses if job.blur_faces else None)
    prepared = Prepared(
        key, made.frames, made.size, made.times, made.fingerprint.to_hex(), tuple(packet_sizes(video)),
        sha256_file(video), made.blurred, poses.estimator,
    )  # fmt: skip
    write_json(told, asdict(prepared))
    return prepared


def prepare_all(
    items: tuple[Item, ...], work: Path, poses: Path, *, blur_faces: bool, workers: int | None, report: Report,
    ray: str | None = None,
) -> dict[str, Prepared]:  # fmt: skip
    """`prepare` for all items, spread over processes or a Ray cluster; item id → what came out.

    What takes longest is begun first.
    """
    jobs = [Job(item, work, poses, blur_faces) for item in items]
    jobs.sort(key=lambda job: (-job.item.path.stat().st_size, job.item.id))
    done: dict[str, Prepared] = {}
    for number, prepared in spread(prepare, jobs, workers, ray=ray):
        done[jobs[number].item.id] = prepared
        report("encoding", len(done), len(jobs))
    return {item.id: done[item.id] for item in items}


def level_groups(items: tuple[Item, ...], prepared: dict[str, Prepared]) -> dict[str, list[int]]:
    """Item id → packet sizes, the same for a recording and everything made with its motion."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.source, []).append(item)
    sizes: dict[str, list[int]] = {}
    for group in groups.values():
        of_group = [prepared[item.id] for item in group]
        pixels = [one.size[0] * one.size[1] for one in of_group]
        levels = common_sizes([one.sizes for one in of_group], pixels)
        sizes.update({item.id: level for item, level in zip(group, levels, strict=True)})
    return sizes


def out_of_step(items: tuple[Item, ...], prepared: dict[str, Prepared]) -> dict[str, str]:
    """Fakes that do not show the times of their source, frame for frame: id → why."""
    found = {}
    for item in items:
        if item.label == "fake":
            mine, source = prepared[item.id], prepared[item.source]
            if mine.frames != source.frames:
                found[item.id] = f"it has {mine.frames} frames, its source {item.source} has {source.frames}"
            elif max(abs(a - b) for a, b in zip(mine.times, source.times, strict=True)) > 0.002:
                found[item.id] = f"its frames are shown at other times than those of its source {item.source}"
            elif item.pair is not None and mine.size != prepared[item.pair].size:
                found[item.id] = f"its pictures have another size than those of its pair {item.pair}"
    return found


@dataclass(frozen=True)
class _Filling:
    source: Path
    out: Path
    sizes: tuple[int, ...]
    timing: Path


def _fill(job: _Filling) -> Levelled:
    told = job.out.with_suffix(".json")
    if job.out.is_file() and told.is_file():
        known = json.loads(told.read_text("utf-8"))
        if sha256_file(job.out) == known["sha256"]:
            return Levelled(job.out, known["sha256"], known["bytes"])
    # A file of a release may be a second name of this one: it is replaced, never written into.
    fill(job.source, job.out, job.sizes, job.timing)
    made = Levelled(job.out, sha256_file(job.out), job.out.stat().st_size)
    write_json(told, {"sha256": made.sha256, "bytes": made.size_bytes})
    return made


def level_all(
    items: tuple[Item, ...], prepared: dict[str, Prepared], work: Path, *, workers: int | None, report: Report,
    ray: str | None = None,
) -> dict[str, Levelled]:  # fmt: skip
    """The released file of every item."""
    sizes = level_groups(items, prepared)
    jobs = []
    for item in items:
        mine, source = prepared[item.id].key, prepared[item.source].key
        key = digest([mine, source, sizes[item.id]])[:40]
        jobs.append(
            _Filling(
                work / f"{mine}.mp4", work / f"{key}-level.mp4", tuple(sizes[item.id]), work / f"{source}.mp4"
            )
        )
    done: dict[str, Levelled] = {}
    for number, levelled in spread(_fill, jobs, workers, ray=ray):
        done[items[number].id] = levelled
        report("levelling", len(done), len(jobs))
    return done


def prune(work: Path, prepared: dict[str, Prepared], levelled: dict[str, Levelled]) -> None:
    """Remove what this build did not use."""
    used = {f"{one.key}{suffix}" for one in prepared.values() for suffix in (".mp4", ".json")}
    for file in levelled.values():
        used |= {file.path.name, file.path.with_suffix(".json").name}
    for path in work.iterdir():
        if path.name not in used:
            path.unlink()


def fingerprints(items: tuple[Item, ...], prepared: dict[str, Prepared]) -> dict[str, Fingerprint]:
    """Of each recording, by id."""
    return {
        item.id: Fingerprint.from_hex(prepared[item.id].fingerprint) for item in items if item.label == "real"
    }


def _read(path: Path) -> Prepared | None:
    try:
        data: dict[str, Any] = json.loads(path.read_text("utf-8"))
        made = Prepared(**data)
    except (ValueError, TypeError):
        return None  # of another version: made again
    return replace(made, size=(made.size[0], made.size[1]), times=tuple(made.times), sizes=tuple(made.sizes))
