"""Where in a video something moves, learnt from the sizes of its packets, without decoding.

A picture that can be predicted from those before it costs few bytes; motion costs more. So the size of the packets
between key frames, averaged over a second, tells still stretches from lively ones well enough to choose by.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from dataset.errors import VideoError

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
    stamps, sizes = [], []
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            base = float(stream.time_base or 0)
            for packet in container.demux(stream):
                if packet.pts is not None and packet.size and not packet.is_keyframe:
                    stamps.append(packet.pts * base)
                    sizes.append(packet.size)
            begin = float((stream.start_time or 0) * base)
    except av.error.InvalidDataError:
        pass  # cut off: what was read until then tells about the rest
    except (av.error.FFmpegError, IndexError) as error:
        raise VideoError(f"packets cannot be read ({error})", path=path) from error
    even = np.ones(len(times))
    if len(sizes) < 2 or len(times) < 2:
        return even
    order = np.argsort(stamps)
    at, size = np.asarray(stamps)[order] - begin, np.asarray(sizes, np.float64)[order]
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
