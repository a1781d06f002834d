"""Whatever was done to a file, a scan gives a result or one clear line, in bounded time and memory."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from struct import pack
from threading import Thread
from typing import Any

import av
import pytest
from mutations import KINDS, mutants, originals

SCAN = Path(__file__).parents[1] / "mutated_scan.py"
EACH = 20
#: Seconds for one file; on an idle core the slowest takes a tenth of one.
TIME_LIMIT = 30.0
#: Megabytes beyond what the process has when a file begins.
MEMORY_LIMIT = 1000
Outcome = dict[str, Any]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return originals(tmp_path_factory.mktemp("whole"))


def test_three_hundred_damaged_files_give_a_result_or_one_clear_line(
    whole: dict[str, bytes], tmp_path: Path
) -> None:
    damages: dict[Path, str] = {}
    for name, data in whole.items():
        for number, (damage, mutant) in enumerate(mutants(data, EACH, seed=1)):
            path = tmp_path / f"{number:02d}_{name}"
            path.write_bytes(mutant)
            damages[path] = damage
    assert len(KINDS) >= 10
    assert len(damages) >= 300
    outcomes = _scan(list(damages))
    for path, damage in damages.items():
        _check(outcomes[path], f"{path.name} ({damage})")
    kinds = Counter(outcome["kind"] for outcome in outcomes.values())
    # Neither is everything refused, nor did the damage leave everything as it was.
    assert min(kinds["result"], kinds["error"]) >= 60
    assert sum("could be decoded" not in outcome["told"] for outcome in outcomes.values()) >= 60


def test_the_files_are_scanned_before_they_are_damaged(whole: dict[str, bytes], tmp_path: Path) -> None:
    """Otherwise the damaged ones would prove nothing."""
    paths = [tmp_path / name for name in whole]
    for path in paths:
        path.write_bytes(whole[path.name])
    for path, outcome in _scan(paths).items():
        assert outcome["kind"] == "result", f"{path.name}: {outcome['told']}"
        assert "person 1: " in outcome["told"]


def _wide_gif(side: int) -> bytes:
    """A GIF of a few bytes that announces a picture of `side` × `side` and paints 8 × 8 of it, four times."""
    screen, picture = pack("<HH", side, side), pack("<HH", 8, 8)
    image = b"\x21\xf9\x04\0\x05\0\0\0\x2c\0\0\0\0" + picture + b"\0\x02\x02\x44\x01\0"
    return b"GIF89a" + screen + b"\x80\0\0\0\0\0\xff\xff\xff" + image * 4 + b";"


def _many_tracks(whole: dict[str, bytes]) -> bytes:
    """An MP4 in which the track stands a thousand times."""
    data = whole["h264.mp4"]
    moov = data.index(b"moov") - 4
    track = data.index(b"trak") - 4
    size = int.from_bytes(data[track : track + 4], "big")
    copies = data[track : track + size] * 1000
    total = int.from_bytes(data[moov : moov + 4], "big") + len(copies)
    return data[:moov] + pack(">I", total) + data[moov + 4 : track] + copies + data[track:]


def _endless_table(whole: dict[str, bytes]) -> bytes:
    """An MP4 whose table of times announces four thousand million frames in one entry, an hour each."""
    data = bytearray(whole["h264.mp4"])
    entry = data.index(b"stts") + 12
    data[entry : entry + 8] = pack(">II", 0xFFFFFFFF, 0x7FFFFFFF)
    return bytes(data)


def _nested(whole: dict[str, bytes]) -> bytes:
    """Ten thousand boxes, each inside the last."""
    depth = 10_000
    head = b"".join(pack(">I", 8 * (depth - level) + 8) + b"moov" for level in range(depth))
    return whole["h264.mp4"][:32] + head + pack(">I", 8) + b"free"


def _shredded(whole: dict[str, bytes]) -> bytes:
    """A Matroska file with a frame that is cut into three hundred thousand pieces of a byte each."""
    written = io.BytesIO()
    with av.open(io.BytesIO(whole["h264.mp4"])) as source, av.open(written, "w", "matroska") as target:
        video = source.streams.video[0]
        stream = target.add_stream_from_template(video)
        for number, packet in enumerate(source.demux(video)):
            if packet.dts is None:
                continue
            kept = packet
            if number == 16:
                kept = av.Packet(pack(">IB", 1, 1) * 300_000)
                kept.pts, kept.dts, kept.time_base = packet.pts, packet.dts, packet.time_base
            kept.stream = stream
            target.mux(kept)
    return written.getvalue()


ABSURD: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "wide.gif": lambda _: _wide_gif(6300),
    "wider.gif": lambda _: _wide_gif(65_535),
    "tracks.mp4": _many_tracks,
    "table.mp4": _endless_table,
    "nested.mp4": _nested,
    "zeros.ts": lambda _: bytes(2_000_000),
    "sync.ts": lambda _: b"\x47" * 2_000_000,
    "marks.mpg": lambda _: b"\0\0\1\xba" * 200_000,
    "shredded.mkv": _shredded,
    "start.h264": lambda _: b"\0\0\0\1\x67" * 200_000,
}


@pytest.mark.parametrize("name", ABSURD)
def test_an_absurd_file_is_bounded(name: str, whole: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(ABSURD[name](whole))
    # The largest pictures that are let through take 160 MB each with their transparency, and several are needed.
    _check(_scan([path])[path], name, memory=1500 if name == "wide.gif" else MEMORY_LIMIT)


@pytest.mark.slow
def test_some_damaged_files_are_scanned_with_the_real_pose_estimator(
    whole: dict[str, bytes], tmp_path: Path
) -> None:
    paths = []
    for name in ("h264.mp4", "vp9.webm", "animation.gif"):
        for number, (_, mutant) in enumerate(mutants(whole[name], 8, seed=2)):
            paths.append(tmp_path / f"{number}_{name}")
            paths[-1].write_bytes(mutant)
    for path, outcome in _scan(paths, "--real").items():
        _check(outcome, path.name)


def _check(outcome: Outcome, what: str, memory: float = MEMORY_LIMIT) -> None:
    told = f"{what}: {outcome['told']}"
    assert outcome["kind"] in ("result", "error"), told
    if outcome["kind"] == "error":
        assert "\n" not in outcome["told"], told
        assert 20 < len(outcome["told"]) - len(outcome["file"]) < 250, told
        assert outcome["told"].startswith(outcome["file"]), told
    assert outcome["seconds"] < TIME_LIMIT, f"{outcome['seconds']:.1f} s for {told}"
    assert outcome["mb"] < memory, f"{outcome['mb']:.0f} MB for {told}"


def _scan(paths: list[Path], *options: str) -> dict[Path, Outcome]:
    """What a process that scans the files says of each; fails where it crashes, hangs or prints anything else."""
    command = [sys.executable, "-P", str(SCAN), *options, *map(str, paths)]
    outcomes: dict[Path, Outcome] = {}
    busy_with = "starting"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines: Queue[str] = Queue()
        said: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        readers = [
            Thread(target=lambda pipe=process.stdout: [lines.put(line) for line in pipe] + [lines.put("")]),
            Thread(target=lambda pipe=process.stderr: said.extend(pipe)),
        ]
        for reader in readers:
            reader.start()
        try:
            while line := lines.get(timeout=2 * TIME_LIMIT):
                told = json.loads(line)
                busy_with = told["file"]
                if "kind" in told:
                    outcomes[Path(told["file"])] = told
        except Empty:
            process.kill()
            pytest.fail(f"hangs with {busy_with}")
        finally:
            for reader in readers:
                reader.join()
    assert process.returncode == 0, f"died with {busy_with}: {''.join(said)[-2000:]}"
    assert "".join(said) == ""
    return outcomes
