"""Training the generator of one target: a list of stages, run and resumed by one command, killed at any moment."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from dataset.errors import SynthesisError
from dataset.files import sha256_file
from synthesis.checkpoint import (
    CHECKPOINT,
    Position,
    find_checkpoint,
    forget_checkpoints,
    forget_parts,
    load_checkpoint,
    read_facts_of,
    save_checkpoint,
    writing,
)
from synthesis.config import SynthesisConfig
from synthesis.model import TargetModel, read_facts, save_weights, snapshot_path, write_image
from synthesis.pairs import best_reference, cut_reference
from synthesis.recording import Prepared, Report, prepare
from synthesis.stage import Stage, World

Progress = Callable[[int, int, str], None]

LOG = "log.jsonl"
CHECKPOINT_SECONDS = 60.0
PREVIEW_SECONDS = 120.0


def build_stages(
    config: SynthesisConfig, prepared: list[Prepared], device: torch.device, world: World
) -> list[Stage]:
    """The stages of a run, in order; what they are is told by the preset.

    Args:
        config: of the run.
        prepared: the recordings of one person.
        device: where this process computes.
        world: the processes that train together.
    """
    if config.preset.startswith("paper"):
        from synthesis.paper.stages import build

        stages: list[Stage] = build(config, prepared, device, world)
        return stages
    from synthesis.compact import CompactStage

    return [CompactStage(config, prepared, world)]


def train(
    recordings: list[Path],
    out: Path,
    config: SynthesisConfig,
    *,
    subject: str,
    report: Report = lambda what, done, total: None,
    progress: Progress = lambda done, total, note: None,
) -> TargetModel:
    """Train the generator of one target from recordings of that person, or go on with an unfinished run.

    Args:
        recordings: videos of the same person, each by a camera that stands still.
        out: the model folder; an unfinished run in it with the same config and recordings is continued.
        config: see `synthesis.config`.
        subject: name of the target.
        report: called while recordings are prepared.
        progress: called after each step with step, steps and a line of losses.

    Raises:
        SynthesisError: the folder holds another run, a recording cannot be trained on, or the disk is full.
        ModelError: the checkpoint is damaged.
    """
    out.mkdir(parents=True, exist_ok=True)
    world = World()
    identity = _identity(recordings, config, subject)
    if (out / "model.json").exists():
        _same_run(out, read_facts(out), identity)
        return TargetModel.load(out)
    forget_parts(out)
    checkpoint = find_checkpoint(out)
    position = None
    if checkpoint is not None:
        found, position = read_facts_of(checkpoint)
        _same_run(out, found, identity)
    prepared = prepare_all(recordings, out / "cache", config, report)
    stages = build_stages(config, prepared, world.device, world)
    if position is None:
        position = Position(stages[0].name)
    if checkpoint is not None:
        load_checkpoint(checkpoint, _stage(stages, position.stage))
    _cut_log(out / LOG, position.done)
    total = sum(stage.steps for stage in stages)
    for note in _run(stages, position, config, out, identity):
        progress(position.done, total, note)
    model = _model(prepared, config, subject, identity["recordings"], stages[-1])
    model.steps = position.done
    with writing(out):
        model.save(out)
    forget_checkpoints(out)
    for recording in prepared:
        recording.forget_frames()
    return model


def _run(
    stages: list[Stage],
    position: Position,
    config: SynthesisConfig,
    out: Path,
    identity: dict[str, object],
) -> Iterator[str]:
    schedule = config.schedule
    saved = shown = time.monotonic()
    for number, stage in enumerate(stages):
        if number < stages.index(_stage(stages, position.stage)):
            continue
        if stage.name != position.stage:
            position.stage, position.index, position.stage_seconds = stage.name, 0, 0.0
        if position.index == 0:
            stage.begin()
        while position.index < stage.steps:
            torch.manual_seed(schedule.seed * 1_000_003 + number * 100_003 + position.index)
            losses = stage.step(position.index, position.index / stage.steps)
            position.index += 1
            position.done += 1
            now = time.monotonic()
            last = position.index == stage.steps
            if position.done in schedule.snapshots:
                with writing(out):
                    save_weights(snapshot_path(out, position.done), stage.snapshot().state_dict())
            if now - shown > PREVIEW_SECONDS or last:
                shown = now
                with writing(out):
                    write_image(out / "previews" / f"step_{position.done:06d}.png", stage.sample())
            with writing(out / LOG), (out / LOG).open("a", encoding="utf-8") as log:
                entry = {"stage": stage.name, "step": position.done}
                log.write(json.dumps(entry | {k: round(v, 5) for k, v in losses.items()}) + "\n")
            if now - saved > CHECKPOINT_SECONDS or last:
                saved = now
                save_checkpoint(out / CHECKPOINT, stage, position, identity)
            yield " ".join(f"{name} {value:.2f}" for name, value in losses.items())


def _cut_log(path: Path, done: int) -> None:
    """Drop the lines of steps that a killed run had taken after its last checkpoint, and a line cut in half."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text("utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            break
        if entry["step"] <= done:
            kept.append(line + "\n")
    with writing(path):
        temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
        temporary.write_text("".join(kept), "utf-8")
        os.replace(temporary, path)


def prepare_all(
    recordings: list[Path], cache: Path, config: SynthesisConfig, report: Report
) -> list[Prepared]:
    """Make each recording ready for training, all with windows of one shape.

    Raises:
        SynthesisError: none of them shows the person in two consecutive frames.
    """
    prepared: list[Prepared] = []
    for path in recordings:
        shape = prepared[0].windows.shape if prepared else None
        prepared.append(prepare(path, cache, config.data, shape, report))
    if sum(len(recording.usable) for recording in prepared) == 0:
        raise SynthesisError("no two consecutive frames show the person", path=recordings[0])
    return prepared


def _stage(stages: list[Stage], name: str) -> Stage:
    for stage in stages:
        if stage.name == name:
            return stage
    raise SynthesisError(f"the run has no stage {name!r}")


def _model(
    prepared: list[Prepared], config: SynthesisConfig, subject: str, recordings: Any, last: Stage
) -> TargetModel:
    # The longest recording gives the stage: its plate, its ground, its reference.
    main = max(prepared, key=lambda recording: len(recording.usable))
    picture, label = cut_reference(main, best_reference(main), config.data.face)
    return TargetModel(
        config=config,
        subject=subject,
        recordings=recordings,
        shape=main.windows.shape,
        frame_scale=main.scale,
        plate=main.plate,
        reference=picture,
        reference_label=label,
        poses=main.poses,
        generator=last.snapshot(),  # type: ignore[arg-type]
        steps=0,
    )


def _identity(recordings: list[Path], config: SynthesisConfig, subject: str) -> dict[str, object]:
    if not recordings:
        raise SynthesisError("no recording was given")
    for path in recordings:
        if not path.is_file():
            raise SynthesisError("there is no such recording", path=path)
    named = [{"name": path.name, "sha256": sha256_file(path)} for path in recordings]
    return {"subject": subject, "recordings": named, "config": json.loads(json.dumps(config.to_dict()))}


def _same_run(out: Path, found: dict[str, Any], expected: dict[str, object]) -> None:
    for key, value in expected.items():
        if found.get(key) != value:
            raise SynthesisError(
                f"the folder holds a run with another {key}",
                path=out,
                hint="give the same recordings and options to go on, or another --out",
            )
