"""Training the generator of one target, with exact resume.

The objective is the paper's (eq. 3): two consecutive frames are painted, the second from the first without cutting
the gradient, and judged together. A short first part uses pixel and perceptual loss alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dataset.errors import SynthesisError
from dataset.files import sha256_file
from synthesis.checkpoint import State, checkpoint_identity, load_checkpoint, new_state, save_checkpoint
from synthesis.config import SynthesisConfig
from synthesis.losses import feature_matching, gan_loss, person_l1
from synthesis.model import TargetModel, read_facts, save_weights, snapshot_path, write_image
from synthesis.networks.generator import CompactGenerator, GeneratorInput
from synthesis.networks.perceptual import PerceptualLoss
from synthesis.pairs import (
    FramePairBatch,
    best_reference,
    cut_reference,
    draw_pair,
    image_tensor,
    tensor_image,
)
from synthesis.recording import Prepared, Report, prepare

Progress = Callable[[int, int, str], None]

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.jsonl"
CHECKPOINT_SECONDS = 60.0
_PREVIEW_SECONDS = 120.0


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
        SynthesisError: the folder holds another run, or a recording cannot be trained on.
        ModelError: the checkpoint is damaged.
    """
    out.mkdir(parents=True, exist_ok=True)
    identity = _identity(recordings, config, subject)
    if (out / "model.json").exists():
        _same_run(out, read_facts(out), identity)
        return TargetModel.load(out)
    checkpoint = out / CHECKPOINT
    if checkpoint.exists():
        _same_run(out, checkpoint_identity(checkpoint), identity)
    prepared = _prepare_all(recordings, out / "cache", config, report)
    state = new_state(config)
    if checkpoint.exists():
        load_checkpoint(checkpoint, state)
    model = _model(prepared, config, subject, identity["recordings"], state.average)
    for note in _run(state, model, prepared, out, identity):
        progress(state.step, config.schedule.steps, note)
    model.steps = state.step
    model.save(out)
    checkpoint.unlink(missing_ok=True)
    for recording in prepared:
        recording.forget_frames()
    return model


@dataclass
class Trainer:
    """One training step on one pair of frames."""

    config: SynthesisConfig
    state: State
    perceptual: PerceptualLoss
    reference: Tensor
    reference_label: Tensor

    def paint(
        self, generator: CompactGenerator, batch: FramePairBatch, *, keep: bool, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Frames t − 1 and t, the second from the first unless `keep` is False (then from the plate)."""

        def inputs(label: Tensor, previous: Tensor) -> GeneratorInput:
            return GeneratorInput(label, previous, batch.plate, self.reference, self.reference_label)

        first = generator(inputs(batch.labels[0], batch.previous)).frame
        previous = batch.plate if not keep else first if noise is None else first + noise
        return first, generator(inputs(batch.labels[1], previous)).frame

    def step(self, batch: FramePairBatch) -> dict[str, float]:
        """Update both networks once and return each term of the loss."""
        config, state, schedule = self.config, self.state, self.config.schedule
        adversarial = state.step >= schedule.warmup * schedule.steps
        rng = np.random.default_rng([schedule.seed, state.step, 1])
        keep = schedule.temporal and rng.random() >= schedule.forget
        noise = torch.from_numpy(
            rng.standard_normal(batch.plate.shape, np.float32) * np.float32(rng.uniform(0, 0.08))
        )
        for group in state.adam_g.param_groups:
            group["lr"] = self._rate(adversarial)
        with torch.autocast("cpu", torch.bfloat16, enabled=schedule.precision == "bf16"):
            first, second = self.paint(state.generator, batch, keep=keep, noise=noise)
            made = torch.cat([*batch.labels, first, second], 1)
            terms = {
                "l1": config.loss.lambda_l1
                * 0.5
                * (
                    person_l1(first, batch.frames[0], batch.weight)
                    + person_l1(second, batch.frames[1], batch.weight)
                ),
                "perceptual": config.loss.lambda_p
                * 0.5
                * self.perceptual(torch.cat([first, second]), torch.cat(batch.frames)),
            }
            if adversarial:
                real = torch.cat([*batch.labels, *batch.frames], 1)
                judged_real = state.discriminator(real)
                loss_d = 0.5 * (
                    gan_loss(judged_real, True) + gan_loss(state.discriminator(made.detach()), False)
                )
                state.adam_d.zero_grad(set_to_none=True)
                loss_d.backward()
                state.adam_d.step()
                state.discriminator.requires_grad_(False)
                judged = state.discriminator(made)
                with torch.no_grad():
                    expected = state.discriminator(real)
                terms["gan"] = config.loss.lambda_gan * gan_loss(judged, True)
                terms["fm"] = config.loss.lambda_fm * feature_matching(judged, expected)
                state.discriminator.requires_grad_(True)
        loss = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(loss):
            raise SynthesisError(
                f"the loss is not a number at step {state.step}", hint="start again with --precision float32"
            )
        state.adam_g.zero_grad(set_to_none=True)
        loss.backward()
        state.adam_g.step()
        state.step += 1
        _update_average(state, schedule.ema)
        losses = {name: float(value.detach()) for name, value in terms.items()}
        if adversarial:
            losses["d"] = float(loss_d.detach())
        return losses

    def _rate(self, adversarial: bool) -> float:
        """Constant, with a linear fall to a tenth over the last fifth of the run."""
        schedule = self.config.schedule
        left = (schedule.steps - self.state.step) / max(0.2 * schedule.steps, 1)
        return (schedule.lr_gan if adversarial else schedule.lr) * min(1.0, max(left, 0.1))


def _update_average(state: State, decay: float) -> None:
    # In the beginning the average follows closely, so that it does not hold on to the random start.
    weight = 1 - min(decay, state.step / (state.step + 10))
    with torch.no_grad():
        for kept, new in zip(state.average.parameters(), state.generator.parameters(), strict=True):
            kept.lerp_(new, weight)


def _run(
    state: State, model: TargetModel, prepared: list[Prepared], out: Path, identity: dict[str, object]
) -> Iterator[str]:
    config = model.config
    schedule = config.schedule
    trainer = Trainer(
        config,
        state,
        PerceptualLoss(config.loss.perceptual),
        image_tensor(model.reference),
        (image_tensor(model.reference_label) + 1) / 2,
    )
    plates = [recording.small_plate for recording in prepared]
    saved = shown = time.monotonic()
    while state.step < schedule.steps:
        batch = draw_pair(prepared, plates, config.data, schedule, state.step)
        losses = trainer.step(batch)
        now = time.monotonic()
        if state.step in schedule.snapshots:
            save_weights(snapshot_path(out, state.step), state.average.state_dict())
        if now - shown > _PREVIEW_SECONDS or state.step == schedule.steps:
            shown = now
            write_image(out / "previews" / f"step_{state.step:06d}.png", preview(trainer, batch))
        if now - saved > CHECKPOINT_SECONDS:
            saved = now
            save_checkpoint(out / CHECKPOINT, state, identity)
        with (out / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps({"step": state.step} | {k: round(v, 5) for k, v in losses.items()}) + "\n")
        yield " ".join(f"{name} {value:.2f}" for name, value in losses.items())


def preview(trainer: Trainer, batch: FramePairBatch) -> np.ndarray:
    """Stick figure, generated and real frame side by side, (H, 3W, 3) uint8."""
    with torch.no_grad():
        _, made = trainer.paint(trainer.state.average, batch, keep=trainer.config.schedule.temporal)
    strip = [tensor_image(batch.labels[1] * 2 - 1), tensor_image(made), tensor_image(batch.frames[1])]
    return np.rint(np.concatenate(strip, axis=1)).astype(np.uint8)


def _prepare_all(
    recordings: list[Path], cache: Path, config: SynthesisConfig, report: Report
) -> list[Prepared]:
    prepared: list[Prepared] = []
    for path in recordings:
        shape = prepared[0].windows.shape if prepared else None
        prepared.append(prepare(path, cache, config.data, shape, report))
    if sum(len(recording.usable) for recording in prepared) == 0:
        raise SynthesisError("no two consecutive frames show the person", path=recordings[0])
    return prepared


def _model(
    prepared: list[Prepared],
    config: SynthesisConfig,
    subject: str,
    recordings: object,
    average: CompactGenerator,
) -> TargetModel:
    # The longest recording gives the stage: its plate, its ground, its reference.
    main = max(prepared, key=lambda recording: len(recording.usable))
    picture, label = cut_reference(main, best_reference(main), config.data.face)
    assert isinstance(recordings, list)
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
        generator=average,
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


def _same_run(out: Path, found: dict[str, object], expected: dict[str, object]) -> None:
    for key, value in expected.items():
        if found.get(key) != value:
            raise SynthesisError(
                f"the folder holds a run with another {key}",
                path=out,
                hint="give the same recordings and options to go on, or another --out",
            )
