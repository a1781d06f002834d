"""Training by several processes: one per GPU, or a few on CPUs, started by ``torchrun``.

Gradients are averaged explicitly, one network at a time, with one all-reduce over all its gradients. Every loss is a
mean over samples of per-sample values and every process has equally many samples, so the mean of the processes'
gradients *is* the gradient of the whole batch. `DistributedDataParallel` makes the same sum from hooks that expect
one forward pass per backward pass; here the generator runs twice in a step, the second time on its own output (the
paper's joint two-frame gradient), and the discriminator is judged with and without gradients in between. A sum after
the backward pass cannot get such a graph wrong. What it gives up is overlap of communication with the backward pass.

When one process fails, it says why and the others stop with it.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dataset.errors import PeerError, SynthesisError
from synthesis.stage import World

#: The others wait so long while one process prepares the recordings or writes a file.
_PATIENCE = timedelta(hours=2)
_FAILED = "danceproof/failed"


def launched() -> bool:
    """Whether this process was started as one of several, by ``torchrun`` or in its manner."""
    return all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))


def leads() -> bool:
    """Whether this process is the one that writes files and talks to the user."""
    return not launched() or os.environ["RANK"] == "0"


@contextmanager
def join(device: str = "auto") -> Iterator[World]:
    """Take part in the run that this process was started for; alone unless ``torchrun`` started it.

    Args:
        device: "cpu", "cuda", or "auto" for a GPU where there is one. Several processes on one machine take a GPU
            each, by ``LOCAL_RANK``.

    Raises:
        SynthesisError: there is no such device.
        PeerError: another process of the run has failed, or is gone.
    """
    where = choose_device(device)
    if not launched():
        yield World(device=where)
        return
    shared, rank, size = next(dist.rendezvous("env://", timeout=_PATIENCE))
    store = dist.PrefixStore(f"danceproof/{agree_on_start(shared, rank, size)}", shared)
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    world = World(rank, size, where, store=store, local_size=local)
    if where.type == "cuda":
        torch.cuda.set_device(where)
    dist.init_process_group(
        "nccl" if where.type == "cuda" else "gloo", store=store, rank=rank, world_size=size, timeout=_PATIENCE
    )
    try:
        yield world
    except PeerError:
        raise
    except Exception as error:
        if store.add(_FAILED, 1) > 1:
            raise PeerError("another process of this run failed first", told=True) from error
        raise
    dist.destroy_process_group()


def agree_on_start(store: dist.Store, rank: int, size: int, patience: timedelta = _PATIENCE) -> str:
    """A word that the processes of this start have in common, and no earlier start had.

    When ``torchrun`` starts the processes of a run anew (``--max-restarts``), they meet in the store of the first
    start, where that one's keys still stand: gloo would connect to ports of processes that are gone. The number of
    restarts does not part them, as each machine counts its own. So every process leaves a word that it has just made
    up; the leading one proposes a start with the words that it finds; who finds its own among them agrees; and when
    all have agreed to the same proposal, it is the one. What an earlier start left can take part in none of this.

    Args:
        store: that all of them reach.
        rank, size: of this process, and how many there are.
        patience: how long to wait for the others.

    Raises:
        PeerError: they did not all come.
    """
    own, until = secrets.token_hex(8), time.monotonic() + patience.total_seconds()

    def read(name: str) -> str:
        key = f"danceproof/start/{name}"
        return store.get(key).decode() if store.check([key]) else ""

    def write(name: str, value: str) -> None:
        store.set(f"danceproof/start/{name}", value)

    write(f"word {rank}", own)
    proposed: list[str] = []
    while time.monotonic() < until:
        if rank == 0:
            words = [read(f"word {other}") for other in range(size)]
            if words != proposed:
                proposed = words
                write("proposal", " ".join([secrets.token_hex(8), *words]))
        proposal = read("proposal").split(" ")
        if len(proposal) == size + 1 and proposal[1 + rank] == own:
            write(f"agreed {rank}", proposal[0])
            if rank == 0 and all(read(f"agreed {other}") == proposal[0] for other in range(size)):
                write("start", proposal[0])
            if read("start") == proposal[0]:
                return proposal[0]
        time.sleep(0.02)
    raise PeerError(
        "not all processes of this run have come", hint="look for their messages, and start them again"
    )


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" is a GPU where there is one.

    Raises:
        SynthesisError: there is no GPU, or fewer than processes.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name != "cuda":
        return torch.device(name)
    if not torch.cuda.is_available():
        raise SynthesisError("there is no GPU that PyTorch can use", hint="give --device cpu")
    number = int(os.environ.get("LOCAL_RANK", "0"))
    if number >= torch.cuda.device_count():
        raise SynthesisError(
            f"process {number} has no GPU of its own: there are {torch.cuda.device_count()}",
            hint="start as many processes as there are GPUs",
        )
    return torch.device("cuda", number)


def average_gradients(parameters: Iterable[nn.Parameter], world: World) -> None:
    """Replace each gradient by its mean over the processes; nothing to do in a run of one.

    A parameter without a gradient has none in any process, as all run the same graph.
    """
    if world.size == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    with peers(world):
        dist.all_reduce(flat)
    flat /= world.size
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()


def agree(value: float, world: World) -> float:
    """The number that the leading process has."""
    if world.size == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64, device=world.device)
    with peers(world):
        dist.broadcast(shared, 0)
    return float(shared)


def tell(topic: str, value: Any, world: World) -> Any:
    """Plain facts (JSON) of the leading process, for all; `value` counts in the leading one alone."""
    if world.store is None:
        return value
    with peers(world):
        if world.leads:
            world.store.set(f"danceproof/{topic}", json.dumps(value))
        # The store keeps what was set, so nobody who comes late misses it.
        return json.loads(world.store.get(f"danceproof/{topic}"))


def share_tensors(tensors: dict[str, Tensor], world: World, topic: str = "tensors") -> dict[str, Tensor]:
    """The leading process's tensors by name, on the CPU, for all; `tensors` counts in the leading one alone.

    `topic` is another one for every call of a run.
    """
    if world.size == 1:
        return tensors
    kinds = tell(
        topic,
        {k: [str(v.dtype).removeprefix("torch."), list(v.shape)] for k, v in tensors.items()},
        world,
    )
    shared = {}
    with peers(world):
        for name, (kind, shape) in kinds.items():
            if world.leads:
                value = tensors[name].to(world.device)
            else:
                value = torch.empty(shape, dtype=getattr(torch, kind), device=world.device)
            dist.broadcast(value, 0)
            shared[name] = value.cpu()
    return shared


def gather(topic: str, value: Any, world: World) -> list[Any]:
    """Plain facts (JSON) of every process, for all, in the order of their numbers.

    Args:
        topic: what it is about; never the same twice in a run.
        value: this process's.
        world: the processes.
    """
    if world.store is None:
        return [value]
    with peers(world):
        world.store.set(f"danceproof/{topic}/{world.rank}", json.dumps(value))
        return [json.loads(world.store.get(f"danceproof/{topic}/{rank}")) for rank in range(world.size)]


def in_turns(work: Callable[[], Any], world: World) -> Any:
    """Do what fills a cache: one process of each machine after the other, then all the rest at once.

    Machines may share the folder or have one each; either way no two processes write the same file.
    """
    result = None
    for turn in range(0, world.size, world.local_size):
        if world.rank == turn:
            result = work()
        _wait(world)
    if world.rank % world.local_size:
        result = work()
    _wait(world)
    return result


def _wait(world: World) -> None:
    agree(0.0, world)


@contextmanager
def peers(world: World) -> Iterator[None]:
    """Turn a broken connection into word of why it broke."""
    try:
        yield
    except RuntimeError as error:
        if world.store is None:
            raise
        # The one that failed says so before it closes its connections, but a moment may pass.
        told = False
        for _ in range(20):
            try:
                told = world.store.check([_FAILED])
            except RuntimeError:
                break
            if told:
                break
            time.sleep(0.1)
        raise PeerError(
            "another process of this run has failed or is gone",
            hint="its own message says why; give the same command again to go on",
            told=told,
        ) from error
