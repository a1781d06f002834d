"""The camera: where it stands and how it projects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from dataset.mannequin.performer import Performer

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera looking along -z, slightly up or down. Points are metres, pictures are pixels.

    Attributes:
        position: (3,) in the room.
        axes: (3, 3) rows: to the right, up and forward of the camera.
        focal: pixels.
        size: width and height of the picture.
        centre: where the forward axis meets the picture.
    """

    position: Floats
    axes: Floats
    focal: float
    size: tuple[int, int]
    centre: tuple[float, float]

    @classmethod
    def facing(cls, performer: Performer, size: tuple[int, int]) -> Self:
        """A camera set up so that the performer, arms raised or spread, fills the picture but stays inside."""
        width, height = size
        tall, distance = performer.body.height, performer.camera_distance
        position = np.array([0.0, performer.camera_height, distance])
        # Room above for raised arms, below for the floor; at the sides for spread arms and a step aside.
        nearest = distance - 0.3
        focal = min(height * 0.94 / (1.24 * tall), width * 0.97 / (1.16 * tall)) * nearest
        middle = 0.56 * tall
        pitch = np.arctan2(middle - position[1], distance)
        c, s = np.cos(pitch), np.sin(pitch)
        axes = np.array([[1, 0, 0], [0, c, s], [0, s, -c]])
        return cls(position, axes, float(focal), size, (width / 2, height / 2))

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """(N, 3) points of the room to (N, 2) pixels and (N,) depth in metres along the forward axis."""
        seen = (points - self.position) @ self.axes.T
        depth = seen[:, 2]
        pixels = np.stack(
            [
                self.centre[0] + self.focal * seen[:, 0] / depth,
                self.centre[1] - self.focal * seen[:, 1] / depth,
            ],
            axis=1,
        )
        return pixels, depth
