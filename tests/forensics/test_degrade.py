from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from textures import texture, write_video

from dataset.errors import DetectorError
from dataset.files import sha256_file
from dataset.records import Clip, Corpus
from dataset.video import VideoInfo, VideoWriter, frame_times, read_frames
from forensics.degrade import Degradation, add_copies, reencode
from forensics.folds import check_corpus

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
        Degradation(held=1.0),
        Degradation(sharpen=0.5),
        Degradation(contrast=0.8),
        Degradation(overlay=7),
        Degradation(codec="h264", rate=38),
        Degradation(codec="vp9", rate=50),
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
    untouched = sum(
        d.reduce == 1 and d.blur == 0 and d.noise == 0 and d.quality == 100 and not d.codec for d in drawn
    )
    assert 20 < untouched < 120


@pytest.mark.parametrize("codec", ["h264", "vp9"])
def test_a_codec_takes_detail_away_and_leaves_the_brightness(codec: str) -> None:
    plain = Degradation().apply(WINDOW, 64).astype(float)
    good, poor = (Degradation(codec=codec, rate=rate).apply(WINDOW, 64) for rate in (20, 50))
    assert np.abs(good - plain).mean() < 0.8 * np.abs(poor - plain).mean()
    assert abs((good - plain).mean()) < 0.5


def test_in_place_a_window_keeps_its_geometry() -> None:
    drawn = Degradation(flip=True, shift=(0.0, 1.0), zoom=1.3).in_place()
    assert np.array_equal(drawn.apply(WINDOW, 64), Degradation().apply(WINDOW, 64))


@pytest.mark.parametrize(("codec", "found"), [("h265", "hevc"), ("vp9", "vp9")])
def test_a_copy_can_go_through_another_codec_and_keeps_colours_and_times(
    tmp_path: Path, codec: str, found: str
) -> None:
    source = write_video(tmp_path / "a.mp4", texture(1, 8), fps=12.5)
    reencode(source, tmp_path / "b.mp4", crf=26, codec=codec)
    info = VideoInfo.from_path(tmp_path / "b.mp4")
    assert info.codec == found
    assert np.allclose(frame_times(tmp_path / "b.mp4"), frame_times(source), atol=0.0011)
    with read_frames(source) as one, read_frames(tmp_path / "b.mp4") as other:
        before, after = (np.stack([frame.image for frame in frames]).astype(float) for frames in (one, other))
    assert np.abs((before - after).mean((0, 1, 2))).max() < 1.5


def test_a_copy_can_have_another_frame_rate_and_be_compressed_twice(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", texture(1, 20), fps=20)
    reencode(source, tmp_path / "b.mp4", crf=26, codec="vp9", fps=10, again=("h264", 30))
    assert VideoInfo.from_path(tmp_path / "b.mp4").codec == "h264"
    assert np.allclose(np.diff(frame_times(tmp_path / "b.mp4")), 0.1, atol=0.002)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_mixed_copies_treat_a_fake_like_the_recording_it_mirrors_and_others_otherwise(tmp_path: Path) -> None:
    clips = []
    for number in range(4):
        for label in ("real", "fake"):
            path = write_video(
                tmp_path / f"{label}{number}.mp4", texture(number, 3, 48) // (1 + (label == "fake"))
            )
            pair = f"real{number}.mp4" if label == "fake" else None
            kind = "self" if pair else "recording"
            clips.append(
                Clip(path.name, label, f"p{number}", f"p{number}", "walk", "", kind, pair, sha256_file(path))
            )
    corpus = Corpus(tmp_path, clips)
    assert add_copies(corpus, mixed=3) == 8
    told = {clip.path: clip.origin.get("degraded") for clip in corpus.clips}
    assert all(told[f"real{n}_mixed3.mp4"] == told[f"fake{n}_mixed3.mp4"] for n in range(4))
    assert len({told[f"real{n}_mixed3.mp4"] for n in range(4)}) == 4
    codecs = {(clip.label, told[clip.path].split()[0]) for clip in corpus.clips if told[clip.path]}
    assert len(codecs) == 6
    check_corpus(corpus)


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
