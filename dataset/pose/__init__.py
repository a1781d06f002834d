"""Poses of the people in a video.

    estimate_poses(video)          key points of the main person, one row a frame
    cached_poses(video, folder)    the same, estimated once
    PeopleFinder()                 everybody in a still, for scanning
    SilhouetteFinder()             which pixels show a person whose pose is known
    clean(poses), smooth(poses)    faults repaired; sliding median for transfer
    PoseSequence                   what they return and take

Nothing here imports MediaPipe before a pose is estimated.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dataset.pose.keypoints import BODY_25, B, PoseSequence, body_box

if TYPE_CHECKING:
    from dataset.pose.cache import cached_poses
    from dataset.pose.cleaning import clean, smooth
    from dataset.pose.estimate import estimate_poses
    from dataset.pose.people import PeopleFinder
    from dataset.pose.silhouettes import SilhouetteFinder

__all__ = [
    "BODY_25",
    "B",
    "PeopleFinder",
    "PoseSequence",
    "SilhouetteFinder",
    "body_box",
    "cached_poses",
    "clean",
    "estimate_poses",
    "smooth",
]

_HOMES = {
    "PeopleFinder": "dataset.pose.people",
    "SilhouetteFinder": "dataset.pose.silhouettes",
    "cached_poses": "dataset.pose.cache",
    "clean": "dataset.pose.cleaning",
    "estimate_poses": "dataset.pose.estimate",
    "smooth": "dataset.pose.cleaning",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
