"""Fetching a release over HTTP, and what is left when that fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_cases import READER, REPO, STRANGER, folder_hashes, serving, some_files, write_release
from hub_server import HubServer

from dataset.errors import HubError
from dataset.hub import publish
from dataset.hub.fetch import Fetched, fetch
from dataset.hub.manifest import parse_manifest, read_release


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub with versions 1.0.0 and 1.1.0."""
    with serving(tmp_path / "hub", monkeypatch) as server:
        for version, mark in (("1.0.0", "one"), ("1.1.0", "two")):
            folder = write_release(tmp_path / version, some_files(mark), version=version)
            publish(read_release(folder), REPO, endpoint=server.url, verify="quick")
        server.log.clear()
        yield server


def get(hub: HubServer, out: Path, version: str | None = None) -> Fetched:
    return fetch(REPO, out, version=version, endpoint=hub.url)


def test_the_newest_or_any_version_comes_whole(hub: HubServer, tmp_path: Path) -> None:
    assert get(hub, tmp_path / "new").version == "1.1.0"
    assert get(hub, tmp_path / "old", "1.0.0").version == "1.0.0"
    assert folder_hashes(tmp_path / "new") == folder_hashes(tmp_path / "1.1.0")
    assert folder_hashes(tmp_path / "old") == folder_hashes(tmp_path / "1.0.0")
    assert not list(tmp_path.glob("*.partial"))


def test_what_is_there_is_verified_and_not_downloaded_again(hub: HubServer, tmp_path: Path) -> None:
    get(hub, tmp_path / "out")
    hub.log.clear()
    assert get(hub, tmp_path / "out").downloaded_bytes == 0
    assert len(hub.requests("GET", "/cdn/")) == 1  # the manifest


def test_another_folder_is_left_alone(hub: HubServer, tmp_path: Path) -> None:
    get(hub, tmp_path / "out", "1.0.0")
    with pytest.raises(HubError, match="another release here"):
        get(hub, tmp_path / "out", "1.1.0")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(HubError, match="something else here"):
        get(hub, tmp_path / "mine")
    assert (tmp_path / "mine/notes.txt").exists()


def test_a_connection_that_is_cut_goes_on_where_it_stopped(hub: HubServer, tmp_path: Path) -> None:
    hub.fail("GET", "/cdn/", "cut", after=30_000, times=6)
    done = get(hub, tmp_path / "out")
    assert folder_hashes(tmp_path / "out") == folder_hashes(tmp_path / "1.1.0")
    everything = sum(path.stat().st_size for path in (tmp_path / "1.1.0").rglob("*") if path.is_file())
    assert done.downloaded_bytes == everything  # nothing came twice
    assert [row for row in hub.log if row[2] == 206]


def test_a_later_attempt_takes_up_the_part_that_is_there(hub: HubServer, tmp_path: Path) -> None:
    hub.fail("GET", "/cdn/", "cut", after=20_000, skip=3)
    down = hub.fail("GET", "/cdn/", "status", status=503, times=1000, skip=3)
    with pytest.raises(HubError, match="answers 503"):
        get(hub, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    kept = sum(path.stat().st_size for path in (tmp_path / "out.partial").rglob("*") if path.is_file())
    down.times = 0
    everything = sum(path.stat().st_size for path in (tmp_path / "1.1.0").rglob("*") if path.is_file())
    assert get(hub, tmp_path / "out").downloaded_bytes == everything - kept
    assert folder_hashes(tmp_path / "out") == folder_hashes(tmp_path / "1.1.0")


def test_leftovers_of_another_version_do_not_stay(hub: HubServer, tmp_path: Path) -> None:
    partial = tmp_path / "out.partial"
    (partial / "videos").mkdir(parents=True)
    (partial / "videos/carl.mp4").write_bytes(b"old")
    (partial / "videos/bert.mp4").write_bytes(b"old")
    (partial / "videos/anna.mp4.part").write_bytes(b"not a beginning of it")
    get(hub, tmp_path / "out")
    assert folder_hashes(tmp_path / "out") == folder_hashes(tmp_path / "1.1.0")


def test_changed_bytes_are_asked_for_again_and_then_refused(hub: HubServer, tmp_path: Path) -> None:
    hub.fail("GET", "/cdn/", "corrupt", skip=1)
    get(hub, tmp_path / "out")
    hub.fail("GET", "/cdn/", "corrupt", skip=1, times=100)
    with pytest.raises(HubError, match="comes with other bytes"):
        get(hub, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_hub_is_waited_for(hub: HubServer, tmp_path: Path, status: int) -> None:
    for path in ("/resolve/", "/cdn/", "/tree/", "/refs"):
        hub.fail("GET", path, "status", status=status, times=2, retry_after=0)
    get(hub, tmp_path / "out", "1.1.0")
    assert folder_hashes(tmp_path / "out") == folder_hashes(tmp_path / "1.1.0")


def test_a_full_disk_is_told_and_what_came_is_kept(hub: HubServer, tmp_path: Path) -> None:
    full = tmp_path / "out.partial/videos/bert.mp4.part"
    full.parent.mkdir(parents=True)
    full.symlink_to("/dev/full")  # every write to it fails as on a full disk
    with pytest.raises(HubError, match="disk is full"):
        get(hub, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out.partial/videos/anna.mp4").exists()
    full.unlink()
    get(hub, tmp_path / "out")
    assert folder_hashes(tmp_path / "out") == folder_hashes(tmp_path / "1.1.0")


def test_too_little_room_is_told_before_anything_comes(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(HubError, match=r"1\.0 kB are free"):
        get(hub, tmp_path / "out")


def test_an_unknown_version_names_the_known_ones(hub: HubServer, tmp_path: Path) -> None:
    with pytest.raises(HubError, match=r"v1\.0\.0, v1\.1\.0"):
        get(hub, tmp_path / "out", "2.0.0")


def test_a_private_data_set_is_for_its_members(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", READER)
    get(hub, tmp_path / "out")
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    with pytest.raises(HubError, match="no data set studio/dancers, or the token may not see it"):
        get(hub, tmp_path / "out2")


def test_people_are_for_those_who_were_let_in(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import HfApi

    people = write_release(tmp_path / "people", some_files("three"), version="2.0.0", people=True)
    publish(read_release(people), REPO, endpoint=hub.url, public=True)
    owner = HfApi(endpoint=hub.url)
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    with pytest.raises(HubError, match="access to studio/dancers must be granted"):
        get(hub, tmp_path / "out")
    owner.grant_access(REPO, "stranger", repo_type="dataset", token="hf_ownertoken0")
    get(hub, tmp_path / "out")
    assert folder_hashes(tmp_path / "out") == folder_hashes(people)


@pytest.mark.parametrize("path", ["../evil", "/etc/passwd", "a/../../b", "a\\b", "", "a//b"])
def test_a_manifest_cannot_name_files_outside(path: str) -> None:
    row = {path: {"bytes": 1, "sha256": "0" * 64}}
    with pytest.raises(HubError, match="impossible file"):
        parse_manifest(json.dumps({"files": row}).encode(), "MANIFEST.json")


@pytest.mark.parametrize("data", [b"", b"[]", b'{"files": 3}', b'{"files": {"a": {}}}', b"\xff"])
def test_a_damaged_manifest_is_told(data: bytes) -> None:
    with pytest.raises(HubError, match="damaged"):
        parse_manifest(data, "MANIFEST.json")
