"""Is this video real? Everybody in it is looked at and judged separately; what cannot be judged is said so.

The parts are in `forensics.scanning`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from forensics.decide import PROPOSITIONS
from forensics.scanning.result import (
    SCHEMA,
    Moment,
    PairFinding,
    PersonFinding,
    Picture,
    ScanResult,
    Span,
)
from forensics.scanning.scanner import Scanner, scan
from forensics.scanning.verdict import LEAST_PAIRS

__all__ = [
    "LEAST_PAIRS",
    "PROPOSITIONS",
    "SCHEMA",
    "Moment",
    "PairFinding",
    "PersonFinding",
    "Picture",
    "ScanResult",
    "Scanner",
    "Span",
    "scan",
]


class _Callable(ModuleType):
    """Lets ``forensics.scan(path)`` work whether this module or the function of its name is meant."""

    def __call__(self, *args: Any, **more: Any) -> ScanResult:
        return scan(*args, **more)


sys.modules[__name__].__class__ = _Callable
