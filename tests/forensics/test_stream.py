"""The detector's training loop reads a release, streaming."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from release_ground import small_release

from dataset.release import load
from forensics.detectors.patch import PatchConfig, PatchDetector
from forensics.stream import WindowStream, stream_clips
from forensics.train import TrainConfig, train_network
from forensics.views import ViewConfig

VIEWS = ViewConfig(window=32, pairs=2, least_height=8)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Any:
    release = small_release(tmp_path_factory.mktemp("release") / "c")
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
