"""The arithmetic of the paper's networks, arranged so that a training step is quick and small.

Four arrangements, each the same sum in another order:

* Pictures lie pixel by pixel in memory (channels last), the order in which convolutions in bf16 are quick.
* `Conv` puts off the gradient of its weights until it has met every use of them in the step. The generator runs twice,
  and one matrix product over both uses is quicker than two, and leaves no gradient of one use waiting in memory for
  the other.
* With many channels it goes by Winograd's filtering (`synthesis.paper.winograd`), which takes fewer products.
* `norm_relu` and `mean_difference` keep less for their backward passes, and touch it less often, than their parts do.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from synthesis.paper.winograd import (
    convolve,
    input_gradient,
    room,
    spread_weights,
    weight_gradient,
)

_EPS = 1e-5
#: Channels from which on Winograd's filtering saves more than its changes of basis take.
_LEAST_CHANNELS = 512
#: Up to this many numbers an unrolled input (pixels × channels × taps) is small enough for one matrix product.
_UNROLLED = 24_000_000
#: Numbers that are summed at a time.
_SUMMED = 1 << 18


class Conv(nn.Conv2d):
    """A convolution whose weights get their gradient when the last of their uses in a step is differentiated.

    Args:
        in_channels, out_channels, kernel_size: as in `torch.nn.Conv2d`.
        stride: of both axes.
        reflect: pixels of reflection padding.
        padding: pixels of zero padding.
        normalised: instance normalisation follows, which takes away any constant: the bias is kept, so that the
            network has the parameters of the paper's, but it is not added, gets no gradient and stays zero.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        *,
        reflect: int = 0,
        padding: int = 0,
        normalised: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding)
        self.reflect = reflect
        self.normalised = normalised
        self.open_uses = 0
        self.waiting: list[tuple[Tensor, Tensor, bool]] = []

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) → (B, out, H', W')."""
        if self.reflect:
            x = F.pad(x, (self.reflect,) * 4, mode="reflect")
        quick = self.by_winograd and x.shape[2] % 2 == 0 and x.shape[3] % 2 == 0
        learns = torch.is_grad_enabled() and self.weight.requires_grad
        if quick and not torch.is_grad_enabled():
            return convolve(x, self.spread())
        if learns and (quick or self._unrolls(x)):
            y: Tensor = _WaitingConv.apply(x, self.weight, self, quick)
            return y
        if self._paints(x):
            return self._four_at_a_time(x)
        return F.conv2d(x, self.weight, None if self.normalised else self.bias, self.stride, self.padding)

    def _paints(self, x: Tensor) -> bool:
        # From many channels to three, with room for four pixels side by side.
        few = self.out_channels < 4 and self.in_channels >= 16 and not self.normalised
        return few and x.device.type == "cpu" and self.stride == (1, 1) and self._width(x) % 4 == 0

    def _width(self, x: Tensor) -> int:
        return x.shape[3] - self.kernel_size[1] + 1 + 2 * int(self.padding[1])

    def _four_at_a_time(self, x: Tensor) -> Tensor:
        """The same convolution, four neighbouring pixels as channels of one: three channels leave vectors idle."""
        assert self.bias is not None
        shifted = torch.stack([F.pad(self.weight, (place, 3 - place)) for place in range(4)])
        bias = self.bias.repeat(4)
        y = F.conv2d(x, shifted.flatten(0, 1), bias, (1, 4), self.padding)
        parts = y.unflatten(1, (4, self.out_channels)).permute(0, 2, 3, 4, 1)
        return parts.flatten(3)

    @property
    def by_winograd(self) -> bool:
        """Whether Winograd's filtering is quicker; measured in bf16 on a CPU (`tests/benchmarks/paper_parts.py`)."""
        weight = self.weight
        return (
            (self.kernel_size, self.stride, self.reflect) == ((3, 3), (1, 1), 1)
            and self.normalised
            and (weight.device.type, weight.dtype) == ("cpu", torch.bfloat16)
            and min(weight.shape[:2]) >= _LEAST_CHANNELS
        )

    def spread(self) -> Tensor:
        """The weights in Winograd's basis, in memory that the next call writes over."""
        return spread_weights(self.weight, room(16 * self.in_channels * self.out_channels, self.weight))

    def _unrolls(self, x: Tensor) -> bool:
        # Few channels on many pixels unroll to more than they weigh, and their product is long and thin.
        few = x.shape[2] * x.shape[3] * x.shape[0] * self.in_channels * 9 <= _UNROLLED
        plain = (self.kernel_size, self.stride, self.padding) == ((3, 3), (1, 1), (0, 0))
        return plain and few and self.normalised

    def weight_gradient(self) -> Tensor:
        """The gradient of the weights over all uses that wait, in one matrix product."""
        if all(quick for *_, quick in self.waiting):
            gradient = weight_gradient([(x, dy) for x, dy, _ in self.waiting])
            self.waiting.clear()
            return gradient
        outer = torch.cat(
            [dy.permute(0, 2, 3, 1).reshape(-1, self.out_channels) for _, dy, _ in self.waiting]
        )
        unrolled = outer.new_empty(len(outer), 9 * self.in_channels)
        start = 0
        for x, *_ in self.waiting:
            pixels = x.permute(0, 2, 3, 1)
            windows = pixels.unfold(1, 3, 1).unfold(2, 3, 1).permute(0, 1, 2, 4, 5, 3)
            count = windows.shape[:3].numel()
            unrolled[start : start + count].view(*windows.shape).copy_(windows)
            start += count
        self.waiting.clear()
        product = outer.t() @ unrolled
        return product.view(self.out_channels, 3, 3, self.in_channels).permute(0, 3, 1, 2)


class _WaitingConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, owner: Conv, quick: bool) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.owner, ctx.quick = owner, quick
        owner.open_uses += 1
        return convolve(x, owner.spread()) if quick else F.conv2d(x, weight)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        owner: Conv = ctx.owner
        dx = None
        if ctx.needs_input_grad[0] and ctx.quick:
            dx = input_gradient(dy, owner.spread())
        elif ctx.needs_input_grad[0]:
            dx = torch.ops.aten.convolution_backward(
                dy, x, weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, False, False]
            )[0]
        owner.open_uses -= 1
        owner.waiting.append((x, dy, ctx.quick))
        return dx, owner.weight_gradient() if owner.open_uses == 0 else None, None, None


def forget_uses(network: nn.Module) -> None:
    """Drop what forward passes without a backward pass have left, so that the next step counts its uses from zero."""
    for module in network.modules():
        if isinstance(module, Conv):
            module.open_uses = 0
            module.waiting.clear()


class UpConv(nn.ConvTranspose2d):
    """A 3×3 transposed convolution that doubles the picture; instance normalisation follows, so its bias stays zero."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, 2, 1, 1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, in, H, W) → (B, out, 2H, 2W)."""
        return F.conv_transpose2d(x, self.weight, None, 2, 1, 1)


def norm_relu(x: Tensor, *, relu: bool = True) -> Tensor:
    """Instance normalisation (Ulyanov et al., 2016; without weights), then ReLU if wanted; (B, C, H, W) → the same.

    For one picture instance and batch normalisation are the same thing, and the latter is quick with channels last.
    """
    if x.shape[0] > 1:
        return torch.cat([norm_relu(one, relu=relu) for one in x.split(1)])
    if not relu or not torch.is_grad_enabled():
        y = F.batch_norm(x, None, None, training=True, eps=_EPS)
        return F.relu_(y) if relu else y
    z: Tensor = _NormRelu.apply(x)
    return z


class _NormRelu(torch.autograd.Function):
    """Normalisation and activation in one: between them nothing is kept."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y, mean, scale = torch.native_batch_norm(x, None, None, None, None, True, 0.1, _EPS)
        F.relu_(y)
        ctx.save_for_backward(x, y, mean, scale)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        x, y, mean, scale = ctx.saved_tensors
        dx: Tensor = torch.ops.aten.native_batch_norm_backward(
            torch.ops.aten.threshold_backward(dy, y, 0), x, None, None, None, mean, scale, True, _EPS,
            [True, False, False],
        )[0]  # fmt: skip
        return dx


def mean_difference(made: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference, a float32 scalar; no gradient flows into `real`.

    The difference itself is taken in the number format of its operands, whose rounding it cannot add much to, and
    summed in float32.
    """
    value: Tensor = _MeanDifference.apply(made, real.detach())
    return value


def _absolute_sum(x: Tensor) -> Tensor:
    """Sum of absolute values, a float32 scalar; on a CPU in parts whose float32 copies stay in its cache."""
    if x.device.type != "cpu":
        return x.abs().sum(dtype=torch.float32)
    lasting = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
    flat = (x.permute(0, 2, 3, 1) if lasting else x).reshape(-1)
    return torch.stack([part.abs().float().sum() for part in flat.split(_SUMMED)]).sum()


class _MeanDifference(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, made: Tensor, real: Tensor) -> Tensor:
        difference = made - real
        ctx.save_for_backward(difference)
        return _absolute_sum(difference) / difference.numel()

    @staticmethod
    def backward(ctx: Any, dvalue: Tensor) -> tuple[Tensor, None]:
        (difference,) = ctx.saved_tensors
        return difference.sign().mul_(float(dvalue) / difference.numel()), None
