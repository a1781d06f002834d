"""The mannequin: a procedural performer who is nobody, filmed as a camera would, with the true joints known.

It serves tests, samples and the ground truth of poses. It says nothing about how well a detector does on people.

    >>> film("dance.mp4", Performer.from_seed(3), "dance", seconds=2, size=(240, 320))
"""

from __future__ import annotations

from dataset.mannequin.film import film, render
from dataset.mannequin.motion import MOTIONS
from dataset.mannequin.performer import Performer

__all__ = ["MOTIONS", "Performer", "film", "render"]
