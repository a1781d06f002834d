from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_runs import small_config

from dataset.errors import ModelError, SynthesisError
from dataset.mannequin import Performer, film
from synthesis.checkpoint import Position, put_tensors, read_checkpoint, save_checkpoint
from synthesis.model import TargetModel
from synthesis.train import train

ROOT = Path(__file__).resolve().parents[2]


def run(recording: Path, out: Path, steps: int, *, kill_after: int | None = None) -> int:
    """Train in a process of its own, killed without warning once it has told step `kill_after`."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "small_runs.py"), str(recording), str(out), str(steps)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if kill_after is not None and int(line) >= kill_after:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    return process.wait()


def test_a_killed_run_goes_on_to_the_same_weights_bit_for_bit(recording, tmp_path):
    assert run(recording, tmp_path / "whole", 12) == 0
    assert run(recording, tmp_path / "killed", 12, kill_after=3) == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model.json").exists()
    assert run(recording, tmp_path / "killed", 12, kill_after=8) == -signal.SIGKILL
    assert run(recording, tmp_path / "killed", 12) == 0
    whole, killed = (load_file(tmp_path / name / "generator.safetensors") for name in ("whole", "killed"))
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[key], killed[key]) for key in whole)
    assert not (tmp_path / "killed" / "checkpoint.safetensors").exists()


def test_training_learns_the_recording(recording, tmp_path):
    out = tmp_path / "model"
    train([recording], out, small_config(steps=120), subject="dancer")
    told = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    warm = [entry["l1"] for entry in told if "gan" not in entry]
    assert np.mean(warm[-10:]) < 0.8 * np.mean(warm[:10])
    assert [entry["step"] for entry in told] == list(range(1, 121))
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


def test_a_damaged_checkpoint_is_refused_and_kept(recording, tmp_path):
    out = tmp_path / "model"
    assert run(recording, out, 12, kill_after=3) == -signal.SIGKILL
    checkpoint = out / "checkpoint.safetensors"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="damaged"):
        train([recording], out, small_config(steps=12), subject="dancer")
    assert checkpoint.stat().st_size == len(whole) // 2


class Plain:
    """A stage with one network, for checkpoints."""

    name, steps, shown = "plain", 3, ""

    def __init__(self, width: int) -> None:
        self.networks = {"net": torch.nn.Linear(2, width)}
        self.optimisers = {"adam": torch.optim.Adam(self.networks["net"].parameters())}


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    save_checkpoint(tmp_path / "c.safetensors", Plain(3), Position("plain"), {})
    with pytest.raises(ModelError, match="another network"):
        put_tensors(read_checkpoint(tmp_path / "c.safetensors").tensors, Plain(4))


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
