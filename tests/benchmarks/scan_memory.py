"""Resident memory and time of scanning long 1080p files, one minute against ten.

    python tests/benchmarks/scan_memory.py [VIDEO]

Makes a 60-second 1920×1080 H.264 file from VIDEO (a filmed mannequin if none is given), repeats its packets to ten
minutes, and scans both with the shipped detector, each in a process of its own.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import cv2
import numpy as np

from dataset.mannequin import Performer, film
from dataset.video import VideoWriter, read_frames

SIZE = (1920, 1080)
FPS = 25


def fit(image: np.ndarray) -> np.ndarray:
    """The picture at full height in the middle of a 1920×1080 frame."""
    scale = min(SIZE[0] / image.shape[1], SIZE[1] / image.shape[0])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    left, top = (SIZE[0] - size[0]) // 2, (SIZE[1] - size[1]) // 2
    canvas = np.full((SIZE[1], SIZE[0], 3), 96, np.uint8)
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(image, size)
    return canvas


def film_source(folder: Path, fps: int) -> Path:
    """A mannequin that dances for four seconds."""
    path = folder / "mannequin.mp4"
    film(path, Performer.from_seed(2), "dance", seconds=4, fps=fps, size=(360, 480))
    return path


def one_minute(source: Path, out: Path) -> None:
    """The source, looped to a minute."""
    pictures = [fit(frame.image) for frame, _ in zip(read_frames(source), range(8 * FPS), strict=False)]
    with VideoWriter(out, SIZE, fps=FPS, crf=23, preset="veryfast") as writer:
        for picture, _ in zip(itertools.cycle(pictures), range(60 * FPS), strict=False):
            writer.write(picture)


def repeat(source: Path, out: Path, times: int) -> None:
    """The same packets again and again, with timestamps that go on."""
    with av.open(str(out), "w") as target:
        stream = None
        offset = 0
        for _ in range(times):
            with av.open(str(source)) as container:
                video = container.streams.video[0]
                if stream is None:
                    stream = target.add_stream_from_template(video)
                length = round(60 / video.time_base)
                for packet in container.demux(video):
                    if packet.dts is None:
                        continue
                    packet.pts += offset
                    packet.dts += offset
                    packet.stream = stream
                    target.mux(packet)
                offset += length


def scan(path: Path) -> tuple[float, float]:
    """Seconds, and the largest resident memory in MB, of one ``fakedetect scan`` in a process of its own."""
    begin = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "cli.fakedetect", "scan", str(path)])
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"the scan of {path.name} failed")
    return time.monotonic() - begin, usage.ru_maxrss / 1024


def main() -> None:
    """Print a line for each length."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        source = Path(sys.argv[1]) if len(sys.argv) > 1 else film_source(root, FPS)
        one_minute(source, root / "minute.mp4")
        repeat(root / "minute.mp4", root / "ten.mp4", 10)
        for name in ("minute.mp4", "ten.mp4"):
            begin = time.monotonic()
            frames = sum(1 for _ in read_frames(root / name))
            reading = time.monotonic() - begin
            seconds, memory = scan(root / name)
            print(
                f"{name}: {frames} frames, read in {reading:.1f} s, scanned in {seconds:.1f} s, {memory:.0f} MB"
            )


if __name__ == "__main__":
    main()
