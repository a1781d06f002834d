"""Make the picture of the README: real frames of a person, the stick figures found in them, and generated frames.

    python docs/strip.py MODEL RECORDING docs/strip.png
    python docs/strip.py MODEL RECORDING docs/curve.jpg 150 400    # held-out frames, by snapshots and the end

The generator is run over the frames one after the other, each painted from the one before, and a few are shown as they
come out.
"""

from __future__ import annotations

import itertools
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
HEIGHT, SMALL = 384, 256  # pixels of a row: of three, and of more


def main(folder: Path, recording: Path, out: Path, snapshots: list[int]) -> None:
    """Write the strip: real frame, stick figure and what each generator paints; `SHOWN` columns.

    With snapshots the frames are held-out ones, and those generators' rows come before the final one's.
    """
    model = TargetModel.load(folder)
    models = [*(TargetModel.load(folder, snapshot=step) for step in snapshots), model]
    poses = clean(cached_poses(recording, folder / "cache"))
    first = round(len(poses) * (1 - model.config.data.holdout)) if snapshots else 0
    height = SMALL if snapshots else HEIGHT
    shape = (round(height * model.shape[0] / model.shape[1]), height)
    windows = follow(poses, model.shape, model.config.data.margin)
    # Shown is no more than the frame: beyond it the window repeats the edge.
    tall = np.minimum(windows.height, poses.size[1])
    low, high = tall / 2, poses.size[1] - tall / 2
    center = np.stack([windows.center[:, 0], np.clip(windows.center[:, 1], low, high)], 1)
    windows = Windows(center, tall, shape)
    wanted = np.linspace(first, len(poses) - 1, SHOWN + 2).round().astype(int)[1:-1].tolist()
    columns: dict[int, list[np.ndarray]] = {}
    plate = model.plate if snapshots else background(recording, poses)
    made = [generate(one, poses[first:], plate) for one in models]
    frames = itertools.islice(read_frames(recording), first, None)
    for row, (frame, *painted) in enumerate(zip(frames, *made, strict=True), first):
        if row in wanted:
            matrix = windows.matrix(row)
            columns[row] = [
                sample(frame.image, matrix, shape),
                draw(windows.label_poses(poses, row, row), 0, shape, face=model.config.data.face),
                *(sample(image, matrix, shape) for image in painted),
            ]
    picture = np.concatenate([np.concatenate(columns[row], axis=0) for row in wanted], axis=1)
    write_image(out, cv2.copyMakeBorder(picture, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255)))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]), [int(argument) for argument in sys.argv[4:]])
