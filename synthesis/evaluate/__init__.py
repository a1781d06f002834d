"""Evaluation as in the paper (§4): held-out frames, own pose in, own frame out.

body_scores     SSIM and perceptual distance within boxes, for experiments
evaluate        models → tables with intervals, JSON and a page with the frames
open_distance   LPIPS, or a substitute by its own name
"""

from __future__ import annotations

from synthesis.evaluate.frames import body_scores
from synthesis.evaluate.perceptual import open_distance
from synthesis.evaluate.run import evaluate

__all__ = ["body_scores", "evaluate", "open_distance"]
