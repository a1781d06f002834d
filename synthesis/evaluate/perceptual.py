"""Perceptual distances by name: LPIPS itself, or a substitute that never goes by that name.

LPIPS (Zhang et al., *The unreasonable effectiveness of deep features as a perceptual metric*, CVPR 2018) is a set of
learned heads on top of one particular file of backbone weights. The heads come with the ``lpips`` package, the backbone
with torchvision's model zoo. On other weights the same arithmetic gives other figures, so weights that are not
torchvision's own are named in the figure's label.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dataset.errors import ModelError, SynthesisError
from dataset.files import sha256_file
from synthesis.evaluate.frames import LEAST_SIDE
from synthesis.networks.perceptual import BACKBONES, PerceptualLoss

Image = npt.NDArray[np.uint8]

LPIPS = "lpips"
#: Backbone → file in torchvision's model zoo (its name ends in the first digits of its SHA-256), torchvision function.
_ZOO = {
    "alex": ("alexnet-owt-7be5be79.pth", "alexnet"),
    "vgg": ("vgg16-397923af.pth", "vgg16"),
    "squeeze": ("squeezenet1_1-b8a52dc0.pth", "squeezenet1_1"),
}
#: Shortest side of a picture that leaves something at every depth.
_LEAST = {"alex": 32, "vgg": 17, "squeeze": 17}
LPIPS_BACKBONES = tuple(_ZOO)
#: What can be asked for.
CHOICES = (LPIPS, *BACKBONES)


@dataclass(frozen=True)
class Distance:
    """How far two pictures of one size are from each other; less is more alike.

    Attributes:
        key: short name in JSON.
        label: full name, to stand beside every figure.
        least: shortest side of a picture that it can be told for.
        weights_sha256: hash of the backbone's weights where they come from a file of the user's.
    """

    key: str
    label: str
    least: int
    measure: Callable[[Tensor, Tensor], Tensor]
    weights_sha256: str = ""

    @torch.inference_mode()
    def __call__(self, real: Image, made: Image) -> float:
        """(H, W, 3) uint8 twice → distance; NaN where a side is too short."""
        if min(real.shape[:2]) < self.least:
            return float("nan")
        return float(self.measure(_tensor(made), _tensor(real)))


def open_distance(
    name: str = LPIPS, *, backbone: str = "alex", weights: str | Path | None = None
) -> Distance:
    """The distance of that name, ready to use.

    Args:
        name: "lpips", or a backbone of `synthesis.networks.perceptual` as an explicit substitute.
        backbone: of LPIPS: "alex", "vgg" or "squeeze".
        weights: file of the backbone's weights with torchvision's key names (.pth or .safetensors); for LPIPS
            torchvision's own file is looked for in its cache without.

    Raises:
        SynthesisError: no such distance.
        ModelError: weights are missing or do not fit.
    """
    if name == LPIPS:
        return _lpips(backbone, None if weights is None else Path(weights))
    if name not in BACKBONES:
        raise SynthesisError(f"no perceptual distance {name!r}", hint=f"there are: {', '.join(CHOICES)}")
    loss = PerceptualLoss(name, weights)
    return Distance(
        f"perceptual_{name}", f"perceptual distance ({name} features), not LPIPS", LEAST_SIDE, loss.forward
    )


def _lpips(backbone: str, weights: Path | None) -> Distance:
    if backbone not in _ZOO:
        raise SynthesisError(f"no LPIPS backbone {backbone!r}", hint=f"there are: {', '.join(_ZOO)}")
    file, function = _ZOO[backbone]
    path = weights or Path(torch.hub.get_dir()) / "checkpoints" / file
    if not path.is_file():
        raise ModelError(
            f"LPIPS needs torchvision's weights of its backbone ({file})",
            path=path,
            hint=(
                f'fetch them with python -c "import torchvision as t; t.models.{function}'
                "(weights='IMAGENET1K_V1')\", name a copy with --lpips-weights, or choose a distance that is not "
                f"LPIPS with --perceptual {BACKBONES[0]}"
            ),
        )
    digest = sha256_file(path)
    metric = _with_heads(backbone)
    _load_backbone(metric, path)
    if digest.startswith(file.rsplit("-", 1)[1].removesuffix(".pth")):
        key, label = f"lpips_{backbone}", f"LPIPS ({backbone})"
    else:
        key = f"lpips_heads_{backbone}_{digest[:8]}"
        label = f"LPIPS heads ({backbone}) on other weights ({path.name}, sha256 {digest[:8]}), not LPIPS"
    return Distance(key, label, _LEAST[backbone], lambda made, real: metric(made, real).mean(), digest)


def _with_heads(backbone: str) -> nn.Module:
    """LPIPS with its heads and a backbone without weights."""
    import lpips

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package calls torchvision in a manner that is going out of use
        metric: nn.Module = lpips.LPIPS(net=backbone, pnet_rand=True, verbose=False)
    return metric.eval().requires_grad_(False)


def _load_backbone(metric: nn.Module, path: Path) -> None:
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, pickle.UnpicklingError, OSError, EOFError) as error:
        raise ModelError(f"weights that cannot be read ({error})", path=path) from error
    # "features.3.weight" in torchvision is "net.slice2.3.weight" here: the slices keep the numbers of the layers.
    for name, parameter in metric.named_parameters():
        if not name.startswith("net."):
            continue
        key = "features." + name.split(".", 2)[2]
        if key not in state or state[key].shape != parameter.shape:
            raise ModelError(
                f"not the weights of this backbone: {key} is missing or of another shape", path=path
            )
        parameter.data.copy_(state[key].float())


def _tensor(image: Image) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 127.5 - 1
