"""Reading back what the hub holds, byte for byte, and comparing it with what it should be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from dataset.errors import HubError
from dataset.hub.client import HubRepository
from dataset.hub.manifest import Release, differences

#: "quick" compares the hashes that the hub states, "full" downloads every byte and hashes it here.
MODES = ("quick", "full")


def read_back(
    hub: HubRepository,
    release: Release,
    revision: str,
    *,
    mode: str = "full",
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Make sure that a revision has exactly the files of a release.

    Args:
        hub: the repository.
        release: what should be there.
        revision: branch, tag or commit.
        mode: one of `MODES`.
        progress: called with (files done, files in all).

    Returns:
        How many files were compared.

    Raises:
        HubError: a file is missing, another, or too many, or cannot be read.
    """
    changed, strangers = differences(release, hub.files(revision))
    if changed or strangers:
        name = changed[0].path if changed else strangers[0]
        raise HubError(
            f"{hub.repo_id} at {revision} differs from the release in {len(changed) + len(strangers)} files, "
            f"such as {name}",
            hint="publish again",
        )
    if mode == "full":
        for index, entry in enumerate(release.files.values()):
            if sha256_of(hub, entry.path, revision) != entry.sha256:
                raise HubError(
                    f"{entry.path} of {hub.repo_id} at {revision} comes back with other bytes than were sent",
                    hint="verify again; if it stays so, delete the file on the hub and publish again",
                )
            if progress is not None:
                progress(index + 1, len(release.files))
    return len(release.files)


def sha256_of(hub: HubRepository, path: str, revision: str) -> str:
    """SHA-256 of the bytes that the hub hands out; nothing is kept.

    Raises:
        HubError: they cannot be read.
    """
    digest = hashlib.sha256()
    for chunk in hub.read(path, revision):
        digest.update(chunk)
    return digest.hexdigest()
