"""Which pixels of a picture show the mannequin: the truth that outlines and cut-outs are held against."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dataset.mannequin import figure, raycast
from dataset.mannequin.film import Studio


def person_pixels(studio: Studio, motion: str, time: float) -> npt.NDArray[np.bool_]:
    """(H, W) of the picture that the studio takes at that time."""
    width, height = studio.camera.size
    hits = raycast.cast(
        figure.solids(studio.performer, studio.skeleton(motion, time)), studio.camera, (0.0, 0.0)
    )
    assert hits is not None
    shown = np.zeros((height, width), np.bool_)
    x0, y0, x1, y1 = hits.box
    shown[y0:y1, x0:x1] = hits.solid >= 0
    return shown
