"""Pose-driven motion transfer: make the target do the source's motion.

    SynthesisConfig, preset       every choice of a training run
    TargetModel                   a trained generator, loaded from its folder
    make_corpus                   models and recordings → labelled clips for training detectors

Training and transfer are `synthesis.train.train` and `synthesis.transfer.transfer`. Nothing here imports PyTorch before
one of these names is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthesis.config import SynthesisConfig, preset
    from synthesis.fakes import make_corpus
    from synthesis.model import TargetModel

__all__ = ["SynthesisConfig", "TargetModel", "make_corpus", "preset"]

_HOMES = {
    "SynthesisConfig": "synthesis.config",
    "TargetModel": "synthesis.model",
    "make_corpus": "synthesis.fakes",
    "preset": "synthesis.config",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
