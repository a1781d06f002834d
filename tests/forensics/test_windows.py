from __future__ import annotations

import multiprocessing.reduction
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textures import make_clip, write_video

import forensics.windows as module
from dataset.files import sha256_file
from dataset.pose.keypoints import SEEN
from dataset.records import Corpus
from dataset.video import read_frames
from forensics.views import ViewConfig
from forensics.windows import MARGIN, corpus_windows

CONFIG = ViewConfig(pairs=3)


@pytest.fixture
def corpus(mannequin_video: Path, tmp_path: Path) -> Corpus:
    """The mannequin, and a "fake" of it in which nobody can be found: the picture inverted and faded."""
    frames = np.stack([frame.image for frame in read_frames(mannequin_video)])
    real, fake = tmp_path / "real.mp4", tmp_path / "fake.mp4"
    write_video(real, frames, fps=12)
    write_video(fake, (frames // 16 + 120).astype(np.uint8), fps=12)
    clips = [
        make_clip("fake.mp4", "m", fake=True, pair="real.mp4"),
        make_clip("real.mp4", "m", fake=False),
    ]
    return Corpus(tmp_path, [replace(clip, sha256=sha256_file(tmp_path / clip.path)) for clip in clips])


def test_a_mirrored_clip_is_cut_at_the_places_of_the_clip_it_mirrors(corpus: Corpus, tmp_path: Path) -> None:
    fake, real = corpus_windows(corpus, CONFIG, tmp_path / "cache")
    assert len(real) >= 9
    assert fake.parts == real.parts
    assert fake.pairs.tolist() == real.pairs.tolist()
    assert real.pixels.shape[1:] == (2, 128 + 2 * MARGIN, 128 + 2 * MARGIN, 3)
    # Faded to a sixteenth about 120, but otherwise the same picture.
    expected = np.asarray(real.pixels, np.float64) / 16 + 119.5
    assert np.abs(expected - fake.pixels).mean() < 2


def test_a_second_call_reads_the_cache_and_gives_the_same(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = corpus_windows(corpus, CONFIG, tmp_path / "cache")
    monkeypatch.setattr(module, "_cut_clip", None)
    second = corpus_windows(corpus, CONFIG, tmp_path / "cache")
    assert np.array_equal(first[0].pixels, second[0].pixels)
    with pytest.raises(TypeError):
        corpus_windows(corpus, ViewConfig(pairs=2), tmp_path / "cache")


def test_poses_of_both_frames_are_kept_and_those_of_a_fake_are_its_own(
    corpus: Corpus, tmp_path: Path
) -> None:
    fake, real = corpus_windows(corpus, CONFIG, tmp_path / "cache")
    assert real.bodies.shape == (3, 2, 25, 3)
    assert (real.bodies[..., 2] >= SEEN).sum((1, 2)).min() > 20
    moved = np.abs(real.bodies[:, 0, :, :2] - real.bodies[:, 1, :, :2])
    assert 0 < np.median(moved) < 20
    # Nobody can be found in the faded picture.
    assert not fake.bodies[..., 2].any()
    assert fake.times.tolist() == real.times.tolist()


def test_a_detector_is_shown_the_middle_of_each_window_and_where_it_lies(
    corpus: Corpus, tmp_path: Path
) -> None:
    real = corpus_windows(corpus, CONFIG, tmp_path / "cache")[1]
    shown = real.evidence(128)
    assert shown.pixels.shape[1:] == (2, 128, 128, 3)
    assert np.array_equal(shown.pixels, real.pixels[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN])
    assert shown.boxes is not None
    inner, outer = (boxes[:, 2] - boxes[:, 0] for boxes in (shown.boxes, real.boxes))
    assert np.allclose(inner / outer, 128 / (128 + 2 * MARGIN), atol=0.01)
    assert shown.bodies.shape == (3, 2, 25, 3)


def test_windows_on_disk_are_opened_again_in_another_process_instead_of_copied(
    corpus: Corpus, tmp_path: Path
) -> None:
    real = corpus_windows(corpus, CONFIG, tmp_path / "cache")[1]
    told = multiprocessing.reduction.ForkingPickler.dumps(real)
    assert len(told) < real.pixels.nbytes / 10
    again = multiprocessing.reduction.ForkingPickler.loads(told)
    assert np.array_equal(again.pixels, real.pixels)
