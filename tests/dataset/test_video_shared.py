from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dataset.video import frame_times, read_frames, read_pairs

FILES = [
    "open/intel_asl_eat.mkv",  # full range
    "open/opencv_box.mp4",  # timestamps are those of decoding, though frames are reordered
    "open/intel_walking_preview.gif",
    "open/opencv_vtest.avi",
]


@pytest.mark.shared
@pytest.mark.parametrize("name", FILES)
def test_pairs_of_real_videos_are_the_frames_that_reading_through_gives(
    name: str, shared_clips: Path
) -> None:
    path = shared_clips / name
    times = frame_times(path)[:60]
    wanted = [0, len(times) // 3, len(times) // 2, len(times) - 2]
    reader = read_frames(path, stop=float(times[-1]) + 1e-6)
    frames = {frame.index: frame for frame in reader}
    np.testing.assert_allclose([frame.time for frame in frames.values()], times)
    for pair, index in zip(read_pairs(path, times[wanted].tolist()), wanted, strict=True):
        assert pair.first.index == index
        np.testing.assert_array_equal(pair.first.image, frames[index].image)
        np.testing.assert_array_equal(pair.second.image, frames[index + 1].image)
    assert reader.problems == []
