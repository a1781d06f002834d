"""Evaluation as in the paper (§4): held-out frames, own pose in, own frame out.

body_scores     SSIM and perceptual distance within boxes, for experiments
"""

from __future__ import annotations

from synthesis.evaluate.frames import body_scores

__all__ = ["body_scores"]
