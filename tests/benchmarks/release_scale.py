"""What building and validating a large collection costs, against plain hashing and copying of the same bytes.

python tests/benchmarks/release_scale.py --videos 1000 --workers 2

The collection is made of a few films of a mannequin that are copied with other bytes (a `free` box at the end of the
MP4), so that every file has its own hash and is encoded, decoded and hashed on its own; their content repeats within a
subject only. Key points are those that the renderer knows, put where the cache of poses is: the time is that of
building, not of estimating poses. Prints a table in Markdown, and JSON with --json.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from dataset.collection import Collection, Consent, Subject
from dataset.collection.records import Recording
from dataset.files import sha256_file
from dataset.mannequin import Performer, film
from dataset.pose.cache import cache_key
from dataset.release.build import build
from dataset.release.validate import validate

SIZE, SECONDS, FPS = (240, 320), 1.0, 24.0


def make_collection(folder: Path, videos: int, subjects: int) -> Collection:
    """`videos` recordings of `subjects` mannequins; records are written directly, as `add_recording` would."""
    collection = Collection.create(folder, name="scale", licence="CC0-1.0", created="2026-05-01")
    per_subject = -(-videos // subjects)
    made = 0
    for number in range(subjects):
        name = f"s{number:03d}"
        collection.add_subject(Subject(name, Consent.mannequin()))
        first = folder / f"{name}.mp4"
        poses = film(
            first, Performer.from_seed(number), "dance", seconds=SECONDS, fps=FPS, size=SIZE, seed=number
        )
        content = first.read_bytes()
        first.unlink()
        template: Recording | None = None
        for take in range(min(per_subject, videos - made)):
            id = f"{name}-{take:03d}"
            path = folder / "subjects" / name / "recordings" / f"{id}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content + (16).to_bytes(4, "big") + b"free" + take.to_bytes(8, "big"))
            sha256 = sha256_file(path)
            if template is None:
                from dataset.video import VideoInfo

                info = VideoInfo.from_path(path)
                template = Recording(
                    id, name, f"subjects/{name}/recordings/{id}.mp4", sha256, info.size_bytes, info.average_fps,
                    info.duration, info.width, info.height, info.frame_count, "dance", mark="Rendered video: x",
                )  # fmt: skip
            record = replace(template, id=id, file=f"subjects/{name}/recordings/{id}.mp4", sha256=sha256)
            with collection.locked():
                collection.write(record)
            replace(poses, video_sha256=sha256).save(
                collection.poses_folder / f"{cache_key(sha256, 'holistic')}.npz"
            )
            made += 1
    return collection


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds by the clock, seconds of processor time of this process and its children, and what came out."""
    clock, used = time.perf_counter(), _processor()
    result = work()
    return time.perf_counter() - clock, _processor() - used, result


def _processor() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def copy_and_hash(collection: Collection, out: Path) -> int:
    """Copy every recording and take the hash of the copy; returns the bytes."""
    total = 0
    out.mkdir()
    for recording in collection.recordings():
        copy = out / f"{recording.id}.mp4"
        shutil.copyfile(collection.path_of(recording), copy)
        sha256_file(copy)
        total += copy.stat().st_size
    return total


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--subjects", type=int, default=20)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        collection = make_collection(root / "c", options.videos, options.subjects)
        rows: list[tuple[str, float, float]] = []
        clock, used, size = timed(lambda: copy_and_hash(collection, root / "copies"))
        rows.append(("copy and hash", clock, used))
        clock, used, release = timed(lambda: build(collection, workers=options.workers))
        rows.append(("build", clock, used))
        clock, used, findings = timed(lambda: validate(release, workers=options.workers))
        rows.append(("validate", clock, used))
        clock, used, _ = timed(lambda: build(collection, workers=options.workers))
        rows.append(("build again, nothing changed", clock, used))
        released = sum(path.stat().st_size for path in release.rglob("*") if path.is_file())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    base = rows[0][1]
    print(f"{options.videos} videos of {SECONDS} s at {SIZE[0]}×{SIZE[1]}, {size / 1e6:.1f} MB")
    print(f"release: {released / 1e6:.1f} MB")
    print("| | s | processor s | times copy and hash |\n|-|-:|-:|-:|")
    for what, clock, used in rows:
        print(f"| {what} | {clock:.1f} | {used:.1f} | {clock / base:.1f} |")
    print(f"peak memory: {peak:.0f} MB in the main process, {child:.0f} MB in the largest worker")
    errors = [finding for finding in findings if finding.severity == "error"]
    print(f"findings: {len(errors)} errors, {len(findings) - len(errors)} warnings")
    if options.json:
        told = {
            "videos": options.videos,
            "rows": rows,
            "peak_mb": peak,
            "worker_mb": child,
            "errors": len(errors),
        }
        options.json.write_text(json.dumps(told, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
