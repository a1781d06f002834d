"""Videos an hour against workers, and the memory of each worker, for finding poses and for scanning.

    python tests/benchmarks/scale_throughput.py [VIDEO …] [--items 8] [--workers 1 2 4] [--rounds 2]

Every worker uses one thread. The numbers of workers take turns, round by round, so that what else the machine does hits
all of them; ratios to one worker say more than seconds do, and processor seconds an item tell whether workers are in
each other's way. Counted is the time from the first worker's being ready to
the last result, as models are loaded once however long a run is. Without a VIDEO, mannequins are filmed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from scale_tasks import Poses, Scans

from dataset.mannequin import Performer, film
from dataset.work import items_from, run_items

SUFFIXES = {".mp4", ".mkv", ".avi", ".mov", ".webm"}


def takes(folder: Path, videos: list[Path], count: int) -> None:
    """So many files to work on, copies of the videos."""
    folder.mkdir()
    if not videos:
        videos = [folder.parent / f"mannequin-{seed}.mp4" for seed in range(2)]
        for seed, video in enumerate(videos):
            film(video, Performer.from_seed(seed), "dance", seconds=2, fps=24.0, size=(360, 480), seed=seed)
    for number in range(count):
        source = videos[number % len(videos)]
        shutil.copyfile(source, folder / f"{number:03d}{source.suffix}")


def measure(folder: Path, task: Any, workers: int, out: Path) -> tuple[float, float, float]:
    """Seconds by the clock for all without the first of each worker, an item; processor seconds an item; and the
    largest worker in MB."""
    items = items_from([folder], SUFFIXES)
    times: list[float] = []

    def progress(done: int, failed: int, total: int) -> None:
        times.append(time.perf_counter())

    summary = run_items(items, task, out, workers=workers, progress=progress)
    assert not summary.failed, summary.failed
    results = [json.loads(path.read_text("utf-8"))["result"] for path in out.glob("*.json")]
    # The first report is that nothing is done; the next ones, one a worker, include the loading of the models.
    used = statistics.median(one["used"] for one in results)
    return (times[-1] - times[workers]) / (len(items) - workers), used, max(one["mb"] for one in results)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("videos", type=Path, nargs="*")
    parser.add_argument("--items", type=int, default=12)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--what", nargs="+", choices=["poses", "scan"], default=["poses", "scan"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    table: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}
    print(f"{table['cores']} cores, load {table['load']:.1f} before\n")
    print(
        "| | workers | s an item | times one worker | processor s an item | MB of a worker |\n|-|-:|-:|-:|-:|-:|"
    )
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        takes(root / "takes", options.videos, options.items)
        for name in options.what:
            task = Poses() if name == "poses" else Scans()
            found: dict[int, list[tuple[float, float, float]]] = {workers: [] for workers in options.workers}
            for turn in range(options.rounds):
                for workers in options.workers:
                    out = root / f"{name}-{turn}-{workers}"
                    found[workers].append(measure(root / "takes", task, workers, out))
            base = options.workers[0]
            for workers, all_ in found.items():
                each = statistics.median(one for one, _, _ in all_)
                used = statistics.median(one for _, one, _ in all_)
                # Round by round: both of a pair met the same machine.
                ratio = statistics.median(a[0] / b[0] for a, b in zip(found[base], all_, strict=True))
                memory = max(mb for _, _, mb in all_)
                table[f"{name} {workers}"] = {"seconds": each, "ratio": ratio, "used": used, "mb": memory}
                print(
                    f"| {name} | {workers} | {each:.2f} | {ratio:.2f} | {used:.2f} | {memory:.0f} |",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
