"""How much changes round a person: what the generator did not paint.

A camera never gives the same picture twice; its noise is everywhere. Motion transfer pastes a person into a background
that was computed once, or paints one that the pose hardly moves (Chan et al. 2019, section 3: the target is filmed by
a camera that stands still, and so is the result). A codec has nothing to say about what stands still, and of what is
filmed it says something from time to time. Compression makes filmed walls stand still as well, so this is evidence and
no proof, and what it weighs is learnt.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Figures = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]
_Mask = npt.NDArray[np.bool_]

#: How many figures there are of a pair.
FIGURES = 2
#: Side of the blocks, pixels: that of a macroblock.
_BLOCK = 16
#: A block that changes by less on the mean stands still from one frame to the next, grey levels.
_STILL = 0.02
#: And from one look to the next: a codec that starts anew gives the same picture a little differently.
_KEPT = 0.1
#: The surroundings begin so far from the person, in heights of the person.
_OFF = 0.15
#: Fewest blocks that count as surroundings, and as a person.
_LEAST = 8
#: Where so much of the person stands still as well, a frame was repeated, and nothing can be said.
_REPEATED = 0.8


def unknown() -> Figures:
    """(`FIGURES`,) of a pair of which nothing is known."""
    return np.full(FIGURES, np.nan, np.float32)


class Surroundings:
    """Looks at the pairs of one person one after the other, and remembers the last."""

    def __init__(self) -> None:
        self._before: tuple[Image, _Mask] | None = None

    def measure(self, first: Image, second: Image, box: Box) -> Figures:
        """(`FIGURES`,) of a pair of frames: the shares of blocks round the person that stand still from its first frame
        to its second, and from the pair before to this one.

        NaN where there are no surroundings, where the frame is one that was repeated, and the second figure where
        there is no pair before.

        Args:
            first, second: (H, W, 3) consecutive frames.
            box: x0, y0, x1, y1 of the person in the first, pixels.
        """
        before, figures = self._before, unknown()
        rows, columns = first.shape[0] // _BLOCK, first.shape[1] // _BLOCK
        if rows < 1 or columns < 1:
            return figures
        inside = _touched(box, 0.0, rows, columns)
        outside = ~_touched(box, _OFF * (box[3] - box[1]), rows, columns)
        self._before = first, outside
        if inside.sum() < _LEAST or outside.sum() < _LEAST:
            return figures
        means = _block_means(first, second, rows, columns)
        if float((means[inside] < _STILL).mean()) >= _REPEATED:
            return figures
        figures[0] = (means[outside] < _STILL).mean()
        if before is not None and before[0].shape == first.shape:
            both = outside & before[1]
            if both.sum() >= _LEAST:
                figures[1] = (_block_means(before[0], first, rows, columns)[both] < _KEPT).mean()
        return figures


def _block_means(one: Image, other: Image, rows: int, columns: int) -> npt.NDArray[np.float32]:
    """(rows, columns) mean absolute difference of the blocks, grey levels."""
    change = cv2.absdiff(one, other)[: rows * _BLOCK, : columns * _BLOCK].astype(np.float32)
    blocks = cv2.resize(change, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(np.asarray(blocks, np.float32).reshape(rows, columns, -1).mean(2))


def _touched(box: Box, room: float, rows: int, columns: int) -> _Mask:
    """(rows, columns) blocks that the box with some room round it touches."""
    touched = np.zeros((rows, columns), bool)
    x0, y0, x1, y1 = (
        int(max(value, 0) // _BLOCK) for value in (box[0] - room, box[1] - room, box[2] + room, box[3] + room)
    )
    touched[y0 : y1 + 1, x0 : x1 + 1] = True
    return touched
