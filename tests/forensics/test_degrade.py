from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from textures import texture, write_video

from dataset.errors import DetectorError
from dataset.files import sha256_file
from dataset.records import Clip, Corpus
from dataset.video import VideoInfo, VideoWriter, frame_times
from forensics.degrade import Degradation, add_copies, reencode

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


def test_degraded_copies_keep_labels_and_pairs_and_are_made_once(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3), np.uint8)
    clips = []
    for name, label, pair in (("real", "real", None), ("fake", "fake", "a/real.mp4")):
        path = f"a/{name}.mp4"
        with VideoWriter(tmp_path / path, (64, 48), fps=10) as writer:
            for picture in pictures if label == "real" else pictures[::-1]:
                writer.write(picture)
        kind = "recording" if label == "real" else "self"
        clips.append(Clip(path, label, "a", "a", "walk", "", kind, pair, sha256_file(tmp_path / path)))
    corpus = Corpus(tmp_path, clips)
    corpus.save()
    assert add_copies(corpus, crf=35, scale=0.5) == 2
    assert add_copies(Corpus.load(tmp_path), crf=35, scale=0.5) == 0
    loaded = {clip.path: clip for clip in Corpus.load(tmp_path).clips}
    copy = loaded["a/fake_crf35_x0.5.mp4"]
    assert len(loaded) == 4
    assert (copy.label, copy.pair) == ("fake", "a/real_crf35_x0.5.mp4")
    assert copy.origin["copy_of"] == loaded["a/fake.mp4"].sha256
    assert VideoInfo.from_path(tmp_path / copy.path).width == 32


def test_copies_of_impossible_quality_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="crf"):
        add_copies(Corpus(tmp_path), crf=70)
