"""Where in a video something moves, learnt from the sizes of its packets, without decoding.

A picture that can be predicted from those before it costs few bytes; motion costs more. So the size of the packets
between key frames, averaged over a second, tells still stretches from lively ones well enough to choose by.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataset.errors import VideoError
from dataset.video import frame_sizes

#: Sizes are averaged over so many seconds: frames of different kinds alternate within one.
_SPAN = 1.0
#: Nothing weighs more than so many times the mean.
_MOST = 4.0


def packet_motion(path: str | Path, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How much moves round each frame, 1 being the mean of the video.

    All ones where the packets cannot tell: each is a key frame, or they carry no times.

    Args:
        path: the video.
        times: (T,) seconds of its frames, from `dataset.video.frame_times`.

    Returns:
        (T,) weights in [0, 4].

    Raises:
        VideoError: the file cannot be opened.
    """
    found_sizes = frame_sizes(path)
    if len(found_sizes) != len(times):
        raise VideoError("the times given are not those of its frames", path=path)
    between = found_sizes > 0  # a key frame's size tells what is in it, not what moves
    at, size = times[between], found_sizes[between].astype(np.float64)
    even = np.ones(len(times))
    if len(size) < 2 or len(times) < 2:
        return even
    total = np.concatenate([[0.0], np.cumsum(size)])
    low = np.searchsorted(at, times - _SPAN / 2, side="left")
    high = np.searchsorted(at, times + _SPAN / 2, side="right")
    found = high > low
    if not found.any():
        return even
    mean = np.where(found, (total[high] - total[low]) / np.maximum(high - low, 1), 0.0)
    mean[~found] = mean[found].mean()
    weights: npt.NDArray[np.float64] = np.clip(mean / mean.mean(), 0, _MOST)
    return weights
