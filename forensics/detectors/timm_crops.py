"""Backbones that were trained on other pictures, on native-resolution crops: anything that timm knows by name.

Wightman, *PyTorch Image Models*, 2019. What is tuned is chosen: nothing but a linear layer on frozen features
("probe"), the normalisation layers ("norm", which carries over to other fakes better than all of it, as GenD found), or
everything ("all").
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dataset.errors import DetectorError, ModelError
from dataset.files import sha256_file
from forensics.detectors.base import Evidence, Progress, to_tensor
from forensics.detectors.layers import Dropout, Level
from forensics.detectors.measured import Figures, Measuring
from forensics.detectors.network import NetworkDetector, WindowNetwork
from forensics.detectors.registry import register
from forensics.detectors.tabular import fit_tabular
from forensics.train import Run, TrainConfig
from forensics.windows import ClipWindows, wanted_rows

PROBE, NORM, ALL = "probe", "norm", "all"
RANDOM, HUB = "random", "hub"
#: Backbones with more parameters stay where they are: the detector stores their hash and what was tuned.
_STORED = 20_000_000
_BACKBONE, _HASH = "backbone.", "backbone_sha256"
_NORMS = (nn.LayerNorm, nn.BatchNorm2d, nn.GroupNorm)


@dataclass(frozen=True)
class TimmConfig:
    """Which backbone, and what is tuned of it."""

    window: int = 128  # side of the windows; the backbone sees them at this size, not enlarged
    backbone: str = "tf_efficientnet_lite0"  # any name in timm.list_models()
    weights: str = HUB  # of the backbone: a path of safetensors, "hub" (downloaded by timm) or "random"
    tune: str = PROBE  # "probe": the last layer alone; "norm": normalisation layers too; "all"
    parts: tuple[str, ...] = ()  # windows that are looked at, such as whole,torso,head; all of them if empty
    variants: int = 2  # probe: times each clip is looked at in training, as it is and degraded
    decay: float = 1e-2  # probe: weight of the squared weights
    dropout: float = 0.3  # norm and all: share of features dropped in training

    def __post_init__(self) -> None:
        if self.tune not in (PROBE, NORM, ALL):
            raise ValueError(f"tune is {PROBE}, {NORM} or {ALL}, not {self.tune!r}")


class TimmNetwork(WindowNetwork):
    """The backbone on each frame by itself; the first frame's features and how the second's differ from them."""

    def __init__(self, backbone: nn.Module, dropout: float) -> None:
        super().__init__()
        told: dict[str, Any] = backbone.pretrained_cfg  # type: ignore[assignment]
        self.backbone = backbone
        self._mean, self._std = (torch.tensor(told[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
        width = 2 * int(backbone.head_hidden_size)  # type: ignore[arg-type]
        self.level = Level(width)
        self.dropout = Dropout(dropout)
        self.classify = nn.Linear(width, 1)

    def features(self, pairs: Tensor) -> Tensor:
        """(B, 6, S, S) in [-1, 1] → (B, 2F): of the first frame, and the size of the difference to the second."""
        count = len(pairs)
        frames = torch.cat([pairs[:, :3], pairs[:, 3:]])
        found = self.backbone(((frames + 1) / 2 - self._mean) / self._std)
        first, second = found[:count], found[count:]
        return torch.cat([first, (second - first).abs()], 1)

    def embed(self, pairs: Tensor) -> Tensor:
        """See `WindowNetwork.embed`."""
        levelled: Tensor = self.level(self.features(pairs).float())
        return levelled

    def train(self, mode: bool = True) -> TimmNetwork:
        """The backbone keeps its running figures: batches of one detector's windows are too small for them."""
        super().train(mode)
        self.backbone.eval()
        return self


@register("timm")
class TimmDetector(Measuring, NetworkDetector):
    """A timm backbone with one fully connected layer over both frames of a window."""

    Config = TimmConfig
    config: TimmConfig
    network: TimmNetwork

    def __init__(self, config: TimmConfig | None = None) -> None:
        super().__init__(config)
        self.parts = self.config.parts
        self._sha256 = ""

    def build(self) -> TimmNetwork:
        """See `NetworkDetector.build`."""
        backbone, self._sha256 = open_backbone(self.config.backbone, self.config.weights)
        network = TimmNetwork(backbone, self.config.dropout)
        for module in backbone.modules():
            tuned = self.config.tune == ALL or (self.config.tune == NORM and isinstance(module, _NORMS))
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad = tuned
        return network

    def fit(
        self,
        clips: Sequence[ClipWindows],
        training: TrainConfig,
        progress: Progress | None = None,
        *,
        run: Run | None = None,
    ) -> None:
        """See `Detector.fit`. A probe's features are computed once and kept beside the windows."""
        if self.config.tune != PROBE:
            super(Measuring, self).fit(clips, training, progress, run=run)
            return
        torch.manual_seed(training.seed)
        self.network = self.build()
        self.network.eval()
        found = self.measure_all(clips, training, progress)
        probe = fit_tabular(
            found.figures, found.fake, found.subjects, decay=self.config.decay, seed=training.seed
        )
        level, last = self.network.level, probe.classify
        assert isinstance(last, nn.Linear)
        assert level.running_mean is not None
        assert level.running_var is not None
        with torch.no_grad():
            level.running_mean.copy_(probe.mean)
            level.running_var.copy_(probe.spread.square())
            # Nothing is ever missing in features.
            self.network.classify.weight.copy_(last.weight[:, : len(probe.mean)])
            self.network.classify.bias.copy_(last.bias)
        self.familiarity = found.familiar(probe.level(found.figures), training.seed)

    def measured_as(self) -> str:
        """See `Measuring.measured_as`."""
        config = self.config
        return f"{config.backbone} {self._sha256} {config.window} {' '.join(config.parts)}"

    def measure(self, evidence: Evidence) -> Figures:
        """The features of each window."""
        self.network.eval()
        found = []
        with torch.inference_mode():
            for begin in range(0, len(evidence), 32):
                found.append(
                    self.network.features(to_tensor(evidence.pixels[begin : begin + 32])).float().numpy()
                )
        width = self.network.classify.in_features
        return np.concatenate(found) if found else np.zeros((0, width), np.float32)

    def looked_at(self, evidence: Evidence) -> list[int]:
        """See `NetworkDetector.looked_at`."""
        return wanted_rows(evidence.parts, self.config.parts)

    def tensors(self) -> dict[str, Tensor]:
        """See `Detector.tensors`. Of a large backbone only what was tuned, and the hash of the rest."""
        stored = dict(self.network.state_dict())
        if _size(self.network.backbone) <= _STORED or self.config.tune == ALL:
            return stored
        frozen = {name for name, value in self.network.named_parameters() if not value.requires_grad}
        kept = {
            name: value
            for name, value in stored.items()
            if not (name.startswith(_BACKBONE) and name in frozen)
        }
        return kept | {_HASH: torch.frombuffer(bytearray.fromhex(self._sha256), dtype=torch.uint8)}

    def put_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Detector.put_tensors`; reads a large backbone from where the config says.

        Raises:
            ModelError: the backbone there is another one.
        """
        stored = dict(tensors)
        expected = stored.pop(_HASH, None)
        whole = expected is None
        backbone, self._sha256 = open_backbone(self.config.backbone, RANDOM if whole else self.config.weights)
        if expected is not None and bytes(expected.tolist()).hex() != self._sha256:
            raise ModelError(
                "these are other weights than the detector was trained with", path=self.config.weights
            )
        self.network = TimmNetwork(backbone, self.config.dropout)
        missing = self.network.load_state_dict(stored, strict=whole)
        if missing.unexpected_keys:
            raise RuntimeError(f"unexpected {', '.join(missing.unexpected_keys[:3])}")
        self.network.eval()


def open_backbone(name: str, weights: str) -> tuple[nn.Module, str]:
    """A timm model without its classifier, and the SHA-256 of its weights.

    Args:
        name: in timm.
        weights: path of safetensors with timm's names, where int8 rows with ``KEY.scale`` beside them are enlarged;
            "hub" for timm's own download; "random".

    Raises:
        DetectorError: timm has no such model.
        ModelError: the weights are missing or of another model; says where they can be had.
    """
    import timm

    sized = {"dynamic_img_size": True} if name.startswith("vit_") else {}
    try:
        if weights != HUB:
            model: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **sized)
        else:
            model = timm.create_model(name, pretrained=True, num_classes=0, **sized)
    except RuntimeError as error:
        if "Unknown model" not in str(error):
            raise ModelError(f"weights of {name} cannot be used ({error})", hint=_where(name)) from error
        close = timm.list_models(f"*{name.split('.')[0][:12]}*")[:3]
        raise DetectorError(
            f"timm has no model {name!r}", hint=f"such as: {', '.join(close or ['resnet18'])}"
        ) from error
    except Exception as error:  # whatever a download can end with
        raise ModelError(f"weights of {name} cannot be downloaded ({error})", hint=_where(name)) from error
    if weights == RANDOM:
        return model, ""
    if weights == HUB:
        return model, _digest(model)
    path = Path(weights)
    if not path.is_file():
        raise ModelError(f"there are no weights of {name}", path=path, hint=_where(name))
    try:
        stored = _enlarged(load_file(path))
        missing = model.load_state_dict(stored, strict=False)
    except (SafetensorError, RuntimeError, KeyError) as error:
        raise ModelError(
            f"no weights of {name} ({str(error).splitlines()[0]})", path=path, hint=_where(name)
        ) from error
    if missing.missing_keys:
        told = ", ".join(missing.missing_keys[:3])
        raise ModelError(f"no weights of {name}: {told} missing", path=path, hint=_where(name))
    return model, sha256_file(path)


def _enlarged(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights kept as int8 with a scale for each row, and half precision, as float32."""
    out = {}
    for key, value in stored.items():
        if key.endswith(".scale") and key.removesuffix(".scale") in stored:
            continue
        scale = stored.get(f"{key}.scale")
        if scale is not None:
            value = value.float() * scale.float().view(-1, *[1] * (value.dim() - 1))
        out[key] = value.float() if value.is_floating_point() else value
    return out


def _where(name: str) -> str:
    return f"--set weights=hub downloads them, or get the safetensors of timm/{name} from the hub and name its path"


def _digest(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode() + value.detach().numpy().tobytes())
    return digest.hexdigest()


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
