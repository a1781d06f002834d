"""The tuned backbone with its second entrance; a tiny network of timm stands for the large one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from textures import planted_corpus, texture

from dataset.errors import DetectorError, ModelError
from forensics.crossfit import score_clip
from forensics.detectors.base import Evidence
from forensics.detectors.pair import PairConfig, PairDetector
from forensics.detectors.registry import load_detector
from forensics.metrics import auc
from forensics.train import TrainConfig, train_network

BACKBONE = "test_efficientnet"
WINDOWS = np.stack([texture(seed, 2, 64) for seed in range(3)])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    torch.manual_seed(1)
    network = timm.create_model(BACKBONE, pretrained=False, num_classes=3)
    save_file(
        {
            name: value.half() if value.is_floating_point() else value
            for name, value in network.state_dict().items()
        },
        path,
    )
    return path


def test_a_planted_artefact_is_learnt_and_found_on_subjects_never_seen(weights: Path) -> None:
    windows = planted_corpus(subjects=6)
    test = sorted({item.clip.subject for item in windows})[-2:]
    training = TrainConfig(steps=60, batch=16, rate=3e-3, average=0.95, precision="float32")
    config = PairConfig(window=64, backbone=BACKBONE, weights=str(weights))
    detector = train_network([item for item in windows if item.clip.subject not in test], config, training)
    scores = [score_clip(detector, item) for item in windows if item.clip.subject in test]
    pairs = [(value, score.fake) for score in scores for value in score.pair_scores]
    assert auc(np.array([value for value, _ in pairs]), np.array([fake for _, fake in pairs])) > 0.9
    assert all(score.distance is not None for score in scores)


def test_training_starts_from_the_given_weights_and_saving_keeps_every_score(
    weights: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    detector = PairDetector(PairConfig(window=64, backbone=BACKBONE, weights=str(weights)))
    before = detector.look(WINDOWS)[0]
    detector.network = detector.build().eval()
    started = detector.look(WINDOWS)[0]
    assert not np.allclose(before, started)
    detector.save(tmp_path)
    # The folder stands by itself: the backbone's own file is not asked for again.
    assert np.array_equal(load_detector(tmp_path).judge(Evidence.of_windows(WINDOWS)).windows, started)


def test_the_second_frame_counts(weights: Path) -> None:
    torch.manual_seed(0)
    detector = PairDetector(PairConfig(window=64, backbone=BACKBONE))
    still = np.stack([WINDOWS[:, 0], WINDOWS[:, 0]], 1)
    assert not np.allclose(detector.look(WINDOWS)[0], detector.look(still)[0], atol=1e-5)


def test_missing_weights_are_named_with_the_way_to_get_them() -> None:
    detector = PairDetector(PairConfig(backbone=BACKBONE, weights="nowhere.safetensors"))
    with pytest.raises(ModelError, match=r"nowhere\.safetensors.*no weights of test_efficientnet.*hub"):
        detector.build()


def test_the_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"conv_stem.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    detector = PairDetector(PairConfig(backbone=BACKBONE, weights=str(tmp_path / "other.safetensors")))
    with pytest.raises(ModelError, match="no weights of test_efficientnet"):
        detector.build()


@pytest.mark.parametrize(("name", "said"), [("no_such_net", "no model"), ("resnet18", "conv_stem")])
def test_a_backbone_that_cannot_be_used_is_refused(name: str, said: str) -> None:
    with pytest.raises(DetectorError, match=said):
        PairDetector(PairConfig(backbone=name))


def test_heat_lies_where_the_logit_rises(weights: Path) -> None:
    torch.manual_seed(0)
    detector = PairDetector(PairConfig(window=64, backbone=BACKBONE))
    heat = detector.heat(WINDOWS)
    assert heat is not None
    assert heat.shape == (3, 64, 64)
    assert (heat >= 0).all()
    assert heat.max() > 0
