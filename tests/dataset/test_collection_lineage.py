from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mannequin_collection import make_collection
from synthesis_figures import still

from dataset.collection import Collection, DetectorRecord, ModelRecord, descends_from
from dataset.errors import CollectionError
from dataset.pose.keypoints import PoseSequence


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """m1 is driven by m2, m2 by m3, m3 by m1."""
    return make_collection(tmp_path / "c")


def keep_poses(collection: Collection, name: str, video_sha256: str) -> Path:
    poses: PoseSequence = replace(still(40, 100, 60, 3), video_sha256=video_sha256)
    path = collection.poses_folder / f"{name}.npz"
    poses.save(path)
    return path


def test_a_subject_is_found_as_target_and_as_source_of_motion(collection: Collection) -> None:
    found = descends_from(collection, "m1")
    assert list(found.recordings) == collection.recordings("m1")
    assert {(fake.subject, fake.source_subject) for fake in found.fakes} == {
        ("m1", "m1"),
        ("m1", "m2"),
        ("m3", "m1"),
    }
    assert len(found.fakes) == 4
    assert [model.subjects for model in found.models] == [("m1",)]


def test_the_model_of_another_who_only_borrowed_the_motion_stays(collection: Collection) -> None:
    models = {model.subjects for model in descends_from(collection, "m1").models}
    assert ("m3",) not in models


def test_poses_are_found_by_the_video_they_are_of(collection: Collection) -> None:
    own, other = collection.recordings("m1")[0], collection.recordings("m2")[0]
    fake = next(fake for fake in collection.fakes() if fake.source_subject == "m1" and fake.subject == "m3")
    mine = keep_poses(collection, "a", own.sha256)
    keep_poses(collection, "b", other.sha256)
    of_fake = keep_poses(collection, "c", fake.sha256)
    of_copy = keep_poses(collection, "d", own.copies[0])
    assert descends_from(collection, "m1").poses == (mine, of_fake, of_copy)


def test_poses_that_cannot_be_read_go_with_whoever_goes(collection: Collection) -> None:
    damaged = collection.poses_folder / "damaged.npz"
    damaged.write_bytes(np.random.default_rng(0).bytes(100))
    assert damaged in descends_from(collection, "m1").poses


def test_models_are_followed_through_fakes_and_starts(collection: Collection) -> None:
    """A model trained on a fake of m1, one started from m1's weak snapshot, and a fake of that one."""
    sha = {letter: letter * 64 for letter in "abc"}
    own = next(model for model in collection.models() if model.subjects == ("m1",))
    fake = next(fake for fake in collection.fakes() if fake.subject == "m1")
    with collection.locked():
        collection.write(ModelRecord("on-fake", "/x", sha["a"], ("m2",), (fake.sha256,)))
        collection.write(
            ModelRecord("started", "/y", sha["b"], ("m3",), ("0" * 64,), started_from=own.snapshot_sha256s)
        )
        unrelated = next(fake for fake in collection.fakes() if fake.subject == "m2" and fake.kind == "self")
        collection.write(replace(unrelated, model_sha256=sha["b"]))
        collection.write(ModelRecord("unrelated", "/z", sha["c"], ("m2",), ("1" * 64,)))
    found = descends_from(collection, "m1")
    assert [model.id for model in found.models] == [own.id, "on-fake", "started"]
    assert unrelated.id in {fake.id for fake in found.fakes}
    assert {sha["a"], sha["b"], *own.snapshot_sha256s} <= found.model_sha256s()


def test_a_fake_by_a_model_that_nobody_registered_is_found_by_what_it_was_trained_on(
    collection: Collection,
) -> None:
    collection.remove(*collection.models())
    found = descends_from(collection, "m1")
    assert len(found.fakes) == 4
    assert found.models == ()


@pytest.mark.parametrize("which", ["name", "fake", "copy", "recording"])
def test_detectors_are_found_by_name_and_by_every_kind_of_clip(collection: Collection, which: str) -> None:
    own = collection.recordings("m1")[0]
    clip = {
        "fake": next(fake for fake in collection.fakes() if fake.source_subject == "m1").sha256,
        "copy": own.copies[0],
        "recording": own.sha256,
        "name": "0" * 64,
    }[which]
    collection.remove(*collection.detectors())
    with collection.locked():
        collection.write(
            DetectorRecord("d1", "/d", "a" * 64, ("m1",) if which == "name" else ("x",), (clip,))
        )
        collection.write(DetectorRecord("d2", "/d", "b" * 64, ("m2",), ("2" * 64,)))
    assert [detector.id for detector in descends_from(collection, "m1").detectors] == ["d1"]


def test_nothing_derives_from_a_stranger(collection: Collection) -> None:
    with pytest.raises(CollectionError, match="no subject is called"):
        descends_from(collection, "stranger")
