"""From a collection to a data set that others can load, check and cite.

    build(collection)                    the release folder, whole or not at all
    validate(folder)                     every rule that a release keeps; a finding for each that is broken
    load(folder_or_repo, config)         its rows, by `datasets`, also streaming
    frame_pairs(rows)                    consecutive frames out of rows, without decoding whole videos

Names are looked up when they are used, so that importing this package loads no video or Parquet library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataset.release.build import build
    from dataset.release.loader import FrameSample, frame_pairs, load, video_file
    from dataset.release.validate import Finding, validate, validate_collection

__all__ = [
    "Finding",
    "FrameSample",
    "build",
    "frame_pairs",
    "load",
    "validate",
    "validate_collection",
    "video_file",
]

_HOMES = {
    "Finding": "dataset.release.validate",
    "FrameSample": "dataset.release.loader",
    "build": "dataset.release.build",
    "frame_pairs": "dataset.release.loader",
    "load": "dataset.release.loader",
    "validate": "dataset.release.validate",
    "validate_collection": "dataset.release.validate",
    "video_file": "dataset.release.loader",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
