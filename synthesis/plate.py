"""The picture behind the person: what a camera that stands still sees where, and when, the person is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dataset.pose import SilhouetteFinder
from dataset.pose.keypoints import SEEN, B, PoseSequence
from dataset.video import read_frames

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Report = Callable[[str, int, int | None], None]

_FRAMES = 64
#: A pixel is covered from this certainty on, of 255, and so are its neighbours within a part of the person's height.
_COVERED = 26
_ROOM = 0.012
#: Holes are filled at this size of the longer side: slow otherwise, and no better.
_FILLED = 320
#: Exposures are compared on about so many pixels, in steps of so many grey levels, each with at least so many pixels.
_ENOUGH, _BIN, _LEAST = 100_000, 16, 100


def background(path: Path, poses: PoseSequence, report: Report | None = None) -> Image:
    """The picture without the person: the median over time of what the person does not cover.

    A frame that the camera exposed otherwise (somebody who comes near makes it open or close its iris) is brought to
    the tones of the others first. What is covered in every frame is continued from its surroundings (frequency
    selective reconstruction, Genser et al., PCS 2018, by OpenCV).

    Args:
        path: a recording by a camera that stands still.
        poses: its key points.
        report: called as ``report(what, done, total)``.

    Returns:
        (H, W, 3) uint8 at the recording's size.
    """
    wanted = set(np.unique(np.linspace(0, len(poses) - 1, _FRAMES).round().astype(int)).tolist())
    pictures: list[Image] = []
    masks: list[Mask] = []
    with SilhouetteFinder() as finder, read_frames(path) as frames:
        for row, frame in enumerate(frames):
            if row not in wanted:
                continue
            pictures.append(frame.image)
            masks.append(_covered(finder, frame.image, poses, row))
            if report:
                report(f"background of {path.name}", len(pictures), len(wanted))
            if len(pictures) == len(wanted):
                break
    pictures = _exposed_alike(pictures, masks)
    hidden = np.logical_and.reduce(masks)
    return _fill(_median(pictures, masks, hidden), hidden)


def _exposed_alike(pictures: list[Image], masks: list[Mask]) -> list[Image]:
    """The pictures with the tones of their median, told by what is free; some of the pixels are enough for that."""
    step = max(1, round((masks[0].size / _ENOUGH) ** 0.5))
    few = [np.ascontiguousarray(picture[::step, ::step]) for picture in pictures]
    free = [~mask[::step, ::step] for mask in masks]
    known = np.logical_or.reduce(free)
    rough = _median(few, [~one for one in free], ~known)
    out = []
    for picture, small, one in zip(pictures, few, free, strict=True):
        lookup = _tones(small[one], rough[one])
        if np.abs(lookup - np.arange(256)).max() > 1:
            picture = np.stack([lookup[colour][picture[..., colour]] for colour in range(3)], axis=2)
        out.append(picture)
    return out


def _tones(own: Image, theirs: Image) -> Image:
    """(N, 3) the same pixels in two exposures → (3, 256), what each tone of the first is in the second."""
    table = np.tile(np.arange(256, dtype=np.float64), (3, 1))
    for colour in range(3):
        value, gap = own[:, colour], theirs[:, colour].astype(np.float64) - own[:, colour]
        found = [
            (start + _BIN / 2, float(np.median(gap[inside])))
            for start in range(0, 256, _BIN)
            if (inside := (value >= start) & (value < start + _BIN)).sum() >= _LEAST
        ]
        if found:
            tones, gaps = zip(*found, strict=True)
            table[colour] += np.interp(np.arange(256), tones, gaps)
    return np.rint(np.clip(table, 0, 255)).astype(np.uint8)


def _median(pictures: list[Image], masks: list[Mask], hidden: Mask) -> Image:
    """Of each pixel where it is free; of all frames where it never is."""
    height, width = hidden.shape
    plate = np.empty((height, width, 3), np.uint8)
    band = max(1, 2_000_000 // (width * len(pictures)))  # rows at a time keep the memory small
    for top in range(0, height, band):
        rows = slice(top, top + band)
        stack = np.stack([picture[rows] for picture in pictures]).astype(np.float32)
        covered = np.stack([mask[rows] for mask in masks])
        plain = np.median(stack, axis=0)
        stack[covered] = np.nan
        stack[:, hidden[rows]] = plain[hidden[rows]]
        plate[rows] = np.rint(np.nanmedian(stack, axis=0)).astype(np.uint8)
    return plate


def person_mask(poses: PoseSequence, row: int, size: tuple[int, int]) -> Image:
    """A generous mask of where the person may be, from the key points alone.

    Args:
        poses: key points in the pixels of ``poses.size``.
        row: which frame.
        size: width and height of the mask.

    Returns:
        (height, width) uint8, 255 on the person.
    """
    mask = np.zeros((size[1], size[0]), np.uint8)
    scale = np.array([size[0] / poses.size[0], size[1] / poses.size[1]], np.float32)
    body = poses.body[row].copy()
    body[:, :2] *= scale
    seen = body[:, 2] >= SEEN
    if not seen.any():
        return mask
    spread = np.ptp(body[seen, :2], axis=0)
    torso = max(float(np.hypot(*(body[B["Neck"], :2] - body[B["MidHip"], :2]))), 0.15 * float(spread.max()))
    thick = max(round(0.45 * torso), 3)
    for names in (
        ("RShoulder", "RElbow", "RWrist"), ("LShoulder", "LElbow", "LWrist"), ("RHip", "RKnee", "RAnkle", "RBigToe"),
        ("LHip", "LKnee", "LAnkle", "LBigToe"), ("Neck", "Nose"), ("Neck", "MidHip"),
        ("RShoulder", "RHip"), ("LShoulder", "LHip"), ("RShoulder", "LHip"), ("LShoulder", "RHip"),
    ):  # fmt: skip
        points = [body[B[name], :2] for name in names if seen[B[name]]]
        if len(points) >= 2:
            cv2.polylines(mask, [np.rint(np.stack(points)).astype(np.int32)], False, 255, thick)
    head = [body[B[name], :2] for name in ("Nose", "REye", "LEye", "REar", "LEar") if seen[B[name]]]
    if head:
        x, y = np.mean(head, axis=0)
        cv2.circle(mask, (round(float(x)), round(float(y))), max(round(0.5 * torso), 3), 255, -1)
    for hand in (poses.left_hand[row], poses.right_hand[row]):
        points = hand[hand[:, 2] >= SEEN, :2] * scale
        if len(points) >= 3:
            hull = cv2.convexHull(np.rint(points).astype(np.int32))
            cv2.drawContours(mask, [hull], -1, 255, -1)
            cv2.drawContours(mask, [hull], -1, 255, max(thick // 2, 3))
    return mask


def _covered(finder: SilhouetteFinder, image: Image, poses: PoseSequence, row: int) -> Mask:
    """(H, W) where the person may be: their silhouette with some room, or about the key points where none is found."""
    size = (image.shape[1], image.shape[0])
    if not poses.present()[row]:
        return np.zeros(image.shape[:2], np.bool_)
    found = finder.find(image, poses.body[row])
    if found is None:
        return person_mask(poses, row, size) > 0
    covered = (found >= _COVERED).astype(np.uint8)
    tall = np.flatnonzero(covered.any(1))
    reach = max(round(_ROOM * (tall[-1] - tall[0])), 1) if len(tall) else 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(covered, kernel) > 0


def _fill(plate: Image, hidden: Mask) -> Image:
    if not hidden.any():
        return plate
    height, width = hidden.shape
    factor = max(1.0, max(height, width) / _FILLED)
    size = (max(round(width / factor), 1), max(round(height / factor), 1))
    # What lies just beside a hole is seldom quite free of the person.
    hole = cv2.dilate(hidden.astype(np.uint8), np.ones((7, 7), np.uint8))
    small = cv2.resize(plate, size, interpolation=cv2.INTER_AREA)
    known = np.where(cv2.resize(hole, size, interpolation=cv2.INTER_AREA) > 0, 0, 255).astype(np.uint8)
    if not known.any():
        return plate
    filled = np.zeros_like(small)
    cv2.xphoto.inpaint(small, known, filled, cv2.xphoto.INPAINT_FSR_FAST)
    soft = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), max(factor, 1.0))[..., None]
    soft = np.maximum(soft, hole[..., None])
    large = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.rint(soft * large + (1 - soft) * plate).astype(np.uint8)
