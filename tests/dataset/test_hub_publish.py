"""Publishing on a hub that is spoken to over HTTP by the real client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hub_cases import OWNER, READER, REPO, STRANGER, holds, serving, some_files, tree_hashes, write_release
from hub_server import HubServer

from dataset.errors import HubConflictError, HubError
from dataset.hub import HubRepository, Published, check_release, plan, publish
from dataset.hub.manifest import read_release


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with serving(tmp_path / "hub", monkeypatch) as server:
        yield server


def put(hub: HubServer, folder: Path, **more: object) -> Published:
    return publish(read_release(folder), REPO, endpoint=hub.url, **more)  # type: ignore[arg-type]


def test_what_is_published_is_the_release_private_and_tagged(hub: HubServer, tmp_path: Path) -> None:
    release = write_release(tmp_path / "release")
    done = put(hub, release)
    assert holds(hub, release, "main")
    assert holds(hub, release, "v1.0.0")
    repo = hub.store.get("datasets", REPO)
    assert repo is not None
    assert repo.private
    assert (done.uploaded, done.verified, done.removed) == (7, 7, 0)


def test_pages_and_manifest_are_objects_that_can_be_deleted_for_good(hub: HubServer, tmp_path: Path) -> None:
    put(hub, write_release(tmp_path / "release"))
    tree = hub.store.get("datasets", REPO).tree("main")  # type: ignore[union-attr]
    assert tree["preview/bert.html"]["lfs"]
    assert tree["MANIFEST.json"]["lfs"]
    assert tree["README.md"]["lfs"] is None


def test_a_second_run_sends_nothing(hub: HubServer, tmp_path: Path) -> None:
    release = write_release(tmp_path / "release")
    first = put(hub, release)
    hub.log.clear()
    again = put(hub, release)
    assert (again.uploaded, again.commit) == (0, first.commit)
    assert not hub.requests("PUT", "/s3/")
    assert not hub.requests("POST", "/commit/")


def test_a_new_version_sends_what_changed_and_takes_away_what_went(hub: HubServer, tmp_path: Path) -> None:
    put(hub, write_release(tmp_path / "old"))
    hub.log.clear()
    files = some_files("two")
    del files["videos/anna.mp4"]
    new = write_release(tmp_path / "new", files, version="1.1.0")
    done = put(hub, new)
    assert holds(hub, new, "v1.1.0")
    assert holds(hub, tmp_path / "old", "v1.0.0")
    assert done.removed == 1
    assert len(hub.requests("PUT", "/s3/")) == 4  # bert's video, his page, release.json, the manifest


def test_a_dry_run_changes_nothing(hub: HubServer, tmp_path: Path) -> None:
    release = read_release(write_release(tmp_path / "release"))
    what = plan(HubRepository(REPO, endpoint=hub.url), release)
    assert len(what.up) == 7
    assert "new repository" in what.lines(REPO)[0]
    assert hub.store.get("datasets", REPO) is None
    assert not [row for row in hub.log if row[0] != "GET"]


def test_large_files_go_up_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path / "hub", monkeypatch, part_bytes=20_000) as hub:
        release = write_release(tmp_path / "release")
        put(hub, release)
        assert holds(hub, release)
        assert len(hub.requests("PUT", r"/s3/.*/00002\?")) == 2


def test_people_are_gated_before_the_repository_opens(hub: HubServer, tmp_path: Path) -> None:
    done = put(hub, write_release(tmp_path / "release", people=True), public=True)
    settings = hub.requests("PUT", "/settings")
    repo = hub.store.get("datasets", REPO)
    assert repo is not None
    assert (repo.private, repo.gated, done.gated) == (False, "manual", "manual")
    assert len(settings) == 2
    assert hub.log.index(settings[0]) > hub.log.index(hub.requests("POST", "/tag/")[0])


def test_people_do_not_go_up_into_an_open_repository(hub: HubServer, tmp_path: Path) -> None:
    put(hub, write_release(tmp_path / "old"), public=True)
    assert not hub.store.get("datasets", REPO).gated  # type: ignore[union-attr]
    hub.log.clear()
    put(hub, write_release(tmp_path / "new", some_files("two"), version="1.1.0", people=True))
    assert hub.store.get("datasets", REPO).gated == "manual"  # type: ignore[union-attr]
    order = [row[0] for row in hub.log if row[0] == "PUT"]
    assert hub.log.index(hub.requests("PUT", "/settings")[0]) < hub.log.index(hub.requests("PUT", "/s3/")[0])
    assert len(order) == 5


def test_a_release_that_breaks_a_rule_is_not_published(tmp_path: Path) -> None:
    finding = SimpleNamespace(
        rule="consent", severity="error", item="anna", text="the consent of anna ran out"
    )
    with pytest.raises(HubError, match="consent of anna ran out"):
        check_release(write_release(tmp_path / "release"), validate=lambda folder: [finding])


def test_a_warning_does_not_stop_it(tmp_path: Path) -> None:
    finding = SimpleNamespace(rule="balance", severity="warning", item="", text="few fakes")
    assert check_release(write_release(tmp_path / "r"), validate=lambda folder: [finding]).version == "1.0.0"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "private.json").write_text("{}"), "private.json is not in the manifest"),
        (lambda folder: (folder / "videos/anna.mp4").unlink(), "no plain file"),
        (lambda folder: (folder / "videos/anna.mp4").write_bytes(b"x"), "another size"),
        (lambda folder: (folder / "release.json").unlink(), "release.json is missing"),
    ],
)
def test_a_folder_that_is_not_its_manifest_is_refused(tmp_path: Path, spoil: object, told: str) -> None:
    folder = write_release(tmp_path / "release")
    spoil(folder)  # type: ignore[operator]
    with pytest.raises(HubError, match=told):
        read_release(folder)


def test_a_file_that_changed_after_the_check_is_not_committed(hub: HubServer, tmp_path: Path) -> None:
    release = read_release(write_release(tmp_path / "release"))
    size = (tmp_path / "release/videos/anna.mp4").stat().st_size
    (tmp_path / "release/videos/anna.mp4").write_bytes(b"\1" * size)
    with pytest.raises(HubError, match="changed since the release was built"):
        publish(release, REPO, endpoint=hub.url)
    assert not [path for path in tree_hashes(hub) if path != ".gitattributes"]


@pytest.mark.parametrize("token", [READER, STRANGER, "hf_unknowntoken", ""])
def test_a_token_without_rights_is_told_and_not_shown(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    if not token:
        monkeypatch.delenv("HF_TOKEN")
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
        monkeypatch.setattr("huggingface_hub.utils._auth._get_token_from_file", lambda: None)
    with pytest.raises(HubError, match="hf auth login") as caught:
        put(hub, write_release(tmp_path / "release"))
    assert "hf_" not in str(caught.value)
    assert hub.store.get("datasets", REPO) is None


def test_a_reader_may_not_change_what_is_there(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write_release(tmp_path / "old")
    put(hub, old)
    monkeypatch.setenv("HF_TOKEN", READER)
    with pytest.raises(HubError, match="write access"):
        put(hub, write_release(tmp_path / "new", some_files("two"), version="1.1.0"))
    assert holds(hub, old)


def test_a_name_that_is_taken_by_another_data_set(hub: HubServer, tmp_path: Path) -> None:
    other = write_release(tmp_path / "other", name="singers")
    put(hub, other)
    with pytest.raises(HubConflictError, match="taken: it holds the data set 'singers'"):
        put(hub, write_release(tmp_path / "release"))
    assert holds(hub, other)


def test_a_name_that_is_taken_between_looking_and_creating(hub: HubServer, tmp_path: Path) -> None:
    def other_is_faster(method: str, address: str) -> None:
        if address == "/api/repos/create":
            hub.before = None
            put(hub, write_release(tmp_path / "other", name="singers"))

    hub.before = other_is_faster
    with pytest.raises(HubConflictError, match="taken"):
        put(hub, write_release(tmp_path / "release"))
    assert holds(hub, tmp_path / "other")


@pytest.mark.parametrize("moment", ["/commit/main", "/preupload/", "/objects/batch"])
def test_of_two_publishers_the_slower_is_refused_and_nothing_is_mixed(
    hub: HubServer, tmp_path: Path, moment: str
) -> None:
    put(hub, write_release(tmp_path / "old"))
    theirs = write_release(tmp_path / "theirs", {**some_files("theirs"), "theirs.txt": "t"}, version="1.2.0")
    ours = write_release(tmp_path / "ours", {**some_files("ours"), "ours.txt": "o"}, version="1.1.0")

    def other_is_faster(method: str, address: str) -> None:
        if moment in address:
            hub.before = None
            put(hub, theirs)

    hub.before = other_is_faster
    with pytest.raises(HubConflictError, match="somebody else has changed"):
        put(hub, ours)
    assert holds(hub, theirs)
    assert holds(hub, theirs, "v1.2.0")
    with pytest.raises(HubConflictError, match=r"1\.2\.0, which is newer"):
        put(hub, ours)


def test_a_version_is_not_published_twice_with_other_content(hub: HubServer, tmp_path: Path) -> None:
    put(hub, write_release(tmp_path / "old"))
    put(hub, write_release(tmp_path / "new", some_files("two"), version="1.1.0"))
    with pytest.raises(HubConflictError, match=r"version 1\.0\.0 already, with other content"):
        put(hub, write_release(tmp_path / "other", some_files("three")))
    assert put(hub, tmp_path / "old").uploaded == 0  # the same content is there, under a newer version
    assert holds(hub, tmp_path / "new")


FAULTS = [
    ("PUT", "/s3/", {"kind": "cut", "after": 3000, "times": 3}),
    ("PUT", "/s3/", {"kind": "status", "status": 500, "times": 2}),
    ("POST", "/objects/batch", {"kind": "status", "status": 429, "retry_after": 0}),
    ("POST", "/commit/", {"kind": "status", "status": 500, "times": 2, "skip": 1}),
    ("POST", "/commit/", {"kind": "status", "status": 429, "retry_after": 0, "times": 2}),
    ("POST", "/commit/", {"kind": "lost"}),
    ("POST", "/commit/", {"kind": "lost", "skip": 1}),
    ("POST", "/commit/", {"kind": "cut", "after": 100, "skip": 1}),
    ("POST", "/tag/", {"kind": "lost"}),
    ("POST", "/tag/", {"kind": "status", "status": 503}),
    ("POST", "/repos/create", {"kind": "lost"}),
    ("POST", "/verify", {"kind": "status", "status": 502}),
    ("GET", "/cdn/", {"kind": "cut", "after": 20_000, "times": 2}),
    ("GET", "/resolve/", {"kind": "status", "status": 429, "retry_after": 0, "times": 2}),
    ("GET", "/tree/", {"kind": "status", "status": 500}),
    ("GET", "/api/datasets/", {"kind": "cut", "after": 10}),
]


@pytest.mark.parametrize(
    ("method", "path", "fault"),
    FAULTS,
    ids=[f"{m} {p} {f['kind']} {f.get('status', '')}" for m, p, f in FAULTS],
)
def test_it_gets_through_what_passes(
    hub: HubServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    fault: dict[str, object],
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    release = write_release(tmp_path / "release")
    struck = hub.fail(method, path, **fault)  # type: ignore[arg-type]
    put(hub, release)
    assert struck.times == 0
    assert holds(hub, release)
    assert holds(hub, release, "v1.0.0")
    assert len(hub.requests("POST", "/commit/")) <= 5


def test_a_hub_that_stays_down_leaves_the_old_version(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    old = write_release(tmp_path / "old")
    put(hub, old)
    new = write_release(tmp_path / "new", some_files("two"), version="1.1.0")
    down = hub.fail("PUT", "/s3/", "status", status=503, times=1000)
    with pytest.raises(HubError, match="answers 503"):
        put(hub, new)
    assert holds(hub, old)
    assert "Signature" not in caplog.text
    assert OWNER not in caplog.text
    down.times = 0
    put(hub, new)
    assert holds(hub, new)


def test_a_full_store_is_told_as_the_hub_says_it(hub: HubServer, tmp_path: Path) -> None:
    put(hub, write_release(tmp_path / "old"))
    repo = hub.store.get("datasets", REPO)
    assert repo is not None
    repo.limit = 1000
    repo.save()
    with pytest.raises(HubError, match="storage limit reached"):
        put(hub, write_release(tmp_path / "new", some_files("two"), version="1.1.0"))
    assert holds(hub, tmp_path / "old")


def test_bytes_that_come_back_changed_are_noticed(hub: HubServer, tmp_path: Path) -> None:
    hub.fail("GET", "/cdn/", "corrupt", skip=2)
    with pytest.raises(HubError, match="comes back with other bytes"):
        put(hub, write_release(tmp_path / "release"))


def test_a_quick_verification_downloads_no_object(hub: HubServer, tmp_path: Path) -> None:
    put(hub, write_release(tmp_path / "release"), verify="quick")
    assert not hub.requests("GET", "/cdn/")
