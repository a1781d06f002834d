"""How the target looks: real frames of them, found by pose and bent to the pose that is asked for.

gallery.py   frames of the recording that stand for all of it, and which of them suits a pose
skinning.py  where each pixel of a pose lies in a frame that shows another pose
looks.py     both as tensors, for the generator
"""

from __future__ import annotations

from synthesis.appearance.gallery import Gallery, Item
from synthesis.appearance.looks import Looks, look_at

__all__ = ["Gallery", "Item", "Looks", "look_at"]
