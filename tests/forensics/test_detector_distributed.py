"""Trainings in processes of their own: two instead of one, and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from detector_run import train
from safetensors.torch import load_file
from textures import planted, texture

from forensics.detectors import Evidence, load_detector

ROOT = Path(__file__).parents[2]
SCRIPT = str(ROOT / "tests" / "detector_run.py")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def by_two(out: Path, *plan: str, restarts: int = 0) -> subprocess.CompletedProcess[str]:
    """The training by two processes, which torchrun starts anew so many times when one of them is gone."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*command, "--max-restarts", str(restarts), SCRIPT, str(out), "4", *plan],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_two_processes_learn_and_score_what_one_does(tmp_path: Path) -> None:
    train(tmp_path / "one", 4)
    told = by_two(tmp_path / "two")
    assert told.returncode == 0, told.stderr
    video = planted(texture(5, 6, 48))
    shown = Evidence.of_windows(np.stack([video[:-1], video[1:]], 1))
    one, two = (load_detector(tmp_path / name).judge(shown).pairs for name in ("one", "two"))
    assert np.abs(one).max() > 0.01
    assert np.allclose(one, two, atol=1e-4)
    scores = [json.loads((tmp_path / name / "scores.json").read_text())["scores"] for name in ("one", "two")]
    assert [score["clip"] for score in scores[0]] == [score["clip"] for score in scores[1]]
    assert np.allclose(*([score["score"] for score in of_run] for of_run in scores), atol=1e-4)


def test_a_training_that_loses_a_process_is_started_anew_by_torchrun_and_goes_on(tmp_path: Path) -> None:
    assert by_two(tmp_path / "whole").returncode == 0
    told = by_two(tmp_path / "restarted", "--die", "2", restarts=1)
    assert told.returncode == 0, told.stderr
    assert "exitcode: -9" in told.stderr
    whole, restarted = (
        load_file(tmp_path / name / "detector.safetensors") for name in ("whole", "restarted")
    )
    for name, value in whole.items():
        assert torch.equal(value, restarted[name]), name


def test_a_killed_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    train(tmp_path / "whole", 6)
    command = [sys.executable, SCRIPT, str(tmp_path / "killed"), "6"]
    killed = subprocess.run(
        [*command, "--die", "4"], env=ENVIRONMENT, capture_output=True, text=True, timeout=300
    )
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "killed" / "training").is_dir()
    again = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=True)
    assert int(again.stdout.split()[0]) > 1
    whole, resumed = (load_file(tmp_path / name / "detector.safetensors") for name in ("whole", "killed"))
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
