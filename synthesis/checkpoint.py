"""Where a run stands: networks and optimisers, written as one file that an interrupted run goes on from.

Random numbers need no place in it. What a step draws – samples, noise, dropout – is a function of the seed, the stage
and the step's number (`synthesis.train` seeds PyTorch before each step), and learning rates follow from the step.

The file is safetensors. Its metadata hold the run's identity, where it stands, and a SHA-256 over everything in it,
so that a flipped bit is noticed. The file that a new one replaces is kept as ``checkpoint.previous.safetensors``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dataset.errors import ModelError, SynthesisError
from dataset.files import atomic_path
from synthesis.stage import Stage

CHECKPOINT = "checkpoint.safetensors"
PREVIOUS = "checkpoint.previous.safetensors"
_FORMAT = "danceproof run 2"


@dataclass
class Position:
    """How far a run is.

    Attributes:
        stage: name of the stage that is under way.
        index: steps of it that are done.
        done: steps that are done in all stages.
        seconds: time spent on training in all, interruptions left out.
        stage_seconds: the same, of this stage.
    """

    stage: str
    index: int = 0
    done: int = 0
    seconds: float = 0.0
    stage_seconds: float = 0.0


def save_checkpoint(path: Path, stage: Stage, position: Position, identity: dict[str, object]) -> None:
    """Write everything that the next step depends on as one file, atomically; the one before is kept beside it.

    Raises:
        SynthesisError: it cannot be written; the last good file is untouched.
    """
    tensors = tensors_of(stage)
    metadata = {
        "format": _FORMAT,
        "identity": json.dumps(identity),
        "position": json.dumps(asdict(position)),
    }
    metadata["sha256"] = _digest(tensors, metadata)
    with writing(path), atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        # Cut off between the two renames, a run has no checkpoint but a previous one, and goes on from that.
        if path.exists():
            os.replace(path, path.with_name(PREVIOUS))


def find_checkpoint(folder: Path) -> Path | None:
    """The file that a run in this folder goes on from, if it has begun."""
    for name in (CHECKPOINT, PREVIOUS):
        if (folder / name).exists():
            return folder / name
    return None


def forget_checkpoints(folder: Path) -> None:
    """Remove what a finished run no longer needs, and what cut-off writing has left behind."""
    for name in (CHECKPOINT, PREVIOUS):
        (folder / name).unlink(missing_ok=True)
    forget_parts(folder)


def forget_parts(folder: Path) -> None:
    """Remove temporary files that a killed process could not."""
    # From 0.8 on safetensors writes to a name of its own as well, before it takes ours.
    ours, of_safetensors = ".*.part.*", ".tmp*"
    for part in [*folder.glob(ours), *folder.glob(of_safetensors)]:
        part.unlink(missing_ok=True)


@dataclass(frozen=True)
class Stored:
    """What a checkpoint holds.

    Attributes:
        identity: what run it belongs to: subject, recordings, config.
        position: how far that run is.
        tensors: as from `tensors_of`.
    """

    identity: dict[str, Any]
    position: Position
    tensors: dict[str, Tensor]


def read_checkpoint(path: Path) -> Stored:
    """Read a checkpoint and check that it is what was written.

    Raises:
        ModelError: the file is damaged or of another version.
    """
    with _reading(path):
        with safe_open(path, "pt") as stored:
            metadata = dict(stored.metadata() or {})
            if metadata.get("format") != _FORMAT:
                raise ModelError(
                    "the checkpoint was written by another version",
                    path=path,
                    hint="finish the run with that version, or delete the file to start the run again",
                )
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 – not a dict
        if metadata.pop("sha256", "") != _digest(tensors, metadata):
            raise ValueError("its contents do not have the hash that was written with them")
        return Stored(json.loads(metadata["identity"]), Position(**json.loads(metadata["position"])), tensors)


def tensors_of(stage: Stage) -> dict[str, Tensor]:
    """All weights and all state of the optimisers by name, on the CPU."""
    tensors: dict[str, Tensor] = {}
    for name, network in stage.networks.items():
        tensors.update({f"network {name} {key}": value for key, value in network.state_dict().items()})
    for name, optimiser in stage.optimisers.items():
        for index, moments in optimiser.state_dict()["state"].items():
            for field, value in moments.items():
                tensors[f"optimiser {name} {index} {field}"] = torch.as_tensor(value)
    apart: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, value in tensors.items():
        plain = value.detach().cpu().contiguous()
        # One module may be part of another; safetensors wants each tensor in memory of its own.
        storage = plain.untyped_storage().data_ptr()
        apart[key] = plain.clone() if storage in seen else plain
        seen.add(storage)
    return apart


def put_tensors(tensors: dict[str, Tensor], stage: Stage) -> None:
    """Bring a stage to where `tensors_of` found it.

    Raises:
        ModelError: the networks are others.
    """
    for name, network in stage.networks.items():
        prefix = f"network {name} "
        state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise ModelError(f"the checkpoint is of another network ({error})") from error
    for name, optimiser in stage.optimisers.items():
        moments: dict[int, dict[str, Tensor]] = {}
        prefix = f"optimiser {name} "
        for key, value in tensors.items():
            if key.startswith(prefix):
                index, field = key.removeprefix(prefix).split(" ")
                moments.setdefault(int(index), {})[field] = value
        # Learning rates stay those of the new optimiser: each step sets its own.
        optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell in one line what could not be written, and that the run can go on.

    Raises:
        SynthesisError: instead of an OSError or SafetensorError.
    """
    try:
        yield
    except ModelError as error:
        raise SynthesisError(error.problem, path=error.path, hint=_GO_ON) from error
    except OSError as error:
        raise SynthesisError(
            f"cannot be written: {error.strerror or error}", path=path, hint=_GO_ON
        ) from error
    except SafetensorError as error:
        raise SynthesisError(f"cannot be written: {error}", path=path, hint=_GO_ON) from error


_GO_ON = "make room and give the same command again: the run goes on from its last checkpoint"


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        previous = path.with_name(PREVIOUS)
        if path.name != PREVIOUS and previous.exists():
            hint = f"go back to the checkpoint before it: mv '{previous}' '{path}'"
        else:
            hint = "delete it to start the run again"
        raise ModelError(f"the checkpoint is damaged ({error})", path=path, hint=hint) from error


def _digest(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for key in sorted(tensors):
        value = tensors[key]
        digest.update(f"{key} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
