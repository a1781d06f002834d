"""Training the weights that every run of the preset `compact` can start from, on recordings of many people.

Mixing and mending bent pictures can be learnt from anybody. So that it is learnt instead of the looks of those few
people, the colours of every sample are changed at random, and each recording counts by the square root of its length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dataset.errors import SynthesisError
from dataset.files import sha256_file, write_json
from synthesis.appearance.gathering import gather
from synthesis.checkpoint import Position, find_checkpoint, forget_checkpoints, put_tensors, read_checkpoint
from synthesis.compact.stage import GALLERY, CompactStage
from synthesis.config import SynthesisConfig
from synthesis.model import save_weights
from synthesis.pairs import FramePairBatch, Material, draw_pair
from synthesis.recording import Prepared, Report, prepare
from synthesis.runner import Books, Runner
from synthesis.stage import World
from synthesis.training_log import LOG, SCORES, TrainingLog
from synthesis.training_page import Page

_LONG = 120  # frames from which on a recording counts no more than others


class PeopleStage(CompactStage):
    """As `CompactStage`, each sample from a recording of somebody else.

    Args:
        config: of the run.
        recordings: each of one person; the first one's frames are shown and scored.
        world: the processes that train together.
    """

    name = "people"

    def __init__(self, config: SynthesisConfig, recordings: list[Prepared], world: World) -> None:
        super().__init__(config, recordings[:1], world)
        self._materials = [Material([one], [one.small_plate], gather([one], GALLERY)) for one in recordings]
        weights = np.array([min(len(one.usable), _LONG) ** 0.5 for one in recordings])
        self._weights = weights / weights.sum()

    def _pair(self, number: int) -> FramePairBatch:
        rng = np.random.default_rng([self.config.schedule.seed, number, 2])
        material = self._materials[int(rng.choice(len(self._materials), p=self._weights))]
        pair = draw_pair(material, self.config.data, self.config.schedule.seed, number)
        gain = torch.from_numpy(rng.uniform(0.7, 1.25, 3).astype(np.float32))
        shift = torch.from_numpy(rng.uniform(-0.2, 0.2, 3).astype(np.float32))
        return recoloured(pair, gain, shift)


def recoloured(pair: FramePairBatch, gain: Tensor, shift: Tensor) -> FramePairBatch:
    """The same with every picture x replaced by gain · x + shift, (3,) each, channel by channel."""

    def change(picture: Tensor) -> Tensor:
        return (picture * gain.view(3, 1, 1) + shift.view(3, 1, 1)).clamp(-1, 1)

    return replace(
        pair,
        frames=(change(pair.frames[0]), change(pair.frames[1])),
        plate=change(pair.plate),
        looks=(
            replace(pair.looks[0], pictures=change(pair.looks[0].pictures)),
            replace(pair.looks[1], pictures=change(pair.looks[1].pictures)),
        ),
        before=(pair.before[0], replace(pair.before[1], pictures=change(pair.before[1].pictures))),
    )


def train_base(
    recordings: list[Path],
    out: Path,
    config: SynthesisConfig,
    *,
    report: Report = lambda what, done, total: None,
    progress: Callable[[int, int, str], None] = lambda done, total, note: None,
) -> Path:
    """Train on all recordings and write ``compact_base.safetensors`` and ``compact_base.json`` into `out`.

    An unfinished run in `out` with the same recordings and config goes on.

    Args:
        recordings: videos of one person each, by a camera that stands still.
        out: a folder.
        config: of the preset `compact`; one pair a step, because windows differ from person to person.
        report: called while recordings are prepared.
        progress: called after each step.

    Returns:
        The weights, in half precision: generator (averaged) and discriminator.

    Raises:
        SynthesisError: fewer than two recordings, a batch of more than one, or another run in the folder.
    """
    if len(recordings) < 2 or config.schedule.batch != 1:
        raise SynthesisError("base weights are trained on at least two recordings, one pair a step")
    out.mkdir(parents=True, exist_ok=True)
    named = [{"name": path.name, "sha256": sha256_file(path)} for path in recordings]
    identity: dict[str, Any] = {"subject": "people", "recordings": named, "config": config.to_dict()}
    stored = read_checkpoint(found) if (found := find_checkpoint(out)) else None
    if stored and stored.identity["recordings"] != named:
        raise SynthesisError(
            "the folder holds a run on other recordings", path=out, hint="give another --out"
        )
    prepared = [prepare(path, out / "cache", config.data, None, report) for path in recordings]
    world = World()
    stage = PeopleStage(config, [one for one in prepared if len(one.usable)], world)
    position = stored.position if stored else Position(stage.name)
    if stored:
        put_tensors(stored.tensors, stage)
    books = Books(
        TrainingLog(out / LOG, position.done),
        TrainingLog(out / SCORES, position.done),
        Page(out, identity, config, [stage], world),
    )
    runner = Runner([stage], position, config, out, identity, world, books)
    for note in runner.run():
        progress(position.done, runner.total, note)
    weights = {f"generator.{key}": value for key, value in stage.average.state_dict().items()}
    weights |= {f"discriminator.{key}": value for key, value in stage.discriminator.state_dict().items()}
    target = out / "compact_base.safetensors"
    facts = {
        "sha256": save_weights(target, {key: value.half() for key, value in weights.items()}),
        "steps": position.done,
        "seconds": round(position.seconds),
    } | identity
    write_json(out / "compact_base.json", facts)
    forget_checkpoints(out)
    for one in prepared:
        one.forget_frames()
    return target
