"""Detectors: one interface, a registry, and one file for each kind.

create("patch", ndf=32)    a new one            names()               which there are
load_detector(folder)      a trained one        @register("name")     adds one

Evidence → Detector.judge → Scores
"""

from __future__ import annotations

from forensics.detectors.base import Detector, Evidence, Scores
from forensics.detectors.registry import create, load_detector, names, register

__all__ = ["Detector", "Evidence", "Scores", "create", "load_detector", "names", "register"]
