"""Adam whose weights are bf16 numbers and whose memory of what bf16 cannot hold is its own.

A float32 weight is split in two halves of 16 bits. The upper half, rounded, is the bf16 weight that the networks
compute with; the lower half is kept here. Together they are the float32 weight to the last bit, so that nothing is lost
over the steps and there is no second copy of the weights (the idea of split-SGD-bf16: Kalamkar et al., 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from dataset.errors import ModelError

_FIELDS = {"step", "exp_avg", "exp_avg_sq", "lower"}
_CHUNK = 1 << 18  # numbers worked on at a time, so that every intermediate stays in the processor's cache


class SplitAdam(torch.optim.Optimizer):
    """Adam (Kingma & Ba, 2015) in float32 on weights that are stored as bf16.

    The state of a weight is ``step`` (a scalar), ``exp_avg`` and ``exp_avg_sq`` (bf16) and ``lower`` (int16), the
    latter three flat, in the order of the weights in memory: 6 bytes beside the 2 of the weight, where float32 Adam
    needs 16 with the gradient. With the paper's beta1 of 0.5 ``exp_avg`` forgets faster than its rounding could add up.
    ``exp_avg_sq`` changes by a thousandth a step, which rounding to the nearest bf16 number would mostly swallow; it
    is rounded up or down at random, with the chances that keep its expectation.

    Args:
        parameters: bf16 parameters, dense in memory.
        lr, betas, eps: as in `torch.optim.Adam`.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "eps": eps})
        every = (parameter for group in self.param_groups for parameter in group["params"])
        self._numbers: dict[Tensor, int] = {parameter: number for number, parameter in enumerate(every)}
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.dtype != torch.bfloat16:
                    raise ValueError(f"the weights are bfloat16, not {parameter.dtype}")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        if closure is not None:
            raise ValueError("no closure is called")
        for group in self.param_groups:
            for parameter in group["params"]:
                self._move(parameter, group)

    def step_in_backward(self) -> list[Any]:
        """Move each parameter as soon as its gradient is known, and drop the gradient; returns the hooks' handles."""
        groups = {parameter: group for group in self.param_groups for parameter in group["params"]}

        def move(parameter: Tensor) -> None:
            with torch.no_grad():
                self._move(parameter, groups[parameter])
            parameter.grad = None

        return [parameter.register_post_accumulate_grad_hook(move) for parameter in groups]

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        if parameter.grad is None:
            return
        weights = _flat(parameter)
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), device=weights.device)
            state["exp_avg"] = torch.zeros_like(weights)
            state["exp_avg_sq"] = torch.zeros_like(weights)
            state["lower"] = torch.zeros_like(weights, dtype=torch.int16)
        state["step"] += 1
        size = min(_CHUNK, len(weights))
        buffers = [torch.empty(size, device=weights.device) for _ in range(4)]
        noise = self._noise(parameter, int(state["step"]), size)
        every = (
            _flat(parameter.grad, like=parameter),
            weights,
            state["lower"],
            state["exp_avg"],
            state["exp_avg_sq"],
        )
        parts = zip(*(one.split(_CHUNK) for one in every), strict=True)
        for gradient, high, low, mean, square in parts:
            whole, g, m, v = (buffer[: len(high)] for buffer in buffers)
            join_halves(high, low, whole)
            g.copy_(gradient)
            m.copy_(mean)
            v.copy_(square)
            torch._fused_adam_(
                [whole], [g], [m], [v], [], [state["step"]],
                lr=group["lr"], beta1=group["betas"][0], beta2=group["betas"][1], weight_decay=0.0,
                eps=group["eps"], amsgrad=False, maximize=False,
            )  # fmt: skip
            mean.copy_(m)
            round_at_random(v, noise[: len(high)], square)
            split_halves(whole, high, low, g.view(torch.int32))

    def _noise(self, parameter: Tensor, step: int, size: int) -> Tensor:
        """(size,) int32 in [0, 65536), another for each parameter and step, and the same when a run is resumed."""
        generator = torch.Generator(parameter.device)
        generator.manual_seed(step * 10_007 + self._numbers[parameter])
        return torch.randint(
            0, 1 << 16, (size,), generator=generator, dtype=torch.int32, device=parameter.device
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state as it is; the base class would turn all of it into bf16.

        Raises:
            ModelError: it was written by another version.
        """
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        for number, fields in state_dict["state"].items():
            parameter = parameters[int(number)]
            if set(fields) != _FIELDS:  # an earlier version's, whose numbers lay in another order
                raise ModelError(
                    "the optimiser's state was written by another version",
                    hint="finish the run with that version, or start it again",
                )
            self.state[parameter] = {
                name: value.clone() if name == "step" else value.to(parameter.device, copy=True)
                for name, value in fields.items()
            }
        for group, stored in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update({key: value for key, value in stored.items() if key != "params"})


def join_halves(high: Tensor, low: Tensor, out: Tensor) -> None:
    """Write to `out` the float32 numbers with the bf16 `high` as upper and the int16 `low` as lower half."""
    bits = out.view(torch.int32)
    torch.add(low, bits.copy_(high.view(torch.int16)), alpha=1 << 16, out=bits)


def split_halves(whole: Tensor, high: Tensor, low: Tensor, space: Tensor) -> None:
    """Write the rounded upper halves of float32 numbers to `high` and the rest to `low`.

    The lower half counts as signed: from its middle on the upper half is rounded up, and the rest is negative.

    Args:
        whole: (N,) float32.
        high, low: (N,) bf16 and int16.
        space: (N,) int32 to work in.
    """
    bits = whole.view(torch.int32)
    low.copy_(bits)  # the 16 bits that fit, read as a signed number
    torch.add(bits, 0x8000, out=space).bitwise_right_shift_(16)
    high.view(torch.int16).copy_(space)


def round_at_random(whole: Tensor, noise: Tensor, out: Tensor) -> None:
    """Write float32 numbers as bf16, rounded up as often as they are far from the number below.

    Args:
        whole: (N,) float32, not negative; overwritten.
        noise: (N,) int32, uniform in [0, 65536).
        out: (N,) bf16.
    """
    bits = whole.view(torch.int32)
    out.view(torch.int16).copy_(bits.add_(noise).bitwise_right_shift_(16))


def _flat(tensor: Tensor, like: Tensor | None = None) -> Tensor:
    """The numbers in the order in which `like` has them in memory; a view, unless `tensor` lies in another order."""
    like = tensor if like is None else like
    strides = like.stride()
    order = sorted(range(like.dim()), key=lambda axis: (-strides[axis], axis))
    return tensor.detach().permute(order).reshape(-1)
