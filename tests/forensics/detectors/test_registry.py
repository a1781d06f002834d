from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from dataset.errors import DetectorError, ModelError
from forensics.detectors import create, load_detector, names, register
from forensics.detectors.patch import PatchConfig, PatchDetector
from forensics.detectors.registry import kind_of


def test_a_detector_is_made_by_its_name_and_settings() -> None:
    detector = create("patch", ndf=4)
    assert isinstance(detector, PatchDetector)
    assert detector.config == PatchConfig(ndf=4)
    assert "patch" in names()


@pytest.mark.parametrize(
    ("name", "settings", "meant"),
    [
        ("ptach", {}, "did you mean patch"),
        ("patch", {"nfd": 4}, "did you mean ndf"),
        ("zzz", {}, "there are: "),
    ],
)
def test_a_misspelt_name_is_told_with_the_one_that_is_meant(name: str, settings: dict, meant: str) -> None:
    with pytest.raises(DetectorError, match=meant):
        create(name, **settings)


def test_a_name_is_given_to_one_class_only() -> None:
    with pytest.raises(ValueError, match="two detectors are called 'patch'"):
        register("patch")(type("Other", (PatchDetector,), {}))


def test_a_config_of_no_detector_is_refused() -> None:
    @dataclass
    class Stranger:
        window: int = 3

    with pytest.raises(DetectorError, match="no config of a detector"):
        kind_of(Stranger())


def test_a_saved_detector_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    create("patch", ndf=4).save(tmp_path)
    assert isinstance(load_detector(tmp_path), PatchDetector)
    path = tmp_path / "detector.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"detector": "later"}))
    with pytest.raises(ModelError, match="'later', which this version does not have"):
        load_detector(tmp_path)


def test_the_detector_that_ships_loads() -> None:
    detector = load_detector()
    assert detector.calibration is not None
    assert len(detector.weights_sha256) == 64
