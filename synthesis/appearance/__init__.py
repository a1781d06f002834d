"""How the target looks: real frames of them, found by pose and bent to the pose that is asked for.

gathering.py  which frames of a recording are kept to stand for it
gallery.py    those frames, and which of them suits a pose
occluders.py  what lies before the person in single frames
skinning.py   where each pixel of a pose lies in a frame that shows another pose
looks.py      a pose's frames as tensors, for the generator
"""

from __future__ import annotations

from synthesis.appearance.gallery import Gallery, Item
from synthesis.appearance.looks import Looks, look_at

__all__ = ["Gallery", "Item", "Looks", "look_at"]
