"""The detector's training loop reads a release, streaming."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from release_ground import small_release

from dataset.errors import DetectorError
from dataset.release import load
from forensics import build_stream
from forensics.build_stream import build_from_release
from forensics.detectors import load_detector
from forensics.detectors.patch import PatchConfig, PatchDetector
from forensics.detectors.posemotion import PoseMotionConfig
from forensics.recipe import Recipe
from forensics.stream import WindowStream, stream_clips
from forensics.stream_batches import StreamBatches
from forensics.train import TrainConfig, train_network
from forensics.views import ViewConfig

VIEWS = ViewConfig(window=32, pairs=2, least_height=8)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_release(tmp_path_factory.mktemp("release") / "c")


@pytest.fixture(scope="module")
def rows(release: Path) -> Any:
    return load(release, "pairs", split="train", streaming=True)


def test_the_training_loop_takes_what_is_streamed_from_a_release(rows: Any) -> None:
    clips = stream_clips(rows, VIEWS, limit=3)
    assert [clip.clip.label for clip in clips] == ["real", "fake"] * 3
    assert clips[1].clip.pair == clips[0].clip.path
    assert clips[0].parts == clips[1].parts
    assert len(clips[0])
    losses: list[str] = []
    detector = train_network(
        clips,
        PatchConfig(window=32, ndf=8),
        TrainConfig(steps=2, batch=4, precision="float32"),
        lambda done, total, note: losses.append(note),
    )
    assert len(losses) == 2
    assert isinstance(detector, PatchDetector)
    assert all(torch.isfinite(weight).all() for weight in detector.network.parameters())


def test_a_stream_of_windows_fills_batches_with_real_and_fake_of_the_same_place(rows: Any) -> None:
    loader = torch.utils.data.DataLoader(WindowStream(rows, VIEWS), batch_size=8)
    windows, labels = next(iter(loader))
    assert windows.shape == (8, 2, 64, 64, 3)
    assert labels.tolist() == [0, 1] * 4
    # The fake is the same disc without its noise: near the real one, and not the same.
    difference = np.abs(windows[0].numpy().astype(int) - windows[1].numpy())
    assert 0 < difference.mean() < 60


def test_rows_are_read_only_as_they_are_needed(rows: Any) -> None:
    taken = []

    def counted() -> Iterator[Any]:
        for row in rows:
            taken.append(row["id"])
            yield row

    next(iter(WindowStream(counted(), VIEWS)))
    assert len(taken) == 1
    assert len(stream_clips(counted(), VIEWS, limit=1)) == 2
    assert len(taken) == 2


def test_batches_go_on_at_the_same_place_of_the_stream(rows: Any, release: Path) -> None:
    def open_rows() -> Any:
        return load(release, "pairs", split="train", streaming=True)

    first = StreamBatches(open_rows, VIEWS, seed=1, hold=2, turn=1)
    drawn = [first.draw(step, 4)[0] for step in range(3)]
    state = json.loads(json.dumps(first.state()))
    later = [first.draw(step, 4)[0] for step in range(3, 7)]
    second = StreamBatches(open_rows, VIEWS, seed=1, hold=2, turn=1)
    second.restore(state)
    for step, expected in enumerate(later, start=3):
        assert np.array_equal(second.draw(step, 4)[0], expected)
    assert drawn[0].shape == (4, 2, 32, 32, 3)
    # The stream is short, and begins anew when it has come to its end.
    assert len(list(open_rows())) < 2 + 6


def test_a_detector_is_built_from_a_release_and_calibrated_on_its_validation_split(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(PatchConfig(window=32, ndf=4), TrainConfig(steps=2, batch=4, precision="float32"), VIEWS)
    with pytest.raises(DetectorError, match="cannot calibrate on 1 people"):
        build_from_release(release, tmp_path, recipe)
    assert load_detector(tmp_path).calibration is None
    # The release is too small for two people in each split.
    monkeypatch.setattr(build_stream, "CALIBRATES", "train")
    detector = build_from_release(release, tmp_path, recipe)
    assert detector.calibration is not None
    assert "split train" in detector.calibration.method
    assert load_detector(tmp_path).weights_sha256 == detector.weights_sha256
    with pytest.raises(DetectorError, match="cannot be trained from a stream"):
        build_from_release(release, tmp_path, Recipe(PoseMotionConfig(), views=VIEWS))
