from __future__ import annotations

import json
from pathlib import Path

import pytest
from mannequin_collection import make_collection

from dataset.collection import Collection, descends_from
from dataset.collection.extract import extract_files, extract_poses, pose_path
from dataset.errors import WorkError
from dataset.pose.keypoints import PoseSequence
from dataset.work import items_from


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Two subjects with a recording each, of which m2's was overwritten with what is no video."""
    made = make_collection(tmp_path_factory.mktemp("poses") / "c", subjects=2, recordings=1, fakes=False)
    made.path_of(made.recordings("m2")[0]).write_bytes(b"no video")
    return made


def test_poses_are_found_once_and_a_bad_video_stops_nobody(collection: Collection) -> None:
    good, bad = collection.recordings("m1")[0], collection.recordings("m2")[0]
    told: list[tuple[int, int]] = []
    first = extract_poses(
        collection, workers=1, model="pose", report=lambda done, total, what: told.append((done, total))
    )
    assert (first.found, first.known) == ((good.id,), ())
    assert list(first.failed) == [bad.id]
    assert bad.file.rsplit("/", 1)[1] in first.failed[bad.id]
    assert told == [(1, 2), (2, 2)]
    path = pose_path(collection, good.sha256, "pose")
    assert PoseSequence.load(path).video_sha256 == good.sha256
    assert descends_from(collection, "m1").poses == (path,)
    stamp = path.stat().st_mtime_ns
    second = extract_poses(collection, workers=1, model="pose")
    assert (second.found, second.known, list(second.failed)) == ((), (good.id,), [bad.id])
    assert path.stat().st_mtime_ns == stamp


def test_poses_of_another_model_are_other_poses(collection: Collection) -> None:
    sha = collection.recordings("m1")[0].sha256
    assert pose_path(collection, sha, "pose") != pose_path(collection, sha, "holistic")


def test_poses_of_a_video_that_was_swapped_are_not_those_of_the_record(tmp_path: Path) -> None:
    swapped = make_collection(tmp_path / "c", subjects=2, recordings=1, fakes=False)
    one, two = swapped.recordings()
    swapped.path_of(two).write_bytes(swapped.path_of(one).read_bytes())
    done = extract_poses(swapped, workers=1, model="pose")
    assert done.found == (one.id,)
    assert "not the one that its record names" in done.failed[two.id]


def test_poses_of_videos_outside_a_collection_are_found_once(collection: Collection, tmp_path: Path) -> None:
    items = items_from([collection.root / "subjects"], {".mp4"})
    first = extract_files(items, tmp_path, model="pose", workers=1)
    assert (first.done, len(first.failed)) == (1, 1)
    good = next(item for item in items if item.key != first.failed[0].key)
    told = json.loads((tmp_path / f"{good.key}.json").read_text("utf-8"))["result"]
    poses = PoseSequence.load(tmp_path / told["file"])
    assert (told["frames"], told["found"]) == (len(poses), int(poses.present().sum()))
    assert told["found"] > 0
    again = extract_files(items, tmp_path, model="pose", workers=1)
    assert (again.done, again.skipped, again.failed) == (0, 1, first.failed)
    with pytest.raises(WorkError, match="other settings"):
        extract_files(items, tmp_path, model="holistic", workers=1)
