"""Checkpoints inside the training of one network, by the files and checks of `synthesis.checkpoint`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from dataset.errors import DetectorError
from synthesis.checkpoint import (
    CHECKPOINT,
    Position,
    find_checkpoint,
    forget_checkpoints,
    put_tensors,
    read_checkpoint,
    save_checkpoint,
)
from synthesis.distributed import agree, gather, share_tensors, tell
from synthesis.stage import Stage

if TYPE_CHECKING:
    from forensics.train import Batches, Run

#: Writing checkpoints takes at most this share of the time.
_COST = 0.05


class Keeper:
    """Keeps a network under training, its moving average and its optimiser; takes them up again.

    Args:
        run: processes, folder and identity.
        network: under training.
        kept: the moving average of its weights.
        optimiser: of the network's parameters that require gradients.
    """

    def __init__(
        self, run: Run, network: nn.Module, kept: nn.Module, optimiser: torch.optim.Optimizer
    ) -> None:
        self._run = run
        parts = _Parts({"network": _Changing(network), "kept": _Changing(kept)}, {"adamw": optimiser})
        # `synthesis.checkpoint` asks a stage for its networks and optimisers and for nothing else.
        self._parts = cast(Stage, parts)
        self._optimiser = optimiser
        self._saved, self._cost = time.monotonic(), 0.0

    def resume(self) -> tuple[int, list[Any] | None]:
        """Take up an earlier run: how many steps are done, and the state of the batches in each process.

        Raises:
            ModelError: the checkpoint is damaged.
        """
        run, stored = self._run, None
        if run.folder is not None and run.world.leads and (path := find_checkpoint(run.folder)) is not None:
            stored = read_checkpoint(path)
            if stored.identity.get("training") != run.identity:
                stored = None
        topic = f"resume/{run.identity}"
        found = None if stored is None else [stored.position.index, stored.identity["batches"]]
        found = tell(topic, found, run.world)
        if found is None:
            return 0, None
        index, states = found
        if len(states) != run.world.size:
            if any(state is not None for state in states):
                raise DetectorError(
                    f"this training was begun by {len(states)} processes, each with its own place in the stream",
                    path=run.folder,
                    hint="start as many again, or delete the folder to begin anew",
                )
            states = [None] * run.world.size
        tensors = share_tensors({} if stored is None else stored.tensors, run.world, f"tensors/{topic}")
        put_tensors(tensors, self._parts)
        return int(index), states

    def after(self, done: int, batches: Batches) -> None:
        """Write a checkpoint if one is due; all processes call this after each step."""
        run = self._run
        if run.folder is None:
            return
        wait = max(run.seconds, self._cost / _COST)
        if not agree(float(time.monotonic() - self._saved >= wait), run.world):
            return
        states = gather(f"batches/{run.identity}/{done}", batches.state(), run.world)
        begun = time.monotonic()
        if run.world.leads:
            run.folder.mkdir(parents=True, exist_ok=True)
            identity: dict[str, object] = {"training": run.identity, "batches": states}
            save_checkpoint(
                run.folder / CHECKPOINT, self._parts, Position("train", index=done, done=done), identity
            )
        self._saved = time.monotonic()
        self._cost = self._saved - begun

    def forget(self) -> None:
        """The training is over: remove its checkpoint."""
        if self._run.folder is not None and self._run.world.leads and self._run.folder.is_dir():
            forget_checkpoints(self._run.folder)
            if not any(self._run.folder.iterdir()):
                self._run.folder.rmdir()


@dataclass
class _Parts:
    networks: Mapping[str, Any]
    optimisers: dict[str, torch.optim.Optimizer]


class _Changing:
    """What training changes in a network: the rest, such as a frozen backbone, is read from where it came from."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def state_dict(self) -> dict[str, Tensor]:
        frozen = {name for name, value in self._network.named_parameters() if not value.requires_grad}
        return {name: value for name, value in self._network.state_dict().items() if name not in frozen}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        missing = self._network.load_state_dict(state, strict=False)
        if set(missing.missing_keys) & set(self.state_dict()) or missing.unexpected_keys:
            raise RuntimeError(f"missing or unexpected: {missing}")
