"""The part of a withdrawal that happens on a hub: a new version, no history, no old objects, and the proof."""

from __future__ import annotations

from collections.abc import Callable

from dataset.errors import HubError
from dataset.hub.client import ATTRIBUTES, KIND, HubRepository, RemoteFile
from dataset.hub.commit import commit_release
from dataset.hub.journal import Journal, Traces
from dataset.hub.manifest import Release
from dataset.hub.publish import create, plan, tag_of
from dataset.hub.readback import read_back
from dataset.hub.withdraw_local import words

_TEXT_LIMIT = 64 << 20
_TEXTS = (".json", ".jsonl", ".md", ".html", ".csv", ".cff", ".txt", ".yaml", ".yml", "LICENSE")


def look(hub: HubRepository) -> Traces:
    """Everything that can be reached in a repository now.

    Raises:
        HubError: it cannot be listed; the token must be one with write access.
    """
    if hub.state() is None:
        return Traces()
    commits: dict[str, None] = {}
    objects: dict[str, list[str]] = {}
    for head in {**hub.branches(), **hub.tags()}.values():
        for commit in hub.history(head):
            if commit in commits:
                continue
            commits[commit] = None
            for path, file in hub.files(commit).items():
                if file.sha256 is not None:
                    objects[file.sha256] = [path, commit]
    for sha256, path in _objects(hub):
        objects.setdefault(sha256, [path, ""])
    return Traces(list(commits), objects, _access(hub))


def purge(hub: HubRepository, release: Release, tell: Callable[[str, int, int], None]) -> str:
    """Leave a repository with one version and nothing else; returns its commit.

    The order matters for whoever looks meanwhile: first the new version is there, then the old one goes.

    Raises:
        HubError: the hub refuses, or somebody else publishes meanwhile.
    """
    tag = tag_of(release.version)
    what = plan(hub, release)
    if what.head is None:
        create(hub)
    commit_release(hub, what, f"Version {release.version}: somebody was withdrawn", tell)
    for name in hub.tags():
        hub.call(f"removing the tag {name}", lambda name=name: _forget_tag(hub, name))  # type: ignore[misc]
    for name in hub.branches():
        if name != "main":
            hub.call(f"removing the branch {name}", lambda name=name: _forget_branch(hub, name))  # type: ignore[misc]
    hub.call(
        "removing the history",
        lambda: hub.api.super_squash_history(
            hub.repo_id, repo_type=KIND, branch="main", commit_message=f"Version {release.version}"
        ),
    )
    keep = {file.sha256 for file in hub.files("main").values()}
    hub.call("deleting objects for good", lambda: _delete_objects(hub, keep))
    state = hub.state()
    if state is None:
        raise HubError(f"{hub.repo_id} has gone while it was cleared")
    hub.call(
        "tagging",
        lambda: hub.api.create_tag(hub.repo_id, tag=tag, revision=state.head, repo_type=KIND, exist_ok=True),
    )
    read_back(hub, release, tag, progress=lambda done, count: tell("reading back", done, count))
    return state.head


def recreate(hub: HubRepository, release: Release, tell: Callable[[str, int, int], None]) -> str:
    """Delete a repository with all it ever had, and publish the release in a new one of the same name.

    For hubs that keep serving old commits to whoever knows their names. Likes, discussions and access grants go too.

    Raises:
        HubError: the hub refuses.
    """
    state = hub.state()
    if state is not None:
        hub.call(
            "deleting the repository",
            lambda: hub.api.delete_repo(hub.repo_id, repo_type=KIND, missing_ok=True),
        )
    commit = purge(hub, release, tell)
    if state is not None and not state.private:
        if state.gated:
            hub.call(
                "closing it",
                lambda: hub.api.update_repo_settings(hub.repo_id, repo_type=KIND, gated=state.gated),
            )
        hub.call(
            "opening it", lambda: hub.api.update_repo_settings(hub.repo_id, repo_type=KIND, private=False)
        )
    return commit


def delete(hub: HubRepository) -> None:
    """Delete a repository: nothing in it may be published any more.

    Raises:
        HubError: the hub refuses.
    """
    hub.call(
        "deleting the repository", lambda: hub.api.delete_repo(hub.repo_id, repo_type=KIND, missing_ok=True)
    )


def prove(hub: HubRepository, journal: Journal, traces: Traces) -> tuple[list[str], int]:
    """What can still be had from a repository that should be gone.

    Looks at every revision that can be listed (names and texts), asks for each old commit and for each old file at the
    address where it was, and looks through the hub's list of large objects.

    Returns:
        (what is left, a line each; how many old commits and files were asked for)

    Raises:
        HubError: the hub cannot tell.
    """
    if hub.state() is None:
        return [], 0
    left: list[str] = []
    named = words([journal.subject, *journal.ids])
    now: set[str] = set()
    current: set[str] = set()
    for name, head in {**hub.branches(), **hub.tags()}.items():
        for commit in hub.history(head):
            if commit in current:
                continue
            current.add(commit)
            files = hub.files(commit)
            now |= {file.sha256 for file in files.values() if file.sha256 is not None}
            left.extend(f"{name}: {path}" for path in files if named.search(path))
            left.extend(
                f"{name}: {path} names them"
                for path, file in files.items()
                if _is_text(path, file) and named.search(hub.text(path, commit).decode("utf-8", "replace"))
            )
    commits = [commit for commit in traces.commits if commit not in current]
    left.extend(f"commit {commit[:12]} still answers" for commit in commits if answers(hub, commit))
    objects = {sha256: where for sha256, where in traces.objects.items() if sha256 not in now}
    left.extend(
        f"{path} of commit {commit[:12]} can be downloaded"
        for path, commit in objects.values()
        if commit and readable(hub, path, commit)
    )
    held = {sha256 for sha256, _ in _objects(hub)}
    left.extend(f"object {sha256[:12]}… ({objects[sha256][0]})" for sha256 in objects if sha256 in held)
    return left, len(commits) + len(objects)


def answers(hub: HubRepository, revision: str) -> bool:
    """Whether the hub knows a revision.

    Raises:
        HubError: it cannot tell.
    """
    from huggingface_hub.errors import RevisionNotFoundError

    def ask() -> bool:
        try:
            hub.api.dataset_info(hub.repo_id, revision=revision)
        except RevisionNotFoundError:
            return False
        return True

    return hub.call("asking for an old commit", ask)


def readable(hub: HubRepository, path: str, revision: str) -> bool:
    """Whether the hub hands out a file: false for 403, 404 and 410.

    Raises:
        HubError: it cannot tell.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    def ask() -> bool:
        url = hf_hub_url(hub.repo_id, path, repo_type=KIND, revision=revision, endpoint=hub.endpoint)
        try:
            hub.api.get_hf_file_metadata(url=url)
        except HfHubHTTPError as error:
            if error.response.status_code in (403, 404, 410):
                return False
            raise
        return True

    return hub.call("asking for an old file", ask)


def _is_text(path: str, file: RemoteFile) -> bool:
    return path != ATTRIBUTES and path.endswith(_TEXTS) and file.size <= _TEXT_LIMIT


def _objects(hub: HubRepository) -> list[tuple[str, str]]:
    """(hash, a path) of every large object that the hub keeps for the repository."""
    return hub.call(
        "listing the large objects",
        lambda: [(row.file_oid, row.filename) for row in hub.api.list_lfs_files(hub.repo_id, repo_type=KIND)],
    )


def _access(hub: HubRepository) -> list[str]:
    state = hub.state()
    if state is None or not state.gated:
        return []
    rows = hub.call(
        "listing who was let in",
        lambda: list(hub.api.list_accepted_access_requests(hub.repo_id, repo_type=KIND)),
    )
    return sorted(row.username for row in rows if row.username)


def _delete_objects(hub: HubRepository, keep: set[str | None]) -> None:
    old = [row for row in hub.api.list_lfs_files(hub.repo_id, repo_type=KIND) if row.file_oid not in keep]
    if old:
        hub.api.permanently_delete_lfs_files(hub.repo_id, old, repo_type=KIND, rewrite_history=True)


def _forget_tag(hub: HubRepository, name: str) -> None:
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        hub.api.delete_tag(hub.repo_id, repo_type=KIND, tag=name)
    except RevisionNotFoundError:
        return  # an earlier attempt got through


def _forget_branch(hub: HubRepository, name: str) -> None:
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        hub.api.delete_branch(hub.repo_id, repo_type=KIND, branch=name)
    except RevisionNotFoundError:
        return  # an earlier attempt got through
