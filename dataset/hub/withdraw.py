"""Taking somebody out: of the collection, of its releases, and of every place on a hub where they were published.

The steps, each of which may be cut off and done again:

    begin      write down what derives from them (`dataset.hub.journal`), before anything is removed
    revoke     from now on their consent covers nothing
    look       what each repository has: commits, objects, who was let in
    remove     recordings, fakes, poses, models, old releases; detectors are marked as to be trained anew
    rebuild    a new release of what is left
    purge      each repository: the new version, then no old tag, no history, no old object
    prove      read back: nothing that names them or is theirs can be listed or downloaded
    end        a tombstone that names nobody, and the journal goes
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dataset.collection.collection import Collection
from dataset.errors import HubError, ReleaseError
from dataset.hub import withdraw_hub as remote
from dataset.hub import withdraw_local as local
from dataset.hub.client import HubRepository
from dataset.hub.journal import Journal, Traces, begin, published_to, unfinished
from dataset.hub.manifest import Release
from dataset.hub.publish import check_release, find_release
from dataset.hub.tombstones import Tombstone, add_tombstone

Progress = Callable[[str, int, int], None]
Build = Callable[[Collection], Path]
Check = Callable[[Path], Release]


@dataclass(frozen=True)
class Withdrawn:
    """What a withdrawal did.

    Attributes:
        tombstone: its id.
        date: the day.
        removed: kind → how many.
        version: of the release that replaces the old ones; None if nothing is left to release.
        repos: repository → its only commit; "deleted" where there is no repository any more.
        checked: how many old commits and objects were asked for and are gone.
        outside: folders of models outside the collection, to be deleted by hand.
        retrain: folders of detectors to be trained anew.
        cannot_recall: what is beyond reach, for people to act on.
    """

    tombstone: str
    date: str
    removed: dict[str, int]
    version: str | None
    repos: dict[str, str]
    checked: int
    outside: tuple[str, ...]
    retrain: tuple[str, ...]
    cannot_recall: tuple[str, ...]


def prepare(
    collection: Collection,
    subject: str,
    *,
    repos: tuple[str, ...] = (),
    reason: str = "",
    keep_private: bool = False,
) -> Journal:
    """What withdrawing somebody will remove; a withdrawal of theirs that was cut off is taken up. Changes nothing.

    Args:
        collection: where they are.
        subject: their pseudonym.
        repos: repositories besides those that the collection's log names.
        reason: as given, if any was.
        keep_private: leave the real name and the signed form in ``private/``, for whoever has to show that there was
            consent.

    Raises:
        CollectionError: there is nobody of that id.
        HubError: they were withdrawn before.
    """
    for journal in unfinished(collection.root):
        if journal.subject == subject:
            journal.repos = {**dict.fromkeys(repos), **journal.repos}
            return journal
    if collection.subject(subject).status == "withdrawn":
        raise HubError(f"{subject} was withdrawn already", path=collection.root)
    names = sorted({*published_to(collection), *repos})
    return begin(collection, subject, reason=reason, keep_private=keep_private, repos=names)


def withdraw(
    collection: Collection,
    journal: Journal,
    *,
    recreate: bool = False,
    endpoint: str | None = None,
    build: Build | None = None,
    check: Check | None = None,
    progress: Progress | None = None,
) -> Withdrawn:
    """Do it, or do the rest of it.

    Args:
        collection: where they are.
        journal: from `prepare`.
        recreate: delete each repository and make it anew, instead of clearing it.
        endpoint: address of the hub; None for huggingface_hub's own.
        build: makes the new release; `dataset.release.build.build` if None.
        check: reads and validates it; `dataset.hub.publish.check_release` if None.
        progress: called with (what is being done, done, in all).

    Raises:
        HubError: a hub refuses or cannot be reached, or something is left that can still be had. Calling it again goes
            on with what is left to do.
    """
    tell = progress or (lambda what, done, count: None)
    root = collection.root
    journal.save(root)
    local.revoke(collection, journal)
    hubs = {repo: HubRepository(repo, endpoint=endpoint) for repo in journal.repos}
    for repo, hub in hubs.items():
        if journal.repos[repo] is None:
            journal.repos[repo] = remote.look(hub)
            journal.save(root)
    if "remove" not in journal.done:
        local.remove_files(collection, journal)
        local.remove_releases(collection, journal)
        local.mark_withdrawn(collection, journal)
        journal.finish(root, "remove")
    release = _rebuild(collection, journal, build, check)
    for repo, hub in hubs.items():
        if not (journal.repos[repo] or Traces()).commits:
            continue  # nothing was there, or the owners have deleted it
        if release is None:
            remote.delete(hub)
        elif recreate:
            remote.recreate(hub, release, tell)
        else:
            remote.purge(hub, release, tell)
    local.forget_mentions(collection, journal)
    local.rewrite_log(collection, journal)
    commits, asked = _prove(collection, journal, hubs)
    add_tombstone(root, Tombstone(journal.id, journal.date, journal.removed))
    collection.log("withdrawn", tombstone=journal.id, version=release.version if release else None)
    for repo in hubs if release else ():
        collection.log(
            "published", repo=repo, version=release.version if release else "", commit=commits[repo]
        )
    journal.delete(root)
    return Withdrawn(
        tombstone=journal.id,
        date=journal.date,
        removed=journal.removed,
        version=release.version if release else None,
        repos=commits,
        checked=asked,
        outside=tuple(journal.outside),
        retrain=tuple(journal.retrain),
        cannot_recall=tuple(beyond_reach(journal)),
    )


def beyond_reach(journal: Journal) -> list[str]:
    """What no command can take back, in lines for people to act on."""
    lines = [f"the model in {path} lies outside of the collection: delete it" for path in journal.outside]
    lines += [f"the detector in {path} knows them: train it anew without them" for path in journal.retrain]
    for repo, traces in journal.repos.items():
        lines.append(
            f"copies and forks of {repo} that others made: the new version asks them to delete theirs"
        )
        if traces is not None and traces.access:
            lines.append(f"{repo} was open to {', '.join(traces.access)}: tell them")
    return lines


def _rebuild(
    collection: Collection, journal: Journal, build: Build | None, check: Check | None
) -> Release | None:
    """The release of what is left, None if there is nothing to release or there never was a release."""
    if not (collection.root / "releases" / "history.json").is_file():
        if journal.repos:
            raise HubError(
                f"no release was built here, so there is none to replace what {next(iter(journal.repos))} has",
                path=collection.root,
                hint="withdraw in the collection that it was published from",
            )
        return None
    if build is None:
        from dataset.release.build import build as build_release

        build = build_release
    try:
        folder = build(collection)
    except ReleaseError as error:
        if "may be published" in error.problem:
            return None
        raise
    return (check or check_release)(find_release(folder)[0])


def _prove(
    collection: Collection, journal: Journal, hubs: dict[str, HubRepository]
) -> tuple[dict[str, str], int]:
    """(repository → its commit, how many old commits and files were asked for), once nothing is left anywhere."""
    left = [f"{collection.root / name}" for name in local.left_behind(collection, journal)]
    commits, asked = {}, 0
    for repo, hub in hubs.items():
        found, count = remote.prove(hub, journal, journal.repos[repo] or Traces())
        left.extend(f"{repo}: {what}" for what in found)
        asked += count
        state = hub.state()
        commits[repo] = "deleted" if state is None else state.head
    if left:
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        raise HubError(
            f"the withdrawal is not complete, this can still be had: {'; '.join(left[:5])}{more}",
            hint="type the same again; if old commits go on answering, with --recreate",
        )
    return commits, asked
