"""Is this video real? The detector of motion transfer: scanning, training, evaluation.

    scan(path)               one video → ScanResult
    Scanner()                the same for many videos
    Detector, load_detector  the network with its calibration
    build_detector(corpus)   a labelled corpus → a calibrated detector and its figures

Nothing here imports PyTorch or MediaPipe before one of these names is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forensics.build import build_detector
    from forensics.detector import Detector, load_detector
    from forensics.scan import Scanner, ScanResult, scan

__all__ = ["Detector", "ScanResult", "Scanner", "build_detector", "load_detector", "scan"]

_HOMES = {
    "Detector": "forensics.detector",
    "ScanResult": "forensics.scan",
    "Scanner": "forensics.scan",
    "build_detector": "forensics.build",
    "load_detector": "forensics.detector",
}


def __getattr__(name: str) -> Any:
    # `scan` is both a function and the module that it lives in: after the first import of the module the package's
    # attribute would be the module, so the function is put in its place.
    if name == "scan":
        function = import_module("forensics.scan").scan
        globals()["scan"] = function
        return function
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
