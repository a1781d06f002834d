"""Which frames of a recording are kept to stand for it, and their pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import PoseSequence
from dataset.video import read_frames
from synthesis.appearance.gallery import Floats, Gallery, Item, distance, traits_of
from synthesis.appearance.skinning import Parts
from synthesis.recording import Prepared
from synthesis.windows import Windows, sample

Image = npt.NDArray[np.uint8]


def gather(recordings: list[Prepared], limit: int, detail: int | None = None) -> Gallery:
    """Frames that stand for recordings of one person, from those that may be trained on.

    Args:
        recordings: with windows of one shape.
        limit: how many at most; taken so that every pose has one near it (Gonzalez, 1985).
        detail: height of the pictures in pixels, if the recordings have as many: then the videos are read again. None
            gives pictures of the window's size from the stored small frames.

    Raises:
        ValueError: no frame is usable.
    """
    rows = [(which, int(row)) for which, one in enumerate(recordings) for row in one.usable]
    if not rows:
        raise ValueError("a gallery needs at least one frame")
    shape = recordings[0].windows.shape
    found = [window_parts(recordings[w].poses, row, recordings[w].windows.one(row)) for w, row in rows]
    chosen = sorted(_spread([traits_of(parts) for parts in found], limit))
    size = shape
    if detail is not None:
        # Larger than it was filmed adds nothing.
        filmed = float(np.median([recordings[w].windows.height[row] for w, row in rows]))
        height = max(min(detail, round(filmed)), shape[1])
        size = (round(shape[0] * height / shape[1]), height)
    items = []
    for which, one in enumerate(recordings):
        wanted = {rows[index][1]: found[index] for index in chosen if rows[index][0] == which}
        pictures = (
            _from_small(one, list(wanted), size) if detail is None else _from_video(one, list(wanted), size)
        )
        items += [
            Item(one.sha256, float(one.poses.times[row]), wanted[row], picture, _outline(one, row, shape))
            for row, picture in pictures
        ]
    return Gallery(items, shape)


def window_parts(poses: PoseSequence, row: int, window: Windows, index: int = 0) -> Parts:
    """Frame `row` of `poses` in the pixels of window number `index`."""
    return {name: points[0] for name, points in window.label_poses(poses, row, index).parts().items()}


def _from_small(recording: Prepared, rows: list[int], size: tuple[int, int]) -> Iterator[tuple[int, Image]]:
    for row in rows:
        yield row, _picture(recording, row, np.asarray(recording.frames[row]), recording.scale, size)


def _from_video(recording: Prepared, rows: list[int], size: tuple[int, int]) -> Iterator[tuple[int, Image]]:
    wanted = set(rows)
    with read_frames(recording.path) as frames:
        for row, frame in enumerate(frames):
            if row in wanted:
                yield row, _picture(recording, row, frame.image, 1.0, size)


def _picture(recording: Prepared, row: int, image: Image, scale: float, size: tuple[int, int]) -> Image:
    window = recording.windows.one(row)
    return sample(image, Windows(window.center, window.height, size).matrix(0, scale), size)


def _outline(recording: Prepared, row: int, shape: tuple[int, int]) -> Image:
    window = recording.windows.one(row)
    return sample(np.asarray(recording.silhouettes[row]), window.matrix(0, recording.scale), shape)


def _spread(traits: list[list[Floats]], limit: int) -> list[int]:
    """Indices of at most `limit` poses, each chosen as the one farthest from those before."""
    if len(traits) <= limit:
        return list(range(len(traits)))
    columns = [np.stack(column) for column in zip(*traits, strict=True)]
    chosen: list[int] = [0]
    nearest = np.full(len(traits), np.inf)
    while len(chosen) < limit:
        last = chosen[-1]
        parts = [distance(column[last], column) for column in columns]
        nearest = np.minimum(nearest, parts[0] + 0.25 * sum(parts[1:]))
        chosen.append(int(nearest.argmax()))
    return chosen
