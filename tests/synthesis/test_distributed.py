"""Several processes that train together. They are real ones, started by torchrun; gloo carries the gradients."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import distributed_run
import pytest
import torch
import torch.distributed as dist
from distributed_run import STEPS, spread_config
from torch import nn

from dataset.errors import PeerError, SynthesisError
from synthesis.checkpoint import CHECKPOINT, read_checkpoint
from synthesis.compact.stage import CompactStage
from synthesis.config import ScheduleConfig
from synthesis.distributed import agree_on_start, average_gradients, choose_device
from synthesis.losses import feature_matching, gan_loss, person_l1
from synthesis.networks.perceptual import PerceptualLoss
from synthesis.stage import World, samples_of_step
from synthesis.train import prepare_all, train

ROOT = Path(__file__).resolve().parents[2]


def torchrun(
    recording: Path, out: Path, *, plan: tuple[str, ...] = (), restarts: int = 0
) -> subprocess.CompletedProcess[str]:
    """``synthesize train`` by two processes, which torchrun starts anew so many times when one of them is gone."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
            *("--max-restarts", str(restarts), str(ROOT / "tests" / "distributed_run.py"), *plan),
            *("train", str(recording), "--out", str(out), "--subject", "dancer", "--device", "cpu"),
        ],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def by_two(recording, tmp_path_factory) -> Path:
    """A run by two processes, each with half of every batch."""
    out = tmp_path_factory.mktemp("distributed") / "two"
    done = torchrun(recording, out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("generator of dancer") == 1  # only one of them speaks
    return out


def by_one(recording: Path, out: Path, monkeypatch: pytest.MonkeyPatch, **schedule: int) -> Path:
    """The same run by this process alone, on one thread as those of `torchrun`: sums are in the same order."""
    for owner, name in distributed_run.PATCHED:
        monkeypatch.setattr(owner, name, getattr(owner, name))  # so that it is undone at the end
    distributed_run.patch()
    config = replace(spread_config(), preset="small")
    config = replace(config, schedule=replace(config.schedule, **schedule))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train([recording], out, config, subject="dancer")
    finally:
        torch.set_num_threads(threads)
    return out


def assert_alike(one: Path, other: Path, start: CompactStage) -> None:
    """What the training changed in each network is the same in two runs, but for rounding."""
    first, second = (read_checkpoint(folder / CHECKPOINT).tensors for folder in (one, other))
    assert first.keys() == second.keys()
    assert any(key.endswith("momentum_buffer") for key in first)
    for name, network in start.networks.items():
        begun = flat(network.state_dict())
        ends = [
            flat({key: stored[f"network {name} {key}"] for key in network.state_dict()})
            for stored in (first, second)
        ]
        moved = (ends[0] - begun).norm()
        assert moved > 1e-3
        assert (ends[0] - ends[1]).norm() < 1e-4 * moved, name


def flat(state: dict[str, torch.Tensor]) -> torch.Tensor:
    """All numbers of a network in a row."""
    return torch.cat([value.reshape(-1).double() for value in state.values()])


@pytest.fixture(scope="module")
def at_start(recording, tmp_path_factory) -> CompactStage:
    """The networks before the first step."""
    prepared = prepare_all(
        [recording], tmp_path_factory.mktemp("start"), spread_config(), lambda what, done, total: None
    )
    return CompactStage(spread_config(), prepared, World())


@pytest.mark.slow
def test_two_processes_with_half_the_batch_equal_one_with_the_whole(
    recording, by_two, at_start, tmp_path, monkeypatch
):
    assert_alike(by_one(recording, tmp_path / "one", monkeypatch), by_two, at_start)


@pytest.mark.slow
def test_a_batch_in_several_passes_equals_the_batch_in_one(recording, at_start, tmp_path, monkeypatch):
    whole = by_one(recording, tmp_path / "whole", monkeypatch)
    parts = by_one(recording, tmp_path / "parts", monkeypatch, accumulate=2)
    assert_alike(whole, parts, at_start)


@pytest.mark.slow
def test_when_one_process_fails_all_stop_with_its_message_and_the_run_goes_on_later(
    recording, by_two, tmp_path
):
    out = tmp_path / "model"
    failed = torchrun(recording, out, plan=("--fail", str(STEPS // 2)))
    assert failed.returncode != 0
    said = [
        line for line in failed.stderr.splitlines() if "error:" in line.lower() and "danceproof" not in line
    ]
    assert [line for line in said if line.startswith("error: ")] == [
        "error: the second process has had enough"
    ]
    assert read_checkpoint(out / CHECKPOINT).position.done == STEPS // 2
    resumed = torchrun(recording, out)
    assert resumed.returncode == 0, resumed.stderr
    expected, found = (read_checkpoint(folder / CHECKPOINT).tensors for folder in (by_two, out))
    assert all(torch.equal(found[key], value) for key, value in expected.items())


@pytest.mark.slow
def test_a_run_that_loses_a_process_is_started_anew_by_torchrun_and_goes_on(recording, by_two, tmp_path):
    out = tmp_path / "model"
    done = torchrun(recording, out, plan=("--die", str(STEPS // 2)), restarts=1)
    assert done.returncode == 0, done.stderr
    assert "SIGKILL" in done.stderr or "exitcode: -9" in done.stderr
    expected, found = (read_checkpoint(folder / CHECKPOINT).tensors for folder in (by_two, out))
    assert all(torch.equal(found[key], value) for key, value in expected.items())


@pytest.mark.parametrize("late", [0, 1, 2])
def test_processes_of_a_start_agree_whatever_an_earlier_one_has_left(late):
    store, seen = dist.HashStore(), set()

    def begin(rank: int) -> str:
        if rank == late:
            time.sleep(0.2)
        return agree_on_start(store, rank, 3, timedelta(seconds=20))

    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            words = set(pool.map(begin, range(3)))
            assert len(words) == 1
            assert not words & seen
            seen |= words


def test_a_start_without_all_of_its_processes_is_given_up():
    store = dist.HashStore()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda rank: agree_on_start(store, rank, 2, timedelta(seconds=20)), range(2)))
    with pytest.raises(PeerError, match="not all processes"):
        agree_on_start(store, 1, 2, timedelta(seconds=0.2))


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_processes_take_each_sample_once(size, accumulate):
    schedule = ScheduleConfig(batch=8, accumulate=accumulate)
    for index in (0, 5):
        taken = [
            number
            for rank in range(size)
            for part in samples_of_step(index, schedule, World(rank, size))
            for number in part
        ]
        assert taken == list(range(8 * index, 8 * index + 8))


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(SynthesisError, match=r"a batch of 3 cannot be shared by 2 processes.*multiple of 2"):
        samples_of_step(0, ScheduleConfig(batch=3), World(0, 2))


def test_every_loss_is_a_mean_over_samples():
    torch.manual_seed(0)
    made, real = torch.rand(4, 3, 32, 32) * 2 - 1, torch.rand(4, 3, 32, 32) * 2 - 1
    real[0] *= 0.1  # a batch-wide normalisation would give this one less than its share
    weight = torch.rand(4, 1, 32, 32) * torch.tensor([0.1, 1, 5, 20]).view(4, 1, 1, 1)
    perceptual = PerceptualLoss()

    def all_losses(rows: slice) -> torch.Tensor:
        a, b = made[rows], real[rows]
        return torch.stack(
            [
                person_l1(a, b, weight[rows]),
                perceptual(a, b),
                gan_loss([[a], [b]], True),
                feature_matching([[a, a]], [[b, b]]),
            ]
        )

    each = torch.stack([all_losses(slice(i, i + 1)) for i in range(4)])
    torch.testing.assert_close(all_losses(slice(0, 4)), each.mean(0))


def test_alone_there_is_nothing_to_average():
    layer = nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    assert layer.weight.grad is not None
    before = layer.weight.grad.clone()
    average_gradients(layer.parameters(), World())
    assert torch.equal(layer.weight.grad, before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused():
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(SynthesisError, match=r"no GPU.*--device cpu"):
        choose_device("cuda")
