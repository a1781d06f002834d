from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dataset.errors import ModelError
from synthesis.appearance import Looks
from synthesis.appearance.skinning import REGIONS
from synthesis.losses import feature_matching, gan_loss, person_l1, silhouette_loss
from synthesis.networks.discriminator import MultiScaleDiscriminator, PatchTrunk
from synthesis.networks.generator import Carried, CompactGenerator, GeneratorInput, take
from synthesis.networks.perceptual import PerceptualLoss


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("scales", "expected"), [(2, 5_547_906), (3, 8_321_859)])
def test_the_discriminator_has_the_papers_number_of_parameters(scales, expected):
    assert count(MultiScaleDiscriminator(12, 64, 3, scales)) == expected


def test_a_patch_sees_70_by_70_pixels():
    # Deep in the picture one score depends on exactly 70 rows of the input; norm layers would spread it.
    trunk = PatchTrunk(1, 2)
    trunk.layers = torch.nn.ModuleList(
        torch.nn.Sequential(*(part for part in layer if not isinstance(part, torch.nn.InstanceNorm2d)))
        for layer in trunk.layers
    )
    last = torch.nn.Conv2d(trunk.out_channels, 1, 4, 1, 2)
    image = torch.zeros(1, 1, 200, 200, requires_grad=True)
    scores = last(trunk(image)[-1])
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()
    rows = image.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert int(rows.max() - rows.min()) + 1 == 70


def some_looks(height: int = 64, width: int = 64) -> Looks:
    """Random pictures that are looked at in their own places, each meant for one strip of the window."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    count = len(REGIONS)
    share = torch.zeros(1, count, height, width)
    for index in range(count):
        share[:, index, :, index * width // count : (index + 1) * width // count] = 1
    return Looks(
        torch.rand(1, count, 3, height, width) * 2 - 1,
        torch.stack([columns, rows]).float().expand(1, count, -1, -1, -1),
        torch.ones(1, count, height, width),
        torch.ones(1, count, height, width),
        share,
        torch.ones(1, count, 1, height, width),
        torch.zeros(1, 1, height, width),
    )


def test_the_generator_paints_over_the_plate():
    torch.manual_seed(0)
    generator = CompactGenerator(8, 8)
    label, previous, plate = (torch.rand(1, 3, 64, 96) for _ in range(3))
    painting = generator(GeneratorInput(label, previous, plate, some_looks(64, 96)))
    blended = painting.alpha * painting.person + (1 - painting.alpha) * plate
    assert painting.frame.shape == (1, 3, 64, 96)
    assert torch.allclose(painting.frame, blended)


def test_where_every_picture_shows_a_part_of_the_body_that_is_not_there_the_plate_is_seen():
    torch.manual_seed(0)
    looks = some_looks(64, 96)
    looks.own[..., 32:] = 0
    label, previous, plate = (torch.rand(1, 3, 64, 96) for _ in range(3))
    with torch.no_grad():
        alpha = CompactGenerator(8, 8)(GeneratorInput(label, previous, plate, looks)).alpha
    assert alpha[..., :32].min() > 0.95
    assert alpha[..., 32:].max() < 0.05


def test_an_untrained_generator_shows_each_region_from_its_own_picture():
    torch.manual_seed(0)
    looks = some_looks(64, 96)
    label, previous, plate = (torch.rand(1, 3, 64, 96) for _ in range(3))
    with torch.no_grad():
        person = CompactGenerator(8, 8)(GeneratorInput(label, previous, plate, looks)).person
    for index in range(len(REGIONS)):
        columns = slice(index * 16 + 2, index * 16 + 14)
        off = [float((person - picture)[..., columns].abs().mean()) for picture in looks.pictures.unbind(1)]
        assert off[index] == min(off)
        assert off[index] < 0.1


def test_along_the_bones_a_picture_of_the_background_is_avoided():
    torch.manual_seed(0)
    looks = some_looks(64, 96)
    looks.silhouettes[:, 1, :, :32] = 0  # the second picture shows no person in the upper half
    inner = torch.ones_like(looks.inner)
    label, previous, plate = (torch.rand(1, 3, 64, 96) for _ in range(3))
    generator = CompactGenerator(8, 8)
    strip = slice(18, 30)  # where the second picture is the one that was meant
    with torch.no_grad():
        outside = generator(GeneratorInput(label, previous, plate, looks)).gate[0, 1, :, strip]
        inside = generator(GeneratorInput(label, previous, plate, replace(looks, inner=inner))).gate[
            0, 1, :, strip
        ]
    assert float(outside.min()) > 0.9
    assert float(inside[:30].max()) < 0.8
    assert torch.allclose(inside[34:], outside[34:])


def test_a_generator_that_may_not_copy_shows_nothing_of_the_pictures_untrained():
    torch.manual_seed(0)
    label, previous, plate = (torch.rand(1, 3, 64, 64) for _ in range(3))
    generator = CompactGenerator(8, 8, copy=False)
    inputs = GeneratorInput(label, previous, plate, some_looks())
    assert torch.allclose(generator(inputs).person, generator(inputs).touch)


def test_pictures_are_looked_at_where_the_flow_says():
    pictures = torch.rand(1, 1, 3, 8, 8)
    flow = torch.zeros(1, 1, 2, 2, 2)
    flow[0, 0, :, 0, 0] = torch.tensor([5.0, 2.0])
    flow[0, 0, :, 1, 1] = torch.tensor([2.5, 3.0])
    taken = take(pictures, flow)
    assert torch.allclose(taken[0, 0, :, 0, 0], pictures[0, 0, :, 2, 5], atol=1e-6)
    assert torch.allclose(taken[0, 0, :, 1, 1], pictures[0, 0, :, 3, 2:4].mean(-1), atol=1e-6)


def test_the_second_frame_sends_its_gradient_through_the_first():
    torch.manual_seed(0)
    generator = CompactGenerator(8, 8)
    torch.nn.init.normal_(generator.leave.weight, 0, 0.02)
    label, plate = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    first = torch.rand(1, 3, 64, 64, requires_grad=True)
    painting = generator(GeneratorInput(label, first, plate, some_looks()))
    painting.frame.sum().backward()
    assert float(first.grad.abs().sum()) > 0


def in_place(person, alpha, seen=1.0):
    """A frame before in which everything lay where it lies now."""
    height, width = person.shape[2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return Carried(person, alpha, torch.stack([columns, rows]).float()[None], torch.full_like(alpha, seen))


def test_of_the_frame_before_the_person_is_kept_where_it_was_seen():
    torch.manual_seed(0)
    generator = CompactGenerator(8, 8)
    inputs = GeneratorInput(*(torch.rand(1, 3, 64, 96) for _ in range(3)), some_looks(64, 96))
    person, alpha = torch.rand(1, 3, 64, 96), torch.zeros(1, 1, 64, 96)
    alpha[..., :48] = 1
    with torch.no_grad():
        fresh = generator(inputs)
        unseen = generator(replace(inputs, carried=in_place(person, alpha, 0.0)))
        kept = generator(replace(inputs, carried=in_place(person, alpha)))
    assert fresh.stay is None
    assert torch.equal(unseen.frame, fresh.frame)
    # Untrained, the same share of everything is kept: of the person within the outline of then, of alpha everywhere.
    share = float(kept.stay[..., :48].mean())
    assert 0.1 < share < 0.3
    assert float(kept.stay[..., 49:].abs().max()) == 0
    expected = fresh.person + share * (person - fresh.person)
    assert torch.allclose(kept.person[..., :47], expected[..., :47], atol=1e-4)
    assert torch.allclose(kept.person[..., 49:], fresh.person[..., 49:])
    assert torch.allclose(kept.alpha, fresh.alpha + share * (alpha - fresh.alpha), atol=1e-4)


def test_a_generator_without_temporal_smoothing_keeps_nothing():
    torch.manual_seed(0)
    generator = CompactGenerator(8, 8, carry=False)
    inputs = GeneratorInput(*(torch.rand(1, 3, 64, 64) for _ in range(3)), some_looks())
    carried = in_place(torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64))
    assert torch.equal(generator(replace(inputs, carried=carried)).frame, generator(inputs).frame)


def test_more_is_kept_where_the_frame_before_is_right_and_the_pictures_are_not():
    torch.manual_seed(0)
    generator = CompactGenerator(8, 8)
    person, alpha = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    inputs = GeneratorInput(
        *(torch.rand(1, 3, 64, 64) for _ in range(3)), some_looks(), in_place(person, alpha)
    )
    adam = torch.optim.Adam(generator.stay.parameters(), 0.02)
    before = float(generator(inputs).stay.detach().mean())
    for _ in range(20):
        adam.zero_grad()
        (generator(inputs).person - person).abs().mean().backward()
        adam.step()
    assert float(generator(inputs).stay.detach().mean()) > 2 * before


def test_perceptual_distance_is_zero_for_equal_pictures_and_grows_with_blur():
    loss = PerceptualLoss()
    torch.manual_seed(0)
    image = torch.rand(1, 3, 96, 96) * 2 - 1
    blurred = torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    more = torch.nn.functional.avg_pool2d(blurred, 5, 1, 2)
    assert float(loss(image, image)) == 0
    assert 0 < float(loss(blurred, image)) < float(loss(more, image))


def test_missing_or_foreign_perceptual_weights_are_an_error(tmp_path):
    with pytest.raises(ModelError, match="no weights"):
        PerceptualLoss(weights=tmp_path / "none.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="not SqueezeNet"):
        PerceptualLoss(weights=tmp_path / "broken.safetensors")
    with pytest.raises(ModelError, match="no perceptual backbone"):
        PerceptualLoss("alexnet")


def test_gan_loss_is_least_squares_over_all_scales():
    scores = [[torch.zeros(1), torch.full((1, 1, 2, 2), 0.5)], [torch.zeros(1), torch.ones(1, 1, 1, 1)]]
    assert float(gan_loss(scores, True)) == pytest.approx(0.25)
    assert float(gan_loss(scores, False)) == pytest.approx(1.25)


def test_feature_matching_leaves_out_the_scores_and_the_real_gradient():
    made = torch.full((1, 2), 3.0, requires_grad=True)
    real = torch.full((1, 2), 1.0, requires_grad=True)
    loss = feature_matching([[made, torch.tensor(99.0)]], [[real, torch.tensor(0.0)]])
    loss.backward()
    assert float(loss.detach()) == 2
    assert real.grad is None


def test_weighted_l1_counts_the_person_more():
    made, real = torch.zeros(1, 3, 1, 2), torch.tensor([1.0, 0.0]).expand(1, 3, 1, 2)
    weight = torch.tensor([3.0, 1.0]).view(1, 1, 1, 2)
    assert float(person_l1(made, real, weight)) == pytest.approx(0.75)


def test_alpha_is_pulled_towards_the_silhouette_unless_none_is_known():
    alpha = torch.full((2, 1, 4, 4), 0.5, requires_grad=True)
    silhouette = torch.zeros(2, 1, 4, 4)
    silhouette[:, :, 0] = 1
    silhouette_loss(alpha, silhouette, torch.tensor([1.0, 0.0]).view(2, 1, 1, 1)).backward()
    assert (alpha.grad[0, :, 0] < 0).all()
    assert (alpha.grad[0, :, 1:] > 0).all()
    assert float(alpha.grad[1].abs().sum()) == 0
