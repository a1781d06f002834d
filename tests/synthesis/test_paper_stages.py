from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_runs import small_config

from synthesis.config import FaceConfig, PaperConfig, SynthesisConfig, preset
from synthesis.model import TargetModel
from synthesis.train import train
from synthesis.transfer import generate


def tiny(**schedule: object) -> SynthesisConfig:
    """The preset `paper`, so small that a step takes a moment; SqueezeNet instead of VGG19."""
    paper = preset("paper")
    return replace(
        paper,
        data=replace(paper.data, height=64),
        paper=PaperConfig(
            size=(64, 32), width=8, downs=2, blocks=1, enhancer_blocks=1, ndf=8, global_steps=2, local_steps=2
        ),
        face=FaceConfig(enabled=True, size=32, width=8, downs=1, blocks=1, ndf=8, n_layers=1, steps=2),
        loss=replace(paper.loss, perceptual="squeezenet1_1"),
        schedule=replace(paper.schedule, **schedule),
    )


@pytest.fixture(scope="module")
def close_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mannequin whose face is large enough to learn from, 1.5 s."""
    from dataset.mannequin import Performer, film

    path = tmp_path_factory.mktemp("recordings") / "closer.mp4"
    film(path, Performer.from_seed(3), "dance", seconds=1.5, fps=12, size=(360, 480))
    return path


@pytest.fixture(scope="module")
def trained(close_up: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "paper"
    train([close_up], folder, tiny(), subject="dancer")
    return folder


def test_paper_trains_global_local_and_face_and_paints_frames(trained: Path):
    model = TargetModel.load(trained)
    assert model.steps == 6
    assert model.face_generator is not None
    painted = list(generate(model, model.poses[:3], model.plate))
    assert [image.shape for image in painted] == [model.plate.shape] * 3


def test_faces_are_corrected_before_the_next_frame_is_painted(trained: Path):
    model = TargetModel.load(trained)
    with torch.no_grad():
        for parameter in model.face_generator.parameters():
            parameter.mul_(3)  # so that the correction can be seen
    corrected = list(generate(model, model.poses[:2], model.plate))
    model.face_generator = None
    plain = list(generate(model, model.poses[:2], model.plate))
    assert not np.array_equal(corrected[0], plain[0])
    assert not np.array_equal(corrected[1], plain[1])


def test_nothing_but_a_residual_tells_the_corrected_picture_from_the_painted(trained: Path):
    model = TargetModel.load(trained)
    corrected = next(iter(generate(model, model.poses[:1], model.plate)))
    model.face_generator = None
    plain = next(iter(generate(model, model.poses[:1], model.plate)))
    changed = np.abs(corrected.astype(int) - plain).max(axis=2) > 0
    assert 0 < changed.mean() < 0.3


def test_a_run_stopped_in_every_stage_goes_on_to_the_same_weights(
    close_up: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from synthesis import runner

    monkeypatch.setattr(runner, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(runner, "CHECKPOINT_COST", float("inf"))

    class Stopped(Exception):
        """What cuts the run off."""

    def stop_at(wanted: int) -> Callable[[int, int, str], None]:
        def progress(done: int, total: int, note: str) -> None:
            if done == wanted:
                raise Stopped

        return progress

    for step in (1, 3, 5):
        with pytest.raises(Stopped):
            train([close_up], tmp_path / "paper", tiny(), subject="dancer", progress=stop_at(step))
    train([close_up], tmp_path / "paper", tiny(), subject="dancer")
    for name in ("generator.safetensors", "face.safetensors"):
        assert (tmp_path / "paper" / name).read_bytes() == (trained / name).read_bytes()


def test_frame_by_frame_is_a_configuration(close_up: Path, tmp_path: Path):
    config = tiny(temporal=False)
    config = replace(config, face=replace(config.face, enabled=False))
    model = train([close_up], tmp_path / "fbf", config, subject="dancer")
    assert model.face_generator is None
    assert model.generator.enter.in_channels == 3
    alone = next(iter(generate(model, model.poses[1:2], model.plate)))
    after = list(generate(model, model.poses[:2], model.plate))[1]
    assert np.array_equal(alone, after)


def test_the_face_stage_serves_the_compact_preset(close_up: Path, tmp_path: Path):
    config = replace(small_config(steps=2), face=tiny().face)
    train([close_up], tmp_path / "compact", config, subject="dancer")
    model = TargetModel.load(tmp_path / "compact")
    corrected = next(iter(generate(model, model.poses[:1], model.plate)))
    model.face_generator = None
    assert not np.array_equal(corrected, next(iter(generate(model, model.poses[:1], model.plate))))
