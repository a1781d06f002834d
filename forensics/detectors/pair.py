"""A network trained on photographs, with a second entrance for what a camera leaves and a generator does not.

The first frame enters a timm backbone as a photograph would. Beside its first convolution stands another, for the fine
detail of both frames and for what changes from one to the next; both are added, and the whole network is tuned. What
was learnt from photographs tells apart hands, cloth and background within a few hundred steps, where a network that
starts from nothing takes its few subjects' looks for the label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dataset.errors import DetectorError, ModelError
from forensics.detectors.base import Detector, Evidence, Progress, Scores, mean_by_pair, to_tensor
from forensics.detectors.layers import Dropout
from forensics.detectors.patch import fine_detail
from forensics.detectors.registry import register
from forensics.familiarity import Familiarity
from forensics.sampler import Sampler
from forensics.train import Run, TrainConfig, fit_network, sample_windows
from forensics.windows import ClipWindows

#: Windows that go through the network at once; bounds memory, changes no score.
_BATCH = 64
#: What timm calls the parts of an EfficientNet.
_LAYERS = ("conv_stem", "bn1", "blocks", "conv_head", "bn2")
#: Fine detail of both frames, and their difference.
_DETAIL = 9
#: Differences between two frames are enlarged by this, to about the range of a picture.
_ENLARGED = 4.0


@dataclass(frozen=True)
class PairConfig:
    """The shape of the network, and what it starts from."""

    window: int = 128  # side of the square windows it judges, in pixels
    backbone: str = "tf_efficientnet_lite0"  # timm's name of a network that begins with a convolution
    weights: str = (
        ""  # file (.safetensors) with the backbone's weights; empty: timm gets its own from its hub
    )
    dropout: float = 0.2  # share of pooled features dropped in training, before the fully connected layer


class PairNetwork(nn.Module):
    """The backbone with its second entrance, pooled, and one fully connected layer.

    Args:
        config: of the detector. The backbone's weights are random until `start_from_photographs`.

    Raises:
        DetectorError: timm has no such backbone, or it does not begin with a convolution of a known name.
    """

    def __init__(self, config: PairConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = _empty_backbone(config.backbone)
        if not all(hasattr(self.backbone, layer) for layer in _LAYERS):
            raise DetectorError(
                f"{config.backbone} is not made of the layers {', '.join(_LAYERS)}",
                hint="take an EfficientNet of timm, or another --detector",
            )
        stem: Any = self.backbone.conv_stem
        self.detail = nn.Conv2d(
            _DETAIL,
            stem.out_channels,
            stem.kernel_size[0],
            stem.stride[0],
            stem.kernel_size[0] // 2,
            bias=False,
        )
        nn.init.normal_(self.detail.weight, 0.0, 0.02)
        self.dropout = Dropout(config.dropout)
        self.classify = nn.Linear(_width(self.backbone), 1)
        # A step takes three fifths of the time so, and in float32 it is faster than in bfloat16, as most of the
        # convolutions go over single channels (tests/benchmarks/pair_step.py).
        self.layout = torch.channels_last
        self.to(memory_format=self.layout)

    def embed(self, pairs: Tensor) -> Tensor:
        """(B, 6, S, S) in [-1, 1] → (B, D): features of the deepest layer, averaged over the map."""
        pairs = pairs.contiguous(memory_format=self.layout)
        first, second = pairs[:, :3], pairs[:, 3:]
        change = ((second - first) * _ENLARGED).clamp(-1, 1)
        detail = self.detail(torch.cat([fine_detail(pairs), change], 1))
        net: Any = self.backbone
        y = net.bn1(net.conv_stem(first) + detail)
        features: Tensor = net.bn2(net.conv_head(net.blocks(y))).mean((2, 3))
        return features

    def forward(self, pairs: Tensor) -> Tensor:
        """(B, 6, S, S) in [-1, 1] → (B,) logits; above zero speaks for a fake."""
        logits: Tensor = self.classify(self.dropout(self.embed(pairs)))[:, 0]
        return logits

    def start_from_photographs(self) -> None:
        """Fill the backbone with the weights that the config names.

        Raises:
            ModelError: they are missing, cannot be had, or do not fit.
        """
        config = self.config
        if not config.weights:
            self.backbone.load_state_dict(_from_hub(config.backbone))
            return
        path = Path(config.weights)
        if not path.is_file():
            raise ModelError(
                f"no such file with the weights of {config.backbone}", path=path, hint=_where(config.backbone)
            )
        try:
            stored = load_file(path)
            wanted = self.backbone.state_dict()
            self.backbone.load_state_dict(
                {name: stored[name].to(value.dtype) for name, value in wanted.items()}
            )
        except (KeyError, RuntimeError, SafetensorError) as error:
            raise ModelError(
                f"these are not the weights of {config.backbone} ({str(error).splitlines()[0]})", path=path
            ) from error


@register("pair")
class PairDetector(Detector):
    """Judges every window of a pair by a tuned timm backbone and takes their mean."""

    Config = PairConfig
    config: PairConfig

    def __init__(self, config: PairConfig | None = None) -> None:
        super().__init__(config)
        self.network = PairNetwork(self.config).eval()

    def fit(
        self,
        clips: Sequence[ClipWindows],
        training: TrainConfig,
        progress: Progress | None = None,
        *,
        run: Run | None = None,
    ) -> None:
        """See `Detector.fit`; also raises ModelError where the backbone's weights are missing."""
        torch.manual_seed(training.seed)
        network = PairNetwork(self.config)
        network.start_from_photographs()
        batches = Sampler(clips, self.window, training.seed)
        self.network = fit_network(network, batches, training, progress, run)
        known = sample_windows(clips, self.window, training.seed)
        self.familiarity = Familiarity.fit(self.look(known)[1])

    def look(self, windows: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
        """(N, 2, S, S, 3) windows → (N,) logits and (N, D) embeddings, without gradients."""
        logits, embeddings = [], []
        self.network.eval()
        with torch.inference_mode():
            for begin in range(0, len(windows), _BATCH):
                features = self.network.embed(to_tensor(windows[begin : begin + _BATCH]))
                embeddings.append(features.numpy())
                logits.append(self.network.classify(features)[:, 0].double().numpy())
        if not logits:
            return np.zeros(0), np.zeros((0, self.network.classify.in_features), np.float32)
        return np.concatenate(logits), np.concatenate(embeddings)

    def judge(self, evidence: Evidence) -> Scores:
        """See `Detector.judge`."""
        logits, embeddings = self.look(evidence.pixels)
        distance = None
        if self.familiarity is not None and len(embeddings):
            distance = float(np.median(self.familiarity.distances(embeddings)))
        return Scores(mean_by_pair(logits, evidence.pairs, len(evidence.times)), logits, distance)

    def tensors(self) -> dict[str, Tensor]:
        """See `Detector.tensors`."""
        return dict(self.network.state_dict())

    def put_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Detector.put_tensors`."""
        self.network.load_state_dict(dict(tensors))
        self.network.eval()


def _empty_backbone(name: str) -> nn.Module:
    import timm

    try:
        backbone: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, global_pool="")
    except (RuntimeError, ValueError) as error:
        raise DetectorError(
            f"timm has no network called {name!r}", hint="python -c 'import timm; print(timm.list_models())'"
        ) from error
    return backbone


def _width(backbone: Any) -> int:
    return int(backbone.num_features)


def _from_hub(name: str) -> Mapping[str, Tensor]:
    import timm

    try:
        return dict(timm.create_model(name, pretrained=True, num_classes=0, global_pool="").state_dict())
    except Exception as error:  # whatever the hub's client raises: the reason is told, and nothing goes on
        raise ModelError(
            f"the weights of {name} could not be had from timm's hub ({type(error).__name__})",
            hint=_where(name),
        ) from error


def _where(name: str) -> str:
    return (
        f"get model.safetensors from https://huggingface.co/timm (it begins with {name}), "
        "then give it with: --set weights=FILE"
    )
