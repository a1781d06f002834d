"""Building: the same bytes every time, whole or not at all, and nothing in it that may not be."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from release_ground import SIGNED, add_disc, add_fake, small_collection, small_release

from dataset.collection import Collection
from dataset.collection.records import Subject
from dataset.errors import ReleaseError
from dataset.release.build import build
from dataset.release.encode import blur, encode, face_box
from dataset.release.level import message, packet_sizes
from dataset.release.manifest import read_manifest, read_release
from dataset.video import VideoInfo, read_frames


def contents(release: Path) -> dict[str, str]:
    return {name: entry["sha256"] for name, entry in read_manifest(release).items()}


def test_the_same_collection_gives_the_same_bytes_with_one_process_or_two(tmp_path: Path) -> None:
    first = small_release(tmp_path / "one")
    second = build(small_collection(tmp_path / "two"), workers=2)
    assert contents(first) == contents(second)
    assert (first / "MANIFEST.json").read_bytes() == (second / "MANIFEST.json").read_bytes()


def test_building_again_without_a_change_gives_the_release_that_is_there(tmp_path: Path) -> None:
    release = small_release(tmp_path / "c")
    before = (release / "MANIFEST.json").stat().st_mtime_ns
    assert build(Collection.open(tmp_path / "c"), workers=1) == release
    assert (release / "MANIFEST.json").stat().st_mtime_ns == before


def test_a_new_subject_makes_a_new_version_and_moves_nobody(tmp_path: Path) -> None:
    release = small_release(tmp_path / "c")
    collection = Collection.open(tmp_path / "c")
    add_disc(collection, "a0", 77, scratch=tmp_path)
    second = build(collection, workers=1)
    assert second.name == "1.1.0"
    assert release.is_dir()
    told, before = read_release(second)["splits"], read_release(release)["splits"]
    assert {name: told[name] for name in before} == before
    assert "2 videos added." in (second / "CHANGELOG.md").read_text("utf-8")


def test_a_withdrawn_subject_leaves_a_new_first_number_and_a_tombstone(tmp_path: Path) -> None:
    small_release(tmp_path / "c")
    collection = Collection.open(tmp_path / "c")
    collection.set_consent("d2", replace(collection.subject("d2").consent, revoked="2026-06-01"))
    collection.set_status("d2", "withdrawn")
    second = build(collection, workers=1)
    assert second.name == "2.0.0"
    assert "| d2 | 2026-06-01 |" in (second / "TOMBSTONES.md").read_text("utf-8")
    assert not [name for name in read_manifest(second) if "d2" in name]
    used = {entry["origin_sha256"] for entry in read_release(second)["items"].values()}
    assert len(list((tmp_path / "c" / "releases" / ".work").glob("*-level.mp4"))) == len(used)


def test_a_removed_release_can_be_built_again_bit_for_bit(tmp_path: Path) -> None:
    import shutil

    release = small_release(tmp_path / "c")
    before = contents(release)
    shutil.rmtree(release)
    assert contents(build(Collection.open(tmp_path / "c"), workers=1)) == before


def test_people_without_consent_stay_out_and_are_not_named(tmp_path: Path) -> None:
    collection = small_collection(tmp_path / "c", 3, people=True)
    add_disc(
        collection, "silent", 9, consent=replace(SIGNED, scope=("train", "synthesise")), scratch=tmp_path
    )
    release = build(collection, workers=1)
    told = read_release(release)
    assert set(told["splits"]) == {"p1", "p2", "p3"}
    assert told["left_out"] == {
        "fakes whose source is left out": 1,
        "no consent to publish, or to be synthesised": 1,
    }
    assert not [path for path in release.rglob("*") if path.is_file() and b"silent" in path.read_bytes()]


def test_consent_that_runs_out_takes_a_subject_out(tmp_path: Path) -> None:
    collection = small_collection(tmp_path / "c", 3, people=True)
    collection.set_consent("p1", replace(SIGNED, expires="2026-12-31"))
    assert set(read_release(build(collection, workers=1, on=date(2026, 12, 31)))["splits"]) == {
        "p1",
        "p2",
        "p3",
    }
    assert set(read_release(build(collection, workers=1, on=date(2027, 1, 1)))["splits"]) == {"p2", "p3"}


def test_a_licence_for_business_needs_consent_to_business(tmp_path: Path) -> None:
    for licence, expected in (("CC-BY-4.0", {"p2", "p3"}), ("CC-BY-NC-4.0", {"p1", "p2", "p3"})):
        collection = small_collection(tmp_path / licence, 3, people=True, fakes=False, licence=licence)
        collection.set_consent("p1", replace(SIGNED, scope=("train", "publish")))
        assert set(read_release(build(collection, workers=1))["splits"]) == expected


def test_fakes_for_research_and_across_splits_stay_out(tmp_path: Path) -> None:
    collection = small_collection(tmp_path / "c")
    add_fake(collection, "d1", "d2-r0", 200, kind="cross")  # d1 and d2 are both in train
    add_fake(collection, "d1", "d5-r0", 500, kind="cross")  # d5 is in test
    add_fake(collection, "d3", "d2-r0", 200, kind="cross", research_only=True)
    told = read_release(build(collection, workers=1))
    assert told["splits"]["d1"] == told["splits"]["d2"] != told["splits"]["d5"]
    assert "d1-cross-d2-r0" in told["items"]
    assert not {"d1-cross-d5-r0", "d3-cross-d2-r0"} & set(told["items"])
    assert told["left_out"] == {"fakes of people in different splits": 1, "made for research only": 1}


def test_a_generator_trained_on_somebody_in_another_split_tears_a_fake(tmp_path: Path) -> None:
    collection = small_collection(tmp_path / "c", fakes=False)
    both = tuple(
        recording.sha256 for recording in collection.recordings() if recording.subject in ("d1", "d5")
    )
    add_fake(collection, "d1", "d1-r0", 100, kind="self", trained_on=both)
    told = read_release(build(collection, workers=1))
    assert "d1-self-d1-r0" not in told["items"]


def test_the_same_film_of_two_subjects_puts_them_into_one_split(tmp_path: Path) -> None:
    for seed in range(3):
        collection = small_collection(tmp_path / str(seed), fakes=False)
        add_disc(collection, "twin", 5, fakes=False, scratch=tmp_path)  # moves as d5 does
        splits = read_release(build(collection, workers=1, seed=seed))["splits"]
        assert splits["twin"] == splits["d5"]


def test_real_and_fake_have_one_table_of_frames_and_one_length(tmp_path: Path) -> None:
    release = small_release(tmp_path / "c")
    real, fake = (release / "videos" / "d1" / name for name in ("d1-r0.mp4", "d1-self-d1-r0.mp4"))
    assert packet_sizes(real) == packet_sizes(fake)
    assert real.stat().st_size == fake.stat().st_size
    info = VideoInfo.from_path(fake)
    assert info.metadata["comment"].startswith("Synthetic video:")
    assert len(info.metadata["comment"]) == len(VideoInfo.from_path(real).metadata["comment"])


def test_filling_leaves_pictures_and_times_alone(tmp_path: Path) -> None:
    collection = small_collection(tmp_path / "c", 1)
    source = collection.path_of(collection.recordings()[0])
    encode(source, tmp_path / "plain.mp4", statement="x")
    told = read_release(build(collection, workers=1))["items"]["d1-r0"]
    plain = list(read_frames(tmp_path / "plain.mp4"))
    filled = list(read_frames(tmp_path / "c" / "releases" / "1.0.0" / told["file"]))
    assert [frame.time for frame in plain] == [frame.time for frame in filled]
    assert all((a.image == b.image).all() for a, b in zip(plain, filled, strict=True))


@pytest.mark.parametrize("length", [*range(24, 60), 262, 263, 264, 517, 518, 519, 520, 70_000])
def test_a_filling_message_has_any_length_and_needs_no_escape(length: int) -> None:
    made = message(length)
    assert len(made) == length
    assert int.from_bytes(made[:4], "big") == length - 4
    assert b"\0\0" not in made[4:]


def test_faces_are_blurred_in_recordings_and_fakes(tmp_path: Path) -> None:
    collection = small_collection(tmp_path / "c", 3)
    plain = build(collection, workers=1)
    blurred = build(collection, workers=1, blur_faces=True)
    for name in ("d1-r0.mp4", "d1-self-d1-r0.mp4"):
        before, after = (
            next(iter(read_frames(root / "videos" / "d1" / name))).image for root in (plain, blurred)
        )
        assert np.abs(before.astype(int) - after).max() > 40
    assert "Faces were made unrecognisable" in (blurred / "README.md").read_text("utf-8")


def test_a_blurred_face_keeps_nothing_but_patches_of_colour() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (80, 80, 3)).astype(np.uint8)
    out = blur(image, (10, 10, 70, 70))
    assert out[30:50, 30:50].astype(float).std() < 0.25 * image[30:50, 30:50].astype(float).std()
    assert (out[:10] == image[:10]).all()


def test_a_missed_head_is_covered_where_it_was_before() -> None:
    from release_ground import path_of_disc, poses_of

    poses = poses_of(path_of_disc(1))
    poses.body[5, :, 2] = 0
    assert face_box(poses, 5) is not None
    poses.body[:, :, 2] = 0
    assert face_box(poses, 5) is None


def test_a_file_that_changed_since_import_stops_the_build(tmp_path: Path) -> None:
    collection = small_collection(tmp_path / "c", 2, fakes=False)
    path = collection.path_of(collection.recordings()[0])
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ReleaseError, match="hash differs"):
        build(collection, workers=1)
    assert not (tmp_path / "c" / "releases" / "1.0.0").exists()


def test_nothing_to_publish_is_an_error(tmp_path: Path) -> None:
    collection = Collection.create(tmp_path / "c", name="empty")
    collection.add_subject(Subject("nobody"))
    with pytest.raises(ReleaseError, match="nothing in it may be published"):
        build(collection, workers=1)


def test_a_version_that_is_taken_is_refused(tmp_path: Path) -> None:
    small_release(tmp_path / "c")
    collection = Collection.open(tmp_path / "c")
    add_disc(collection, "a0", 77, scratch=tmp_path)
    with pytest.raises(ReleaseError, match="already"):
        build(collection, version="1.0.0", workers=1)


@pytest.mark.slow
def test_a_build_that_is_killed_anywhere_leaves_old_releases_and_is_finished_by_the_next(
    tmp_path: Path,
) -> None:
    old = small_release(tmp_path / "c")
    before = contents(old)
    collection = Collection.open(tmp_path / "c")
    add_disc(collection, "a0", 77, scratch=tmp_path)
    script = Path(__file__).parents[1] / "release_ground.py"
    environment = {**os.environ, "PYTHONPATH": str(script.parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(tmp_path / "c")]
    luck = random.Random(1)
    new = tmp_path / "c" / "releases" / "1.1.0"
    finished = 0
    for _ in range(20):
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # The build shows in the folder when it has begun; imports before that are not worth a kill.
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            if list((tmp_path / "c" / "releases").glob(".building-*")) or list(
                (tmp_path / "c" / "releases" / ".work").glob(".*.part*")
            ):
                break
            time.sleep(0.005)
        time.sleep(luck.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert contents(old) == before
        assert all(
            hashlib.sha256((old / name).read_bytes()).hexdigest() == digest for name, digest in before.items()
        )
        if new.exists():
            finished += 1
            whole = contents(new)
            assert all(
                hashlib.sha256((new / name).read_bytes()).hexdigest() == digest
                for name, digest in whole.items()
            )
            import shutil

            shutil.rmtree(new)
    assert build(collection, workers=1) == new
    assert set(read_release(new)["splits"]) == {"a0", "d1", "d2", "d3", "d4", "d5", "d6"}
    assert not list((tmp_path / "c" / "releases").glob(".building-*"))
    assert sorted(path.name for path in (tmp_path / "c" / "releases").glob("[0-9]*")) == ["1.0.0", "1.1.0"]
    assert finished < 20
