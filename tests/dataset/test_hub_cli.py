"""The hub's commands as typed, in processes of their own that know the hub by the environment alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_cases import OWNER, REPO, STRANGER, folder_hashes, run, serving, some_files, write_release
from hub_server import HubServer

from dataset.hub import publish
from dataset.hub.manifest import read_release


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """A hub with versions 1.0.0 and 1.1.0."""
    root = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as patch, serving(root / "hub", patch) as server:
        for version in ("1.0.0", "1.1.0"):
            folder = write_release(root / version, some_files(version), version=version)
            publish(read_release(folder), REPO, endpoint=server.url, verify="quick")
        yield server


def test_fetch_and_diff(hub: HubServer, tmp_path: Path) -> None:
    done = run(hub, tmp_path, "fetch", REPO, str(tmp_path / "out"), "--version", "1.0.0", "--json")
    told = json.loads(done.stdout)
    assert (told["version"], told["files"]) == ("1.0.0", len(folder_hashes(tmp_path / "out")))
    done = run(hub, tmp_path, "diff", str(tmp_path / "out"), REPO, "--exit-code")
    assert (done.returncode, done.stdout) == (0, "1.0.0 → 1.1.0: no difference\n")


def test_a_refusal_is_one_line_without_the_token(hub: HubServer, tmp_path: Path) -> None:
    done = run(hub, tmp_path, "fetch", REPO, str(tmp_path / "out"), token=STRANGER)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there is no data set studio/dancers, or the token may not see it")
    assert done.stderr.count("\n") == 1
    assert STRANGER not in done.stderr


def test_a_release_that_breaks_rules_is_refused_before_the_hub_is_asked(
    hub: HubServer, tmp_path: Path
) -> None:
    hub.log.clear()
    release = write_release(tmp_path / "release", some_files("three"), version="2.0.0")
    done = run(hub, tmp_path, "publish", str(release), REPO)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert OWNER not in done.stderr
    assert not hub.log
