"""The compact generator: paints the person over the background plate, window by window.

It keeps the paper's inputs – the label and the previous output (§3.2) – and adds what a few minutes of training on a
CPU need: the background plate, a reference frame with its stick figure, and skip connections
(Ronneberger et al., *U-Net*, MICCAI 2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class GeneratorInput:
    """What the generator sees for one frame; every tensor is (B, 3, H, W), H and W divisible by 32.

    Attributes:
        label: stick figure in [0, 1].
        previous: the previous output in [-1, 1], resampled to this frame's window.
        plate: the background without the person in [-1, 1].
        reference: a real frame of the target in [-1, 1].
        reference_label: the stick figure of the reference in [0, 1].
    """

    label: Tensor
    previous: Tensor
    plate: Tensor
    reference: Tensor
    reference_label: Tensor

    def stacked(self) -> Tensor:
        """(B, 15, H, W), labels brought to [-1, 1] as well."""
        return torch.cat(
            [
                self.label * 2 - 1,
                self.previous,
                self.plate,
                self.reference,
                self.reference_label * 2 - 1,
            ],
            dim=1,
        )


@dataclass(frozen=True)
class Painting:
    """What the generator paints: the frame, and the person and mask that it is made of.

    Attributes:
        frame: (B, 3, H, W) in [-1, 1], person and plate blended.
        person: (B, 3, H, W) in [-1, 1].
        alpha: (B, 1, H, W) in [0, 1], 1 where the person is.
    """

    frame: Tensor
    person: Tensor
    alpha: Tensor


class CompactGenerator(nn.Module):
    """U-Net over half-resolution features with a thin full-resolution end.

    Most of the work happens at half resolution and below. The last up-sampling is bilinear and followed by
    convolutions that see the inputs at full resolution again: a pixel-shuffle there leaves a grid.

    Args:
        width: channels at half resolution; 2, 4 and 5 times as many further down.
        thin: channels at full resolution.
    """

    def __init__(self, width: int = 48, thin: int = 16) -> None:
        super().__init__()
        w1, w2, w3, w4 = width, width * 2, width * 4, width * 5
        self.enter = nn.Conv2d(15 * 4, w1, 3, padding=1)
        self.down1 = Block(w1, w1)
        self.down2 = Block(w1, w2, stride=2)
        self.down3 = Block(w2, w3, stride=2)
        self.down4 = Block(w3, w4, stride=2)
        self.middle = nn.Sequential(Block(w4, w4, stride=2), Block(w4, w4), Block(w4, w4))
        self.up4 = Block(w4 + w4, w4)
        self.up3 = Block(w4 + w3, w3)
        self.up2 = Block(w3 + w2, w2)
        self.up1 = Block(w2 + w1, w1)
        self.thin_in = nn.Conv2d(15, thin, 3, padding=1)
        self.thin_mix = nn.Conv2d(w1 + thin, thin, 3, padding=1)
        self.leave = nn.Conv2d(thin, 4, 3, padding=1)

    def forward(self, inputs: GeneratorInput) -> Painting:
        """One frame per item of the batch."""
        x = inputs.stacked()
        d1 = self.down1(self.enter(F.pixel_unshuffle(x, 2)))
        d2 = self.down2(d1)
        d3 = self.down3(d2)
        d4 = self.down4(d3)
        y = self.up4(torch.cat([_twice(self.middle(d4)), d4], 1))
        y = self.up3(torch.cat([_twice(y), d3], 1))
        y = self.up2(torch.cat([_twice(y), d2], 1))
        y = self.up1(torch.cat([_twice(y), d1], 1))
        fine = torch.cat([_twice(y), F.silu(self.thin_in(x))], 1)
        out = self.leave(F.silu(self.thin_mix(fine))).float()
        person = torch.tanh(out[:, :3])
        alpha = torch.sigmoid(out[:, 3:])
        return Painting(alpha * person + (1 - alpha) * inputs.plate, person, alpha)


class Block(nn.Module):
    """Two 3×3 convolutions with group norm and SiLU round a shortcut (B, C, H, W) → (B, C', H/stride, W/stride)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1)
        self.norm1 = nn.GroupNorm(8, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1)
        self.norm2 = nn.GroupNorm(8, out_channels)
        same = stride == 1 and in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, stride, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return F.silu(y + self.shortcut(x))


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
