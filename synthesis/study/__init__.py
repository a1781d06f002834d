"""The perceptual study of the paper (§4): which of two synthesised clips of the same motion looks more real?

make_study            videos of two systems → a page for raters and a key
material_of_models    models → such videos
analyse               answers and key → shares with intervals
"""

from __future__ import annotations

from synthesis.study.analyse import Analysis, analyse
from synthesis.study.make import Material, make_study
from synthesis.study.rendering import material_of_models

__all__ = ["Analysis", "Material", "analyse", "make_study", "material_of_models"]
