"""The model bundles: what ships is what the script makes, and a missing one says how to get it."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

import pytest

from dataset.errors import ModelError
from dataset.pose.landmarkers import BUNDLES as NAMES
from dataset.pose.landmarkers import bundle_path, open_landmarker
from dataset.pose.models import rebuild

FOLDER = Path(rebuild.__file__).parent


@pytest.mark.parametrize("name", sorted(rebuild.BUNDLES))
def test_the_notice_states_the_hash_of_every_bundle(name: str) -> None:
    notice = (FOLDER / "NOTICE").read_text("utf-8")
    (stated,) = re.findall(re.escape(name) + r"\s+SHA-256 ([0-9a-f]{64})", notice)
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == stated
    assert rebuild.WHEEL_SHA256 in notice


def test_every_bundle_that_can_be_asked_for_is_made_by_the_script() -> None:
    assert set(NAMES.values()) == set(rebuild.BUNDLES)


@pytest.mark.parametrize("name", sorted(rebuild.BUNDLES))
def test_packing_the_members_again_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(FOLDER / name) as bundle:
        members = {member: bundle.read(member) for member in bundle.namelist()}
    rebuild.write_bundle(tmp_path / name, members)
    assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


def test_the_blendshape_model_is_the_placeholder_of_the_script() -> None:
    with zipfile.ZipFile(FOLDER / "holistic_landmarker.task") as bundle:
        assert bundle.read("face_blendshapes.tflite") == rebuild.placeholder_blendshapes()


def test_every_model_states_how_its_input_is_normalised() -> None:
    from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata
    from mediapipe.tasks.metadata import schema_py_generated as schema

    for name, members in rebuild.BUNDLES.items():
        with zipfile.ZipFile(FOLDER / name) as bundle:
            for member, _, title, (mean, deviation) in members:
                model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bundle.read(member), 0))
                (entry,) = (e for e in model.metadata if e.name == b"TFLITE_METADATA")
                data = bytes(model.buffers[entry.buffer].data)
                facts = metadata.ModelMetadataT.InitFromObj(metadata.ModelMetadata.GetRootAs(data, 0))
                (unit,) = facts.subgraphMetadata[0].inputTensorMetadata[0].processUnits
                assert facts.name == title.encode()
                assert (list(unit.options.mean), list(unit.options.std)) == ([mean], [deviation])


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "mediapipe-0.0.0.whl"
    wheel.write_bytes(b"something else")
    with pytest.raises(ModelError, match="not the wheel"):
        rebuild.rebuild(wheel, tmp_path)


def test_a_missing_bundle_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"dataset\.pose\.models\.rebuild"):
        bundle_path(tmp_path / "lost.task")


def test_a_bundle_of_ones_own_is_taken_by_its_path() -> None:
    own = FOLDER / "pose_landmarker_full.task"
    assert bundle_path(own) == own


def test_a_damaged_bundle_is_a_model_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "damaged.task"
    damaged.write_bytes((FOLDER / "pose_landmarker_full.task").read_bytes()[:100_000])
    with pytest.raises(ModelError, match=r"damaged\.task"):
        open_landmarker("pose", damaged, running_mode="IMAGE")
    assert "INFO: Created" not in capfd.readouterr().out
