"""The paper's networks (§4.1, §4.3 and supplement), after Wang et al., *pix2pixHD*, CVPR 2018.

Sizes are the published ones and can be changed; `tests/synthesis/test_paper_networks.py` counts the parameters.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from synthesis.config import FaceConfig, PaperConfig
from synthesis.networks.discriminator import MultiScaleDiscriminator, PatchDiscriminator, init_weights
from synthesis.paper.ops import Conv, UpConv, norm_relu


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with reflection padding and instance norm, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = Conv(channels, channels, 3, reflect=1)
        self.conv2 = Conv(channels, channels, 3, reflect=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        return x + norm_relu(self.conv2(norm_relu(self.conv1(x))), relu=False)


class GlobalGenerator(nn.Module):
    """Stride-2 convolutions down, residual blocks, transposed convolutions up.

    With the default sizes it has the paper's 182,452,675 parameters.

    Args:
        in_channels: 6 for a label and the previous output, 3 for a label alone (frame by frame).
        width: channels at full resolution, doubled at each step down.
        downs: steps down; height and width are divisible by 2 to the power of `downs`.
        blocks: residual blocks at the bottom.
        top: end with the convolution that paints the picture; without it the features at full resolution come out.
    """

    def __init__(
        self, in_channels: int = 6, width: int = 64, downs: int = 4, blocks: int = 9, *, top: bool = True
    ) -> None:
        super().__init__()
        self.enter = Conv(in_channels, width, 7, reflect=3)
        self.downs = nn.ModuleList(
            Conv(width << level, width << (level + 1), 3, 2, padding=1) for level in range(downs)
        )
        self.blocks = nn.ModuleList(ResidualBlock(width << downs) for _ in range(blocks))
        self.ups = nn.ModuleList(
            UpConv(width << (level + 1), width << level) for level in reversed(range(downs))
        )
        self.leave = Conv(width, 3, 7, reflect=3, normalised=False) if top else None

    def features(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) → (B, width, H, W)."""
        x = norm_relu(self.enter(x))
        for down in self.downs:
            x = norm_relu(down(x))
        for block in self.blocks:
            x = block(x)
        for up in self.ups:
            x = norm_relu(up(x))
        return x

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) → (B, 3, H, W) in [-1, 1]."""
        if self.leave is None:
            return self.features(x)
        return torch.tanh(self.leave(self.features(x)).float())


class LocalEnhancer(nn.Module):
    """A second generator of twice the resolution round the global one (pix2pixHD §3.1).

    The global network works on the input at half the size; its features are added to those of the enhancer's first
    layers. With the default sizes both together have the paper's 182,715,939 parameters.

    Args:
        in_channels: as of the global network.
        width: channels at the enhancer's full resolution, half of the global network's.
        downs, blocks: of the global network.
        enhancer_blocks: residual blocks of the enhancer.
    """

    def __init__(
        self,
        in_channels: int = 6,
        width: int = 32,
        downs: int = 4,
        blocks: int = 9,
        enhancer_blocks: int = 3,
    ) -> None:
        super().__init__()
        self.coarse = GlobalGenerator(in_channels, 2 * width, downs, blocks, top=False)
        self.enter = Conv(in_channels, width, 7, reflect=3)
        self.down = Conv(width, 2 * width, 3, 2, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(2 * width) for _ in range(enhancer_blocks))
        self.up = UpConv(2 * width, width)
        self.leave = Conv(width, 3, 7, reflect=3, normalised=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) → (B, 3, H, W) in [-1, 1]."""
        half = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        y = norm_relu(self.down(norm_relu(self.enter(x)))) + self.coarse(half)
        for block in self.blocks:
            y = block(y)
        return torch.tanh(self.leave(norm_relu(self.up(y))).float())

    def start_from(self, trained: GlobalGenerator) -> None:
        """Take over the global stage's network, all but its last layer."""
        state = trained.state_dict()
        self.coarse.load_state_dict({k: v for k, v in state.items() if not k.startswith("leave.")})


def global_generator(config: PaperConfig, *, temporal: bool = True) -> GlobalGenerator:
    """The generator of the global stage, with fresh weights."""
    network = GlobalGenerator(6 if temporal else 3, config.width, config.downs, config.blocks)
    network.apply(init_weights)
    return network


def local_enhancer(config: PaperConfig, *, temporal: bool = True) -> LocalEnhancer:
    """The generator of the local stage, with fresh weights."""
    network = LocalEnhancer(
        6 if temporal else 3, config.width // 2, config.downs, config.blocks, config.enhancer_blocks
    )
    network.apply(init_weights)
    return network


def judge(config: PaperConfig, scales: int, *, temporal: bool = True) -> MultiScaleDiscriminator:
    """A discriminator of two labels with two frames, or of one with one (frame by frame); fresh weights."""
    network = MultiScaleDiscriminator(12 if temporal else 6, config.ndf, config.n_layers, scales)
    network.apply(init_weights)
    return network


def face_generator(config: FaceConfig) -> GlobalGenerator:
    """G_f: label crop and the main generator's crop to a residual; 26.7 million parameters by default.

    Its last layer starts at zero: nothing is corrected before anything is learnt. From random weights the residual
    starts as a texture on the face, which a short training does not get rid of.
    """
    network = GlobalGenerator(6, config.width, config.downs, config.blocks)
    network.apply(init_weights)
    assert network.leave is not None
    for parameter in network.leave.parameters():
        nn.init.zeros_(parameter)
    return network


def face_judge(config: FaceConfig) -> PatchDiscriminator:
    """D_f: one 70×70 PatchGAN with batch norm on a label crop with a face; 2.77 million parameters by default."""
    network = PatchDiscriminator(6, config.ndf, config.n_layers, norm="batch")
    network.apply(init_weights)
    return network
