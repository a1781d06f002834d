from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from textures import TINY, planted, planted_corpus, texture

from dataset.errors import ModelError
from forensics.calibrate import Calibration
from forensics.detectors.base import Evidence, to_tensor
from forensics.detectors.patch import BASE_WEIGHTS, PatchConfig, PatchDetector
from forensics.detectors.registry import load_detector
from forensics.familiarity import Familiarity
from forensics.train import TrainConfig

WINDOWS = np.stack([texture(seed, 2, 64) for seed in range(5)])


def make() -> PatchDetector:
    torch.manual_seed(0)
    return PatchDetector(PatchConfig(ndf=4))


@pytest.fixture
def saved(tmp_path: Path, calibration: Calibration) -> Path:
    detector = make()
    detector.calibration = calibration
    detector.familiarity = Familiarity.fit(detector.look(WINDOWS)[1])
    detector.facts = {"subjects": ["a"]}
    detector.save(tmp_path / "detector")
    return tmp_path / "detector"


def test_the_first_frame_comes_first_in_the_tensor_and_values_span_minus_one_to_one() -> None:
    windows = np.zeros((1, 2, 4, 4, 3), np.uint8)
    windows[0, 1, :, :, 2] = 255
    tensor = to_tensor(windows)
    assert tensor.shape == (1, 6, 4, 4)
    assert tensor[0, :5].eq(-1).all()
    assert tensor[0, 5].eq(1).all()


def test_the_order_of_the_frames_matters_to_the_score() -> None:
    detector = make()
    assert not np.allclose(detector.look(WINDOWS)[0], detector.look(WINDOWS[:, ::-1])[0], atol=1e-4)


def test_a_score_does_not_depend_on_the_windows_beside_it() -> None:
    detector = make()
    assert np.allclose(detector.look(WINDOWS)[0][2], detector.look(WINDOWS[2:3])[0][0], atol=1e-5)


def test_judging_is_the_forward_pass_without_dropout() -> None:
    detector = make()
    with torch.no_grad():
        expected = detector.network(to_tensor(WINDOWS)).numpy()
    assert np.allclose(detector.look(WINDOWS)[0], expected, atol=1e-5)


def test_no_windows_give_no_scores() -> None:
    logits, embeddings = make().look(np.zeros((0, 2, 64, 64, 3), np.uint8))
    assert logits.shape == (0,)
    assert embeddings.shape[0] == 0


def test_a_pair_is_judged_by_the_mean_of_its_windows_and_left_open_without_any() -> None:
    shown = Evidence.of_windows(WINDOWS)
    shown = replace(
        shown,
        pairs=np.array([0, 0, 2, 2, 2]),
        times=np.arange(3.0),
        bodies=np.zeros((3, 2, 25, 3), np.float32),
    )
    scores = make().judge(shown)
    assert scores.windows is not None
    assert np.isnan(scores.pairs[1])
    assert np.allclose(scores.pairs[[0, 2]], [scores.windows[:2].mean(), scores.windows[2:].mean()])
    assert scores.score == pytest.approx(scores.pairs[[0, 2]].mean())


def test_a_loaded_detector_is_the_saved_one(saved: Path) -> None:
    loaded = PatchDetector.load(saved)
    assert np.array_equal(loaded.look(WINDOWS)[0], make().look(WINDOWS)[0])
    assert loaded.calibration is not None
    assert loaded.calibration.slope == 1.0
    assert loaded.familiarity is not None
    assert np.isfinite(loaded.familiarity.distances(loaded.look(WINDOWS)[1])).all()
    assert loaded.facts == {"subjects": ["a"]}


def test_one_changed_byte_of_the_weights_is_refused(saved: Path) -> None:
    weights = saved / "detector.safetensors"
    blob = bytearray(weights.read_bytes())
    blob[-1] ^= 1
    weights.write_bytes(blob)
    with pytest.raises(ModelError, match="SHA-256 differs"):
        PatchDetector.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "schema"),
        ({"config": {"ndf": 4, "surprise": 1}}, "configuration"),
        ({"config": {"ndf": 8}}, "not a detector of this version"),
        ({"calibration": {"slope": 1}}, "not a detector of this version"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(saved: Path, change: dict, message: str) -> None:
    path = saved / "detector.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=message):
        PatchDetector.load(saved)


def test_a_folder_without_a_detector_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="fakedetect train"):
        load_detector(tmp_path)


def test_missing_weights_are_told(saved: Path) -> None:
    (saved / "detector.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        PatchDetector.load(saved)


def test_the_hash_of_the_calibration_follows_the_calibration(saved: Path) -> None:
    assert PatchDetector.load(saved).calibration_sha256 != make().calibration_sha256


def test_a_detector_can_start_from_the_discriminator_that_ships_with_the_generator() -> None:
    stored = load_file(BASE_WEIGHTS)
    torch.manual_seed(0)
    network = PatchDetector(PatchConfig(ndf=32, init="people")).build()
    first = stored["discriminator.scales.0.trunk.layers.0.0.weight"].float()
    own = network.trunk.layers[0][0].weight
    # Its two frames stand behind two stick figures; here they stand in front of their fine detail.
    assert own[:, :6].equal(first[:, 6:])
    assert not own[:, 6:].equal(first[:, 6:])
    deeper = stored["discriminator.scales.0.trunk.layers.2.0.weight"].float()
    assert network.trunk.layers[2][0].weight.equal(deeper)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (PatchConfig(ndf=24, init="people"), "--set ndf=32"),
        (PatchConfig(init="/nowhere.safetensors"), "no discriminator can be read"),
    ],
)
def test_a_discriminator_that_does_not_fit_is_told_with_what_would(config: PatchConfig, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        PatchDetector(config).build()


def test_the_heat_falls_on_the_half_of_a_window_that_was_painted() -> None:
    detector = PatchDetector(replace(TINY, dropout=0.0))
    detector.fit(
        planted_corpus(subjects=4),
        TrainConfig(steps=80, batch=16, rate=5e-3, average=0.9, precision="float32"),
    )
    shares = []
    for seed in range(20, 26):
        video = texture(seed, 4, 48)
        half = video.copy()
        half[:, :, 24:] = planted(video)[:, :, 24:]
        heat = detector.heat(np.stack([half[:-1], half[1:]], 1))
        assert heat is not None
        assert heat.shape == (3, 48, 48)
        assert heat.min() >= 0
        shares.append(heat[:, :, 28:].mean() / (heat[:, :, 28:].mean() + heat[:, :, :20].mean()))
    assert np.mean(shares) > 0.6
