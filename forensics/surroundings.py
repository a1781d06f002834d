"""How much changes round a person from one frame to the next: what the generator did not paint.

A camera never gives the same picture twice; its noise is everywhere. Motion transfer pastes a person into a background
that was computed once, or paints one that the pose hardly moves (Chan et al. 2019, section 3: the target is filmed by
a camera that stands still, and so is the result), and a codec has nothing to say about what stands still. Compression
makes filmed walls stand still as well, so this is evidence and no proof, and what it weighs is learnt.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Figures = npt.NDArray[np.float32]

#: How many figures there are of a pair.
FIGURES = 3
#: Side of the blocks, pixels: that of a macroblock.
_BLOCK = 16
#: A block that changes by less on the mean stands still, grey levels.
_STILL = 0.02
#: The surroundings begin so far from the person, in heights of the person.
_OFF = 0.15
#: Fewest blocks that count as surroundings, and as a person.
_LEAST = 8
#: Where so much of the person stands still as well, a frame was repeated, and nothing can be said.
_REPEATED = 0.8


def unknown() -> Figures:
    """(`FIGURES`,) of a pair of which nothing is known."""
    return np.full(FIGURES, np.nan, np.float32)


def around(first: Image, second: Image, box: tuple[float, float, float, float]) -> Figures:
    """(`FIGURES`,) of a pair of frames: the share of blocks that stand still, and the logarithm of the mean change
    and of what a tenth of the blocks exceed, in grey levels. NaN where there are no surroundings, or the frame is one
    that was repeated.

    Args:
        first, second: (H, W, 3) consecutive frames.
        box: x0, y0, x1, y1 of the person in the first, pixels.
    """
    rows, columns = first.shape[0] // _BLOCK, first.shape[1] // _BLOCK
    if rows < 1 or columns < 1:
        return unknown()
    change = cv2.absdiff(first, second)[: rows * _BLOCK, : columns * _BLOCK].astype(np.float32)
    blocks = cv2.resize(change, (columns, rows), interpolation=cv2.INTER_AREA)
    means = np.asarray(blocks, np.float32).reshape(rows, columns, -1).mean(2)
    inside = _touched(box, 0.0, rows, columns)
    outside = ~_touched(box, _OFF * (box[3] - box[1]), rows, columns)
    if inside.sum() < _LEAST or outside.sum() < _LEAST:
        return unknown()
    if float((means[inside] < _STILL).mean()) >= _REPEATED:
        return unknown()
    rest = means[outside]
    return np.array(
        [(rest < _STILL).mean(), np.log(rest.mean() + 0.02), np.log(np.quantile(rest, 0.9) + 0.02)],
        np.float32,
    )


def _touched(
    box: tuple[float, float, float, float], room: float, rows: int, columns: int
) -> npt.NDArray[np.bool_]:
    """(rows, columns) blocks that the box with some room round it touches."""
    touched = np.zeros((rows, columns), bool)
    x0, y0, x1, y1 = (
        int(max(value, 0) // _BLOCK) for value in (box[0] - room, box[1] - room, box[2] + room, box[3] + room)
    )
    touched[y0 : y1 + 1, x0 : x1 + 1] = True
    return touched
