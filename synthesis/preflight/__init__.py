"""Before training: will this source's motion work on that target?

preflight(source, target)     everything that can be told beforehand, with a verdict and its reasons
write_page(result, path)      the same as a page with pictures
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthesis.preflight.page import write_page
    from synthesis.preflight.run import Preflight, preflight

__all__ = ["Preflight", "preflight", "write_page"]

_HOMES = {
    "Preflight": "synthesis.preflight.run",
    "preflight": "synthesis.preflight.run",
    "write_page": "synthesis.preflight.page",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
