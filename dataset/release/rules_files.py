"""Rules about files and tables: everything is there, whole, and says the same."""

from __future__ import annotations

import json

from dataset.release.manifest import files_of
from dataset.release.opened import Opened
from dataset.release.rules import Found, rule
from dataset.release.tables import CONFIGS, features

#: Seconds by which a frame's time may differ between a row and the file.
_TICK = 1e-4


@rule("manifest", sturdy=True)
def manifest(release: Opened) -> Found:
    """The manifest lists every file, and nothing else."""
    there = set(files_of(release.root))
    for name in sorted(there - set(release.manifest)):
        yield name, "is not in the manifest"
    for name in sorted(set(release.manifest) - there):
        yield name, "is in the manifest, but not there"


@rule("hashes", sturdy=True)
def hashes(release: Opened) -> Found:
    """Every file has the length and the SHA-256 that the manifest says."""
    for name, sha256 in sorted(release.hashes.items()):
        if name not in release.manifest:
            continue
        if (size := (release.root / name).stat().st_size) != release.manifest[name]["bytes"]:
            yield name, f"has {size} bytes, the manifest says {release.manifest[name]['bytes']}"
        elif sha256 != release.manifest[name]["sha256"]:
            yield (
                name,
                f"has SHA-256 {sha256[:12]}…, the manifest says {release.manifest[name]['sha256'][:12]}…",
            )


@rule("schema", sturdy=True)
def schema(release: Opened) -> Found:
    """Tables have the columns they should, and rows, files and release.json name the same things."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    yield from release.faults
    for config in CONFIGS:
        wanted = features(config).arrow_schema
        for path in release.shards(config):
            name = release.relative(path)
            try:
                found = pq.read_schema(path)
            except (pa.ArrowException, OSError, ValueError) as error:
                yield name, f"cannot be read ({str(error).splitlines()[0]})"
                continue
            if not found.equals(wanted):
                yield name, f"has other columns than {config} should have"
            elif (found.metadata or {}).get(b"huggingface") != wanted.metadata[b"huggingface"]:
                yield name, "has columns of other types than it should, for datasets"
    if release.faults:
        return
    for name, reason in release.unreadable.items():
        yield name, f"cannot be read ({reason})"
    yield from _rows(release)


def _rows(release: Opened) -> Found:
    ids = [row["id"] for row in release.videos]
    for name in sorted({name for name in ids if ids.count(name) > 1} if len(set(ids)) < len(ids) else ()):
        yield name, "stands in more than one row"
    files = {release.file_of(row) for row in release.videos}
    for name in sorted(set(release.seen) - files):
        yield name, "is a video without a row"
    for name in sorted(files - set(release.seen)):
        yield name, "is named in a row, but there is no such video"
    listed = set(release.told.get("items", {}))
    if listed != set(ids):
        yield "release.json", f"lists {len(listed)} videos, the tables have {len(set(ids))}"
    known = {row["id"]: row for row in release.videos}
    for row in release.videos:
        if row["label"] == 1 and row["source"] not in known:
            yield row["id"], f"has the motion of {row['source']}, which is not in the release"
    paired = {row["id"]: row["pair"] for row in release.videos if row["pair"] is not None}
    for row in release.rows["pairs"]:
        if paired.pop(row["id"], None) != row["real_id"]:
            yield row["id"], "stands in pairs, but not as a pair in recordings"
    for name in sorted(paired):
        yield name, "is a pair in recordings, but does not stand in pairs"


@rule("same video")
def same_video(release: Opened) -> Found:
    """A row's hash, the video inside the row and the file beside it are of the same bytes."""
    columns = {"recordings": {"video": "sha256"}, "pairs": {"real": "real_sha256", "fake": "fake_sha256"}}
    for config, hashes_of in columns.items():
        for row in release.rows[config]:
            for column, of in hashes_of.items():
                seen = release.seen.get(release.file_of(row, column))
                if row[column]["embedded"] != row[of]:
                    yield (
                        row["id"],
                        f"the video inside the row of {config} is not the one whose hash it gives",
                    )
                if seen is not None and seen.sha256 != row[of]:
                    yield (
                        row["id"],
                        f"the file {release.file_of(row, column)} is not the one whose hash {config} gives",
                    )


@rule("decodes", sturdy=True)
def decodes(release: Opened) -> Found:
    """Every frame of every video can be decoded."""
    for name, seen in release.seen.items():
        if seen.problem:
            yield name, seen.problem


@rule("frames")
def frames(release: Opened) -> Found:
    """Rows tell the size, the number and the times of the frames that are in the files, and have poses for each."""
    for row in release.videos:
        seen = release.seen.get(release.file_of(row))
        if seen is None or seen.problem:
            continue
        if len(seen.times) != row["frames"] or len(row["times"]) != row["frames"]:
            yield row["id"], f"has {len(seen.times)} frames, its row says {row['frames']}"
        elif max(abs(a - b) for a, b in zip(seen.times, row["times"], strict=True)) > _TICK:
            yield row["id"], "shows its frames at other times than its row says"
        if seen.size != (row["width"], row["height"]):
            yield row["id"], f"is {seen.size[0]}×{seen.size[1]}, its row says {row['width']}×{row['height']}"
        if len(row["keypoints"]) != row["frames"]:
            yield row["id"], f"has key points for {len(row['keypoints'])} of {row['frames']} frames"
    for row in release.videos:
        if (count := release.pose_frames.get(row["id"], 0)) != row["frames"]:
            yield row["id"], f"has {count} rows in poses and {row['frames']} frames"


@rule("lineage")
def lineage(release: Opened) -> Found:
    """Every fake leads back to a generator, to recordings in this release and to consent records that it names."""
    from dataset.release.items import digest

    consents = {name: digest(consent) for name, consent in release.told.get("consents", {}).items()}
    hashes = {row["id"]: json.loads(row["lineage"]) for row in release.videos}
    for row in release.videos:
        told = hashes[row["id"]]
        for name, sha256 in told.get("consent_sha256", {}).items():
            if consents.get(name) != sha256:
                yield row["id"], f"names a consent record of {name} that is not the one in release.json"
        if not told.get("consent_sha256"):
            yield row["id"], "names no consent record"
        if row["label"] == 1:
            motion = told.get("motion", {}).get("id")
            if motion != row["source"]:
                yield row["id"], f"has the motion of {row['source']}, its lineage says {motion}"
            if not told.get("generator", {}).get("model_sha256"):
                yield row["id"], "does not say which weights made it"
