"""From a collection to a data set that others can load, check and cite.

    dataset.release.build.build(collection)          the release folder, whole or not at all
    dataset.release.validate.validate(folder)        every rule that a release keeps; a finding for each that is broken
    load(folder_or_repo, config)                     its rows, by `datasets`, also streaming
    frame_pairs(rows)                                consecutive frames out of rows, without decoding whole videos

Names are looked up when they are used, so that importing this package loads no video or Parquet library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataset.release.loader import FrameSample, frame_pairs, load, video_file

__all__ = ["FrameSample", "frame_pairs", "load", "video_file"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("dataset.release.loader"), name)
