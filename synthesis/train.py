"""Training the generator of one target: a list of stages, run and resumed by one command, killed at any moment."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from dataset.errors import SynthesisError
from dataset.files import sha256_file
from synthesis.appearance import Gallery
from synthesis.appearance.gathering import gather
from synthesis.brought import Brought
from synthesis.checkpoint import (
    Position,
    Stored,
    find_checkpoint,
    forget_checkpoints,
    forget_parts,
    put_tensors,
    read_checkpoint,
    tensors_of,
    writing,
)
from synthesis.config import SynthesisConfig
from synthesis.consent import RESEARCH_ONLY, Basis, settle
from synthesis.distributed import in_turns, join, share_tensors, tell
from synthesis.model import TargetModel, read_facts
from synthesis.paper.face_stage import FaceStage
from synthesis.recording import Prepared, Report, prepare
from synthesis.runner import Books, Runner
from synthesis.stage import Stage, World
from synthesis.training_log import LOG, SCORES, TrainingLog
from synthesis.training_page import Page

Progress = Callable[[int, int, str], None]


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
    from synthesis.compact.stage import CompactStage

    compact = CompactStage(config, prepared, world)
    if not config.face.enabled:
        return [compact]
    from synthesis.paper.sources import ModelSource

    unnamed = {"subject": "", "recordings": []}
    source = ModelSource(
        compact.snapshot(),
        prepared,
        lambda: _model(prepared, config, unnamed, Basis(RESEARCH_ONLY, ""), compact, 0),
    )
    return [compact, FaceStage(config, prepared, world, source, compact.perceptual)]


def train(
    recordings: list[Path],
    out: Path,
    config: SynthesisConfig,
    *,
    subject: str,
    consent: Path | None = None,
    research_only: bool = False,
    brought: Brought | None = None,
    device: str = "auto",
    report: Report = lambda what, done, total: None,
    progress: Progress = lambda done, total, note: None,
) -> TargetModel:
    """Train the generator of one target from recordings of that person, or go on with an unfinished run.

    Args:
        recordings: videos of the same person, each by a camera that stands still.
        out: the model folder; an unfinished run in it with the same config and recordings is continued.
        config: see `synthesis.config`.
        subject: name of the target.
        consent: the subject's consent record; needed unless the recordings lie in a collection that has one, or show
            a mannequin.
        research_only: train without consent, for research that is not published; see `synthesis.consent`.
        brought: key points and DensePose maps of other tools, used instead of our own.
        device: "cpu", "cuda", or "auto" for a GPU where there is one.
        report: called while recordings are prepared.
        progress: called after each step with step, steps and a line of losses.

    Started by ``torchrun``, each process calls this alike; the first one writes the files and calls `report` and
    `progress`.

    Raises:
        ConsentError: there is no consent for this, or not any longer.
        SynthesisError: the folder holds another run, a recording cannot be trained on, or the disk is full.
        ModelError: the checkpoint is damaged.
        PeerError: another process of the same run has failed.
    """
    with join(device) as world:
        brought = brought or Brought()
        identity = _identity(recordings, config, subject, brought)
        basis = settle(recordings, subject, consent=consent, research_only=research_only)
        out.mkdir(parents=True, exist_ok=True)
        if not world.leads:
            report, progress = (lambda *told: None), (lambda *told: None)
        with _alone(out) if world.leads else nullcontext():
            return _train(recordings, out, config, identity, basis, brought, world, report, progress)


def _train(
    recordings: list[Path],
    out: Path,
    config: SynthesisConfig,
    identity: dict[str, Any],
    basis: Basis,
    brought: Brought,
    world: World,
    report: Report,
    progress: Progress,
) -> TargetModel:
    stored = None
    finished = False
    if world.leads:
        finished = _finished(out, identity)
        stored = None if finished else _unfinished(out, identity)
    if tell("finished", finished, world):
        return TargetModel.load(out)
    prepared: list[Prepared] = in_turns(
        lambda: prepare_all(recordings, out / "cache", config, report, brought), world
    )
    stages = build_stages(config, prepared, world.device, world)
    begun = asdict(stored.position if stored else Position(stages[0].name))
    position = Position(**tell("position", begun, world))
    current = next(stage for stage in stages if stage.name == position.stage)
    if stored:
        put_tensors(stored.tensors, current)
    if world.size > 1:
        put_tensors(share_tensors(tensors_of(current), world), current)
    books = None
    if world.leads:
        books = Books(
            TrainingLog(out / LOG, position.done),
            TrainingLog(out / SCORES, position.done),
            Page(out, identity, config, stages, world),
        )
    runner = Runner(stages, position, config, out, identity, world, books)
    for note in runner.run():
        progress(position.done, runner.total, note)
    model = _model(prepared, config, identity, basis, stages[-1], position.done)
    if books is not None:
        with writing(out):
            model.save(out)
        books.page.write(books.log.entries, books.scores.entries, finished=True)
        forget_checkpoints(out)
        for recording in prepared:
            recording.forget_frames()
    return model


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second process from training in the same folder; a killed one lets go of it."""
    folder = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise SynthesisError(
            "another process is training in this folder", path=out, hint="wait for it, or give another --out"
        ) from None
    finally:
        os.close(folder)


def _finished(out: Path, identity: dict[str, Any]) -> bool:
    if not (out / "model.json").exists():
        return False
    _same_run(out, read_facts(out), identity)
    return True


def _unfinished(out: Path, identity: dict[str, Any]) -> Stored | None:
    forget_parts(out)
    path = find_checkpoint(out)
    if path is None:
        return None
    stored = read_checkpoint(path)
    _same_run(out, stored.identity, identity)
    return stored


def prepare_all(
    recordings: list[Path],
    cache: Path,
    config: SynthesisConfig,
    report: Report,
    brought: Brought | None = None,
) -> list[Prepared]:
    """Make each recording ready for training, all with windows of one shape.

    Raises:
        SynthesisError: none of them shows the person in two consecutive frames.
    """
    prepared: list[Prepared] = []
    brought = brought or Brought()
    brought.put_poses(recordings, cache)
    for index, path in enumerate(recordings):
        shape = prepared[0].windows.shape if prepared else None
        prepared.append(prepare(path, cache, config.data, shape, report, brought.iuv_of(index)))
    if sum(len(recording.usable) for recording in prepared) == 0:
        raise SynthesisError("no two consecutive frames show the person", path=recordings[0])
    return prepared


def _model(
    prepared: list[Prepared],
    config: SynthesisConfig,
    identity: dict[str, Any],
    basis: Basis,
    last: Stage,
    steps: int,
) -> TargetModel:
    # The longest recording gives the stage: its plate and its ground.
    main = max(prepared, key=lambda recording: len(recording.usable))
    return TargetModel(
        config=config,
        subject=identity["subject"],
        recordings=identity["recordings"],
        shape=main.windows.shape,
        frame_scale=main.scale,
        plate=main.plate,
        gallery=_gallery(prepared, config),
        poses=main.poses,
        generator=last.snapshot().cpu(),
        face_generator=last.face_generator.cpu() if isinstance(last, FaceStage) else None,
        steps=steps,
        consent=basis,
        brought=identity.get("brought", {}),
    )


def _gallery(prepared: list[Prepared], config: SynthesisConfig) -> Gallery | None:
    if config.preset.startswith("paper"):
        return None
    return gather(prepared, config.data.gallery, config.data.detail)


def _identity(
    recordings: list[Path], config: SynthesisConfig, subject: str, brought: Brought
) -> dict[str, object]:
    if not recordings:
        raise SynthesisError("no recording was given")
    for path in recordings:
        if not path.is_file():
            raise SynthesisError("there is no such recording", path=path)
    named = [{"name": path.name, "sha256": sha256_file(path)} for path in recordings]
    brought.check(recordings)
    facts = {"subject": subject, "recordings": named, "config": _canonical(config.to_dict())}
    return facts | {"brought": brought.facts()}


def _same_run(out: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    found = {"brought": {}} | found | {"config": _canonical(found.get("config"))}
    for key, value in expected.items():
        if found.get(key) != value:
            there, asked = _difference(found.get(key), value)
            raise SynthesisError(
                f"the folder holds a run with another {key} ({there} there, {asked} now)",
                path=out,
                hint="give the same recordings and options to go on, or another --out",
            )


def _difference(found: Any, asked: Any, name: str = "") -> tuple[str, str]:
    """The first thing in which two configs (or names, or lists of recordings) differ, as it stands in each."""
    if isinstance(found, dict) and isinstance(asked, dict):
        for key in asked:
            if found.get(key) != asked[key]:
                return _difference(found.get(key), asked[key], f"{name}.{key}".lstrip("."))
    if isinstance(found, list) and isinstance(asked, list):
        for one, other in zip(found, asked, strict=False):
            if one != other:
                return _difference(one, other, name)
        return f"{len(found)} of them", str(len(asked))
    return (f"{name} {found}".strip(), str(asked))


def _canonical(config: Any) -> Any:
    """A config as JSON, with the fields that it had no word on yet when it was written."""
    return json.loads(json.dumps(SynthesisConfig.from_dict(config or {}).to_dict()))
