from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dataset.errors import ModelError
from synthesis.config import preset
from synthesis.paper import winograd
from synthesis.paper.networks import ResidualBlock
from synthesis.paper.ops import Conv
from synthesis.paper.optimiser import SplitAdam
from synthesis.paper.precision import prepare_network


@pytest.mark.parametrize("spread", [1 << 22, 1 << 9], ids=["at once", "in bands"])
@pytest.mark.parametrize("size", [(2, 2), (6, 10), (12, 4)])
def test_filtering_equals_the_convolution_and_its_gradients(size, spread, monkeypatch):
    monkeypatch.setattr(winograd, "_SPREAD", spread)
    torch.manual_seed(0)
    height, width = size
    uses = [
        (torch.randn(2, 8, height + 2, width + 2).double(), torch.randn(2, 5, height, width).double())
        for _ in range(2)
    ]
    weight = torch.randn(5, 8, 3, 3, dtype=torch.double, requires_grad=True)
    basis = winograd.spread_weights(weight)
    for x, dy in uses:
        x.requires_grad_()
        expected = F.conv2d(x, weight)
        expected.backward(dy)
        assert torch.allclose(winograd.convolve(x.detach(), basis), expected, atol=1e-12)
        assert torch.allclose(winograd.input_gradient(dy, basis), x.grad, atol=1e-12)
    found = winograd.weight_gradient([(x.detach(), dy) for x, dy in uses])
    assert torch.allclose(found, weight.grad, atol=1e-12)


def test_in_bf16_it_is_off_by_half_a_percent():
    torch.manual_seed(0)
    x, weight = torch.randn(1, 256, 10, 18).bfloat16(), torch.randn(128, 256, 3, 3).bfloat16()
    exact = F.conv2d(x.double(), weight.double())
    found = winograd.convolve(x, winograd.spread_weights(weight)).double()
    assert float((found - exact).norm() / exact.norm()) < 0.007


def blocks() -> tuple[nn.Module, nn.Module]:
    """A residual block of 512 channels in bf16 as a run prepares it, and its twin in float32."""
    torch.manual_seed(0)
    twin = ResidualBlock(512)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.copy_(parameter.bfloat16().float())
    ours = ResidualBlock(512)
    ours.load_state_dict(twin.state_dict())
    return prepare_network(ours, preset("paper"), torch.device("cpu")), twin


def test_a_block_in_bf16_learns_from_two_uses_about_as_exactly_as_in_the_plain_order(monkeypatch):
    ours, twin = blocks()
    assert all(part.by_winograd for part in ours.modules() if isinstance(part, Conv))
    assert not any(part.by_winograd for part in twin.modules() if isinstance(part, Conv))
    x, wanted = torch.randn(1, 512, 8, 16).bfloat16(), torch.randn(1, 512, 8, 16)

    def learn(network: nn.Module) -> list[torch.Tensor]:
        network.zero_grad()
        y = network(network(x.to(next(network.parameters()).dtype)))
        ((y.float() - wanted) ** 2).mean().backward()
        return [y.detach().float(), *(conv.weight.grad.float() for conv in (network.conv1, network.conv2))]

    exact, found = learn(twin), learn(ours)
    monkeypatch.setattr(Conv, "by_winograd", False)
    for one, plain, other in zip(found, learn(ours), exact, strict=True):
        off, usual = (float((bf16 - other).norm() / other.norm()) for bf16 in (one, plain))
        assert 0 < off < 2 * usual
        assert off < 0.1


def test_weights_that_lie_tap_by_tap_are_stored_and_moved_as_others():
    ours, twin = blocks()
    conv = ours.conv1.weight
    assert conv.permute(2, 3, 0, 1).is_contiguous()
    assert torch.equal(ours.state_dict()["conv1.weight"].float(), twin.conv1.weight)
    gradient = torch.randn(512, 512, 3, 3).bfloat16()
    plain = nn.Parameter(conv.detach().clone(memory_format=torch.contiguous_format))
    for parameter in (conv, plain):
        parameter.grad = gradient.clone()
        SplitAdam([parameter], lr=1e-2).step()
    assert float((conv - plain).detach().abs().max()) == 0


def test_a_fixed_convolution_hands_the_gradient_on_to_its_input():
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 4, 3, padding=1).double().requires_grad_(False)
    fixed = winograd.FixedConv(conv, "constant", bias=True)
    for height in (8, 7):  # an odd side goes the plain way
        x = torch.randn(1, 6, height, 12, dtype=torch.double, requires_grad=True)
        twin = x.detach().clone().requires_grad_()
        found, expected = fixed(x), conv(twin)
        assert torch.allclose(found, expected, atol=1e-12)
        (found**2).sum().backward()
        (expected**2).sum().backward()
        assert torch.allclose(x.grad, twin.grad, atol=1e-10)


@pytest.mark.parametrize("width", [8, 10], ids=["four pixels at a time", "plain"])
def test_the_last_layer_equals_the_plain_convolution(width):
    torch.manual_seed(0)
    conv = Conv(16, 3, 7, reflect=3, normalised=False).double()
    nn.init.normal_(conv.bias)
    x = torch.randn(2, 16, 6, width, dtype=torch.double, requires_grad=True)
    found = conv(x)
    expected = F.conv2d(F.pad(x, (3, 3, 3, 3), mode="reflect"), conv.weight, conv.bias)
    assert torch.allclose(found, expected, atol=1e-12)
    wanted = (x, conv.weight, conv.bias)
    direction = torch.randn_like(found)
    for mine, other in zip(
        torch.autograd.grad(found, wanted, direction),
        torch.autograd.grad(expected, wanted, direction),
        strict=True,
    ):
        assert torch.allclose(mine, other, atol=1e-10)


def test_state_of_another_version_is_refused():
    parameter = nn.Parameter(torch.ones(2).bfloat16())
    adam = SplitAdam([parameter])
    groups = adam.state_dict()["param_groups"]
    with pytest.raises(ModelError, match="another version"):
        adam.load_state_dict({"state": {0: {"step": torch.ones(())}}, "param_groups": groups})
