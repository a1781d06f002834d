"""Recordings filmed anew: other pictures, the same scene and times, and no evidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from textures import texture, write_video

from cli.fakedetect import main
from dataset.errors import VideoError
from dataset.files import sha256_file
from dataset.records import Clip
from dataset.video import VideoInfo, frame_times, read_frames
from forensics.camera import Camera, refilm
from forensics.folds import filmed_as, is_train_only, judgeable, trainable
from forensics.recipe import NOBODY

PLAIN = Camera(False, 1.0, 0.0, False, (1.0, 1.0, 1.0), 1.0, 1.0, 0.0, 0.0, False, 0.0, 18)


def shot(camera: Camera, scene: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.stack(list(camera.film(iter(scene), np.random.default_rng(seed)))).astype(np.float64)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Four equal pictures, 300 pixels high."""
    return np.repeat(texture(3, 1, 300), 4, 0)


def test_a_plain_camera_changes_nothing(scene: np.ndarray) -> None:
    assert np.array_equal(shot(PLAIN, scene), scene)


def test_each_property_shows(scene: np.ndarray) -> None:
    def with_(**changes: object) -> Camera:
        return Camera(**(PLAIN.__dict__ | changes))

    assert np.array_equal(shot(with_(flip=True), scene), scene[:, :, ::-1])
    detail = np.abs(np.diff(scene.astype(float), axis=2)).mean()
    assert np.abs(np.diff(shot(with_(blur=1.0), scene), axis=2)).mean() < 0.8 * detail
    assert np.abs(np.diff(shot(with_(enlarged=True), scene), axis=2)).mean() < 0.9 * detail
    assert np.abs(np.diff(shot(with_(sharpen=1.0), scene), axis=2)).mean() > 1.1 * detail
    assert shot(with_(gamma=0.8), scene).mean() > scene.mean() + 5
    red = shot(with_(balance=(0.9, 1.0, 1.0)), scene)
    assert red[..., 0].mean() < 0.95 * scene[..., 0].mean()
    assert np.array_equal(red[..., 1:], scene[..., 1:])
    spread = scene.astype(float).std(-1).mean()
    assert shot(with_(saturation=0.6), scene).std(-1).mean() < 0.7 * spread
    noisy, calm = (shot(with_(noise=7.0, denoise=held), scene) for held in (False, True))
    changes = [np.abs(np.diff(film, axis=0)).mean() for film in (noisy, calm)]
    assert 4 < changes[0] < 14
    assert changes[1] < 0.7 * changes[0]
    coarse = shot(with_(noise=7.0, grain=0.8), scene)[1] - shot(PLAIN, scene)[1]
    fine = noisy[1] - shot(PLAIN, scene)[1]
    assert np.abs(np.diff(coarse, axis=1)).mean() < 0.8 * np.abs(np.diff(fine, axis=1)).mean()
    assert shot(with_(scale=0.5), scene).shape[1:] == (240, 240, 3)  # not lower than 240
    assert PLAIN.size(1920, 1080) == (1280, 720)
    assert PLAIN.size(160, 120) == (160, 120)


def test_the_command_films_each_recording_by_cameras_that_follow_from_the_seed(tmp_path: Path) -> None:
    take = tmp_path / "take.mp4"
    write_video(take, texture(5, 12, 260))
    told = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        result = CliRunner().invoke(
            main,
            ["refilm", str(take), "--out", str(tmp_path / folder), "--seed", str(seed), "--seconds", "0.5"],
        )
        assert result.exit_code == 0, result.output
        told.append([sha256_file(tmp_path / folder / f"refilmed_{number}_take.mp4") for number in (1, 2)])
    assert told[0] == told[1]
    assert len({*told[0], *told[2]}) == 4
    made = tmp_path / "a" / "refilmed_1_take.mp4"
    times = frame_times(take)
    assert np.allclose(frame_times(made), times[times < 0.5], atol=1e-3)
    assert sha256_file(take) in VideoInfo.from_path(made).metadata["comment"]
    assert next(iter(read_frames(made))).image.shape[0] >= 240


def test_what_is_synthetic_or_named_like_another_is_refused(tmp_path: Path) -> None:
    fake = Path(__file__).parents[2] / "forensics" / "samples" / "mannequin_fake.mp4"
    with pytest.raises(VideoError, match="no recording"):
        refilm(fake, tmp_path / "x.mp4", PLAIN, seed=0, seconds=1)
    assert not (tmp_path / "x.mp4").exists()
    takes = [tmp_path / name / "take.mp4" for name in "ab"]
    for take in takes:
        take.parent.mkdir()
        write_video(take, texture(5, 3, 64))
    result = CliRunner().invoke(main, ["refilm", *map(str, takes), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "same name" in result.stderr


def test_clips_of_refilmed_recordings_are_trained_on_but_are_no_evidence() -> None:
    def clip(subject: str, source: str) -> Clip:
        return Clip(
            f"{subject}/{source}.mp4", "real", subject, subject, source, "", "recording", None, source
        )

    anew = clip("ann", "refilmed_2_waltz")
    assert filmed_as(anew.source) == "waltz"
    assert filmed_as("refilmed_waltz") == "refilmed_waltz"
    assert is_train_only(anew, NOBODY)
    assert is_train_only(clip("mannequin-3", "waltz"), NOBODY)
    assert not is_train_only(clip("ann", "waltz"), NOBODY)
    assert judgeable(clip("ann", "waltz"), ["ann"], NOBODY)
    assert not judgeable(anew, ["ann"], NOBODY)
    assert trainable(anew, ["ben"])
    assert not trainable(anew, ["ann"])
    assert not trainable(anew, ["source:waltz"])
