"""What training will cost, from a few steps of the real thing on this machine."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from dataset.pose.keypoints import PoseSequence
from synthesis.config import SynthesisConfig
from synthesis.densepose import StickFigures
from synthesis.recording import Prepared
from synthesis.stage import World
from synthesis.train import build_stages
from synthesis.windows import choose_shape, extents, follow

#: Steps of each kind that are timed, after one that is not.
_STEPS = 2
#: Frames that the probe trains on; how many there are makes no difference to a step.
_FRAMES = 8
#: Frames are kept a little larger than the window, see `synthesis.recording`.
_OVERSAMPLING = 1.1


@dataclass(frozen=True)
class Cost:
    """Of training a target on this machine.

    Attributes:
        step: seconds of a step, the mean over the run.
        steps: of the preset.
        threads: CPU threads that were used.
        memory: bytes of the process at the most, everything included.
        disk: bytes of the frames that are kept while training.
        shape: width and height of the window.
    """

    step: float
    steps: int
    threads: int
    memory: int
    disk: int
    shape: tuple[int, int]

    @property
    def seconds(self) -> float:
        """Of the whole run."""
        return self.step * self.steps


def probe(
    poses: PoseSequence, plate: npt.NDArray[np.uint8], config: SynthesisConfig, path: Path
) -> Cost | None:
    """Train for a few steps on the plate and time them; what is learned is thrown away.

    Args:
        poses: the target's cleaned poses.
        plate: (H, W, 3) uint8, its background.
        config: what would be trained.
        path: of the recording.

    Returns:
        None if there are too few frames with the person one after the other.
    """
    present = poses.present()
    runs = np.convolve(present, np.ones(_FRAMES), "valid") == _FRAMES
    if not runs.any():
        return None
    first = int(np.argmax(runs))
    shape = choose_shape(extents(poses), config.data.height)
    windows = follow(poses, shape, config.data.margin)
    scale = min(1.0, _OVERSAMPLING * shape[1] / float(np.median(windows.height[present])))
    size = (max(round(plate.shape[1] * scale), 8), max(round(plate.shape[0] * scale), 8))
    few = poses[first : first + _FRAMES]
    prepared = Prepared(
        path=path,
        sha256="",
        poses=few,
        windows=follow(few, shape, config.data.margin),
        frames=np.zeros((_FRAMES, size[1], size[0], 3), np.uint8),
        silhouettes=np.zeros((_FRAMES, size[1], size[0]), np.uint8),
        told=np.zeros(_FRAMES, np.bool_),
        scale=scale,
        plate=plate,
        usable=np.arange(2, _FRAMES),
        labels=StickFigures(few, config.data.face),
    )
    stage = build_stages(config, [prepared], torch.device("cpu"), World())[0]
    seconds = []
    for share in (0.0, 0.99):  # before and after the adversarial part begins
        stage.step(0, share)
        begin = time.perf_counter()
        for index in range(_STEPS):
            stage.step(index, share)
        seconds.append((time.perf_counter() - begin) / _STEPS)
    warmup = config.schedule.warmup
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(
        step=warmup * seconds[0] + (1 - warmup) * seconds[1],
        steps=config.schedule.steps,
        threads=torch.get_num_threads(),
        memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        disk=len(poses) * size[0] * size[1] * 4,
        shape=shape,
    )
