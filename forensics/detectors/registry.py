"""Detectors by name. A new one is a file in this package whose class bears ``@register("name")``."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import fields
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from dataset.errors import DetectorError, ModelError
from forensics.detectors.base import CONFIG_FILE, Detector, read_settings

#: The detector that ships with the package.
DEFAULT_FOLDER = Path(__file__).parents[1] / "weights"

Kind = TypeVar("Kind", bound=type[Detector])
_KINDS: dict[str, type[Detector]] = {}


def register(name: str) -> Callable[[Kind], Kind]:
    """Class decorator: make a detector known under `name`.

    >>> @register("patch")
    ... class PatchDetector(Detector): ...
    """

    def remember(kind: Kind) -> Kind:
        if name in _KINDS and _KINDS[name].__qualname__ != kind.__qualname__:
            raise ValueError(f"two detectors are called {name!r}")
        kind.name = name
        _KINDS[name] = kind
        return kind

    return remember


def names() -> list[str]:
    """All detectors there are, sorted."""
    package = import_module("forensics.detectors")
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    return sorted(_KINDS)


def detector_class(name: str) -> type[Detector]:
    """The class of that name.

    Raises:
        DetectorError: there is none; names one that is meant perhaps.
    """
    if name not in _KINDS and name not in names():
        raise DetectorError(f"no detector is called {name!r}", hint=_meant(name, names()))
    return _KINDS[name]


def configure(name: str, **config: Any) -> Any:
    """The config of a detector, from settings of its fields.

    Raises:
        DetectorError: there is no such detector or field, or a value of the wrong kind.
    """
    kind = detector_class(name).Config
    known = [spec.name for spec in fields(kind)]
    for field in config:
        if field not in known:
            raise DetectorError(f"detector {name!r} has no setting {field!r}", hint=_meant(field, known))
    try:
        return kind(**config)
    except (TypeError, ValueError) as error:
        raise DetectorError(f"detector {name!r} cannot be set up so: {error}") from error


def create(name: str, **config: Any) -> Detector:
    """A new, untrained detector.

    >>> create("patch", ndf=32).window
    128

    Raises:
        DetectorError: there is no such detector or setting.
    """
    return detector_class(name)(configure(name, **config))


def kind_of(config: Any) -> type[Detector]:
    """The detector that a config is for.

    Raises:
        DetectorError: it is no config of a detector.
    """
    for name in names():
        if _KINDS[name].Config is type(config):
            return _KINDS[name]
    raise DetectorError(f"a {type(config).__name__} is no config of a detector")


def load_detector(folder: str | Path | None = None) -> Detector:
    """The detector in `folder`, of whatever kind, or the one that ships with the package.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    if folder is None and not (DEFAULT_FOLDER / CONFIG_FILE).is_file():
        raise ModelError(
            "no detector ships with this copy",
            path=DEFAULT_FOLDER,
            hint="train one with: fakedetect train CORPUS --out DIR, then scan with --model DIR",
        )
    root = DEFAULT_FOLDER if folder is None else Path(folder)
    name = read_settings(root).get("detector")
    if not isinstance(name, str) or (name not in _KINDS and name not in names()):
        raise ModelError(f"a detector of the kind {name!r}, which this version does not have", path=root)
    return _KINDS[name].load(root)


def _meant(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
