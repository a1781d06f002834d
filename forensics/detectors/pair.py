"""A network trained on photographs, with a second entrance for what a camera leaves and a generator does not.

The first frame enters a timm backbone as a photograph would. Beside its first convolution stands another, for the fine
detail of both frames and for what changes from one to the next; both are added, and the whole network is tuned. What
was learnt from photographs tells apart hands, cloth and background within a few hundred steps, where a network that
starts from nothing takes its few subjects' looks for the label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dataset.errors import DetectorError
from forensics.detectors.efficientnet_lite import LITE0, EfficientNetLite, like_timm
from forensics.detectors.layers import Dropout
from forensics.detectors.network import NetworkDetector, WindowNetwork
from forensics.detectors.patch import fine_detail
from forensics.detectors.registry import register
from forensics.detectors.timm_crops import HUB, RANDOM, open_backbone

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
    backbone: str = "tf_efficientnet_lite0"  # timm's name of an EfficientNet
    weights: str = HUB  # of the backbone: a path of safetensors, "hub" (downloaded by timm) or "random"
    dropout: float = 0.2  # share of pooled features dropped in training, before the fully connected layer


class PairNetwork(WindowNetwork):
    """The backbone with its second entrance, pooled, and one fully connected layer.

    Args:
        config: of the detector.
        weights: of the backbone, as in the config; None where those of the whole network are loaded afterwards.

    Raises:
        DetectorError: timm has no such backbone, or it is not made of the parts of an EfficientNet.
        ModelError: its weights are missing; says where they can be had.
    """

    def __init__(self, config: PairConfig, weights: str | None = None) -> None:
        super().__init__()
        backbone: Any = _backbone(config.backbone, weights)
        if not all(hasattr(backbone, layer) for layer in _LAYERS):
            raise DetectorError(
                f"{config.backbone} is not made of the layers {', '.join(_LAYERS)}",
                hint="take an EfficientNet of timm, or another --detector",
            )
        stem = backbone.conv_stem
        self.backbone = backbone
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
        self.classify = nn.Linear(int(backbone.num_features), 1)
        # A step takes three fifths of the time so, and in float32 it is faster than in bfloat16, as most of the
        # convolutions go over single channels (tests/benchmarks/pair_step.py).
        self.layout = torch.channels_last
        self.to(memory_format=self.layout)

    def embed(self, pairs: Tensor) -> Tensor:
        """(B, 6, S, S) in [-1, 1] → (B, D): features of the deepest layer, averaged over the map."""
        return self._deepest(pairs).mean((2, 3))

    def maps(self, pairs: Tensor) -> tuple[list[Tensor], Tensor]:
        """See `WindowNetwork.maps`: the layers at a quarter and a sixteenth of the window's size, and the deepest."""
        kept: list[Tensor] = []
        deepest = self._deepest(pairs, kept)
        side = pairs.shape[-1]
        finer = [next(y for y in reversed(kept) if y.shape[-1] == size) for size in (side // 4, side // 16)]
        return [*finer, deepest], self.classify(deepest.mean((2, 3)))[:, 0]

    def _deepest(self, pairs: Tensor, kept: list[Tensor] | None = None) -> Tensor:
        pairs = pairs.contiguous(memory_format=self.layout)
        first, second = pairs[:, :3], pairs[:, 3:]
        change = ((second - first) * _ENLARGED).clamp(-1, 1)
        detail = self.detail(torch.cat([fine_detail(pairs), change], 1))
        net: Any = self.backbone
        y: Tensor = net.bn1(net.conv_stem(first) + detail)
        for block in net.blocks:
            y = block(y)
            if kept is not None:
                kept.append(y)
        deepest: Tensor = net.bn2(net.conv_head(y))
        return deepest


def _backbone(name: str, weights: str | None) -> nn.Module:
    if name == LITE0 and weights is None:
        return EfficientNetLite()
    model = open_backbone(name, weights or RANDOM)[0]
    return like_timm(model) if name == LITE0 else model


@register("pair")
class PairDetector(NetworkDetector):
    """Judges every window of a pair by a tuned timm backbone and takes their mean."""

    Config = PairConfig
    config: PairConfig
    network: PairNetwork

    def __init__(self, config: PairConfig | None = None) -> None:
        super().__init__(config)
        self.network = PairNetwork(self.config).eval()

    def build(self) -> PairNetwork:
        """See `NetworkDetector.build`."""
        return PairNetwork(self.config, self.config.weights)
