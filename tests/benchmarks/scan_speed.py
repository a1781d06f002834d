"""Time to scan a video against time only to decode what the scan looks at, side by side.

    python tests/benchmarks/scan_speed.py [VIDEO] [--rounds 5] [--model DIR]

Makes a 60-second 1920×1080 H.264 file from VIDEO (a filmed mannequin if none is given). Each round runs, one after the
other and each in a process of its own:

    decode    the pairs of frames that the scan looks at, by `read_pairs`, and nothing else
    scan      the same file by an open `Scanner`, without its start
    command   ``fakedetect scan FILE``, with everything
    through   every frame of the file, decoded but not turned into RGB

Wall time says what somebody waits for on an idle machine, processor time what it costs wherever it runs. The medians of
all rounds are compared: other work on the machine then meets all of them alike.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

KINDS = ("decode", "scan", "command", "through")


def measure(run: Callable[[], int]) -> dict[str, float]:
    """Seconds, processor seconds and frames of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    frames = run()
    return {
        "wall": time.perf_counter() - wall,
        "processor": time.process_time() - processor,
        "frames": frames,
    }


def decode(path: Path, looks: list[list[float]]) -> int:
    """Read pairs as a scan does, each look at once; returns the number of pictures."""
    from dataset.video import read_pairs

    return sum(2 for times in looks for _ in read_pairs(path, times))


def through(path: Path) -> int:
    """Decode everything."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


def child(kind: str, path: Path, looks: list[list[float]], model: Path | None) -> dict[str, Any]:
    """One measurement, in this process."""
    if kind == "decode":
        import dataset.video  # noqa: F401  # importing is start-up, not decoding

        return measure(lambda: decode(path, looks))
    if kind == "through":
        import av  # noqa: F401

        return measure(lambda: through(path))
    begin, processor = time.perf_counter(), time.process_time()
    import torch

    from forensics.detectors import load_detector
    from forensics.scanning import look, scanner

    torch.set_num_threads(1)  # as the command does
    found: list[list[float]] = []
    read = look.read_pairs

    def watched(asked: Path, times: list[float], **settings: Any) -> Any:
        found.append([float(moment) for moment in times])
        return read(asked, times, **settings)

    look.read_pairs = watched  # type: ignore[assignment]
    with scanner.Scanner(load_detector(model)) as opened:
        start = {"wall": time.perf_counter() - begin, "processor": time.process_time() - processor}
        told = measure(lambda: 2 * opened.scan(path).pairs)
        return told | {"start": start, "looks": found}


def in_process_of_its_own(command: list[str]) -> tuple[dict[str, Any], str]:
    """Wall and processor seconds and the largest resident memory of a process, and what it printed."""
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    told = {
        "wall": time.perf_counter() - begin,
        "processor": usage.ru_utime + usage.ru_stime,
        "mb": usage.ru_maxrss / 1024,
    }
    return told, printed


def run(kind: str, path: Path, looks: list[list[float]], model: Path | None) -> dict[str, Any]:
    """One measurement, in a process of its own."""
    options = [] if model is None else ["--model", str(model)]
    if kind == "command":
        return in_process_of_its_own([sys.executable, "-m", "cli.fakedetect", "scan", str(path), *options])[0]
    told, printed = in_process_of_its_own(
        [sys.executable, __file__, str(path), "--child", kind, "--looks", json.dumps(looks), *options]
    )
    return told | json.loads(printed.splitlines()[-1])


def table(runs: dict[str, list[dict[str, Any]]], duration: float) -> None:
    """Medians, and what they are in decodings."""
    base = {unit: statistics.median(one[unit] for one in runs["decode"]) for unit in ("wall", "processor")}
    print(
        f"{'':10}{'wall s':>9}{'× decode':>10}{'cpu s':>9}{'× decode':>10}{'× video':>9}{'MB':>7}{'frames/s':>10}"
    )
    for kind in KINDS:
        middle = {
            unit: statistics.median(one[unit] for one in runs[kind]) for unit in ("wall", "processor", "mb")
        }
        frames = runs[kind][0].get("frames")
        speed = "" if frames is None else f"{frames / middle['wall']:10.0f}"
        print(
            f"{kind:10}{middle['wall']:9.2f}{middle['wall'] / base['wall']:10.2f}{middle['processor']:9.2f}"
            f"{middle['processor'] / base['processor']:10.2f}{middle['wall'] / duration:9.3f}{middle['mb']:7.0f}{speed}"
        )
    start = {
        unit: statistics.median(one["start"][unit] for one in runs["scan"]) for unit in ("wall", "processor")
    }
    print(
        f"start-up  {start['wall']:9.2f}{'':10}{start['processor']:9.2f}   imports, detector, pose estimator"
    )


def main() -> None:
    """Make the file, run the rounds, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", type=Path)
    parser.add_argument(
        "--as-it-is", action="store_true", help="measure VIDEO itself, not a minute made from it"
    )
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--looks", default="[]", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(given.child, given.video, json.loads(given.looks), given.model)))
        return
    from scan_memory import FPS, film_source, one_minute

    from dataset.video import VideoInfo

    with tempfile.TemporaryDirectory() as folder:
        path = given.video
        if not given.as_it_is:
            path = Path(folder) / "minute.mp4"
            one_minute(given.video or film_source(Path(folder), FPS), path)
        looks = run("scan", path, [], given.model)["looks"]  # also warms the disk
        runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for _ in range(given.rounds):
            for kind in KINDS:
                runs[kind].append(run(kind, path, looks, given.model))
        info = VideoInfo.from_path(path)
        pairs = sum(map(len, looks))
        print(
            f"{info.width}×{info.height} {info.codec}, {info.duration:.0f} s, {pairs} pairs of frames, ",
            end="",
        )
        print(f"{len(os.sched_getaffinity(0))} processors, {given.rounds} rounds")
        table(runs, info.duration)


if __name__ == "__main__":
    main()
