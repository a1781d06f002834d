"""Resident memory of transferring long sources: how it grows with the length.

    python tests/benchmarks/transfer_memory.py [VIDEO]

Trains a tiny generator of a mannequin, makes sources of one and four minutes by repeating the packets of a short clip
(VIDEO, or a filmed mannequin), and transfers both, each in a process of its own. The clip's poses are put into the
cache the same number of times, so that the figures are those of reading, normalising, painting, writing and signing;
finding poses holds one frame at a time as well (`scan_memory.py`), and what it keeps is the same key points.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np

from dataset.files import sha256_file
from dataset.mannequin import Performer, film
from dataset.pose import PoseSequence, cached_poses
from dataset.pose.cache import cache_key
from synthesis.config import DataConfig, NetworkConfig, SynthesisConfig, preset
from synthesis.train import train

FPS = 25
MINUTES = (1, 4)


def tiny() -> SynthesisConfig:
    """The compact preset, much smaller: it paints badly, and soon."""
    compact = preset("compact")
    schedule = replace(compact.schedule, steps=2, precision="float32")
    network = NetworkConfig(width=8, thin=8, ndf=8)
    return replace(compact, data=DataConfig(height=64), network=network, schedule=schedule)


def repeat(source: Path, out: Path, times: int) -> None:
    """The same packets again and again, with timestamps that go on."""
    with av.open(str(out), "w") as target, av.open(str(source)) as given:
        video = given.streams.video[0]
        stream = target.add_stream_from_template(video)
        packets = [(bytes(p), p.pts, p.dts, p.is_keyframe) for p in given.demux(video) if p.dts is not None]
        length = round(len(packets) / FPS / video.time_base)
        for turn in range(times):
            for data, pts, dts, key in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = stream, video.time_base, key
                packet.pts, packet.dts = pts + turn * length, dts + turn * length
                target.mux(packet)


def lengthen(poses: PoseSequence, times: int, sha256: str) -> PoseSequence:
    """The key points of the repeated clip."""
    count = len(poses)
    parts = {name: np.concatenate([points] * times) for name, points in poses.parts().items()}
    return replace(poses, times=np.arange(count * times) / FPS, video_sha256=sha256, **parts)


def transfer(model: Path, source: Path, out: Path, cache: Path) -> tuple[float, float]:
    """Seconds, and the largest resident memory in MB, of one ``synthesize transfer`` in a process of its own."""
    begin = time.monotonic()
    code = "from cli.synthesize import main; main()"
    options = [
        "transfer",
        str(model),
        str(source),
        "--out",
        str(out),
        "--cache",
        str(cache),
        "--threads",
        "1",
    ]
    process = subprocess.Popen([sys.executable, "-c", code, *options], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"the transfer of {source.name} failed")
    return time.monotonic() - begin, usage.ru_maxrss / 1024


def main() -> None:
    """Print a line for each length, and the growth."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        film(root / "target.mp4", Performer.from_seed(3), "dance", seconds=2, fps=12, size=(240, 320))
        train([root / "target.mp4"], root / "model", tiny(), subject="dancer")
        source = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "clip.mp4"
        if len(sys.argv) == 1:
            film(source, Performer.from_seed(8), "wave", seconds=4, fps=FPS, size=(240, 320))
        poses = cached_poses(source, root / "cache")
        memory = []
        for minutes in MINUTES:
            long = root / f"{minutes}_minutes.mp4"
            times = round(minutes * 60 * FPS / len(poses))
            repeat(source, long, times)
            digest = sha256_file(long)
            lengthen(poses, times, digest).save(root / "cache" / f"{cache_key(digest, 'holistic')}.npz")
            seconds, used = transfer(root / "model", long, root / f"out_{minutes}.mp4", root / "cache")
            size = (root / f"out_{minutes}.mp4").stat().st_size / 1e6
            memory.append((times * len(poses), used))
            print(
                f"{times * len(poses)} frames: {seconds:.0f} s, {used:.0f} MB resident, {size:.1f} MB written"
            )
        (few, low), (many, high) = memory
        print(f"growth: {(high - low) * 1e6 / (many - few) / 1e3:.1f} kB a frame")


if __name__ == "__main__":
    main()
