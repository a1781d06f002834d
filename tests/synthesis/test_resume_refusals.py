"""What a run refuses, and what it keeps when it does."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_runs import small_config

from dataset.errors import ModelError, SynthesisError
from dataset.mannequin import Performer, film
from synthesis import runner
from synthesis.checkpoint import (
    CHECKPOINT,
    PREVIOUS,
    Position,
    find_checkpoint,
    forget_parts,
    put_tensors,
    read_checkpoint,
    save_checkpoint,
)
from synthesis.model import save_weights
from synthesis.train import prepare_all, train


class Plain:
    """A stage with one network, for checkpoints."""

    name, steps, shown = "plain", 3, ""

    def __init__(self, width: int = 3) -> None:
        torch.manual_seed(0)
        self.networks = {"net": torch.nn.Linear(2, width)}
        self.optimisers = {"adam": torch.optim.Adam(self.networks["net"].parameters())}

    def learn(self) -> None:
        self.networks["net"](torch.ones(1, 2)).sum().backward()
        self.optimisers["adam"].step()


class Stopped(Exception):
    """Raised by a test in the place of whatever ends a run."""


def start(recording: Path, out: Path, monkeypatch: pytest.MonkeyPatch, *, stop: int = 3) -> None:
    """A run of six steps with a checkpoint after each, stopped after `stop`."""
    monkeypatch.setattr(runner, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(runner, "CHECKPOINT_COST", float("inf"))

    def progress(done: int, total: int, note: str) -> None:
        if done == stop:
            raise Stopped

    with pytest.raises(Stopped):
        train([recording], out, small_config(steps=6), subject="dancer", progress=progress)


def test_every_flipped_bit_of_a_checkpoint_is_noticed(tmp_path):
    path = tmp_path / CHECKPOINT
    stage = Plain()
    stage.learn()
    save_checkpoint(path, stage, Position("plain", 1, 1), {"subject": "dancer"})
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            stored = read_checkpoint(path)
        except ModelError:
            continue
        # Padding between header and tensors may change without changing what is read.
        path.write_bytes(whole)
        good = read_checkpoint(path)
        assert (stored.identity, stored.position) == (good.identity, good.position)
        assert all(torch.equal(stored.tensors[key], value) for key, value in good.tensors.items())


@pytest.mark.parametrize("length", [0, 5, 0.5, -1])
def test_a_truncated_checkpoint_is_refused_with_the_way_back(tmp_path, length):
    path = tmp_path / CHECKPOINT
    stage = Plain()
    for step in (1, 2):
        stage.learn()
        save_checkpoint(path, stage, Position("plain", step, step), {})
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(int(length * size) if isinstance(length, float) else length % size)
    with pytest.raises(ModelError, match=f"damaged.*mv '{tmp_path}/checkpoint.previous.safetensors'"):
        read_checkpoint(path)
    (tmp_path / PREVIOUS).replace(path)
    assert read_checkpoint(path).position.index == 1


def test_without_a_previous_one_the_hint_is_to_start_again(tmp_path):
    (tmp_path / CHECKPOINT).write_bytes(b"nothing")
    with pytest.raises(ModelError, match="delete it to start the run again"):
        read_checkpoint(tmp_path / CHECKPOINT)


def test_cut_off_between_the_renames_the_previous_one_is_found(tmp_path):
    save_checkpoint(tmp_path / CHECKPOINT, Plain(), Position("plain"), {})
    (tmp_path / CHECKPOINT).rename(tmp_path / PREVIOUS)
    assert find_checkpoint(tmp_path) == tmp_path / PREVIOUS


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    save_checkpoint(tmp_path / CHECKPOINT, Plain(3), Position("plain"), {})
    with pytest.raises(ModelError, match="another network"):
        put_tensors(read_checkpoint(tmp_path / CHECKPOINT).tensors, Plain(4))


def test_a_damaged_checkpoint_ends_the_command_and_the_one_before_goes_on(recording, tmp_path, monkeypatch):
    start(recording, tmp_path, monkeypatch)
    damaged = tmp_path / CHECKPOINT
    with damaged.open("r+b") as file:
        file.seek(-100, 2)
        file.write(b"x")
    with pytest.raises(ModelError, match="hash"):
        train([recording], tmp_path, small_config(steps=6), subject="dancer")
    (tmp_path / PREVIOUS).replace(damaged)
    model = train([recording], tmp_path, small_config(steps=6), subject="dancer")
    assert model.steps == 6
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("seed", r"another config \(schedule.seed 0 there, 7 now\)"),
        ("subject", r"another subject \(dancer there, other now\)"),
        ("recording", "another recordings"),
    ],
)
def test_a_changed_run_is_refused_and_its_checkpoint_kept(recording, tmp_path, monkeypatch, change, said):
    out = tmp_path / "model"
    start(recording, out, monkeypatch, stop=1)
    before = (out / CHECKPOINT).read_bytes()
    config = small_config(steps=6)
    if change == "seed":
        config = replace(config, schedule=replace(config.schedule, seed=7))
    path = recording
    if change == "recording":
        path = tmp_path / recording.name
        film(path, Performer.from_seed(4), "wave", seconds=0.3, fps=10, size=(96, 128))
    with pytest.raises(SynthesisError, match=said):
        train([path], out, config, subject="other" if change == "subject" else "dancer")
    assert (out / CHECKPOINT).read_bytes() == before


def test_a_second_process_in_the_same_folder_is_refused(recording, tmp_path):
    def progress(done: int, total: int, note: str) -> None:
        train([recording], tmp_path, small_config(steps=1), subject="dancer")

    with pytest.raises(SynthesisError, match="another process is training in this folder"):
        train([recording], tmp_path, small_config(steps=1), subject="dancer", progress=progress)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Files that grow beyond `size` bytes fail, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(("size", "name"), [(4_000, "training.html"), (300_000, "1.safetensors")])
def test_what_cannot_be_written_is_named(recording, tmp_path, model_folder, size, name):
    shutil.copytree(model_folder / "cache", tmp_path / "cache")
    config = small_config(steps=3, snapshots=(1,) if "safetensors" in name else ())
    with pytest.raises(SynthesisError, match=f"{name}: cannot be written.*make room"):
        trained_on_a_small_disk(recording, tmp_path, config, size)
    assert not list(tmp_path.rglob("*.part*"))


def trained_on_a_small_disk(recording: Path, out: Path, config: object, size: int) -> None:
    """Train; the disk is full from the first step on."""
    first = runner.Runner.run

    def run(self: runner.Runner) -> Iterator[str]:
        with largest_file(size):
            yield from first(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner.Runner, "run", run)
        train([recording], out, config, subject="dancer")  # type: ignore[arg-type]


def test_a_log_on_a_full_disk_is_told_and_the_run_goes_on_later(recording, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(runner, "CHECKPOINT_COST", float("inf"))
    log, kept = tmp_path / "log.jsonl", tmp_path / "kept"

    def progress(done: int, total: int, note: str) -> None:
        if done == 2:
            log.rename(kept)
            log.symlink_to("/dev/full")

    with pytest.raises(SynthesisError, match=r"log\.jsonl: cannot be written: No space left on device"):
        train([recording], tmp_path, small_config(steps=4), subject="dancer", progress=progress)
    kept.replace(log)
    assert train([recording], tmp_path, small_config(steps=4), subject="dancer").steps == 4
    assert len(log.read_text().splitlines()) == 4


def test_frames_that_do_not_fit_are_refused_before_any_is_stored(recording, tmp_path):
    with (
        largest_file(100_000),
        pytest.raises(SynthesisError, match=r"the recording's frames need \d+ MB: .*make room"),
    ):
        prepare_all([recording], tmp_path, small_config(steps=1), lambda what, done, total: None)
    assert not list(tmp_path.rglob("frames_*"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, too small for three checkpoints; `mount -o remount,size=…` makes room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_keeps_the_last_good_checkpoint_and_room_lets_the_run_go_on(
    recording, model_folder, small_disk, monkeypatch
):
    monkeypatch.setattr(runner, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(runner, "CHECKPOINT_COST", float("inf"))
    out = small_disk / "model"
    shutil.copytree(model_folder / "cache", out / "cache")
    with pytest.raises(SynthesisError, match=r"checkpoint\.safetensors: cannot be written.*[Nn]o space left"):
        train([recording], out, small_config(steps=5), subject="dancer")
    assert not list(out.glob(".*"))
    assert 1 <= read_checkpoint(out / CHECKPOINT).position.done < 5
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert train([recording], out, small_config(steps=5), subject="dancer").steps == 5


def test_what_killed_writing_left_behind_is_removed(tmp_path):
    # The first is the name that we give a file until it is whole, the second the one safetensors gives.
    left = [tmp_path / f".checkpoint.{os.getpid()}.part.safetensors", tmp_path / ".tmpGWpUwJ"]
    kept = [tmp_path / CHECKPOINT, tmp_path / "log.jsonl"]
    for path in left + kept:
        path.touch()
    forget_parts(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_a_model_may_be_read_by_whom_the_user_lets_read(tmp_path):
    (tmp_path / "plain").touch()
    save_weights(tmp_path / "generator.safetensors", {"weight": torch.zeros(3)})
    assert (tmp_path / "generator.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode
