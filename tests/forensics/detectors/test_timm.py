"""A small backbone with random weights: what matters is what is tuned, stored and refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from textures import as_windows, make_clip, planted, planted_corpus, texture

from dataset.errors import DetectorError, ModelError
from forensics.detectors import Evidence, create, load_detector
from forensics.detectors import timm_crops as module
from forensics.detectors.timm_crops import TimmDetector, open_backbone
from forensics.metrics import auc
from forensics.recipe import score_clip
from forensics.train import TrainConfig
from forensics.windows import ClipWindows

BACKBONE = "mobilenetv3_small_050"
QUICK = TrainConfig(steps=2, batch=4, precision="float32")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "backbone.safetensors"
    torch.manual_seed(0)
    save_file(timm.create_model(BACKBONE, num_classes=0).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def windows() -> list[ClipWindows]:
    return planted_corpus(subjects=6)


def make(weights: Path, **settings: object) -> TimmDetector:
    detector = create("timm", window=48, backbone=BACKBONE, weights=str(weights), **settings)
    assert isinstance(detector, TimmDetector)
    return detector


def test_a_probe_learns_on_frozen_features_and_finds_the_artefact_on_people_never_seen(
    weights: Path, windows: list[ClipWindows]
) -> None:
    detector = make(weights, variants=2)
    detector.fit(windows[:8], TrainConfig())
    for name, value in load_file(weights).items():
        assert value.equal(detector.tensors()[f"backbone.{name}"]), name
    scores = [score_clip(detector, clip) for clip in windows[8:]]
    pairs = [(value, score.fake) for score in scores for value in score.pair_scores]
    assert auc(np.array([v for v, _ in pairs]), np.array([f for _, f in pairs])) > 0.7


@pytest.mark.parametrize(("tune", "convolutions"), [("norm", False), ("all", True)])
def test_what_is_tuned_changes_and_the_rest_stays(
    weights: Path, windows: list[ClipWindows], tune: str, convolutions: bool
) -> None:
    detector = make(weights, tune=tune)
    detector.fit(windows[:2], QUICK)
    before, after = load_file(weights), detector.tensors()
    changed = {name for name, value in before.items() if not value.equal(after[f"backbone.{name}"])}
    assert "bn1.weight" in changed
    assert ("conv_stem.weight" in changed) == convolutions
    assert "bn1.running_mean" not in changed


def test_only_the_chosen_parts_are_looked_at(weights: Path) -> None:
    video = texture(0, 4, 64)
    clips = [
        as_windows(make_clip("real.mp4", "a", fake=False), video),
        as_windows(make_clip("fake.mp4", "a", fake=True, pair="real.mp4"), planted(video)),
    ]
    clips = [replace(clip, parts=("head", "torso", "torso"), pairs=np.array([0, 0, 1])) for clip in clips]
    detector = make(weights, parts=("head",), variants=1)
    detector.fit(clips, TrainConfig())
    scores = detector.judge(clips[0].evidence(48))
    assert scores.windows is not None
    assert np.isfinite(scores.windows).tolist() == [True, False, False]
    assert np.isfinite(scores.pairs).tolist() == [True, False]


def test_a_loaded_one_scores_as_the_saved_one_without_the_file_it_began_with(
    weights: Path, windows: list[ClipWindows], tmp_path: Path
) -> None:
    own = tmp_path / "own.safetensors"
    own.write_bytes(weights.read_bytes())
    detector = make(own, variants=1)
    detector.fit(windows[:2], TrainConfig())
    detector.save(tmp_path / "detector")
    own.unlink()
    shown = Evidence.of_windows(np.stack([texture(9, 2, 48)]))
    assert np.array_equal(
        load_detector(tmp_path / "detector").judge(shown).pairs, detector.judge(shown).pairs
    )


def test_of_a_large_backbone_the_hash_is_stored_and_another_one_is_refused(
    weights: Path, windows: list[ClipWindows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STORED", 1000)
    own = tmp_path / "own.safetensors"
    own.write_bytes(weights.read_bytes())
    detector = make(own, variants=1)
    detector.fit(windows[:2], TrainConfig())
    detector.save(tmp_path / "detector")
    assert (tmp_path / "detector" / "detector.safetensors").stat().st_size < own.stat().st_size / 2
    shown = Evidence.of_windows(np.stack([texture(9, 2, 48)]))
    assert np.array_equal(
        load_detector(tmp_path / "detector").judge(shown).pairs, detector.judge(shown).pairs
    )
    save_file({name: value + 1 for name, value in load_file(weights).items()}, own)
    with pytest.raises(ModelError, match="other weights"):
        load_detector(tmp_path / "detector")


def test_weights_in_eight_bits_with_a_scale_for_each_row_are_read(weights: Path, tmp_path: Path) -> None:
    small = {}
    for name, value in load_file(weights).items():
        if name.endswith("weight") and value.dim() == 4:
            scale = value.abs().amax((1, 2, 3)) / 127
            small[name] = (value / scale.view(-1, 1, 1, 1)).round().to(torch.int8)
            small[f"{name}.scale"] = scale
        else:
            small[name] = value
    save_file(small, tmp_path / "small.safetensors")
    whole, read = (
        open_backbone(BACKBONE, str(path))[0] for path in (weights, tmp_path / "small.safetensors")
    )
    for (name, one), other in zip(whole.named_parameters(), read.parameters(), strict=True):
        assert (one - other).abs().max() <= one.abs().max() / 250, name


@pytest.mark.parametrize(
    ("name", "path", "error", "told"),
    [
        (BACKBONE, "/nowhere.safetensors", ModelError, "weights=hub downloads them"),
        ("mobilenetv3_smal", "random", DetectorError, "timm has no model"),
    ],
)
def test_what_is_missing_is_told_with_where_to_get_it(name: str, path: str, error: type, told: str) -> None:
    with pytest.raises(error, match=told):
        open_backbone(name, path)


def test_weights_of_another_model_are_refused(weights: Path) -> None:
    with pytest.raises(ModelError, match="no weights of resnet10t"):
        open_backbone("resnet10t", str(weights))


def test_an_unknown_way_to_tune_is_told() -> None:
    with pytest.raises(DetectorError, match="probe, norm or all"):
        create("timm", tune="some")


@pytest.mark.shared
def test_a_clip_image_tower_in_eight_bits_sees_windows_of_any_size(shared_models: Path) -> None:
    path = shared_models / "clip_vit_b16_image_int8.safetensors"
    backbone, sha256 = open_backbone("vit_base_patch16_clip_quickgelu_224.openai", str(path))
    with torch.inference_mode():
        found = backbone(torch.zeros(1, 3, 128, 128))
    assert found.shape == (1, 768)
    assert found.isfinite().all()
    assert len(sha256) == 64
