"""Where a run stands: networks and optimisers, written as one file that an interrupted run goes on from.

Random numbers need no place in it: what a step draws is a function of the seed and the step's number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from dataset.errors import ModelError
from dataset.files import atomic_path
from synthesis.config import SynthesisConfig
from synthesis.networks.discriminator import MultiScaleDiscriminator, init_weights
from synthesis.networks.generator import CompactGenerator

_HINT = "delete it to start the run again"


@dataclass
class State:
    """All that a run consists of; weights and optimisers are saved, the rest follows from config and step."""

    generator: CompactGenerator
    average: CompactGenerator
    discriminator: MultiScaleDiscriminator
    adam_g: torch.optim.Adam
    adam_d: torch.optim.Adam
    step: int = 0


def new_state(config: SynthesisConfig) -> State:
    """Networks and optimisers at the start of a run; a function of the config alone."""
    torch.manual_seed(config.schedule.seed)
    network, schedule = config.network, config.schedule
    generator = CompactGenerator(network.width, network.thin)
    average = CompactGenerator(network.width, network.thin)
    average.load_state_dict(generator.state_dict())
    average.requires_grad_(False)
    discriminator = MultiScaleDiscriminator(12, network.ndf, network.n_layers, network.scales)
    discriminator.apply(init_weights)
    betas = (schedule.beta1, schedule.beta2)
    return State(
        generator,
        average.eval(),
        discriminator,
        torch.optim.Adam(generator.parameters(), lr=schedule.lr, betas=betas),
        torch.optim.Adam(discriminator.parameters(), lr=schedule.lr_gan, betas=betas),
    )


def save_checkpoint(path: Path, state: State, identity: dict[str, object]) -> None:
    """Write everything that the next step depends on as one file, atomically."""
    tensors = {}
    for name, network in _networks(state).items():
        tensors.update({f"{name}.{key}": value for key, value in network.state_dict().items()})
    for name, parameter, adam in _optimised(state):
        for field, value in adam.state.get(parameter, {}).items():
            tensors[f"{name}.{field}"] = value
    tensors["step"] = torch.tensor(state.step)
    with atomic_path(path) as temporary:
        save_file(
            {key: value.contiguous() for key, value in tensors.items()},
            temporary,
            metadata={"identity": json.dumps(identity)},
        )


def load_checkpoint(path: Path, state: State) -> None:
    """Bring `state` to where `save_checkpoint` left it.

    Raises:
        ModelError: the file is damaged or of another network.
    """
    try:
        with safe_open(path, "pt") as stored:
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 – not a dict
        for name, network in _networks(state).items():
            prefix = f"{name}."
            network.load_state_dict(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelError(f"the checkpoint is damaged ({error})", path=path, hint=_HINT) from error
    for name, parameter, adam in _optimised(state):
        fields = {
            field: tensors[f"{name}.{field}"]
            for field in ("step", "exp_avg", "exp_avg_sq")
            if f"{name}.{field}" in tensors
        }
        if fields:
            adam.state[parameter] = fields
    state.step = int(tensors["step"])


def checkpoint_identity(path: Path) -> dict[str, object]:
    """What run a checkpoint belongs to: subject, recordings, config.

    Raises:
        ModelError: the file is damaged.
    """
    try:
        with safe_open(path, "pt") as stored:
            identity: dict[str, object] = json.loads((stored.metadata() or {})["identity"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ModelError(f"the checkpoint is damaged ({error})", path=path, hint=_HINT) from error
    return identity


def _networks(state: State) -> dict[str, nn.Module]:
    return {"generator": state.generator, "average": state.average, "discriminator": state.discriminator}


def _optimised(state: State) -> Iterator[tuple[str, nn.Parameter, torch.optim.Adam]]:
    """Every trained parameter with the name and the optimiser that its moments are kept under."""
    for name, network, adam in (
        ("adam_g", state.generator, state.adam_g),
        ("adam_d", state.discriminator, state.adam_d),
    ):
        for key, parameter in network.named_parameters():
            yield f"{name}.{key}", parameter, adam
