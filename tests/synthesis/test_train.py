from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from small_runs import small_config

from dataset.errors import ModelError, SynthesisError
from dataset.mannequin import Performer, film
from synthesis import runner
from synthesis.model import TargetModel
from synthesis.train import train


def test_training_learns_the_recording(recording, tmp_path, monkeypatch):
    # Samples of a few steps differ by more than they learn; the fixed frames of the scores tell.
    monkeypatch.setattr(runner, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(runner, "SAMPLE_GROWTH", 0.5)
    out = tmp_path / "model"
    train([recording], out, small_config(steps=60), subject="dancer")
    log, scores = (
        [json.loads(line) for line in (out / name).read_text().splitlines()]
        for name in ("log.jsonl", "scores.jsonl")
    )
    assert [entry["step"] for entry in log] == list(range(1, 61))
    assert (scores[0]["step"], scores[-1]["step"]) == (1, 60)
    assert scores[-1]["perceptual squeezenet1_1"] < 0.97 * scores[0]["perceptual squeezenet1_1"]
    preview = cv2.imread(str(next((out / "previews").iterdir())))
    assert preview.shape[0] == 64
    assert not list((out / "cache").glob("frames_*"))


def test_a_finished_model_is_loaded_and_not_trained_again(recording, model_folder):
    before = (model_folder / "generator.safetensors").stat().st_mtime_ns
    model = train([recording], model_folder, small_config(steps=6, snapshots=(3,)), subject="dancer")
    assert model.steps == 6
    assert (model_folder / "generator.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("change", "word"),
    [({"steps": 7}, "config"), ({"subject": "other"}, "subject"), ({"recording": "other"}, "recordings")],
)
def test_another_run_in_the_same_folder_is_refused(recording, model_folder, tmp_path, change, word):
    path = recording
    if "recording" in change:
        path = tmp_path / "other.mp4"
        film(path, Performer.from_seed(4), "wave", seconds=0.3, fps=10, size=(96, 128))
    with pytest.raises(SynthesisError, match=word):
        train(
            [path],
            model_folder,
            small_config(steps=change.get("steps", 6), snapshots=(3,)),
            subject=change.get("subject", "dancer"),
        )


def test_a_recording_of_nobody_is_refused(tmp_path):
    from dataset.video import VideoWriter

    path = tmp_path / "empty_room.mp4"
    with VideoWriter(path, (160, 120), fps=10) as writer:
        for _ in range(20):
            writer.write(np.full((120, 160, 3), 90, np.uint8))
    with pytest.raises(SynthesisError, match="0 of 20 frames"):
        train([path], tmp_path / "model", small_config(steps=2), subject="nobody", research_only=True)


def test_changed_weights_are_refused(recording, tmp_path):
    out = tmp_path / "model"
    model = train([recording], out, small_config(steps=1), subject="dancer")
    weights = out / "generator.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    with pytest.raises(ModelError, match="not those that"):
        TargetModel.load(out)
    assert model.sha256


def test_snapshots_are_weaker_generators_of_the_same_target(model_folder):
    final, early = TargetModel.load(model_folder), TargetModel.load(model_folder, snapshot=3)
    assert (final.steps, early.steps) == (6, 3)
    assert final.sha256 != early.sha256
    with pytest.raises(ModelError, match="snapshots kept: 3"):
        TargetModel.load(model_folder, snapshot=99)
