from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from dataset.errors import ModelError
from synthesis.networks.perceptual import PerceptualLoss, vgg_layers


@pytest.fixture(scope="module")
def vgg19_file(tmp_path_factory):
    """Random weights with the names that torchvision gives those of VGG19."""
    torch.manual_seed(0)
    layers, _ = vgg_layers("vgg19")
    path = tmp_path_factory.mktemp("weights") / "vgg19.safetensors"
    save_file({f"features.{key}": value for key, value in layers.state_dict().items()}, path)
    return path


@pytest.mark.parametrize(
    ("backbone", "places"), [("vgg16", (1, 6, 11, 18, 25)), ("vgg19", (1, 6, 11, 20, 29))]
)
def test_vgg_is_tapped_after_the_first_activation_of_each_block(backbone, places):
    layers, taps = vgg_layers(backbone)
    assert taps == places
    assert all(isinstance(layers[place], torch.nn.ReLU) for place in taps)


def test_vgg19_is_read_from_a_file_and_weighs_depths_as_the_paper(vgg19_file):
    loss = PerceptualLoss("vgg19", vgg19_file)
    torch.manual_seed(1)
    made, real = (torch.rand(2, 3, 32, 32) * 2 - 1 for _ in range(2))
    pairs = zip((1 / 32, 1 / 16, 1 / 8, 1 / 4, 1), loss.embed(made), loss.embed(real), strict=True)
    expected = sum(weight * (a - b).abs().mean() for weight, a, b in pairs)
    assert torch.allclose(loss(made, real), expected)
    assert float(loss(real, real)) == 0


def test_a_batch_counts_as_the_mean_of_its_pictures(vgg19_file):
    torch.manual_seed(1)
    made, real = (torch.rand(2, 3, 32, 32) * 2 - 1 for _ in range(2))
    for loss in (PerceptualLoss("vgg19", vgg19_file), PerceptualLoss()):
        each = [loss(made[i : i + 1], real[i : i + 1]) for i in range(2)]
        assert torch.allclose(loss(made, real), torch.stack(each).mean())


def test_missing_weights_name_the_way_to_get_them(vgg19_file, tmp_path, monkeypatch):
    import timm

    def unreachable(*args: object, **options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(ModelError, match="no route to host") as error:
        PerceptualLoss("vgg19")
    assert "--perceptual-weights" in str(error.value.hint)
    assert "--perceptual squeezenet1_1" in str(error.value.hint)
    with pytest.raises(ModelError, match="no weights for vgg16"):
        PerceptualLoss("vgg16")
    path = tmp_path / "other.safetensors"
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, path)
    with pytest.raises(ModelError, match="not VGG19"):
        PerceptualLoss("vgg19", path)


@pytest.mark.shared
def test_real_weights_rank_blur(shared_models):
    loss = PerceptualLoss("vgg16", shared_models / "vgg16_features_imagenet_fp16.safetensors")
    torch.manual_seed(0)
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    blurred = torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    more = torch.nn.functional.avg_pool2d(blurred, 5, 1, 2)
    assert 0 < float(loss(blurred, image)) < float(loss(more, image))
