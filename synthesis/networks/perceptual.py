"""Feature networks for the perceptual loss (Johnson et al., ECCV 2016; paper eq. 3, L_P).

The backbone is chosen by name in the configuration and its name is part of every result: figures from different
backbones cannot be compared.

    squeezenet1_1   ships with the package; the default of the preset `compact`
    vgg19           the paper's; fetched by timm from its hub, or read from a file
    vgg16           read from a file
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dataset.errors import ModelError
from synthesis.paper.ops import mean_difference

SQUEEZENET = "squeezenet1_1"
VGG16 = "vgg16"
VGG19 = "vgg19"
BACKBONES = (SQUEEZENET, VGG16, VGG19)
_TITLES = {SQUEEZENET: "SqueezeNet 1.1", VGG16: "VGG16", VGG19: "VGG19"}
#: The option that takes a file, named in every error about missing weights.
WEIGHTS_OPTION = "--perceptual-weights FILE"
_WEIGHTS = Path(__file__).with_name("weights") / "squeezenet1_1_imagenet.safetensors"
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
#: Layers of torchvision's ``squeezenet1_1().features`` whose output is compared.
_TAPS = (1, 4, 7, 10, 12)
#: Channels of VGG's convolutions up to conv5_1; 0 is a pooling (Simonyan & Zisserman, ICLR 2015, table 1).
_VGG_PLANS = {
    VGG16: (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512),
    VGG19: (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512),
}
#: Weights of relu1_1 … relu5_1 (paper, supplement).
_VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


class PerceptualLoss(nn.Module):
    """Distance of two pictures' features, summed over five depths. Each picture of a batch counts alike.

    With a VGG it is the paper's: the mean absolute difference after relu1_1 … relu5_1, weighed by 1/32, 1/16, 1/8, 1/4
    and 1. With SqueezeNet the mean absolute difference at each depth is divided by the mean absolute feature of the
    real picture, so that the depths weigh alike whatever the scale of their activations.

    Args:
        backbone: one of `BACKBONES`, trained on ImageNet.
        weights: a safetensors file with torchvision's key names. By default SqueezeNet's are those of the package and
            VGG19's come from timm's hub.

    Raises:
        ModelError: the backbone is unknown, or its weights are missing or not those of the backbone.
    """

    def __init__(self, backbone: str = SQUEEZENET, weights: str | Path | None = None) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ModelError(f"no perceptual backbone {backbone!r}; there are: {', '.join(BACKBONES)}")
        self.backbone = backbone
        if backbone == SQUEEZENET:
            self.features = _squeezenet(Path(weights) if weights else _WEIGHTS)
            self.taps: tuple[int, ...] = _TAPS
        else:
            self.features, self.taps = vgg_layers(backbone)
            _load(self.features, backbone, _vgg_state(backbone, weights), weights or "timm's hub")
        self.requires_grad_(False)
        self.eval()
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] twice → scalar; no gradient flows into `real`."""
        with torch.no_grad():
            expected = self.embed(real)
        found = self.embed(made)
        terms = []
        for depth, (a, b) in enumerate(zip(found, expected, strict=True)):
            if self.backbone == SQUEEZENET:
                difference = (a.float() - b.float()).abs().mean((1, 2, 3))
                terms.append((difference / b.float().abs().mean((1, 2, 3)).clamp_min(1e-6)).mean())
            else:
                terms.append(_VGG_WEIGHTS[depth] * mean_difference(a, b))
        return torch.stack(terms).sum()

    def embed(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [-1, 1] → features at five depths."""
        weight = next(self.features.parameters())
        x = (((image + 1) / 2 - self.mean) / self.std).to(weight.dtype)
        taps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                taps.append(x)
        return taps


def vgg_layers(backbone: str) -> tuple[nn.Sequential, tuple[int, ...]]:
    """The convolutions of VGG16 or VGG19 up to relu5_1, numbered as torchvision's, and the places of reluN_1."""
    layers: list[nn.Module] = []
    taps = []
    channels, first = 3, True
    for wider in _VGG_PLANS[backbone]:
        if not wider:
            layers.append(nn.MaxPool2d(2))
            first = True
            continue
        # What follows a ReLU here reads its input and does not change it, so that it may write in place.
        layers += [nn.Conv2d(channels, wider, 3, padding=1), nn.ReLU(inplace=True)]
        if first:
            taps.append(len(layers) - 1)
        channels, first = wider, False
    return nn.Sequential(*layers), tuple(taps)


def _vgg_state(backbone: str, weights: str | Path | None) -> dict[str, Tensor]:
    how = f"save torchvision's {backbone} ImageNet weights as safetensors and name the file with {WEIGHTS_OPTION}"
    other = f"or choose another backbone: --perceptual {SQUEEZENET}"
    if weights:
        return _read(Path(weights), backbone, f"{how}; {other}")
    if backbone != VGG19:
        raise ModelError(f"the perceptual loss has no weights for {backbone}", hint=f"{how}; {other}")
    import timm

    try:
        state: dict[str, Tensor] = timm.create_model("vgg19", pretrained=True).state_dict()
    except Exception as error:  # the hub's client raises errors of half a dozen libraries
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"the weights of vgg19 cannot be fetched from timm's hub ({reason})",
            hint=f"connect to the network, or {how}; {other}",
        ) from error
    return state


def _squeezenet(path: Path) -> nn.Sequential:
    from torchvision.models import squeezenet1_1

    network = squeezenet1_1(weights=None).features
    layers: nn.Sequential = network[: max(_TAPS) + 1]
    hint = (
        f"reinstall danceproof, or name a file of torchvision's squeezenet1_1 weights with {WEIGHTS_OPTION}"
    )
    _load(layers, SQUEEZENET, _read(path, SQUEEZENET, hint), path)
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # taps must stay what they were
    return layers


def _read(path: Path, backbone: str, hint: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise ModelError("the perceptual loss has no weights", path=path, hint=hint)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"not {_TITLES[backbone]} weights ({error})", path=path, hint=hint) from error


def _load(layers: nn.Sequential, backbone: str, state: dict[str, Tensor], source: str | Path) -> None:
    """Put the weights named ``features.N.…`` into the layers, all of them."""
    found = {}
    for key in layers.state_dict():
        if f"features.{key}" not in state:
            raise ModelError(f"not {_TITLES[backbone]}: features.{key} is missing", path=source)
        found[key] = state[f"features.{key}"].float()
    try:
        layers.load_state_dict(found)
    except RuntimeError as error:
        raise ModelError(f"not {_TITLES[backbone]} weights ({error})", path=source) from error
