"""A filmed mannequin and a small generator trained on it, shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_runs import small_config

from dataset.mannequin import Performer, film
from synthesis.model import TargetModel
from synthesis.train import train


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a dancing mannequin, 240×320 at 12 frames per second."""
    path = tmp_path_factory.mktemp("recordings") / "dancer.mp4"
    film(path, Performer.from_seed(3), "dance", seconds=2, fps=12, size=(240, 320))
    return path


@pytest.fixture(scope="session")
def model_folder(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator after a few steps: it paints badly, but it is a model."""
    folder = tmp_path_factory.mktemp("models") / "dancer"
    train([recording], folder, small_config(steps=6, snapshots=(3,)), subject="dancer")
    return folder


@pytest.fixture(scope="session")
def model(model_folder: Path) -> TargetModel:
    """The same, loaded."""
    return TargetModel.load(model_folder)
