"""Publishing a release: all of it or nothing, and what is there afterwards is read back.

The order makes it safe to stop anywhere. Videos and tables go to the object store first, where no revision shows them.
One commit, which names the commit it builds on, then turns the old version into the new one; if anybody else has
committed in between, the hub refuses it. The tag follows, and last, if asked for, the repository is opened. Nothing is
remembered on this side: a second run compares the hub with the release and does what is left to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset.errors import HubConflictError, HubError
from dataset.hub.client import ATTRIBUTES, KIND, HubRepository, RemoteState
from dataset.hub.commit import Progress, commit_release
from dataset.hub.manifest import (
    RELEASE,
    Entry,
    Release,
    differences,
    read_json_object,
    read_release,
    spell_bytes,
    total,
)
from dataset.hub.readback import MODES, read_back

if TYPE_CHECKING:
    from dataset.collection.collection import Collection


@dataclass(frozen=True)
class Plan:
    """What publishing would do.

    Attributes:
        release: what is published.
        head: the commit that it builds on; None where the repository is made first.
        up: files that are new or changed.
        away: files that the release has no more.
        tagged: whether the tag is there.
        private, gated: how the repository will stand.
        published: the version that is there, None for none.
        gate_first: whether the repository is open to everybody and must not be, once people are in it.
    """

    release: Release
    head: str | None
    up: tuple[Entry, ...]
    away: tuple[str, ...]
    tagged: bool
    private: bool
    gated: Any
    published: str | None = None
    gate_first: bool = False

    @property
    def tag(self) -> str:
        """The tag of the version."""
        return tag_of(self.release.version)

    def lines(self, repo_id: str) -> list[str]:
        """What would happen, for people."""
        seen = "private" if self.private else ("public, access on request" if self.gated else "public")
        here = (
            "a new repository"
            if self.head is None
            else f"on top of {self.published or 'an empty repository'}"
        )
        rows = [f"{repo_id}: version {self.release.version}, {here}, {seen}"]
        rows.extend(f"  + {entry.path}  {spell_bytes(entry.bytes)}" for entry in self.up)
        rows.extend(f"  - {path}" for path in self.away)
        same = len(self.release.files) - len(self.up)
        rows.append(
            f"  {len(self.up)} files up ({spell_bytes(total(self.up))}), {len(self.away)} away, {same} as they are"
        )
        rows.append(f"  tag {self.tag}" + (" is there" if self.tagged else ""))
        return rows


@dataclass(frozen=True)
class Published:
    """What publishing did.

    Attributes:
        repo_id, version, tag, commit: where it stands now.
        uploaded: files that went up; 0 if everything was there.
        uploaded_bytes: of those.
        removed: files that went away.
        verified: files that were read back.
        private, gated: how the repository stands.
    """

    repo_id: str
    version: str
    tag: str
    commit: str
    uploaded: int
    uploaded_bytes: int
    removed: int
    verified: int
    private: bool
    gated: Any


def tag_of(version: str) -> str:
    """The tag of a version: "v1.0.0"."""
    return version if version.startswith("v") else f"v{version}"


def find_release(source: Path, version: str | None = None) -> tuple[Path, Collection | None]:
    """The release that is meant by a path, and the collection that it belongs to, if any.

    Args:
        source: a release, or a collection, of which the newest release is meant.
        version: of the collection's releases, that one.

    Raises:
        HubError: there is none.
    """
    from dataset.collection.collection import Collection

    if (source / "collection.json").is_file():
        collection = Collection.open(source)
        found = {path.parent.name: path.parent for path in source.glob(f"releases/*/{RELEASE}")}
        if not found:
            raise HubError("no release was built yet", path=source, hint=f"dataset build {source}")
        if version is not None and version not in found:
            known = ", ".join(sorted(found, key=_key))
            raise HubError(f"no release {version}", path=source, hint=f"there are: {known}")
        return found[version or max(found, key=_key)], collection
    if version is not None:
        raise HubError(
            "--version chooses among the releases of a collection", path=source, hint="leave it out"
        )
    above = source.resolve().parent.parent
    return source, Collection.open(above) if (above / "collection.json").is_file() else None


def check_release(folder: Path, *, validate: Callable[[Path], Sequence[Any]] | None = None) -> Release:
    """A release that breaks no rule.

    Args:
        folder: of the release.
        validate: gives the findings; `dataset.release.validate.validate` if None.

    Raises:
        HubError: there are findings that are errors, or the files are not those of the manifest.
    """
    release = read_release(folder)
    if validate is None:
        from dataset.release.validate import validate as validate_release

        validate = validate_release
    errors = [finding for finding in validate(folder) if finding.severity == "error"]
    if errors:
        first = "; ".join(f"{finding.rule}: {finding.text}" for finding in errors[:3])
        more = f" and {len(errors) - 3} more" if len(errors) > 3 else ""
        raise HubError(
            f"the release breaks {len(errors)} rules, so it is not published: {first}{more}",
            path=folder,
            hint=f"dataset validate {folder}",
        )
    return release


def plan(hub: HubRepository, release: Release, *, public: bool = False) -> Plan:
    """Compare a release with the hub.

    Raises:
        HubConflictError: the name belongs to something else, the version is there with other content, or a newer one.
        HubError: the hub cannot tell.
    """
    people = shows_people(release)
    state = hub.state()
    if state is None:
        gated = "manual" if public and people else False
        up = tuple(entry for _, entry in sorted(release.files.items()))
        return Plan(release, None, up, (), False, not public, gated)
    remote = hub.files(state.head)
    published = _published(hub, release, state, set(remote))
    up_now, away = differences(release, remote)
    tag, tags = tag_of(release.version), hub.tags()
    if tag in tags and tags[tag] != state.head:
        changed, strangers = differences(release, hub.files(tags[tag]))
        if changed or strangers:
            raise HubConflictError(
                f"{hub.repo_id} has a version {release.version} already, with other content",
                hint="build under a new version: dataset build COLLECTION",
            )
        up_now, away = [], []  # it is there, and a newer one on top of it
    elif (up_now or away) and published is not None and _key(published) > _key(release.version):
        raise HubConflictError(
            f"{hub.repo_id} is at version {published}, which is newer than {release.version}",
            hint="build a release from the collection as it is now",
        )
    private = state.private and not public
    gated = state.gated or ("manual" if people and not private else False)
    open_now = not state.private and not state.gated
    return Plan(
        release, state.head, tuple(up_now), tuple(away), tag in tags, private, gated, published,
        gate_first=bool(gated) and open_now,
    )  # fmt: skip


def publish(
    release: Release,
    repo_id: str,
    *,
    public: bool = False,
    verify: str = "full",
    endpoint: str | None = None,
    progress: Progress | None = None,
) -> Published:
    """Publish a release that was checked.

    Args:
        release: from `check_release`.
        repo_id: ``ORG/NAME``.
        public: let everybody see it; of people, still only those to whom access is granted get the files. A repository
            that is made is private without it; one that is there keeps what it is.
        verify: one of `dataset.hub.readback.MODES`.
        endpoint: address of the hub; None for huggingface_hub's own.
        progress: called with (what is being done, done, in all).

    Raises:
        HubConflictError: somebody else published meanwhile, or the name or version is taken.
        HubError: the hub refuses or cannot be reached, or what comes back is not what was sent.
    """
    if verify not in MODES:
        raise HubError(f"there is no verification {verify!r}", hint=f"one of {', '.join(MODES)}")
    tell = progress or (lambda what, done, count: None)
    hub = HubRepository(repo_id, endpoint=endpoint)
    what = plan(hub, release, public=public)
    if what.head is None:
        create(hub)
    elif what.gate_first:
        _settings(hub, gated=what.gated)
    head = commit_release(hub, what, f"Version {release.version}", tell)
    commit = _tag(hub, release, what.tag, head)
    done = read_back(hub, release, commit, mode=verify, progress=lambda n, m: tell("reading back", n, m))
    state = hub.state()
    if state is None:
        raise HubError(f"{repo_id} has gone while it was published")
    if public and (state.private or bool(state.gated) != bool(what.gated)):
        if what.gated and not state.gated:
            _settings(hub, gated=what.gated)
        _settings(hub, private=False)
    return Published(
        repo_id, release.version, what.tag, commit, len(what.up), total(what.up), len(what.away), done,
        what.private, what.gated,
    )  # fmt: skip


def create(hub: HubRepository) -> None:
    """Make the repository, private.

    Raises:
        HubConflictError: somebody has that name, though the token does not see it.
        HubError: the token may not.
    """
    try:
        hub.call(
            f"creating {hub.repo_id}",
            lambda: hub.api.create_repo(hub.repo_id, repo_type=KIND, private=True, exist_ok=False),
        )
    except HubConflictError:
        # Ours, if an earlier attempt got through and only its answer was lost.
        if (state := hub.state()) is None or len(hub.history(state.head)) > 1:
            raise HubConflictError(f"the name {hub.repo_id} is taken", hint="choose another name") from None


def shows_people(release: Release) -> bool:
    """Whether anybody in the release is a person; true where it is not known."""
    consents = release.facts.get("consents")
    return not consents or any(record.get("kind") != "mannequin" for record in consents.values())


def _published(hub: HubRepository, release: Release, state: RemoteState, paths: set[str]) -> str | None:
    """The version that the branch main has, None for an empty repository."""
    if not paths - {ATTRIBUTES, "README.md"}:
        return None
    if RELEASE in paths:
        facts = read_json_object(hub.text(RELEASE, state.head), f"{hub.repo_id}/{RELEASE}")
        if facts.get("name", "") == release.name:
            return str(facts.get("version", ""))
        told = f"it holds the data set {facts.get('name')!r}, this is {release.name!r}"
    else:
        told = "it holds something else"
    raise HubConflictError(f"the name {hub.repo_id} is taken: {told}", hint="choose another name")


def _tag(hub: HubRepository, release: Release, tag: str, commit: str) -> str:
    """Make the tag, unless it is there with the same content; returns the commit that it stands for."""
    try:
        hub.call("tagging", lambda: hub.api.create_tag(hub.repo_id, tag=tag, revision=commit, repo_type=KIND))
        return commit
    except HubConflictError:
        at = hub.tags().get(tag)
        if at is not None and (at == commit or differences(release, hub.files(at)) == ([], [])):
            return at
        raise HubConflictError(
            f"somebody else has published a version {release.version} of {hub.repo_id}",
            hint="build under a new version, then publish again",
        ) from None


def _settings(hub: HubRepository, **settings: Any) -> None:
    hub.call(
        "changing the settings", lambda: hub.api.update_repo_settings(hub.repo_id, repo_type=KIND, **settings)
    )


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
