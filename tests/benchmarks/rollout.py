"""Does a generator drift? The held-out part of its recording, forth and back until a minute is full.

    python tests/benchmarks/rollout.py MODEL RECORDING --seconds 60

Every frame is painted from the one before, so errors could grow. As the same poses come again and again, the frames of
each round can be compared with the same real frames: the figures of the last round are those of the first if nothing
drifts. Printed is for each round the mean SSIM and the mean perceptual distance (SqueezeNet features, not LPIPS) in the
body box at window size, and the mean brightness and contrast within it as a share of the real frames'.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dataset.video import read_frames
from synthesis.evaluate.frames import LEAST_SIDE, perceptual_distance
from synthesis.evaluate.held_out import by_hash, held_out
from synthesis.evaluate.regions import body_boxes, crop, window_scales
from synthesis.evaluate.ssim import ssim
from synthesis.model import TargetModel
from synthesis.networks.perceptual import SQUEEZENET, PerceptualLoss
from synthesis.transfer import generate


def main() -> None:
    """Print a line a round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = TargetModel.load(options.model)
    with tempfile.TemporaryDirectory() as cache:
        clip = held_out([model], by_hash([options.recording]), Path(cache))[0]
    count = len(clip.held)
    real = [frame.image for row, frame in enumerate(read_frames(options.recording)) if row >= clip.start]
    boxes, scales = body_boxes(clip.poses)[clip.start :], window_scales(clip.poses)[clip.start :]
    there = np.arange(count)
    order = np.concatenate([there, there[-2:0:-1]])
    rounds = int(np.ceil(options.seconds * clip.fps / len(order)))
    order = np.tile(order, rounds)
    poses = clip.held[order]
    # Times start anew; those of the recording would keep frames of its beginning out.
    poses = replace(poses, times=np.arange(len(order)) / clip.fps, video_sha256="")
    loss = PerceptualLoss(SQUEEZENET)
    rows: list[list[float]] = []
    size = len(order) // rounds
    for number, (row, made) in enumerate(zip(order, generate(model, poses, clip.plate), strict=True)):
        one, other = (crop(image, boxes[row], float(scales[row])) for image in (real[row], made))
        if min(one.shape[:2], default=0) >= LEAST_SIDE:
            rows.append([
                ssim(one, other), perceptual_distance(loss, one, other),
                other.mean() / one.mean(), other.std() / one.std(),
            ])  # fmt: skip
        if (number + 1) % size == 0:
            end, (likeness, distance, bright, contrast) = (number + 1) / clip.fps, np.mean(rows, 0)
            print(
                f"to {end:5.1f} s: SSIM {likeness:.4f}, perceptual distance {distance:.4f}, "
                f"brightness {bright:.4f}, contrast {contrast:.4f} of the real",
                flush=True,
            )
            rows = []


if __name__ == "__main__":
    main()
