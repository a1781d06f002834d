"""The compact generator: paints the person over the background plate, window by window.

It keeps the paper's inputs – the label and the previous output (§3.2) – and adds what a few minutes of training on a
CPU need: the background plate, skip connections (Ronneberger et al., *U-Net*, MICCAI 2015), and real frames of the
target bent to the pose, which it corrects, mixes and touches up instead of painting everything from nothing (bending
features by the pose: Siarohin et al., *Deformable GANs*, CVPR 2018). The person as painted in the frame before, moved
to the pose of now, is kept where a learnt mask says so (Wang et al., *Video-to-Video Synthesis*, NeurIPS 2018, eq. 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from synthesis.appearance.looks import Looks
from synthesis.appearance.skinning import REGIONS

_K = len(REGIONS)
#: How strongly a picture is preferred in the region it was found for, before anything is learnt.
_PREFERRED = 5.0
#: How strongly a picture is avoided where it does not show what is asked for.
_AVOIDED = 4.0
#: How strongly a picture is avoided along the bones of the pose where it shows what lies behind the person.
_BEHIND = 4.0
#: The first picture, found for the whole body, is preferred where no region is.
_WHOLE = 1.0
#: Where the bent pictures show the person, alpha starts at sigmoid(4), elsewhere at sigmoid(-4).
_SURE = 4.0
#: How much of the frame before is kept at the start: sigmoid(-1.5), about a fifth.
_KEPT = -1.5
_STAY = 8  # channels of what decides on it


@dataclass(frozen=True)
class Carried:
    """The person as painted in the frame before, and where each pixel of this frame was then.

    Attributes:
        person: (B, 3, H, W) in [-1, 1].
        alpha: (B, 1, H, W) in [0, 1].
        flow: (B, 2, H, W), x and y in pixels of `person`.
        seen: (B, 1, H, W) in [0, 1], how much of what is asked for the frame before shows; 0 keeps nothing of it.
    """

    person: Tensor
    alpha: Tensor
    flow: Tensor
    seen: Tensor


@dataclass(frozen=True)
class GeneratorInput:
    """What the generator sees for one frame; every tensor is (B, 3, H, W), H and W divisible by 32.

    Attributes:
        label: stick figure in [0, 1].
        previous: the previous output in [-1, 1], resampled to this frame's window.
        plate: the background without the person in [-1, 1].
        looks: real frames of the target and how they are bent to the pose.
        carried: the person of the frame before; None where there is none.
    """

    label: Tensor
    previous: Tensor
    plate: Tensor
    looks: Looks
    carried: Carried | None = None


@dataclass(frozen=True)
class Painting:
    """What the generator paints: the frame, and what it is made of.

    Attributes:
        frame: (B, 3, H, W) in [-1, 1], person and plate blended.
        person: (B, 3, H, W) in [-1, 1].
        alpha: (B, 1, H, W) in [0, 1], 1 where the person is.
        flow: (B, K, 2, H, W), where each picture of the target was looked at, in its pixels.
        gate: (B, K, H, W), how much each picture counts; they add up to 1.
        touch: (B, 3, H, W), what was added to the mixed pictures.
        stay: (B, 1, H, W) in [0, 1], how much of the person of the frame before was kept; None if there was none.
    """

    frame: Tensor
    person: Tensor
    alpha: Tensor
    flow: Tensor
    gate: Tensor
    touch: Tensor
    stay: Tensor | None = None


class CompactGenerator(nn.Module):
    """U-Net over half-resolution features with a thin full-resolution end.

    Most of the work happens at half resolution and below. The last up-sampling is bilinear and followed by
    convolutions that see the inputs at full resolution again: a pixel-shuffle there leaves a grid. The person is

        Σ gate · picture(flow + correction) + touch,

    of which correction, gates, touch and alpha are learnt; all start such that the bent pictures alone are shown,
    cut out along their silhouettes. Person and alpha are then mixed with those of the frame before.

    Args:
        width: channels at half resolution; 2, 4 and 5 times as many further down.
        thin: channels at full resolution.
        reach: pixels by which the flow can be corrected.
        copy: False paints the person from nothing: the pictures are inputs, but nothing is taken over from them.
        carry: keep of the frame before what is still right; False looks at it as an input alone.
    """

    def __init__(
        self, width: int = 48, thin: int = 16, reach: float = 8.0, copy: bool = True, carry: bool = True
    ) -> None:
        super().__init__()
        self.reach, self.copy = reach, copy
        w1, w2, w3, w4 = width, width * 2, width * 4, width * 5
        inputs = 9 + 6 * _K
        self.enter = nn.Conv2d(inputs * 4, w1, 3, padding=1)
        self.down1 = Block(w1, w1)
        self.down2 = Block(w1, w2, stride=2)
        self.down3 = Block(w2, w3, stride=2)
        self.down4 = Block(w3, w4, stride=2)
        self.middle = nn.Sequential(Block(w4, w4, stride=2), Block(w4, w4), Block(w4, w4))
        self.up4 = Block(w4 + w4, w4)
        self.up3 = Block(w4 + w3, w3)
        self.up2 = Block(w3 + w2, w2)
        self.up1 = Block(w2 + w1, w1)
        self.bend = nn.Conv2d(w1, 2 * _K, 3, padding=1)
        self.thin_in = nn.Conv2d(inputs, thin, 3, padding=1)
        self.thin_mix = nn.Conv2d(w1 + thin, thin, 3, padding=1)
        self.leave = nn.Conv2d(thin, 3 + 1 + _K, 3, padding=1)
        for last in (self.bend, self.leave) if copy else (self.bend,):
            nn.init.zeros_(last.weight)
            assert last.bias is not None
            nn.init.zeros_(last.bias)
        self.stay = None
        if carry:
            decide = nn.Conv2d(_STAY, 1, 3, padding=1)
            nn.init.zeros_(decide.weight)
            assert decide.bias is not None
            nn.init.constant_(decide.bias, _KEPT)
            # It looks at the features, the person and alpha of now, and those of the frame before.
            self.stay = nn.Sequential(nn.Conv2d(thin + 8, _STAY, 3, padding=1), nn.SiLU(), decide)

    def forward(self, inputs: GeneratorInput) -> Painting:
        """One frame per item of the batch."""
        looks = inputs.looks
        batch, _, height, width = inputs.label.shape
        given = [inputs.label * 2 - 1, inputs.previous, inputs.plate, looks.seen * 2 - 1, looks.share * 2 - 1]
        shown = torch.cat([looks.pictures, looks.silhouettes * 2 - 1], 2)
        seen = _beside(given, _cut(take(shown, looks.flow), looks.own))
        d1 = self.down1(self.enter(F.pixel_unshuffle(seen, 2)))
        d2 = self.down2(d1)
        d3 = self.down3(d2)
        d4 = self.down4(d3)
        y = self.up4(torch.cat([_twice(self.middle(d4)), d4], 1))
        y = self.up3(torch.cat([_twice(y), d3], 1))
        y = self.up2(torch.cat([_twice(y), d2], 1))
        y = self.up1(torch.cat([_twice(y), d1], 1))
        correction = _twice(torch.tanh(self.bend(y).float() / 4) * self.reach)
        flow = looks.flow + correction.view(batch, _K, 2, height, width)
        bent = _cut(take(shown, flow), looks.own)
        fine = self.thin_in(_beside(given, bent))
        features = F.silu(self.thin_mix(torch.cat([_twice(y), F.silu(fine)], 1)))
        out = self.leave(features).float()
        preference = _PREFERRED * looks.share - _AVOIDED * (1 - looks.seen)
        preference = torch.cat([preference[:, :1] + _WHOLE, preference[:, 1:]], 1)
        # Silhouettes lie in [-1, 1] here. What they rule out is no reason to look elsewhere: no gradient flows back.
        behind = (1 - bent[:, :, 3].detach()) / 2
        gate = torch.softmax(out[:, 4:] + preference - _BEHIND * looks.inner * behind, 1)
        mixed = (gate[:, :, None] * bent).sum(1)
        alpha = torch.sigmoid(out[:, 3:4] + _SURE * mixed[:, 3:])
        touch = torch.tanh(out[:, :3])
        mixed = mixed[:, :3] if self.copy else torch.zeros_like(touch)
        person = (mixed + touch).clamp(-1, 1)
        stay = None
        if self.stay is not None and (carried := inputs.carried) is not None:
            then = take(torch.cat([carried.person, carried.alpha], 1)[:, None], carried.flow[:, None])[:, 0]
            kept = torch.sigmoid(self.stay(torch.cat([features, person, alpha, then], 1)).float())
            kept = kept * carried.seen
            alpha = alpha + kept * (then[:, 3:] - alpha)
            stay = kept * then[:, 3:]  # beyond the outline of then there is no person to be kept
            person = person + stay * (then[:, :3] - person)
        return Painting(alpha * person + (1 - alpha) * inputs.plate, person, alpha, flow, gate, touch, stay)


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


def _beside(given: list[Tensor], bent: Tensor) -> Tensor:
    """All inputs in one: what is given, the bent pictures, then their silhouettes."""
    return torch.cat([*given, bent[:, :, :3].flatten(1, 2), bent[:, :, 3]], 1)


def _cut(bent: Tensor, own: Tensor) -> Tensor:
    """Bent pictures (B, K, 4, H, W) without the outlines of parts of the body that are not there."""
    outlines = (bent[:, :, 3:] + 1) * own[:, :, None] - 1
    return torch.cat([bent[:, :, :3], outlines], 2)


def take(pictures: Tensor, flow: Tensor) -> Tensor:
    """Pictures looked at where `flow` says, bilinear, their edge repeated beyond it.

    Args:
        pictures: (B, K, C, h, w).
        flow: (B, K, 2, H, W), x and y in pixels of the pictures; pixel centres are at whole numbers.

    Returns:
        (B, K, C, H, W).
    """
    height, width = pictures.shape[-2:]
    size = torch.tensor([width, height], dtype=torch.float32, device=flow.device)
    # In half precision a place on the picture would be off by up to a pixel.
    with torch.autocast(flow.device.type, enabled=False):
        grid = (flow.float().flatten(0, 1).permute(0, 2, 3, 1) + 0.5) * 2 / size - 1
        taken = F.grid_sample(
            pictures.float().flatten(0, 1), grid, padding_mode="border", align_corners=False
        )
    return taken.unflatten(0, pictures.shape[:2])


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
