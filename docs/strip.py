"""Make the picture of the README: real frames of a person, the stick figures found in them, and generated frames.

    python docs/strip.py MODEL RECORDING docs/strip.png

The generator is run over the whole recording from its first frame, each frame painted from the one before, and a few
frames are shown as they come out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from dataset.pose import cached_poses, clean
from dataset.video import read_frames
from synthesis.model import TargetModel, write_image
from synthesis.plate import background
from synthesis.stickfigure import draw
from synthesis.transfer import generate
from synthesis.windows import Windows, follow, sample

SHOWN = 6
HEIGHT = 384


def main(folder: Path, recording: Path, out: Path) -> None:
    """Write the strip: three rows, `SHOWN` columns."""
    model = TargetModel.load(folder)
    poses = clean(cached_poses(recording, folder / "cache"))
    shape = (round(HEIGHT * model.shape[0] / model.shape[1]), HEIGHT)
    windows = follow(poses, model.shape, model.config.data.margin)
    # Shown is no more than the frame: beyond it the window repeats the edge.
    tall = np.minimum(windows.height, poses.size[1])
    low, high = tall / 2, poses.size[1] - tall / 2
    center = np.stack([windows.center[:, 0], np.clip(windows.center[:, 1], low, high)], 1)
    windows = Windows(center, tall, shape)
    wanted = np.linspace(0, len(poses) - 1, SHOWN + 2).round().astype(int)[1:-1].tolist()
    columns: dict[int, list[np.ndarray]] = {}
    made = generate(model, poses, background(recording, poses))
    for row, (frame, painted) in enumerate(zip(read_frames(recording), made, strict=True)):
        if row in wanted:
            columns[row] = [
                sample(frame.image, windows.matrix(row), shape),
                draw(windows.label_poses(poses, row, row), 0, shape, face=model.config.data.face),
                sample(painted, windows.matrix(row), shape),
            ]
    picture = np.concatenate([np.concatenate(columns[row], axis=0) for row in wanted], axis=1)
    write_image(out, cv2.copyMakeBorder(picture, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255)))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
