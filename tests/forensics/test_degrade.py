from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from textures import texture, write_video

from dataset.video import VideoInfo, frame_times
from forensics.degrade import Degradation, reencode

WINDOW = texture(0, 2, 80)


def test_the_neutral_degradation_only_cuts_out_the_middle() -> None:
    assert np.array_equal(Degradation().apply(WINDOW, 64), WINDOW[:, 8:72, 8:72])


def test_one_draw_does_the_same_each_time() -> None:
    drawn = Degradation.draw(np.random.default_rng(4))
    assert np.array_equal(drawn.apply(WINDOW, 64), drawn.apply(WINDOW, 64))


@pytest.mark.parametrize(
    "step",
    [
        Degradation(flip=True),
        Degradation(shift=(0.0, 1.0)),
        Degradation(zoom=1.3),
        Degradation(zoom=0.8),
        Degradation(reduce=0.5),
        Degradation(blur=1.0),
        Degradation(gamma=1.2),
        Degradation(noise=4.0),
        Degradation(quality=40),
    ],
)
def test_every_step_changes_the_picture_and_keeps_its_shape(step: Degradation) -> None:
    out = step.apply(WINDOW, 64)
    assert out.shape == (2, 64, 64, 3)
    assert out.dtype == np.uint8
    assert not np.array_equal(out, Degradation().apply(WINDOW, 64))


def test_draws_keep_clear_pictures_among_them() -> None:
    random = np.random.default_rng(0)
    drawn = [Degradation.draw(random) for _ in range(200)]
    untouched = sum(d.reduce == 1 and d.blur == 0 and d.noise == 0 and d.quality == 100 for d in drawn)
    assert 20 < untouched < 120


def test_a_reencoded_copy_keeps_times_and_has_the_new_size(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", texture(1, 10), fps=12.5)
    reencode(source, tmp_path / "b.mp4", crf=40, scale=0.5)
    info = VideoInfo.from_path(tmp_path / "b.mp4")
    assert (info.width, info.height) == (32, 32)
    assert np.allclose(frame_times(tmp_path / "b.mp4"), frame_times(source), atol=0.0011)
    assert info.size_bytes < source.stat().st_size
