"""The paper's detector: the discriminator's trunk with a final fully connected layer, on two consecutive frames.

Chan et al., *Everybody Dance Now*, ICCV 2019: "the architecture of the discriminator with a final fully connected
layer". The paper does not say what goes in; here it is a window cut from two consecutive frames, stacked to six
channels, so that the temporal faults of motion transfer can be seen beside the spatial ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dataset.errors import ModelError
from forensics.detectors.layers import Dropout, Level
from forensics.detectors.network import NetworkDetector, WindowNetwork
from forensics.detectors.registry import register
from synthesis import networks
from synthesis.networks.base import PEOPLE
from synthesis.networks.discriminator import PatchTrunk

RANDOM = "random"
#: What ships with the compact generator; it holds the discriminator that was trained with it.
BASE_WEIGHTS = Path(networks.__path__[0]) / "weights" / "compact_base.safetensors"
_FULL_SCALE = re.compile(r"(?:^|[ .])(?:scales\.0\.)trunk\.(layers\..+)$")


@dataclass(frozen=True)
class PatchConfig:
    """The shape of the network."""

    window: int = 128  # side of the square windows it judges, in pixels
    ndf: int = 24  # channels after the first convolution, doubled per layer up to 8 times as many
    n_layers: int = 3  # stride-2 convolutions of the PatchGAN trunk; 3 gives the 70×70 receptive field
    norm: str = "instance"  # normalisation inside the trunk: "instance" or "batch"
    dropout: float = 0.3  # share of pooled features dropped in training, before the fully connected layer
    init: str = RANDOM  # weights to start from: "random", "people" (the generator's discriminator), or a path


class PatchNetwork(WindowNetwork):
    """A PatchGAN trunk over two stacked RGB frames, pooled, and one fully connected layer.

    The trunk sees, beside the six channels of the frames, their fine detail in six more. Texture and noise, in which
    generated pictures are weakest, are a hundredth of the picture's range; a network that has to find them by
    itself needs several times as many steps. The paper's discriminator has as many channels: there the other six are
    the stick figures, which no detector is given.

    Every layer of the trunk is pooled to its mean, the logarithm of its standard deviation (so that the last layer can
    weigh one band of detail against another) and its maximum over the map. The deepest layer
    alone, as a plain reading of the paper has it, is instance-normalised and has lost how strong the fine detail was;
    the first layer still knows.
    """

    def __init__(self, config: PatchConfig) -> None:
        super().__init__()
        self.trunk = PatchTrunk(12, config.ndf, config.n_layers, config.norm)
        width = 3 * sum(min(config.ndf * 2**index, config.ndf * 8) for index in range(config.n_layers + 1))
        # Brings mean, deviation and maximum of all layers to one scale; running figures are used when judging.
        self.level = Level(width)
        self.dropout = Dropout(config.dropout)
        self.classify = nn.Linear(width, 1)

    def embed(self, pairs: Tensor) -> Tensor:
        """(B, 6, S, S) in [-1, 1] → (B, D): what the trunk saw, pooled over the map and levelled."""
        return self._pooled(self.trunk(torch.cat([pairs, fine_detail(pairs)], 1)))

    def maps(self, pairs: Tensor) -> tuple[list[Tensor], Tensor]:
        """See `WindowNetwork.maps`: the first layer of the trunk.

        The deeper ones are instance-normalised: a fault in one place moves the figures of all others.
        """
        maps = self.trunk(torch.cat([pairs, fine_detail(pairs)], 1))
        return maps[:1], self.classify(self._pooled(maps))[:, 0]

    def _pooled(self, maps: list[Tensor]) -> Tensor:
        pooled = []
        for activation in maps:
            flat = activation.flatten(2)
            pooled += [flat.mean(2), (flat.std(2) + 1e-3).log(), flat.amax(2)]
        levelled: Tensor = self.level(torch.cat(pooled, 1))
        return levelled


@register("patch")
class PatchDetector(NetworkDetector):
    """The detector of the paper; judges every window of a pair and takes their mean."""

    Config = PatchConfig
    config: PatchConfig
    network: PatchNetwork

    def __init__(self, config: PatchConfig | None = None) -> None:
        super().__init__(config)
        self.network = PatchNetwork(self.config).eval()

    def build(self) -> PatchNetwork:
        """See `NetworkDetector.build`."""
        network = PatchNetwork(self.config)
        if self.config.init != RANDOM:
            start_from(network.trunk, self.config.init)
        return network


def start_from(trunk: PatchTrunk, where: str) -> None:
    """Put the weights of a trained discriminator into a detector's trunk.

    The discriminator saw two stick figures and then two frames; its first convolution keeps the frames' half. The
    other half of the detector's input is the frames' fine detail, which no discriminator knows: those weights stay as
    they are.

    Args:
        trunk: of the detector.
        where: "people" for the discriminator that ships with the compact generator, or the path of safetensors that
            hold one: base weights, a checkpoint of a training, or a discriminator's own.

    Raises:
        ModelError: there are none, or they are of other sizes.
    """
    path = BASE_WEIGHTS if where == PEOPLE else Path(where)
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"no discriminator can be read ({error})",
            path=path,
            hint="--set init=people, or a path of safetensors",
        ) from error
    found: dict[str, Tensor] = {}
    for key, value in stored.items():
        # The scale that sees the full resolution, whatever stands in front of it.
        if match := _FULL_SCALE.search(key):
            found.setdefault(match[1], value.float())
    try:
        first = found["layers.0.0.weight"]
        own = trunk.layers[0][0].weight  # type: ignore[index]
        with torch.no_grad():
            merged = own.detach().clone()
            merged[:, :6] = first[:, -6:]
            trunk.load_state_dict(found | {"layers.0.0.weight": merged})
    except (KeyError, RuntimeError) as error:
        told = str(error).splitlines()[0]
        hint = (
            f"--set ndf={len(first)}" if "layers.0.0.weight" in found else "name a file with a discriminator"
        )
        raise ModelError(
            f"holds no discriminator that fits this detector ({told})", path=path, hint=hint
        ) from error


def fine_detail(pairs: Tensor) -> Tensor:
    """(B, C, H, W) → the same shape: what a 3×3 mean leaves over, enlarged fourfold to about the range of the rest."""
    around = nn.functional.avg_pool2d(nn.functional.pad(pairs, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    return (pairs - around) * 4
