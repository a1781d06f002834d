"""What a detector learns, and what it must not learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from textures import TINY, Video, as_windows, make_clip, planted_corpus, texture, write_video

from dataset.errors import DetectorError
from dataset.video import read_frames
from forensics.crossfit import score_clip
from forensics.degrade import Degradation
from forensics.metrics import auc
from forensics.sampler import Sampler
from forensics.train import Run, TrainConfig, train_network
from forensics.windows import ClipWindows
from synthesis.stage import World

# In float32, so that the same seed gives the same figures on every machine but for rounding.
QUICK = TrainConfig(steps=120, batch=16, rate=5e-3, average=0.95, precision="float32")
LONGER = replace(QUICK, steps=200)


def held_out_auc(windows: list[ClipWindows], left_out: int, config: TrainConfig = QUICK) -> float:
    """Per frame pair, on the last `left_out` subjects."""
    subjects = sorted({item.clip.subject for item in windows})
    test = subjects[-left_out:]
    detector = train_network([item for item in windows if item.clip.subject not in test], TINY, config)
    scores = [score_clip(detector, item) for item in windows if item.clip.subject in test]
    pairs = [(value, score.fake) for score in scores for value in score.pair_scores]
    return auc(np.array([value for value, _ in pairs]), np.array([fake for _, fake in pairs]))


def test_a_planted_artefact_is_learnt_and_found_on_subjects_never_seen() -> None:
    assert held_out_auc(planted_corpus(subjects=8), left_out=3) > 0.95


def decoded(folder: Path, name: str, frames: Video, crf: int) -> Video:
    path = write_video(folder / f"{name}.mp4", frames, crf=crf)
    return np.stack([frame.image for frame in read_frames(path)])


def recordings(folder: Path, subjects: int, crf_of_fakes: int) -> list[ClipWindows]:
    """Two recordings of each subject, both real; which one is called fake is drawn by lot."""
    lot = np.random.default_rng(7)
    windows = []
    for subject in range(subjects):
        called_fake = int(lot.integers(2))
        for take in range(2):
            fake = take == called_fake
            video = decoded(
                folder,
                f"{subject}-{take}",
                texture(subject, motion=10 * subject + take),
                crf_of_fakes if fake else 23,
            )
            windows.append(as_windows(make_clip(f"{subject}-{take}.mp4", f"p{subject:02}", fake), video))
    return windows


@pytest.fixture
def _undegraded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave every trace of the encoder in the training windows."""

    def draw(random: np.random.Generator) -> Degradation:
        return Degradation(
            flip=bool(random.random() < 0.5), shift=(float(random.random()), float(random.random()))
        )

    monkeypatch.setattr(Degradation, "draw", draw)


@pytest.mark.usefixtures("_undegraded")
def test_real_against_real_by_the_same_encoder_stays_at_chance(tmp_path: Path) -> None:
    assert 0.3 < held_out_auc(recordings(tmp_path, 28, crf_of_fakes=23), 10, LONGER) < 0.7


@pytest.mark.usefixtures("_undegraded")
def test_the_same_recordings_are_told_apart_once_the_encoder_differs(tmp_path: Path) -> None:
    assert held_out_auc(recordings(tmp_path, 28, crf_of_fakes=51), 10, LONGER) > 0.85


def test_the_same_seed_gives_the_same_detector_and_another_seed_another() -> None:
    windows = planted_corpus(subjects=2)
    few = TrainConfig(steps=3, batch=4)
    scores = [
        score_clip(train_network(windows, TINY, config), windows[0]).score
        for config in (few, few, TrainConfig(steps=3, batch=4, seed=1))
    ]
    assert scores[0] == scores[1] != scores[2]


def test_batches_hold_each_fake_beside_the_same_window_of_its_real_clip() -> None:
    real = texture(0, 4, 64)
    record = make_clip("real.mp4", "a", fake=False)
    marked = 255 - real
    fake = make_clip("fake.mp4", "a", fake=True, pair="real.mp4")
    sampler = Sampler([as_windows(record, real), as_windows(fake, marked)], 64, seed=0)
    for step in range(20):
        # Inverted pictures stay each other's opposites under a shared flip and cut; noise, gamma and captions differ.
        windows, labels = sampler.draw(step, 2)
        assert labels.tolist() == [0, 1]
        together = np.corrcoef(windows[0].ravel().astype(float), windows[1].ravel().astype(float))[0, 1]
        assert together < -0.5


def test_a_fake_without_a_pair_gets_a_real_window_of_the_same_part() -> None:
    video = texture(0, 5, 64)
    real = as_windows(make_clip("real.mp4", "a", fake=False), video)
    real = ClipWindows(real.clip, real.pixels, real.pairs, ("head", "torso", "head", "torso"))
    fake = as_windows(make_clip("fake.mp4", "a", fake=True, source="b"), video)
    fake = ClipWindows(fake.clip, fake.pixels, fake.pairs, ("head",) * 4)
    sampler = Sampler([real, fake], 64, seed=0)
    for step in range(20):
        window = sampler.couple(np.random.default_rng(step))[1]
        assert any(np.array_equal(window, real.pixels[row]) for row in (0, 2))


def test_half_of_the_fakes_drawn_are_originals_however_many_copies_there_are() -> None:
    video = texture(0, 5, 64)
    clips = [as_windows(make_clip("real.mp4", "a", fake=False), video)]
    for number in range(9):
        clip = make_clip(f"fake{number}.mp4", "a", fake=True)
        origin = {"degraded": f"crf {number}"} if number else {}
        clips.append(as_windows(replace(clip, origin=origin), np.full_like(video, number)))
    sampler = Sampler(clips, 64, seed=0)
    drawn = [int(sampler.couple(np.random.default_rng(step))[0].max()) for step in range(200)]
    assert 80 < drawn.count(0) < 140
    assert len(set(drawn)) == 9


def test_fakes_alone_are_refused() -> None:
    clip = make_clip("fake.mp4", "a", fake=True)
    with pytest.raises(DetectorError, match="nothing to train on"):
        train_network([as_windows(clip, texture(0))], TINY, QUICK)


def test_a_training_that_was_cut_off_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    windows = planted_corpus(subjects=2)
    config = replace(QUICK, steps=6, batch=4)
    whole = train_network(windows, TINY, config)

    def stop(done: int, total: int | None, note: str) -> None:
        if done == 5:
            raise KeyboardInterrupt

    run = Run(folder=tmp_path / "training", identity="a", seconds=0)
    with pytest.raises(KeyboardInterrupt):
        train_network(windows, TINY, config, stop, run=run)
    steps: list[int] = []
    resumed = train_network(windows, TINY, config, lambda done, *_: steps.append(done), run=run)
    # Where it goes on depends on how long a checkpoint takes to write; that it goes on does not.
    assert steps[-1] == 6
    assert len(steps) < 6
    for name, value in whole.tensors().items():
        assert torch.equal(value, resumed.tensors()[name]), name
    assert not (tmp_path / "training").exists()


def test_a_checkpoint_of_another_training_is_not_taken_up(tmp_path: Path) -> None:
    windows = planted_corpus(subjects=2)
    config = replace(QUICK, steps=2, batch=4)

    def stop(done: int, total: int | None, note: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_network(windows, TINY, config, stop, run=Run(folder=tmp_path, identity="a", seconds=0))
    steps: list[int] = []
    other = Run(folder=tmp_path, identity="b", seconds=0)
    train_network(windows, TINY, config, lambda done, *_: steps.append(done), run=other)
    assert steps == [1, 2]


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(DetectorError, match="divided by 4"):
        train_network(planted_corpus(subjects=1), TINY, replace(QUICK, batch=6), run=Run(World(size=2)))
