"""Scans files in a process of its own and tells of each what came out, how long it took and how much memory.

    python tests/mutated_scan.py FILE…          one JSON object a line

Everything is as in a scan, but for the pose estimator: a stand-in that sees somebody in the middle of each picture.
With ``--real`` it is the real one.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import torch

from dataset.errors import DanceproofError
from dataset.pose.keypoints import B
from forensics.calibrate import Calibration
from forensics.detectors.patch import PatchConfig, PatchDetector
from forensics.scan import Scanner

#: What a scan may take beyond what the process has when it begins. A tenth is what it takes.
ADDRESS_SPACE = 3_000_000_000
_POSE = {
    "Nose": (0.5, 0.13), "REye": (0.48, 0.11), "LEye": (0.52, 0.11), "REar": (0.46, 0.12), "LEar": (0.54, 0.12),
    "Neck": (0.5, 0.22), "RShoulder": (0.4, 0.23), "LShoulder": (0.6, 0.23), "RElbow": (0.36, 0.38),
    "LElbow": (0.64, 0.38), "RWrist": (0.34, 0.5), "LWrist": (0.66, 0.5), "MidHip": (0.5, 0.53), "RHip": (0.45, 0.53),
    "LHip": (0.55, 0.53), "RKnee": (0.45, 0.73), "LKnee": (0.55, 0.73), "RAnkle": (0.45, 0.92), "LAnkle": (0.55, 0.92),
}  # fmt: skip


class Somebody:
    """Sees one person, who fills the picture, wherever it is asked to look."""

    def find(self, image: np.ndarray) -> list[np.ndarray]:
        body = np.zeros((25, 3), np.float32)
        for name, (x, y) in _POSE.items():
            body[B[name]] = x * image.shape[1], y * image.shape[0], 0.9
        return [body]

    def __enter__(self) -> Somebody:
        return self

    def __exit__(self, *error: object) -> None:
        return


def open_scanner(*, real: bool) -> Scanner:
    """A scanner with a tiny network that somebody has calibrated."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    detector = PatchDetector(PatchConfig(window=64, ndf=4))
    detector.calibration = Calibration(1.0, 0.0, 0.9, 0.2, 1e6, 0.01, 0.05, 8, 8, 4, "made for a test")
    scanner = Scanner(detector, pairs=4)
    if not real:
        scanner._finder = Somebody()  # type: ignore[assignment]
    return scanner


def main() -> None:
    """Tell of each file on the command line."""
    files = [argument for argument in sys.argv[1:] if argument != "--real"]
    with open_scanner(real="--real" in sys.argv) as scanner:
        limit = _kilobytes("VmSize") * 1024 + ADDRESS_SPACE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for name in files:
            print(json.dumps({"file": name, "begins": True}), flush=True)
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            before, begin = _kilobytes("VmRSS"), time.monotonic()
            try:
                result = scanner.scan(name)
                json.dumps(result.to_dict(), allow_nan=False)
                told, kind = f"{result.verdict}: {'; '.join(result.reasons)}", "result"
            except DanceproofError as error:
                told, kind = str(error), "error"
            except BaseException:
                told, kind = traceback.format_exc(), "traceback"
            memory = (_kilobytes("VmHWM") - before) / 1024
            seconds = time.monotonic() - begin
            print(
                json.dumps({"file": name, "kind": kind, "told": told, "seconds": seconds, "mb": memory}),
                flush=True,
            )


def _kilobytes(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise KeyError(name)


if __name__ == "__main__":
    main()
