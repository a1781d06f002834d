"""Weights that the compact generator can start from: what was learnt on other people.

Mixing and mending bent pictures is much the same for everybody, so a run that starts here is minutes ahead of one that
starts at random. Who they were trained on stands in `cards/compact_base.md`.
"""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from dataset.errors import ModelError

PEOPLE = "people"
_OPTIONAL = "stay."
_WEIGHTS = Path(__file__).with_name("weights") / "compact_base.safetensors"


def load_base(name: str, generator: nn.Module, discriminator: nn.Module | None) -> None:
    """Put the stored weights into networks of the preset's sizes.

    Args:
        name: "people", the weights that the package ships, or the path of a file of the same form.
        generator: a `CompactGenerator`.
        discriminator: the `MultiScaleDiscriminator` that was trained with it, or None to leave it out.

    Raises:
        ModelError: the file is missing or damaged, or the networks have other sizes.
    """
    path = _WEIGHTS if name == PEOPLE else Path(name)
    if not path.is_file():
        raise ModelError(
            "the base weights are missing",
            path=path,
            hint="reinstall danceproof, or start at random: --set network.base=",
        )
    try:
        stored = {key: value.float() for key, value in load_file(path).items()}
        for prefix, network in (("generator.", generator), ("discriminator.", discriminator)):
            if network is not None:
                own = network.state_dict()
                weights = {
                    key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)
                }
                # A generator that keeps nothing of the frame before has no use for what decides on it; a file without
                # that leaves it as it starts.
                extra = {key: value for key, value in own.items() if key.startswith(_OPTIONAL)}
                used = {k: v for k, v in weights.items() if k in own or not k.startswith(_OPTIONAL)}
                network.load_state_dict(extra | used)
    except (SafetensorError, RuntimeError) as error:
        told = str(error).splitlines()[0]
        raise ModelError(
            f"the base weights do not fit these networks ({told})",
            path=path,
            hint="start at random: --set network.base=",
        ) from error
