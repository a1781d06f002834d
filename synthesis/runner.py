"""The loop over stages and steps: when to stop, and what is written on the way.

A run is limited by steps, or by time (`schedule.minutes`). Limited by steps it is a function of its seed, and resumes
to the same bits. Limited by time, how far a stage is (`share`) is told by the clock instead of by the step: it ends on
time however the speed changes, and learning rates fall when the time runs out. Two such runs have different numbers
of steps, so there is nothing that bits could be equal to; resuming is as sound, and the time of steps that a kill has
undone does not count.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dataset.errors import SynthesisError
from synthesis.checkpoint import CHECKPOINT, Position, save_checkpoint, writing
from synthesis.config import SynthesisConfig
from synthesis.distributed import agree
from synthesis.model import save_weights, snapshot_path, write_image
from synthesis.stage import Stage, World
from synthesis.training_log import TrainingLog, preview_path
from synthesis.training_page import Page

CHECKPOINT_SECONDS = 60.0
#: Writing checkpoints takes at most this share of the time.
CHECKPOINT_COST = 0.05
PAGE_SECONDS = 120.0
SAMPLE_SECONDS = 60.0
#: A sample is due when the time of training has grown by this share, so that long runs do not fill the disk.
SAMPLE_GROWTH = 0.1


@dataclass(frozen=True)
class Books:
    """What is written down of a run while it is under way."""

    log: TrainingLog
    scores: TrainingLog
    page: Page


@dataclass
class Runner:
    """A run under way.

    Attributes:
        stages: in order.
        position: where the run is; moved on.
        config: of the run.
        out: the model folder.
        identity: subject, recordings and config, stored in each checkpoint.
        world: the processes that train together; only the leading one writes.
        books: log and scores, in the leading process.
    """

    stages: list[Stage]
    position: Position
    config: SynthesisConfig
    out: Path
    identity: dict[str, Any]
    world: World
    books: Books | None = None
    _clock: float = field(default=0.0, init=False)
    _saved: float = field(default=0.0, init=False)
    _cost: float = field(default=0.0, init=False)
    _paged: float = field(default=float("-inf"), init=False)

    def run(self) -> Iterator[str]:
        """Train to the end; yields a line of losses after each step."""
        position = self.position
        names = [stage.name for stage in self.stages]
        if position.stage not in names:
            raise SynthesisError(f"the run has no stage {position.stage!r}")
        self._clock = self._saved = time.monotonic()
        for number in range(names.index(position.stage), len(names)):
            stage = self.stages[number]
            if stage.name != position.stage:
                position.stage, position.index, position.stage_seconds = stage.name, 0, 0.0
            if position.index == 0:
                stage.begin()
            while (share := self._share(stage)) < 1:
                # Whatever draws from PyTorch's own generator, such as dropout, draws the same after a resume.
                torch.manual_seed(_mix(self.config.schedule.seed, number, position.index, self.world.rank))
                losses = stage.step(position.index, share)
                self._after(stage, losses)
                yield " ".join(f"{name} {value:.2f}" for name, value in losses.items())
            if self.books is not None:
                self._show(stage, self.books)
                self._save(stage)

    @property
    def total(self) -> int:
        """Steps in all; in a run limited by time an estimate from those taken so far."""
        if self.config.schedule.minutes is None:
            return sum(stage.steps for stage in self.stages)
        share = self.position.seconds / (60 * self.config.schedule.minutes)
        return max(round(self.position.done / share) if share > 0 else 0, self.position.done)

    def _share(self, stage: Stage) -> float:
        minutes = self.config.schedule.minutes
        if minutes is None:
            return self.position.index / stage.steps
        allotted = 60 * minutes * stage.steps / sum(one.steps for one in self.stages)
        return agree(self.position.stage_seconds / allotted, self.world)

    def _after(self, stage: Stage, losses: dict[str, float]) -> None:
        position = self.position
        now = time.monotonic()
        position.seconds += now - self._clock
        position.stage_seconds += now - self._clock
        self._clock = now
        position.index += 1
        position.done += 1
        if self.books is None:
            return
        if position.done in self.config.schedule.snapshots:
            path = snapshot_path(self.out, position.done)
            with writing(path):
                save_weights(path, stage.snapshot().state_dict())
        self.books.log.add(self._facts() | {name: round(value, 5) for name, value in losses.items()})
        scored = self.books.scores.entries
        last = scored[-1]["seconds"] if scored else 0.0
        if position.seconds - last > max(SAMPLE_SECONDS, SAMPLE_GROWTH * position.seconds):
            self._show(stage, self.books)
        elif now - self._paged > PAGE_SECONDS:
            self._page(self.books)
        if now - self._saved > max(CHECKPOINT_SECONDS, self._cost / CHECKPOINT_COST):
            self._save(stage)

    def _facts(self) -> dict[str, Any]:
        position = self.position
        return {"stage": position.stage, "step": position.done, "seconds": round(position.seconds, 3)}

    def _show(self, stage: Stage, books: Books) -> None:
        """Sample, score and bring the page up to date, once a step."""
        scored = books.scores.entries
        if not scored or scored[-1]["step"] < self.position.done:
            path = preview_path(self.out, self.position.done)
            with writing(path):
                write_image(path, stage.sample())
            scores = {name: round(value, 5) for name, value in stage.scores().items()}
            books.scores.add(self._facts() | scores)
        self._page(books)

    def _page(self, books: Books) -> None:
        books.page.write(books.log.entries, books.scores.entries, finished=False)
        self._paged = time.monotonic()

    def _save(self, stage: Stage) -> None:
        begun = time.monotonic()
        save_checkpoint(self.out / CHECKPOINT, stage, self.position, self.identity)
        self._saved = time.monotonic()
        self._cost = self._saved - begun


def _mix(*numbers: int) -> int:
    """One seed for several numbers."""
    return int(np.random.SeedSequence([number & 0xFFFFFFFF for number in numbers]).generate_state(1)[0])
