"""The yardstick: one training step of the paper's global stage, transcribed plainly in eager float32.

Nothing here is clever. Each line follows the description of the method (ICCV 2019, §3 and §5, and the published sizes
of the networks), every loss term goes through its network again, and the optimiser is torch's Adam as it comes. It
shares no code with `synthesis.paper`, so that `paper_step.py` compares two independent programs. The perceptual network
has VGG19's shape but random weights, which is enough for time and memory.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def generator(width: int = 64, downs: int = 4, blocks: int = 9) -> nn.Sequential:
    """Label and previous frame, 6 channels, to a frame: 182,452,675 parameters by default."""
    layers: list[nn.Module] = [
        nn.ReflectionPad2d(3),
        nn.Conv2d(6, width, 7),
        nn.InstanceNorm2d(width),
        nn.ReLU(),
    ]
    for index in range(downs):
        c = width << index
        layers += [nn.Conv2d(c, 2 * c, 3, 2, 1), nn.InstanceNorm2d(2 * c), nn.ReLU()]
    layers += [ResidualBlock(width << downs) for _ in range(blocks)]
    for index in reversed(range(downs)):
        c = width << index
        layers += [nn.ConvTranspose2d(2 * c, c, 3, 2, 1, 1), nn.InstanceNorm2d(c), nn.ReLU()]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())


class Patches(nn.Module):
    """One 70×70 PatchGAN; returns every layer's output."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers = [nn.Sequential(nn.Conv2d(12, width, 4, 2, 2), nn.LeakyReLU(0.2))]
        for c, d, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            layers.append(
                nn.Sequential(
                    nn.Conv2d(c * width, d * width, 4, stride, 2),
                    nn.InstanceNorm2d(d * width),
                    nn.LeakyReLU(0.2),
                )
            )
        self.layers = nn.ModuleList([*layers, nn.Conv2d(8 * width, 1, 4, 1, 2)])

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return outputs


class Discriminator(nn.Module):
    """Two scales, average pooling between."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.fine, self.coarse = Patches(width), Patches(width)
        self.pool = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        return [self.fine(x), self.coarse(self.pool(x))]


class Vgg19(nn.Module):
    """VGG19 up to relu5_1 with random weights; returns relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1."""

    def __init__(self) -> None:
        super().__init__()
        parts, c = [], 3
        slices = (
            (64,),
            (64, "pool", 128),
            (128, "pool", 256),
            (256, 256, 256, "pool", 512),
            (512, 512, 512, "pool", 512),
        )
        for plan in slices:
            layers: list[nn.Module] = []
            for d in plan:
                if isinstance(d, str):
                    layers.append(nn.MaxPool2d(2))
                else:
                    conv = nn.Conv2d(c, d, 3, 1, 1)
                    nn.init.kaiming_normal_(conv.weight)
                    layers += [conv, nn.ReLU()]
                    c = d
            parts.append(nn.Sequential(*layers))
        self.parts = nn.ModuleList(parts)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        x = ((x + 1) / 2 - mean) / std
        outputs = []
        for part in self.parts:
            x = part(x)
            outputs.append(x)
        return outputs


def init(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        nn.init.zeros_(module.bias)


class PlainStep:
    """Networks, optimisers and one training step."""

    def __init__(
        self, width: int = 64, ndf: int = 64, *, seed: int = 0, perceptual: nn.Module | None = None
    ) -> None:
        torch.manual_seed(seed)
        self.generator = generator(width).apply(init)
        self.discriminator = Discriminator(ndf).apply(init)
        self.vgg = perceptual or Vgg19()
        self.adam_g = torch.optim.Adam(self.generator.parameters(), 2e-4, (0.5, 0.999))
        self.adam_d = torch.optim.Adam(self.discriminator.parameters(), 2e-4, (0.5, 0.999))

    def frame(self, label: Tensor, previous: Tensor) -> Tensor:
        result: Tensor = self.generator(torch.cat([label, previous], 1))
        return result

    def l_p(self, made: Tensor, real: Tensor) -> Tensor:
        weights = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
        pairs = zip(weights, self.vgg(made), self.vgg(real), strict=True)
        return torch.stack([w * F.l1_loss(a, b.detach()) for w, a, b in pairs]).sum()

    def step(self, labels: tuple[Tensor, Tensor], frames: tuple[Tensor, Tensor]) -> dict[str, float]:
        """Two consecutive labels in [0, 1] and frames in [-1, 1], each (1, 3, H, W)."""
        first = self.frame(labels[0], torch.zeros_like(frames[0]))
        second = self.frame(labels[1], first)
        made = torch.cat([*labels, first, second], 1)
        real = torch.cat([*labels, *frames], 1)
        judged_real, judged_detached = self.discriminator(real), self.discriminator(made.detach())
        judged = self.discriminator(made)
        d = 0.5 * sum(
            F.mse_loss(r[-1], torch.ones_like(r[-1])) + F.mse_loss(m[-1], torch.zeros_like(m[-1]))
            for r, m in zip(judged_real, judged_detached, strict=True)
        )
        gan = sum(F.mse_loss(m[-1], torch.ones_like(m[-1])) for m in judged)
        fm = sum(
            F.l1_loss(a, b.detach()) / (4 * 2)
            for m, r in zip(judged, judged_real, strict=True)
            for a, b in zip(m[:-1], r[:-1], strict=True)
        )
        p = self.l_p(first, frames[0]) + self.l_p(second, frames[1])
        self.adam_g.zero_grad()
        (gan + 10 * fm + 5 * p).backward()
        self.adam_g.step()
        self.adam_d.zero_grad()
        d.backward()
        self.adam_d.step()
        return {
            "gan": float(gan.detach()),
            "fm": float(10 * fm.detach()),
            "perceptual": float(5 * p.detach()),
            "d": float(d.detach()),
        }
