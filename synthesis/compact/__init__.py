"""The preset `compact`: its one stage of training, and how its generator paints a sequence."""

from __future__ import annotations

from synthesis.compact.stage import CompactStage, fixed_rows

__all__ = ["CompactStage", "fixed_rows"]
