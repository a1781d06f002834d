"""Is this video real? The detector of motion transfer: scanning, training, evaluation.

    scan(path)               one video → ScanResult
    Scanner()                the same for many videos
    Detector, load_detector  what judges, with its calibration
    from_pretrained(name)    a detector from a folder or a hub; push_to_hub(detector, name) puts one there
    build_detector(corpus)   a labelled corpus → a calibrated detector and its figures

Nothing here imports PyTorch or MediaPipe before one of these names is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forensics.build import build_detector
    from forensics.detectors import Detector, load_detector
    from forensics.hub import from_pretrained, push_to_hub
    from forensics.scan import Scanner, ScanResult, scan

__all__ = [
    "Detector",
    "ScanResult",
    "Scanner",
    "build_detector",
    "from_pretrained",
    "load_detector",
    "push_to_hub",
    "scan",
]

_HOMES = {
    "Detector": "forensics.detectors",
    "ScanResult": "forensics.scan",
    "Scanner": "forensics.scan",
    "build_detector": "forensics.build",
    "from_pretrained": "forensics.hub",
    "load_detector": "forensics.detectors",
    "push_to_hub": "forensics.hub",
}


def __getattr__(name: str) -> Any:
    # `scan` is a module that can be called like the function in it: once anything has imported the module, Python
    # itself makes it the package's attribute of that name.
    if name == "scan":
        return import_module("forensics.scan")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
