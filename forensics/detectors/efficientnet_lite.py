"""EfficientNet-Lite0 as plain PyTorch, with timm's names: a detector that is loaded to judge does without timm.

Importing timm brings torchvision, and that PyTorch's compiler: together about 200 MB and a second that a scan has no
use for. The network is that of Tan and Le, *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*,
2019, in its Lite variant: without squeeze-and-excitation, with ReLU6, and with TensorFlow's padding. Weights come from
timm (`forensics.detectors.timm_crops.open_backbone`), whose network gives the same output (a test).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: timm's name of it.
LITE0 = "tf_efficientnet_lite0"
#: Of each stage: blocks, channels, side of the kernels, stride of the first block, widening.
_STAGES = (
    (1, 16, 3, 1, 1),
    (2, 24, 3, 2, 6),
    (2, 40, 5, 2, 6),
    (3, 80, 3, 2, 6),
    (3, 112, 5, 1, 6),
    (4, 192, 5, 2, 6),
    (1, 320, 3, 1, 6),
)
_STEM, _HEAD = 32, 1280


class EfficientNetLite(nn.Module):
    """Stem, blocks and head without a classifier. Initial weights are of no use: load some."""

    num_features = _HEAD

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = _convolution(3, _STEM, 3, stride=2)
        self.bn1 = _Norm(_STEM)
        self.blocks = nn.Sequential()
        before = _STEM
        for count, channels, kernel, stride, widening in _STAGES:
            stage = nn.Sequential()
            for number in range(count):
                first = stride if number == 0 else 1
                if widening == 1:
                    stage.append(_Separable(before, channels, kernel, first))
                else:
                    stage.append(_Inverted(before, channels, kernel, first, widening))
                before = channels
            self.blocks.append(stage)
        self.conv_head = _convolution(before, _HEAD, 1)
        self.bn2 = _Norm(_HEAD)


class _Norm(nn.BatchNorm2d):
    """Batch normalisation, and ReLU6 unless it ends a block."""

    def __init__(self, channels: int, active: bool = True) -> None:
        super().__init__(channels, eps=1e-3)
        self._active = active

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return nn.functional.relu6(y) if self._active else y


class _SamePadded(nn.Conv2d):
    """Strided, padded as TensorFlow does: as much as the kernel reaches over, the odd pixel right and below."""

    def forward(self, x: Tensor) -> Tensor:
        pads: list[int] = []
        for length, kernel, stride in zip(x.shape[:1:-1], self.kernel_size, self.stride, strict=True):
            over = max((-(-length // stride) - 1) * stride + kernel - length, 0)
            pads += [over // 2, over - over // 2]
        return super().forward(nn.functional.pad(x, pads))


def _convolution(before: int, channels: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    if stride > 1:
        return _SamePadded(before, channels, kernel, stride, groups=groups, bias=False)
    return nn.Conv2d(before, channels, kernel, padding=kernel // 2, groups=groups, bias=False)


class _Separable(nn.Module):
    """A convolution within each channel, then one across them."""

    def __init__(self, before: int, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = _convolution(before, before, kernel, stride=stride, groups=before)
        self.bn1 = _Norm(before)
        self.conv_pw = _convolution(before, channels, 1)
        self.bn2 = _Norm(channels, active=False)
        self._skips = stride == 1 and before == channels

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn2(self.conv_pw(self.bn1(self.conv_dw(x))))
        return y + x if self._skips else y


class _Inverted(nn.Module):
    """Widened by a convolution across the channels, one within each of them, and narrowed again."""

    def __init__(self, before: int, channels: int, kernel: int, stride: int, widening: int) -> None:
        super().__init__()
        wide = before * widening
        self.conv_pw = _convolution(before, wide, 1)
        self.bn1 = _Norm(wide)
        self.conv_dw = _convolution(wide, wide, kernel, stride=stride, groups=wide)
        self.bn2 = _Norm(wide)
        self.conv_pwl = _convolution(wide, channels, 1)
        self.bn3 = _Norm(channels, active=False)
        self._skips = stride == 1 and before == channels

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn3(self.conv_pwl(self.bn2(self.conv_dw(self.bn1(self.conv_pw(x))))))
        return y + x if self._skips else y


def like_timm(model: nn.Module) -> EfficientNetLite:
    """The network with the weights of timm's ``tf_efficientnet_lite0``."""
    with torch.no_grad():
        network = EfficientNetLite()
        network.load_state_dict(model.state_dict())
    return network
