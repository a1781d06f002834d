"""Processor seconds that a video costs: decoding by resolution and codec, poses by resolution, scanning.

    python tests/benchmarks/scale_costs.py [VIDEO] [--each FOLDER] [--json FILE]

The start of VIDEO (a filmed mannequin if none is given) is scaled and encoded in each way, and what it costs is
counted in processor time of this process, all threads together, which other work on the machine disturbs little.
With --each every video in a folder is scanned: the distribution that
tests/benchmarks/scale_simulation.py replays.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from dataset.mannequin import Performer, film
from dataset.pose import estimate_poses
from dataset.video import read_frames

FRAMES = 50
SIZES = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080)}
CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "H.264": ("libx264", {"preset": "veryfast", "crf": "23"}),
    "H.265": ("libx265", {"preset": "ultrafast", "crf": "26", "x265-params": "log-level=none"}),
    "VP9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "crf": "33", "b": "0"}),
    "AV1": ("libsvtav1", {"preset": "12", "crf": "35"}),
}


def fit(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture at full height in the middle of a frame of that size."""
    scale = min(size[0] / image.shape[1], size[1] / image.shape[0])
    inner = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas = np.full((size[1], size[0], 3), 96, np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner)
    return canvas


def encode(pictures: list[np.ndarray], size: tuple[int, int], codec: str, out: Path) -> None:
    """The pictures at 25 a second."""
    name, settings = CODECS[codec]
    with av.open(str(out), "w") as container:
        stream = container.add_stream(name, rate=25, options=settings)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(fit(picture, size), format="rgb24")))
        container.mux(stream.encode(None))


def cost(work: Callable[[], Any]) -> float:
    """Processor seconds."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def each_of(folder: Path) -> list[dict[str, float]]:
    """Size, length and cost of every video in a folder that can be scanned."""
    from dataset.errors import DanceproofError
    from dataset.video import VideoInfo
    from dataset.work import items_from
    from forensics.detectors import load_detector
    from forensics.scan import Scanner

    found = []
    with Scanner(load_detector(None), pairs=20) as scanner:
        for item in items_from([folder], {".mp4", ".mkv", ".avi"}):
            path = Path(item.uri)
            info = VideoInfo.from_path(path)
            try:
                scan = cost(lambda path=path: scanner.scan(path))
            except DanceproofError as error:
                print(f"not scanned: {error}", file=sys.stderr)
                continue
            found.append({
                "scan_s": round(scan, 3), "bytes": info.size_bytes, "seconds": round(info.duration, 2),
                "frames": info.frame_count, "height": info.height,
            })  # fmt: skip
            print(f"{path.name}: {scan:.2f} s", file=sys.stderr, flush=True)
    mean = sum(one["scan_s"] for one in found) / len(found)
    print(f"\n{len(found)} videos: {mean:.2f} s of a processor to scan one, "
          f"{min(one['scan_s'] for one in found):.2f} to {max(one['scan_s'] for one in found):.2f}")  # fmt: skip
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("--each", type=Path, help="folder of videos to measure one by one")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table: dict[str, Any] = {"decode_ms": {}, "bytes": {}, "pose_ms": {}, "scan_s": {}}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        source = options.video or root / "mannequin.mp4"
        if options.video is None:
            film(source, Performer.from_seed(2), "dance", seconds=2.0, fps=25.0, size=(480, 640))
        pictures = [frame.image for frame, _ in zip(read_frames(source), range(FRAMES), strict=False)]
        pictures = (pictures * FRAMES)[:FRAMES]
        available = [codec for codec, (name, _) in CODECS.items() if name in av.codecs_available]
        print("ms of a processor for a frame, decoded and turned to RGB\n")
        print("| | " + " | ".join(available) + " |\n|-|" + "-:|" * len(available))
        for label, size in SIZES.items():
            row = []
            for codec in available:
                path = root / f"{label}-{codec}.mp4"
                encode(pictures, size, codec, path)
                costs = [cost(lambda path=path: sum(1 for _ in read_frames(path))) for _ in range(3)]
                row.append(1000 * min(costs) / FRAMES)
                table["bytes"][f"{label} {codec}"] = path.stat().st_size
                table["decode_ms"][f"{label} {codec}"] = row[-1]
            print(f"| {label} | " + " | ".join(f"{value:.1f}" for value in row) + " |", flush=True)
        from forensics.detectors import load_detector
        from forensics.scan import Scanner

        print("\n| | poses, ms a frame | scan of 20 frame pairs, s a video |\n|-|-:|-:|")
        estimate_poses(root / "360p-H.264.mp4")
        with Scanner(load_detector(None), pairs=20) as scanner:
            scanner.scan(root / "360p-H.264.mp4")
            for label in SIZES:
                path = root / f"{label}-H.264.mp4"
                poses = 1000 * cost(lambda path=path: estimate_poses(path)) / FRAMES
                scan = min(cost(lambda path=path: scanner.scan(path)) for _ in range(2))
                table["pose_ms"][label], table["scan_s"][label] = poses, scan
                print(f"| {label} | {poses:.0f} | {scan:.2f} |", flush=True)
    if options.each:
        table["videos"] = each_of(options.each)
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
