"""The multi-scale PatchGAN discriminator, and the trunk that the fake detector shares with it.

Isola et al., *Image-to-Image Translation with Conditional Adversarial Networks*, CVPR 2017 (the 70×70 PatchGAN);
Wang et al., *pix2pixHD*, CVPR 2018 (several scales); Chan et al., *Everybody Dance Now*, ICCV 2019, §3.2 (two
consecutive frames judged together).
"""

from __future__ import annotations

from torch import Tensor, nn


class PatchTrunk(nn.Module):
    """The convolutions of a PatchGAN up to, but without, its last one-channel layer.

    Args:
        in_channels: channels of the input.
        ndf: channels after the first convolution; doubled per layer up to 8 × ndf.
        n_layers: number of stride-2 convolutions; 3 gives the 70×70 receptive field.
        norm: "instance" or "batch", applied from the second convolution on.
    """

    def __init__(self, in_channels: int, ndf: int = 64, n_layers: int = 3, norm: str = "instance") -> None:
        super().__init__()
        layers = [nn.Sequential(_conv(in_channels, ndf, 2), nn.LeakyReLU(0.2))]
        channels = ndf
        for index in range(1, n_layers + 1):
            wider = min(channels * 2, ndf * 8)
            stride = 2 if index < n_layers else 1
            layers.append(
                nn.Sequential(_conv(channels, wider, stride), _norm(norm, wider), nn.LeakyReLU(0.2))
            )
            channels = wider
        self.layers = nn.ModuleList(layers)
        self.out_channels = channels

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, in_channels, H, W) → the activations of every layer, the deepest last."""
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return features


class PatchDiscriminator(nn.Module):
    """One PatchGAN: the trunk and a one-channel convolution, without a final sigmoid (least-squares form)."""

    def __init__(self, in_channels: int, ndf: int = 64, n_layers: int = 3, norm: str = "instance") -> None:
        super().__init__()
        self.trunk = PatchTrunk(in_channels, ndf, n_layers, norm)
        self.score = _conv(self.trunk.out_channels, 1, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, H, W) → the trunk's activations, then the map of scores (B, 1, h, w)."""
        features: list[Tensor] = self.trunk(x)
        return [*features, self.score(features[-1])]


class MultiScaleDiscriminator(nn.Module):
    """The same PatchGAN design at full, half, quarter … resolution (pix2pixHD §3.2), average pooling between.

    With 12 input channels (two labels, two frames), ndf 64 and 2 or 3 scales it has the paper's 5,547,906 or
    8,321,859 parameters.
    """

    def __init__(self, in_channels: int, ndf: int = 64, n_layers: int = 3, scales: int = 2) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(in_channels, ndf, n_layers) for _ in range(scales))
        self.pool = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """(B, C, H, W) → for each scale what `PatchDiscriminator` returns."""
        results = []
        for index, discriminator in enumerate(self.scales):
            results.append(discriminator(x))
            if index + 1 < len(self.scales):
                x = self.pool(x)
        return results


def init_weights(module: nn.Module) -> None:
    """Convolution weights from N(0, 0.02), the paper's code's initialisation; for ``net.apply(init_weights)``."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _conv(in_channels: int, out_channels: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel_size=4, stride=stride, padding=2)


def _norm(kind: str, channels: int) -> nn.Module:
    if kind == "instance":
        return nn.InstanceNorm2d(channels)
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    raise ValueError(f"norm is 'instance' or 'batch', not {kind!r}")
