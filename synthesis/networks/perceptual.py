"""Feature networks for the perceptual loss (Johnson et al., ECCV 2016; paper eq. 3, L_P).

The backbone is chosen by name in the configuration and its name is part of every result: figures from different
backbones cannot be compared.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dataset.errors import ModelError

SQUEEZENET = "squeezenet1_1"
BACKBONES = (SQUEEZENET,)
_WEIGHTS = Path(__file__).with_name("weights") / "squeezenet1_1_imagenet.safetensors"
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
#: Layers of torchvision's ``squeezenet1_1().features`` whose output is compared.
_TAPS = (1, 4, 7, 10, 12)


class PerceptualLoss(nn.Module):
    """Relative L1 distance of two pictures' features, summed over five depths.

    At each depth the mean absolute difference is divided by the mean absolute feature of the real picture, so that
    the depths weigh alike whatever the scale of their activations. Each picture of the batch counts alike.

    Args:
        backbone: "squeezenet1_1" (ImageNet; ships with the package).
        weights: another file of the same weights, torchvision's key names, safetensors.

    Raises:
        ModelError: the backbone is unknown, or its weights are missing or not those of the backbone.
    """

    def __init__(self, backbone: str = SQUEEZENET, weights: str | Path | None = None) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ModelError(f"no perceptual backbone {backbone!r}; there are: {', '.join(BACKBONES)}")
        self.backbone = backbone
        self.features = _squeezenet(Path(weights) if weights else _WEIGHTS)
        self.requires_grad_(False)
        self.eval()
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1))
        self.mean: Tensor
        self.std: Tensor

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] twice → scalar; no gradient flows into `real`."""
        with torch.no_grad():
            expected = self.embed(real)
        found = self.embed(made)
        terms = [
            (
                (a.float() - b.float()).abs().mean((1, 2, 3))
                / b.float().abs().mean((1, 2, 3)).clamp_min(1e-6)
            ).mean()
            for a, b in zip(found, expected, strict=True)
        ]
        return torch.stack(terms).sum()

    def embed(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [-1, 1] → features at five depths."""
        x = ((image + 1) / 2 - self.mean) / self.std
        taps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in _TAPS:
                taps.append(x)
        return taps


def _squeezenet(path: Path) -> nn.Sequential:
    from torchvision.models import squeezenet1_1

    if not path.is_file():
        raise ModelError(
            "the perceptual loss has no weights",
            path=path,
            hint="reinstall danceproof, or save torchvision's squeezenet1_1 ImageNet weights there as safetensors",
        )
    network = squeezenet1_1(weights=None).features
    try:
        state = {
            key.removeprefix("features."): value.float()
            for key, value in load_file(path).items()
            if key.startswith("features.")
        }
        network.load_state_dict(state, strict=False)
        missing = [key for key in network[: max(_TAPS) + 1].state_dict() if key not in state]
        if missing:
            raise ModelError(f"not SqueezeNet 1.1: {missing[0]} is missing", path=path)
    except (SafetensorError, RuntimeError) as error:
        raise ModelError(f"not SqueezeNet 1.1 weights ({error})", path=path) from error
    layers: nn.Sequential = network[: max(_TAPS) + 1]
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # taps must stay what they were
    return layers
