"""Tasks for the benchmarks of scale: nothing, a wait, and finding poses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset.work import Item


@dataclass(frozen=True)
class Nothing:
    """Gives a small result at once, or after so many seconds."""

    seconds: float = 0.0

    @contextmanager
    def open(self) -> Iterator[Callable[[Item], dict[str, Any]]]:
        yield self.work

    def work(self, item: Item) -> dict[str, Any]:
        if self.seconds:
            time.sleep(self.seconds)
        return {"verdict": "real", "probability": 0.0625, "key": item.key}


@dataclass(frozen=True)
class Poses:
    """Finds a person's key points, as ``dataset poses`` does, and tells the worker's memory and time."""

    model: str = "holistic"

    @contextmanager
    def open(self) -> Iterator[Callable[[Item], dict[str, Any]]]:
        from dataset.pose import estimate_poses
        from dataset.video.limits import at_most_threads

        def work(item: Item) -> dict[str, Any]:
            begin = time.process_time()
            frames = len(estimate_poses(Path(item.uri), model=self.model))
            return {"frames": frames, "mb": peak_mb(), "used": time.process_time() - begin}

        with at_most_threads(1):
            yield work


@dataclass(frozen=True)
class Scans:
    """Scans a video with the detector that ships."""

    pairs: int = 20

    @contextmanager
    def open(self) -> Iterator[Callable[[Item], dict[str, Any]]]:
        import torch

        from dataset.video.limits import at_most_threads
        from forensics.detectors import load_detector
        from forensics.scan import Scanner

        torch.set_num_threads(1)
        with at_most_threads(1), Scanner(load_detector(None), pairs=self.pairs) as scanner:

            def work(item: Item) -> dict[str, Any]:
                begin = time.process_time()
                verdict = scanner.scan(Path(item.uri)).verdict
                return {"verdict": verdict, "mb": peak_mb(), "used": time.process_time() - begin}

            yield work


def peak_mb() -> float:
    """Most memory that this process has had so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
