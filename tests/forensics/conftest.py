"""Videos and detectors that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from textures import texture, write_video

from dataset.mannequin import Performer, film
from forensics.calibrate import Calibration
from forensics.detectors.patch import PatchConfig, PatchDetector


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Small networks are slower on several threads, and sums come out differently.

    For the whole module, so that what its fixtures train is covered as well.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def calibration() -> Calibration:
    """A curve with even odds at score 0 that finds nothing unfamiliar."""
    return Calibration(
        slope=1.0,
        intercept=0.0,
        fake_from=0.9,
        real_to=0.2,
        unfamiliar_from=1e6,
        false_alarms=0.01,
        misses=0.05,
        real_clips=8,
        fake_clips=8,
        subjects=4,
        method="made for a test",
    )


@pytest.fixture
def biased(calibration: Calibration) -> Callable[[float], PatchDetector]:
    """Detectors that give every window the same score."""

    def make(score: float) -> PatchDetector:
        torch.manual_seed(0)
        detector = PatchDetector(PatchConfig(ndf=4))
        torch.nn.init.zeros_(detector.network.classify.weight)
        torch.nn.init.constant_(detector.network.classify.bias, score)
        detector.calibration = calibration
        return detector

    return make


@pytest.fixture(scope="session")
def mannequin_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filmed mannequin, 1 s."""
    path = tmp_path_factory.mktemp("mannequin") / "mannequin.mp4"
    film(path, Performer.from_seed(3), "wave", seconds=1, fps=12, size=(240, 320))
    return path


@pytest.fixture(scope="session")
def empty_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nobody: a moving texture, 1 s."""
    return write_video(tmp_path_factory.mktemp("empty") / "empty.mp4", texture(5, 12, 160), fps=12)
