from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from synthesis.config import FaceConfig, PaperConfig
from synthesis.paper.networks import (
    GlobalGenerator,
    LocalEnhancer,
    face_generator,
    face_judge,
    global_generator,
    judge,
    local_enhancer,
)
from synthesis.paper.ops import Conv, forget_uses, norm_relu
from synthesis.paper.optimiser import SplitAdam, join_halves, round_at_random, split_halves
from synthesis.paper.painting import prepare_painting
from synthesis.paper.winograd import FixedConv


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: global_generator(PaperConfig()), 182_452_675),
        (lambda: local_enhancer(PaperConfig()), 182_715_939),
        (lambda: judge(PaperConfig(), PaperConfig().global_scales), 5_547_906),
        (lambda: judge(PaperConfig(), PaperConfig().local_scales), 8_321_859),
    ],
)
def test_the_preset_has_the_papers_number_of_parameters(build, expected):
    with torch.device("meta"):
        assert count(build()) == expected


def test_the_face_gan_has_the_papers_number_of_parameters():
    with torch.device("meta"):
        assert round(count(face_generator(FaceConfig())) / 1e6, 1) == 26.7
        assert round(count(face_judge(FaceConfig())) / 1e6, 2) == 2.77
        assert any(isinstance(part, nn.BatchNorm2d) for part in face_judge(FaceConfig()).modules())


def test_the_face_gan_starts_with_no_correction_and_can_learn_one():
    torch.manual_seed(0)
    network = face_generator(FaceConfig(size=32, width=8, downs=2, blocks=1))
    x = torch.rand(1, 6, 32, 32)
    made = network(x)
    assert made.abs().max() == 0
    (made - 0.5).square().mean().backward()
    torch.optim.SGD(network.parameters(), 0.1).step()
    assert network(x).abs().max() > 0
    assert network.enter.weight.abs().max() > 0


def test_the_enhancer_starts_from_the_global_stage():
    torch.manual_seed(0)
    coarse, local = GlobalGenerator(6, 8, 2, 1), LocalEnhancer(6, 4, 2, 1, 1)
    local.start_from(coarse)
    x = torch.rand(1, 6, 16, 32)
    assert torch.equal(local.coarse(x), coarse.features(x))
    assert local(torch.rand(1, 6, 32, 64)).shape == (1, 3, 32, 64)


def test_a_generator_equals_the_same_layers_of_torch():
    """The rearranged arithmetic against torch's own layers: the outputs, and the gradients after two uses."""
    torch.manual_seed(0)
    ours = GlobalGenerator(6, 4, 1, 1)
    twin = nn.Sequential(
        nn.ReflectionPad2d(3), nn.Conv2d(6, 4, 7), nn.InstanceNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 8, 3, 2, 1), nn.InstanceNorm2d(8), nn.ReLU(),
        _TorchBlock(8),
        nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), nn.InstanceNorm2d(4), nn.ReLU(),
        nn.ReflectionPad2d(3), nn.Conv2d(4, 3, 7), nn.Tanh(),
    )  # fmt: skip
    for mine, other in zip(ours.parameters(), twin.parameters(), strict=True):
        other.data.copy_(mine.data)
    label, previous = torch.rand(1, 3, 16, 24), torch.rand(1, 3, 16, 24)

    def two_frames(network: nn.Module) -> torch.Tensor:
        first = network(torch.cat([label, previous], 1))
        return torch.cat([first, network(torch.cat([label.flip(3), first], 1))])

    found, expected = two_frames(ours), two_frames(twin)
    assert torch.allclose(found, expected, atol=1e-5)
    weights = torch.rand_like(found)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for mine, other in zip(ours.named_parameters(), twin.parameters(), strict=True):
        if mine[1].grad is not None:
            assert torch.allclose(mine[1].grad, other.grad, atol=1e-3), mine[0]
        else:  # a bias before a normalisation; torch finds rounding noise there
            assert mine[0].endswith("bias")
            assert float(other.grad.abs().max()) < 1e-4


class _TorchBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


def test_normalisation_works_picture_by_picture():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    twin = x.detach().clone().requires_grad_()
    weights = torch.rand(2, 3, 8, 8)
    ours, expected = norm_relu(x), F.relu(F.instance_norm(twin))
    (ours * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.allclose(ours, expected, atol=1e-5)
    assert torch.allclose(x.grad, twin.grad, atol=1e-5)


def test_a_forward_pass_that_is_not_differentiated_can_be_forgotten():
    torch.manual_seed(0)
    conv = Conv(4, 4, 3, reflect=1)
    x = torch.rand(1, 4, 8, 8)
    conv(x)
    forget_uses(conv)
    conv(x).sum().backward()
    assert conv.weight.grad is not None


def test_halves_make_up_the_whole_number():
    torch.manual_seed(0)
    whole = torch.cat([torch.randn(1000) * 10.0**power for power in range(-6, 4)])
    high, low = torch.empty(10_000, dtype=torch.bfloat16), torch.empty(10_000, dtype=torch.int16)
    split_halves(whole, high, low, torch.empty(10_000, dtype=torch.int32))
    joined = torch.empty(10_000)
    join_halves(high, low, joined)
    assert torch.equal(joined, whole)
    assert float(((high.float() - whole) / whole).abs().max()) <= 2**-8


def test_rounding_at_random_keeps_the_mean():
    torch.manual_seed(0)
    value = 1 + 2**-10  # an eighth of the way from one bf16 number to the next
    rounded = torch.empty(80_000, dtype=torch.bfloat16)
    noise = torch.randint(0, 1 << 16, (80_000,), dtype=torch.int32)
    round_at_random(torch.full((80_000,), value), noise, rounded)
    assert set(rounded.tolist()) == {1.0, 1 + 2**-7}
    assert float(rounded.double().mean()) == pytest.approx(value, abs=5e-5)


def test_split_adam_follows_adam_in_float32():
    """400 steps that bf16 weights alone could not take: each is a fraction of their last bit."""
    torch.manual_seed(0)
    start = torch.randn(6, 5, 3, 3).bfloat16()
    ours = nn.Parameter(start.clone().contiguous(memory_format=torch.channels_last))
    theirs = nn.Parameter(start.float())
    split = SplitAdam([ours], lr=1e-4)
    adam = torch.optim.Adam([theirs], lr=1e-4, betas=(0.5, 0.999))
    for _ in range(400):
        gradient = torch.randn(6, 5, 3, 3).bfloat16() + 0.1
        ours.grad, theirs.grad = gradient.clone(), gradient.float()
        split.step()
        adam.step()
    ours, theirs = ours.detach(), theirs.detach()
    moved = (theirs - start.float()).abs().mean()
    assert float(((ours - theirs).abs() / theirs.abs()).max()) < 2**-7
    assert float((ours.float() - theirs).mean().abs()) < 0.02 * float(moved)


def test_split_adam_goes_on_from_its_state():
    torch.manual_seed(0)
    first, second = (nn.Parameter(torch.ones(4, 3, 3, 3).bfloat16()) for _ in range(2))
    one, other = SplitAdam([first], lr=1e-3), SplitAdam([second], lr=1e-3)
    gradients = [torch.randn(4, 3, 3, 3).bfloat16() for _ in range(6)]
    for index, gradient in enumerate(gradients):
        first.grad = gradient
        one.step()
        if index == 2:
            second.data.copy_(first.data)
            other.load_state_dict(one.state_dict())
        elif index > 2:
            second.grad = gradient
            other.step()
    assert torch.equal(first, second)


@pytest.mark.parametrize("size", [(2, 2), (6, 10)])
def test_a_convolution_made_ready_for_painting_equals_the_plain_one(size):
    torch.manual_seed(0)
    conv = Conv(4, 5, 3, reflect=1)
    x = torch.randn(2, 4, *size)
    with torch.no_grad():
        assert torch.allclose(FixedConv(conv, "reflect", bias=False)(x), conv(x), atol=1e-5)


def test_a_generator_made_ready_for_painting_leaves_the_trained_one_alone():
    torch.manual_seed(0)
    network = GlobalGenerator(6, 256, 1, 1).bfloat16()  # 512 channels at the bottom
    names = list(network.state_dict())
    quick = prepare_painting(network, (16, 8))
    x = torch.rand(1, 6, 8, 16).bfloat16()
    with torch.no_grad():
        assert torch.allclose(quick(x), network(x), atol=0.1)
    assert sum(isinstance(part, FixedConv) for part in quick.modules()) == 2
    assert list(network.state_dict()) == names
    assert prepare_painting(network, (18, 8)) is network
