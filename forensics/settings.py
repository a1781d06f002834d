"""Settings of a detector as words, ``key=value``, as the command line has them.

ndf=32                     a field of the detector's config
training.average=0.9       a field of `TrainConfig`
patch.ndf=32               of the member "patch" of a fused detector
patch.training.steps=300   how that member is trained
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import Any, Union, get_args, get_origin, get_type_hints

from dataset.errors import DetectorError
from forensics.detectors.fused import FusedConfig
from forensics.detectors.registry import configure, detector_class
from forensics.train import TrainConfig

_TRAINING = "training"
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse_settings(detector: str, words: Sequence[str], training: TrainConfig) -> tuple[Any, TrainConfig]:
    """The config of a detector and how it is trained.

    Args:
        detector: its name.
        words: "key=value" each.
        training: what the words change.

    Raises:
        DetectorError: there is no such detector or setting, or a value of the wrong kind.
    """
    config = detector_class(detector).Config
    own: dict[str, Any] = {}
    trained: dict[str, Any] = {}
    members: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign:
            raise DetectorError(f"{word!r} is no setting", hint="write key=value")
        path = key.split(".")
        if len(path) == 1:
            own[key] = _value(config, detector, key, value)
        elif path[0] == _TRAINING and len(path) == 2:
            trained[path[1]] = _value(TrainConfig, _TRAINING, path[1], value)
        elif config is FusedConfig and len(path) in (2, 3) and path[1:-1] in ([], [_TRAINING]):
            member = detector_class(path[0])
            settings, how = members.setdefault(path[0], ({}, {}))
            kind = TrainConfig if len(path) == 3 else member.Config
            (how if len(path) == 3 else settings)[path[-1]] = _value(kind, path[0], path[-1], value)
        else:
            raise DetectorError(f"detector {detector!r} has no setting {key!r}")
    if members:
        own["settings"] = {name: settings for name, (settings, _) in members.items() if settings}
        own["trainings"] = {name: how for name, (_, how) in members.items() if how}
    return configure(detector, **own), replace(training, **trained)


def _value(kind: type[Any], owner: str, key: str, told: str) -> Any:
    known = [spec.name for spec in fields(kind)]
    if key not in known:
        close = get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
        raise DetectorError(f"{owner!r} has no setting {key!r}", hint=hint)
    try:
        return _read(get_type_hints(kind)[key], told)
    except (KeyError, ValueError) as error:
        raise DetectorError(f"{key}={told} cannot be: {error}") from error


def _read(kind: Any, told: str) -> Any:
    origin = get_origin(kind)
    if origin is tuple:
        inner = get_args(kind)[0]
        return tuple(_read(inner, item) for item in told.split(",") if item)
    if origin in (Union, types.UnionType):
        if told in ("", "none"):
            return None
        return _read(next(one for one in get_args(kind) if one is not type(None)), told)
    if kind is bool:
        return _WORDS[told.lower()]
    if kind in (int, float, str):
        return kind(told)
    raise ValueError("it has settings of its own, name them one by one")
