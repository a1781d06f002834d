"""Recordings with a still picture behind the person: cut out by the person's outline, and no evidence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from mannequin_pixels import person_pixels
from textures import as_windows, make_clip, texture, write_video

from cli.fakedetect import main
from dataset.errors import DetectorError
from dataset.files import sha256_file
from dataset.mannequin import Performer
from dataset.mannequin.film import Studio
from dataset.records import BACKDROP_OF, Corpus
from dataset.video import frame_times, read_frames
from forensics.backdrop import add_backdrops, put_backdrop
from forensics.copies import add_copies
from forensics.detectors.temporal import TemporalConfig, TemporalDetector
from forensics.folds import is_train_only, trainable
from forensics.recipe import NOBODY
from forensics.sampler import Sampler
from forensics.train import TrainConfig
from forensics.views import ViewConfig
from forensics.windows import corpus_windows

COUNT = 8


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A mannequin before a wall that flickers by some grey levels, and which pixels show the mannequin."""
    path = tmp_path_factory.mktemp("filmed") / "filmed.mp4"
    studio = Studio(Performer.from_seed(3), (240, 320))
    times = np.arange(COUNT) / 12
    pictures = np.stack([studio.picture("wave", time, 0.001) for time in times]).astype(np.int16)
    person = np.stack([person_pixels(studio, "wave", time) for time in times])
    pictures += np.random.default_rng(0).integers(-12, 13, (COUNT, 1, 1, 1), np.int16)
    write_video(path, np.clip(pictures, 0, 255).astype(np.uint8), fps=12)
    return path, person


@pytest.fixture
def corpus(filmed: tuple[Path, np.ndarray], tmp_path: Path) -> Corpus:
    """The recording and a fake of it, the picture faded."""
    frames = np.stack([frame.image for frame in read_frames(filmed[0])])
    write_video(tmp_path / "real.mp4", frames, fps=12)
    write_video(tmp_path / "fake.mp4", (frames // 16 + 120).astype(np.uint8), fps=12)
    clips = [make_clip("fake.mp4", "m", fake=True, pair="real.mp4"), make_clip("real.mp4", "m", fake=False)]
    made = Corpus(
        tmp_path,
        [
            replace(c, sha256=sha256_file(tmp_path / c.path), origin={"crf": "18"}, source="walk")
            for c in clips
        ],
    )
    made.save()
    return made


def test_the_wall_stands_still_and_the_person_does_not(
    filmed: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, person = filmed
    out = tmp_path / "out.mp4"
    put_backdrop(path, out, crf=12)
    before, after = (
        np.stack([frame.image for frame in read_frames(file)]).astype(float) for file in (path, out)
    )
    assert after.shape == before.shape
    assert np.abs(frame_times(out) - frame_times(path)).max() < 2e-3
    always = person.all(0)
    never = ~np.isin(
        np.arange(person.shape[2]), np.flatnonzero(person.any((0, 1)))
    )  # columns beside the person
    assert always.sum() > 500
    assert never.sum() > 40
    flicker = np.abs(np.diff(before[:, :, never], axis=0)).mean()
    assert flicker > 3
    assert np.abs(np.diff(after[:, :, never], axis=0)).mean() < 0.1 * flicker
    assert np.abs(after - before)[:, always].mean() < 3


def test_nobody_cannot_be_cut_out(empty_video: Path, tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="nobody is seen in it"):
        put_backdrop(empty_video, tmp_path / "out.mp4", crf=18)
    assert not list(tmp_path.iterdir())


def test_each_recording_with_a_fake_gets_one_copy_that_is_no_evidence(corpus: Corpus) -> None:
    result = CliRunner().invoke(main, ["backdrop", str(corpus.root)])
    assert result.exit_code == 0, result.output
    loaded = Corpus.load(corpus.root)
    assert "1 recordings added, 3 clips now" in result.output
    made = next(clip for clip in loaded.clips if BACKDROP_OF in clip.origin)
    assert (made.path, made.label, made.source, made.pair) == (
        "real_backdrop.mp4",
        "real",
        "backdrop_walk",
        None,
    )
    assert made.origin[BACKDROP_OF] == "real.mp4"
    assert made.sha256 == sha256_file(loaded.absolute(made))
    assert is_train_only(made, NOBODY)
    assert not trainable(made, ["source:walk"])
    assert add_backdrops(loaded) == 0
    # The internet's doings are drawn in training; copies of it would be trained on more than what is evidence.
    assert add_copies(loaded, crf=30) == 2
    assert not any("backdrop" in clip.path for clip in loaded.clips if "degraded" in clip.origin)


def test_a_manifest_without_the_rate_factor_is_refused(corpus: Corpus) -> None:
    corpus.clips = [replace(clip, origin={}) for clip in corpus.clips]
    with pytest.raises(DetectorError, match="at which crf"):
        add_backdrops(corpus)
    assert len(corpus.clips) == 2


def test_it_is_cut_where_its_recording_is(corpus: Corpus, tmp_path: Path) -> None:
    add_backdrops(corpus)
    windows = {
        item.clip.path: item for item in corpus_windows(corpus, ViewConfig(pairs=3), tmp_path / "cache")
    }
    real, cut_out = windows["real.mp4"], windows["real_backdrop.mp4"]
    assert len(real) >= 6
    assert cut_out.parts == real.parts
    assert np.array_equal(cut_out.boxes, real.boxes)


def test_it_stands_beside_some_of_the_fakes_of_its_recording_and_nowhere_else() -> None:
    video = texture(1)
    record, fake = make_clip("r.mp4", "a", False), make_clip("f.mp4", "a", True, pair="r.mp4")
    cross = make_clip("c.mp4", "a", True)
    cut_out = replace(make_clip("b.mp4", "a", False), origin={BACKDROP_OF: "r.mp4"})
    levels = {"r.mp4": 10, "f.mp4": 90, "c.mp4": 130, "b.mp4": 200}
    clips = [
        as_windows(clip, np.full_like(video, levels[clip.path])) for clip in (record, fake, cross, cut_out)
    ]
    sampler = Sampler(clips, 64, seed=0)
    beside: dict[int, list[int]] = {90: [], 130: []}
    for seed in range(400):
        shown, real = sampler.couple(np.random.default_rng(seed))
        beside[int(shown.flat[0])].append(int(real.flat[0]))
    assert 0.2 < np.mean([level == 200 for level in beside[90]]) < 0.4
    assert set(beside[90]) == {10, 200}
    assert set(beside[130]) == {10}


def test_figures_are_not_learnt_from_it() -> None:
    real, fake = make_clip("r.mp4", "a", False), make_clip("f.mp4", "a", True, pair="r.mp4")
    cut_out = replace(make_clip("b.mp4", "a", False), origin={BACKDROP_OF: "r.mp4"})
    detector = TemporalDetector(TemporalConfig(variants=1))
    clips = [as_windows(clip, texture(2)) for clip in (real, fake, cut_out)]
    with_it, without = (detector.measure_all(some, TrainConfig(), None) for some in (clips, clips[:2]))
    assert np.array_equal(with_it.figures, without.figures, equal_nan=True)
    assert with_it.fake.sum() == len(with_it.fake) / 2
