"""Video in and out, by PyAV: facts, frames, pairs of consecutive frames, and a writer.

Times are seconds from the first frame, taken from the container's timestamps. Pictures are uint8 (H, W, 3),
RGB, upright. Files that cannot be used raise `dataset.errors.VideoError` or its kind `NotAVideoError`.
"""

from __future__ import annotations

from dataset.video.info import StreamInfo, VideoInfo
from dataset.video.pairs import FramePair, read_pairs
from dataset.video.reader import Frame, FrameReader, read_frames
from dataset.video.timeline import frame_sizes, frame_times
from dataset.video.writer import VideoWriter

__all__ = [
    "Frame",
    "FramePair",
    "FrameReader",
    "StreamInfo",
    "VideoInfo",
    "VideoWriter",
    "frame_sizes",
    "frame_times",
    "read_frames",
    "read_pairs",
]
