"""Taking somebody out of a collection and of the hub, and completing it wherever it was cut off."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hub_cases import READER, REPO, holds, plain_build, serving
from hub_server import HubServer
from mannequin_collection import make_collection

from dataset.collection import Collection
from dataset.collection.records import CheckResult
from dataset.errors import CollectionError, DanceproofError, HubError
from dataset.hub import publish
from dataset.hub.journal import unfinished
from dataset.hub.manifest import read_release
from dataset.hub.tombstones import new_id, read_tombstones, withdrawn_among
from dataset.hub.withdraw import Withdrawn, prepare, withdraw
from dataset.hub.withdraw_local import words


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with serving(tmp_path / "hub", monkeypatch) as server:
        yield server


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """Three mannequins with fakes, models and a detector."""
    return make_collection(tmp_path / "collection")


@pytest.fixture
def published(hub: HubServer, collection: Collection) -> Collection:
    put(hub, collection)
    return collection


def put(hub: HubServer, collection: Collection, **more: bool) -> None:
    done = publish(read_release(plain_build(collection)), REPO, endpoint=hub.url, verify="quick", **more)
    collection.log("published", repo=REPO, version=done.version, commit=done.commit)


def take_out(hub: HubServer, collection: Collection, subject: str = "m2", **more: bool) -> Withdrawn:
    journal = prepare(collection, subject)
    return withdraw(collection, journal, endpoint=hub.url, build=plain_build, check=read_release, **more)


def naming(root: Path, subject: str) -> list[str]:
    """Files below a folder that name a subject, by name or in a text; two letters stand in any video by chance."""
    named, found = words([subject]), []
    for path in (path for path in root.rglob("*") if path.is_file()):
        name, content = path.relative_to(root).as_posix(), path.read_bytes()
        if named.search(name) or (b"\0" not in content and named.search(content.decode("utf-8", "replace"))):
            found.append(name)
    return sorted(found)


def test_nothing_of_them_is_left_here(hub: HubServer, published: Collection) -> None:
    before = {fake.id for fake in published.fakes() if "m2" in (fake.subject, fake.source_subject)}
    done = take_out(hub, published)
    assert before
    assert done.removed == {"recordings": 2, "fakes": len(before), "poses": 0, "models": 1}
    again = Collection.open(published.root)
    assert {recording.subject for recording in again.recordings()} == {"m1", "m3"}
    assert not [fake for fake in again.fakes() if "m2" in (fake.subject, fake.source_subject)]
    assert [model.subjects for model in again.models()] == [("m1",), ("m3",)]
    assert naming(published.root, "m2") == ["detectors/everybody/detector.json", "subjects/m2/subject.json"]
    assert again.subject("m2").status == "withdrawn"
    assert again.subject("m2").consent.problem("train", date.today())


def test_detectors_are_listed_to_be_trained_anew(hub: HubServer, published: Collection) -> None:
    done = take_out(hub, published)
    (record,) = published.detectors()
    assert "withdrawn" in record.retrain
    assert "m2" not in record.subjects
    assert done.retrain == (str(published.path_of(record)),)


def test_nothing_of_them_is_left_on_the_hub(hub: HubServer, published: Collection) -> None:
    repo = hub.store.get("datasets", REPO)
    assert repo is not None
    old = set(repo.reachable())
    objects = {path.name for path in (repo.folder / "lfs").iterdir()}
    done = take_out(hub, published)
    assert holds(hub, published.root / "releases/2.0.0")
    repo = hub.store.get("datasets", REPO)
    assert repo is not None
    assert list(repo.tags) == ["v2.0.0"]
    assert len(repo.history(repo.tags["v2.0.0"])) == 1
    assert not old & {path.stem for path in (repo.folder / "commits").iterdir()}
    kept = {entry["lfs"]["oid"] for entry in repo.tree("main").values() if entry["lfs"]}
    assert {path.name for path in (repo.folder / "lfs").iterdir()} == kept
    assert objects - kept
    assert not naming(repo.folder, "m2")
    assert done.checked == len(old) + len(objects - kept)
    assert len(hub.requests("HEAD", "/resolve/")) == len(objects - kept)  # each was asked for where it was
    assert done.repos == {REPO: repo.branches["main"]}


def test_the_tombstone_names_nobody_but_can_be_recognised(hub: HubServer, published: Collection) -> None:
    done = take_out(hub, published)
    (stone,) = read_tombstones(published.root)
    text = (published.root / "tombstones.json").read_text()
    assert stone.id == done.tombstone
    assert not words(["m2", "m1", "m3"]).search(text)
    assert withdrawn_among(["m1", "m2", "m3"], [stone.id]) == {"m2": stone.id}
    assert new_id("m2") != new_id("m2")
    history = json.loads((published.root / "releases/history.json").read_text())
    assert stone.id in history["releases"][0]["tombstones"]


def test_the_next_version_says_in_its_changes_that_somebody_was_withdrawn() -> None:
    from dataset.release.history import Past, changes

    stone = new_id("m2")
    # As `withdraw_local` leaves the entry before: nobody is named, and each video stands under the tombstone.
    items = {"m1-r0": "a" * 64, "m3-r0": "b" * 64, f"{stone}-1": "", f"{stone}-2": ""}
    last = Past("1.0.0", "2026-05-01", "", {"m1": "train"}, items, {stone: "2026-05-02"}, ())
    assert changes([last], {"m1-r0": "a" * 64}, last.tombstones) == (
        "1 video taken out.",
        f"Withdrawn: {stone}, with 2 videos. Delete your copies of everything that shows them or has their motion.",
    )
    told = Past("2.0.0", "2026-05-02", "", {"m1": "train"}, {"m1-r0": "a" * 64}, last.tombstones, ())
    assert changes([last, told], told.items, told.tombstones) == ("No video changed; texts or records did.",)


def test_two_can_be_withdrawn_one_after_the_other(hub: HubServer, published: Collection) -> None:
    take_out(hub, published, "m2")
    done = take_out(hub, published, "m1")
    assert done.version == "3.0.0"
    assert holds(hub, published.root / "releases/3.0.0")
    assert len(read_tombstones(published.root)) == 2
    repo = hub.store.get("datasets", REPO)
    assert repo is not None
    assert not naming(repo.folder, "m1")


def test_when_nobody_is_left_the_repository_goes(hub: HubServer, tmp_path: Path) -> None:
    alone = make_collection(tmp_path / "alone", subjects=1, recordings=1)
    put(hub, alone)
    done = take_out(hub, alone, "m1")
    assert done.version is None
    assert done.repos == {REPO: "deleted"}
    assert hub.store.get("datasets", REPO) is None


def test_where_publishing_was_begun_is_looked_at_and_nothing_is_made_there(
    hub: HubServer, published: Collection
) -> None:
    published.log("publishing", repo="studio/begun", version="1.0.0")
    assert list(prepare(published, "m2").repos) == ["studio/begun", REPO]
    done = take_out(hub, published)
    assert done.repos["studio/begun"] == "deleted"
    assert hub.store.get("datasets", "studio/begun") is None


def test_looking_changes_nothing(hub: HubServer, published: Collection) -> None:
    before = {path: path.read_bytes() for path in published.root.rglob("*") if path.is_file()}
    journal = prepare(published, "m2")
    assert journal.removed["recordings"] == 2
    assert list(journal.repos) == [REPO]
    assert before == {path: path.read_bytes() for path in published.root.rglob("*") if path.is_file()}


def test_nobody_is_withdrawn_twice_or_unknown(hub: HubServer, published: Collection) -> None:
    take_out(hub, published)
    with pytest.raises(HubError, match="m2 was withdrawn already"):
        prepare(published, "m2")
    with pytest.raises(CollectionError, match="no subject is called"):
        prepare(published, "m9")


def test_the_signed_form_stays_only_if_asked_for(hub: HubServer, published: Collection) -> None:
    for name in ("m2", "m3"):
        (published.root / f"private/{name}.json").write_text("{}")
    journal = prepare(published, "m2", keep_private=True)
    withdraw(published, journal, endpoint=hub.url, build=plain_build, check=read_release)
    take_out(hub, published, "m3")
    assert (published.root / "private/m2.json").exists()
    assert not (published.root / "private/m3.json").exists()


def test_a_model_elsewhere_is_named_and_not_touched(
    hub: HubServer, published: Collection, tmp_path: Path
) -> None:
    (model,) = [one for one in published.models() if one.subjects == ("m2",)]
    elsewhere = published.path_of(model).rename(tmp_path / "m2-elsewhere")
    with published.locked():
        published.write(replace(model, path=str(elsewhere)))
    done = take_out(hub, published)
    assert done.outside == (str(elsewhere),)
    assert elsewhere.is_dir()
    assert any(str(elsewhere) in line for line in done.cannot_recall)


def test_what_the_records_of_others_say_of_them_is_forgotten(hub: HubServer, published: Collection) -> None:
    other, theirs = published.recordings("m1")[0], published.recordings("m2")[0]
    check = CheckResult("warning", 0.7, 0.6, f"moves like {theirs.id} of m2 from 0.2 s on")
    with published.locked():
        published.write(replace(other, checks={"copy": check}, forced="m2 moves alike"))
        published.write(replace(published.subject("m3"), notes="a twin of m2"))
    take_out(hub, published)
    (again,) = [one for one in published.recordings("m1") if one.id == other.id]
    assert again.checks["copy"].text == "moves like (withdrawn) of (withdrawn) from 0.2 s on"
    assert naming(published.root, "m2") == ["detectors/everybody/detector.json", "subjects/m2/subject.json"]


class Stopped(Exception):
    """As if the process had ended here."""


STEPS = [
    "dataset.hub.withdraw.local.revoke",
    "dataset.hub.withdraw.remote.look",
    "dataset.hub.withdraw.local.remove_files",
    "dataset.collection.collection.Collection.remove",
    "dataset.hub.withdraw.local.remove_releases",
    "dataset.hub.withdraw.local.mark_withdrawn",
    "dataset.hub.withdraw._rebuild",
    "dataset.hub.withdraw.remote.purge",
    "dataset.hub.withdraw_hub.commit_release",
    "huggingface_hub.HfApi.delete_tag",
    "huggingface_hub.HfApi.super_squash_history",
    "huggingface_hub.HfApi.permanently_delete_lfs_files",
    "huggingface_hub.HfApi.create_tag",
    "dataset.hub.withdraw_hub.read_back",
    "dataset.hub.withdraw.local.forget_mentions",
    "dataset.hub.withdraw.local.rewrite_log",
    "dataset.hub.withdraw._prove",
    "dataset.hub.withdraw.add_tombstone",
    "dataset.hub.journal.Journal.delete",
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_it_is_completed_wherever_it_was_cut_off(
    hub: HubServer, published: Collection, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    real = _resolve(step)

    def stop(*args: object, **more: object) -> object:
        if after:
            real(*args, **more)
        raise Stopped(step)

    with monkeypatch.context() as patch:
        patch.setattr(step, stop)
        with pytest.raises(Stopped):
            take_out(hub, published)
    finished = not unfinished(published.root)
    if not finished:
        take_out(hub, Collection.open(published.root))
    assert finished == (step.endswith("Journal.delete") and after)
    assert holds(hub, published.root / "releases/2.0.0", "v2.0.0")
    assert naming(published.root, "m2") == ["detectors/everybody/detector.json", "subjects/m2/subject.json"]
    repo = hub.store.get("datasets", REPO)
    assert repo is not None
    assert not naming(repo.folder, "m2")
    assert len(read_tombstones(published.root)) == 1
    with pytest.raises(HubError, match="already"):
        prepare(published, "m2")


def _resolve(path: str) -> Callable[..., object]:
    return pkgutil.resolve_name(path)  # type: ignore[no-any-return]


def test_old_commits_that_go_on_answering_are_noticed(
    hub: HubServer, published: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_store import Repository

    monkeypatch.setattr(Repository, "delete_objects", lambda self, hashes, rewrite: None)
    with pytest.raises(HubError, match="still answers") as caught:
        take_out(hub, published)
    assert "--recreate" in str(caught.value)
    assert unfinished(published.root)
    assert not read_tombstones(published.root)
    done = take_out(hub, published, recreate=True)
    assert holds(hub, published.root / "releases/2.0.0", "v2.0.0")
    assert done.repos


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/lfs-files/batch"),
        ("POST", "/super-squash/"),
        ("DELETE", "/tag/"),
        ("GET", "/lfs-files"),
        ("GET", "/commits/"),
    ],
)
@pytest.mark.parametrize("kind", ["lost", "status"])
def test_it_gets_through_what_passes(
    hub: HubServer, published: Collection, method: str, path: str, kind: str
) -> None:
    fault = hub.fail(method, path, kind, status=500)
    take_out(hub, published)
    assert fault.times == 0
    assert holds(hub, published.root / "releases/2.0.0", "v2.0.0")


def test_without_rights_on_the_hub_nothing_is_removed_here(
    hub: HubServer, published: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", READER)
    with pytest.raises(HubError, match="write access"):
        take_out(hub, published)
    assert len(published.recordings("m2")) == 2


def test_who_was_let_in_is_named_to_be_told(hub: HubServer, collection: Collection) -> None:
    from huggingface_hub import HfApi

    put(hub, collection, public=True)
    api = HfApi(endpoint=hub.url)
    api.update_repo_settings(REPO, repo_type="dataset", gated="manual")
    api.grant_access(REPO, "stranger", repo_type="dataset")
    done = take_out(hub, collection)
    assert any("stranger" in line for line in done.cannot_recall)


def test_a_release_that_breaks_a_rule_stops_it_before_the_hub(hub: HubServer, published: Collection) -> None:
    def refuse(folder: Path) -> object:
        raise DanceproofError("breaks a rule", path=folder)

    with pytest.raises(DanceproofError, match="breaks a rule"):
        withdraw(
            published,
            prepare(published, "m2"),
            endpoint=hub.url,
            build=plain_build,
            check=refuse,  # type: ignore[arg-type]
        )
    assert list(hub.store.get("datasets", REPO).tags) == ["v1.0.0"]  # type: ignore[union-attr]
    take_out(hub, published)
    assert list(hub.store.get("datasets", REPO).tags) == ["v2.0.0"]  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["m2", "of m2.", '"m2":', "videos/m2/a.mp4", "m2 and m10"])
def test_a_name_is_found_where_it_stands_alone(text: str) -> None:
    assert words(["m2"]).search(text)


@pytest.mark.parametrize("text", ["m20", "am2", "m2-x", "m2_x", "x-m2", ""])
def test_a_name_is_not_found_within_another(text: str) -> None:
    assert not words(["m2"]).search(text)
