"""One commit that turns a hub's branch main into a release, on top of a commit that is named, or none at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dataset.errors import HubConflictError, HubError
from dataset.hub.client import ATTRIBUTES, KIND, HubRepository
from dataset.hub.manifest import differences

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    from dataset.hub.publish import Plan

#: Texts that are kept as large objects, because only those can be deleted for good: whatever shows or names people.
LARGE_TEXTS = ("*.html", "*.jsonl", "*.csv", "MANIFEST.json", "release.json", "croissant.json")
_RULE = "filter=lfs diff=lfs merge=lfs -text"
_BATCH = 64  # files that are handed to the object store at a time

Progress = Callable[[str, int, int], None]


def commit_release(hub: HubRepository, what: Plan, title: str, tell: Progress) -> str:
    """Bring the branch main to the release in one commit; returns the commit that has it.

    Raises:
        HubConflictError: somebody else committed meanwhile.
        HubError: the hub refuses, or a file changed since it was checked.
    """
    if what.head is not None and not what.up and not what.away:
        return what.head
    state = hub.state()
    if state is None:
        raise HubError(
            f"{hub.repo_id} cannot be seen after it was made", hint="check the rights of the token"
        )
    if what.head not in (None, state.head):
        raise _raced(hub)
    from huggingface_hub import CommitOperationDelete

    parent = _large_text_rules(hub, state.head)
    additions = _upload(hub, what, tell)
    remote = hub.files(parent)
    operations: list[Any] = [
        *additions,
        *(CommitOperationDelete(path) for path in what.away if path in remote),
    ]
    return _commit(
        hub, operations, title, parent, lambda: differences(what.release, hub.files("main")) == ([], [])
    )


def _large_text_rules(hub: HubRepository, head: str) -> str:
    """Have the hub keep `LARGE_TEXTS` as large objects; returns the commit to build on."""
    from huggingface_hub import CommitOperationAdd

    current = hub.text(ATTRIBUTES, head).decode() if ATTRIBUTES in hub.files(head) else ""
    missing = [
        f"{pattern} {_RULE}" for pattern in LARGE_TEXTS if f"{pattern} {_RULE}" not in current.splitlines()
    ]
    if not missing:
        return head
    lines = [*current.rstrip("\n").split("\n"), *missing] if current else missing
    content = ("\n".join(lines) + "\n").encode()
    return _commit(
        hub,
        [CommitOperationAdd(ATTRIBUTES, content)],
        "Keep what shows or names people as objects that can be deleted for good",
        head,
        lambda: hub.text(ATTRIBUTES, "main") == content,
    )


def _upload(hub: HubRepository, what: Plan, tell: Progress) -> list[CommitOperationAdd]:
    """Hand everything large to the object store; what is there already is not sent again."""
    from huggingface_hub import CommitOperationAdd

    additions = []
    for start in range(0, len(what.up), _BATCH):
        entries = what.up[start : start + _BATCH]
        batch = [CommitOperationAdd(entry.path, str(what.release.folder / entry.path)) for entry in entries]
        hub.call(
            "uploading",
            lambda batch=batch: hub.api.preupload_lfs_files(  # type: ignore[misc]
                hub.repo_id, batch, repo_type=KIND, num_threads=4, free_memory=False
            ),
            attempts=2,  # the client itself is patient with each file
        )
        for entry, addition in zip(entries, batch, strict=True):
            if addition.upload_info.sha256.hex() != entry.sha256:
                raise HubError(
                    "changed since the release was built",
                    path=what.release.folder / entry.path,
                    hint="build it anew",
                )
        additions.extend(batch)
        tell("uploading", start + len(batch), len(what.up))
    return additions


def _commit(
    hub: HubRepository,
    operations: Sequence[CommitOperationAdd | CommitOperationDelete],
    title: str,
    parent: str,
    is_there: Callable[[], bool],
) -> str:
    """One commit on top of `parent` or none; asked again if the answer is lost.

    A commit that got through, though the answer did not, makes the second attempt collide with it. Then what is on
    the hub decides.
    """
    try:
        info = hub.call(
            "committing",
            lambda: hub.api.create_commit(
                hub.repo_id, list(operations), commit_message=title, repo_type=KIND, parent_commit=parent
            ),
        )
        return str(info.oid)
    except HubConflictError:
        state = hub.state()
        if state is not None and hub.history(state.head)[1:2] == [parent] and is_there():
            return state.head
        raise _raced(hub) from None


def _raced(hub: HubRepository) -> HubConflictError:
    return HubConflictError(
        f"somebody else has changed {hub.repo_id} meanwhile; nothing of this release was put among it",
        hint="see what they did, then publish again",
    )
