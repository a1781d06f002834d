"""What building, validating and publishing a large collection costs, against plain copying and hashing.

python tests/benchmarks/release_scale.py --videos 1000 --workers 2

The collection is made of a few films of a mannequin that are copied with other bytes (a `free` box at the end of the
MP4), so that every file has its own hash and is encoded, decoded and hashed on its own; their content repeats within a
subject only. Key points are those that the renderer knows, put where the cache of poses is: the time is that of
building, not of estimating poses. It is published to a hub on loopback, a process of its own whose processor time
is not counted, and read back from there. Prints a table in Markdown, and JSON with --json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from dataset.collection import Collection, Consent, Subject
from dataset.collection.records import Recording
from dataset.files import sha256_file
from dataset.hub import publish
from dataset.hub.manifest import read_release
from dataset.mannequin import Performer, film
from dataset.pose.cache import cache_key
from dataset.release.build import build
from dataset.release.validate import validate

SIZE, SECONDS, FPS = (240, 320), 1.0, 24.0
TOKEN = "hf_benchmark00"


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


@contextmanager
def loopback_hub(root: Path) -> Iterator[str]:
    """Address of a hub that a process of its own serves while it is needed; this process holds its owner's token."""
    import huggingface_hub.constants

    huggingface_hub.constants.HF_HUB_DISABLE_XET = True
    os.environ["HF_TOKEN"] = TOKEN
    command = [sys.executable, str(Path(__file__).parents[1] / "hub_server.py"), "--root", str(root)]
    server = subprocess.Popen(
        [*command, "--token", f"{TOKEN}:owner:studio"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


def peak() -> float:
    """Most memory that this process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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


def copy_release(release: Path, out: Path) -> int:
    """Copy every file of a release and take the hash of the copy; returns the bytes."""
    shutil.copytree(release, out)
    files = [path for path in out.rglob("*") if path.is_file()]
    for path in files:
        sha256_file(path)
    return sum(path.stat().st_size for path in files)


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
        rows: list[tuple[str, float, float, float]] = []

        def measure(what: str, work: Callable[[], Any]) -> Any:
            clock, used, result = timed(work)
            rows.append((what, clock, used, peak()))
            print(f"{what}: {clock:.1f} s", file=sys.stderr, flush=True)
            return result

        size = measure("copy and hash the recordings", lambda: copy_and_hash(collection, root / "copies"))
        release = measure("build", lambda: build(collection, workers=options.workers))
        measure("build again, nothing changed", lambda: build(collection, workers=options.workers))
        released = measure("copy and hash the release", lambda: copy_release(release, root / "again"))
        findings = measure("validate", lambda: validate(release, workers=options.workers))
        child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        with loopback_hub(root / "hub") as url:
            told = read_release(release)
            measure("publish, and read back", lambda: publish(told, "studio/scale", endpoint=url))
            measure("publish again, nothing changed", lambda: publish(told, "studio/scale", endpoint=url))
    bases = (rows[0][1], rows[3][1])
    print(f"{options.videos} videos of {SECONDS} s at {SIZE[0]}×{SIZE[1]}, {size / 1e6:.1f} MB")
    print(f"release: {released / 1e6:.1f} MB")
    print("| | s | processor s | × copying and hashing the recordings | × the release | peak MB so far |")
    print("|-|-:|-:|-:|-:|-:|")
    for what, clock, used, memory in rows:
        times = " | ".join(f"{clock / base:.1f}" for base in bases)
        print(f"| {what} | {clock:.1f} | {used:.1f} | {times} | {memory:.0f} |")
    print(f"peak memory of the largest worker: {child:.0f} MB")
    errors = [finding for finding in findings if finding.severity == "error"]
    print(f"findings: {len(errors)} errors, {len(findings) - len(errors)} warnings")
    if options.json:
        table = {
            "videos": options.videos,
            "rows": rows,
            "worker_mb": child,
            "errors": len(errors),
        }
        options.json.write_text(json.dumps(table, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
