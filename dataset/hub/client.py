"""One data set repository on a hub, through huggingface_hub: asked patiently, and with errors in one line.

The token is the one that huggingface_hub finds (``HF_TOKEN``, or what ``hf auth login`` stored). It is never taken as
an argument, and no message that leaves this module holds it or a signed address.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from dataset.errors import HubConflictError, HubError

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

KIND = "dataset"
ATTRIBUTES = ".gitattributes"  # the hub's own file: what is kept as a large object

_ATTEMPTS = 5
_WAIT = 1.0  # seconds before the second attempt; doubles
_TIMEOUT = 120.0  # seconds without a byte after which a connection counts as dead
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

T = TypeVar("T")


@dataclass(frozen=True)
class RemoteFile:
    """What the hub says of a file.

    Attributes:
        size: in bytes.
        blob_id: git's name of the content (of the pointer, for a large object).
        sha256: of a large object; None for a text that is kept in git.
    """

    size: int
    blob_id: str
    sha256: str | None


@dataclass(frozen=True)
class RemoteState:
    """A repository at one moment.

    Attributes:
        head: the commit that the revision stands for.
        private: only members of the organisation see it.
        gated: whether access must be asked for: False, "auto" or "manual".
        modified: when that commit was made, in ISO format.
    """

    head: str
    private: bool
    gated: Any
    modified: str


class HubRepository:
    """A data set repository.

    Args:
        repo_id: ``ORG/NAME``.
        endpoint: address of the hub; None for the one that huggingface_hub is set to (``HF_ENDPOINT``).

    Raises:
        HubError: this cannot be the name of a repository.
    """

    def __init__(self, repo_id: str, *, endpoint: str | None = None) -> None:
        if not _NAME.fullmatch(repo_id):
            raise HubError(f"{repo_id!r} is not a repository", hint="write ORG/NAME")
        from huggingface_hub import HfApi

        self.repo_id = repo_id
        self.api: HfApi = HfApi(endpoint=endpoint, library_name="danceproof")
        self.endpoint = self.api.endpoint

    # asking ---------------------------------------------------------------------------------------------------------

    def call(self, doing: str, ask: Callable[[], T], *, attempts: int = _ATTEMPTS) -> T:
        """The answer to a question that may be asked again.

        Args:
            doing: what is attempted, for the error, such as "listing files".
            ask: does it.
            attempts: how often to try while the hub is busy or the connection breaks.

        Raises:
            HubError: it did not work; `HubConflictError` for status 409 and 412.
        """
        wait = _WAIT
        for attempt in range(1, attempts + 1):
            try:
                with quiet():
                    return ask()
            except Exception as error:
                cause = _http_error(error)
                if cause is None and isinstance(error, ValueError):
                    raise HubError(f"{doing}: {scrub(str(error))}") from None
                if cause is None:
                    raise
                if attempt == attempts or not is_passing(cause):
                    raise self.explain(cause, doing) from None
                time.sleep(_wait_asked_for(cause) or wait)
                wait *= 2
        raise AssertionError("unreachable")

    def explain(self, error: Exception, doing: str) -> HubError:
        """The error to raise for one of huggingface_hub, without secrets.

        Args:
            error: of the HTTP library or of huggingface_hub.
            doing: what was attempted.
        """
        from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

        if not isinstance(error, HfHubHTTPError):
            return HubError(
                f"{doing}: the hub at {self.endpoint} cannot be reached or hangs up ({type(error).__name__})",
                hint="try again; what was done so far is kept",
            )
        said = scrub(error.server_message or "").rstrip(".")
        status = error.response.status_code
        if isinstance(error, GatedRepoError):
            return HubError(
                f"{doing}: access to {self.repo_id} must be granted by its owners",
                hint=f"ask for it on {self.endpoint}/datasets/{self.repo_id}",
            )
        if isinstance(error, RepositoryNotFoundError):
            return HubError(
                f"{doing}: there is no data set {self.repo_id}, or the token may not see it",
                hint="check the name, and who you are: hf auth whoami",
            )
        if status == 401:
            return HubError(f"{doing}: the hub does not accept the token", hint="type: hf auth login")
        if status == 403:
            return HubError(
                f"{doing}: the hub refuses ({said})",
                hint="a token with write access to the organisation is needed: hf auth login",
            )
        if status in (409, 412):
            return HubConflictError(f"{doing}: {said or 'somebody else changed the repository'}")
        return HubError(
            f"{doing}: the hub answers {status} ({said or 'no reason given'})", hint="try again later"
        )

    # reading --------------------------------------------------------------------------------------------------------

    def state(self, revision: str = "main") -> RemoteState | None:
        """What the repository is now; None if there is none that the token may see.

        Raises:
            HubError: the hub cannot tell, or the revision does not exist.
        """
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

        def ask() -> RemoteState | None:
            try:
                facts = self.api.dataset_info(self.repo_id, revision=revision)
            except GatedRepoError:
                raise
            except RepositoryNotFoundError:
                return None
            modified = facts.last_modified.isoformat() if facts.last_modified else ""
            return RemoteState(str(facts.sha), bool(facts.private), facts.gated, modified)

        return self.call(f"looking up {self.repo_id}", ask)

    def files(self, revision: str) -> dict[str, RemoteFile]:
        """Every file of a revision, by path.

        Raises:
            HubError: it cannot be listed.
        """
        from huggingface_hub.hf_api import RepoFile

        def ask() -> dict[str, RemoteFile]:
            entries = self.api.list_repo_tree(self.repo_id, repo_type=KIND, revision=revision, recursive=True)
            return {
                entry.path: RemoteFile(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
                for entry in entries
                if isinstance(entry, RepoFile)
            }

        return self.call(f"listing the files of {self.repo_id}", ask)

    def tags(self) -> dict[str, str]:
        """Tags and the commits that they stand for.

        Raises:
            HubError: they cannot be listed.
        """
        refs = self.call("listing tags", lambda: self.api.list_repo_refs(self.repo_id, repo_type=KIND))
        return {tag.name: tag.target_commit for tag in refs.tags}

    def branches(self) -> dict[str, str]:
        """Branches, those of pull requests included, and their heads.

        Raises:
            HubError: they cannot be listed.
        """
        refs = self.call(
            "listing branches",
            lambda: self.api.list_repo_refs(self.repo_id, repo_type=KIND, include_pull_requests=True),
        )
        rows = [*refs.branches, *refs.converts, *(refs.pull_requests or [])]
        return {
            (row.name if row.ref == f"refs/heads/{row.name}" else row.ref): row.target_commit for row in rows
        }

    def history(self, revision: str) -> list[str]:
        """A revision's commits, newest first.

        Raises:
            HubError: they cannot be listed.
        """
        commits = self.call(
            "reading the history",
            lambda: self.api.list_repo_commits(self.repo_id, repo_type=KIND, revision=revision),
        )
        return [commit.commit_id for commit in commits]

    def read(self, path: str, revision: str, *, start: int = 0) -> Iterator[bytes]:
        """The bytes of a file, resumed where the connection breaks; memory stays constant.

        Args:
            path: inside the repository.
            revision: branch, tag or commit.
            start: how many bytes to leave out.

        Raises:
            HubError: it is not there, or cannot be read to its end.
        """
        from huggingface_hub import get_session, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

        url = hf_hub_url(self.repo_id, path, repo_type=KIND, revision=revision, endpoint=self.endpoint)
        doing, position, failures, wait = f"reading {path}", start, 0, _WAIT
        while True:
            headers = build_hf_headers(library_name="danceproof") | {"Accept-Encoding": "identity"}
            if position:
                headers["Range"] = f"bytes={position}-"
            try:
                with quiet(), get_session().stream("GET", url, headers=headers, timeout=_TIMEOUT) as answer:
                    if answer.status_code == 416:
                        return  # nothing lies behind `position`
                    if answer.status_code >= 400:
                        answer.read()
                    hf_raise_for_status(answer)
                    # Where the range was passed over, the file comes from its beginning.
                    skip = position if answer.status_code == 200 else 0
                    # As they come: pieces of a fixed size would be lost when the connection breaks within one.
                    for chunk in answer.iter_bytes():
                        fresh, skip = chunk[skip:], max(0, skip - len(chunk))
                        if fresh:
                            position += len(fresh)
                            failures, wait = 0, _WAIT
                            yield fresh
                return
            except Exception as error:
                cause = _http_error(error)
                if cause is None:
                    raise
                failures += 1
                if failures >= _ATTEMPTS or not is_passing(cause):
                    raise self.explain(cause, doing) from None
                time.sleep(_wait_asked_for(cause) or wait)
                wait *= 2

    def text(self, path: str, revision: str) -> bytes:
        """A small file as a whole.

        Raises:
            HubError: it is not there or cannot be read.
        """
        return b"".join(self.read(path, revision))


@contextmanager
def quiet() -> Iterator[None]:
    """Let huggingface_hub say nothing meanwhile: its warnings hold signed addresses, its bars cross ours."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from huggingface_hub.utils import logging as hub_logging

    level, shown = hub_logging.get_verbosity(), not are_progress_bars_disabled()
    hub_logging.set_verbosity(hub_logging.CRITICAL)
    if shown:
        disable_progress_bars()
    try:
        yield
    finally:
        hub_logging.set_verbosity(level)
        if shown:
            enable_progress_bars()


def scrub(text: str) -> str:
    """A message without tokens, and without what stands behind the question mark of an address."""
    from huggingface_hub import get_token

    if token := get_token():
        text = text.replace(token, "…")
    text = re.sub(r"\bhf_\w+", "…", text)
    return " ".join(re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", text).split())


def is_passing(error: Exception) -> bool:
    """Whether the same request may succeed in a moment: the hub is busy, or the connection broke."""
    from huggingface_hub.errors import HfHubHTTPError

    return not isinstance(error, HfHubHTTPError) or error.response.status_code in _PASSING


def _http_error(error: BaseException | None) -> Exception | None:
    """The HTTP error at the bottom of an exception, if there is one.

    huggingface_hub lets errors of its HTTP library through, whose name changed from release to release; both that
    library's and its own descend from the first base of `HfHubHTTPError`.
    """
    from huggingface_hub.errors import HfHubHTTPError

    family: type[Exception] = HfHubHTTPError.__bases__[0]
    while error is not None:
        if isinstance(error, family | HfHubHTTPError):
            return error
        error = error.__cause__
    return None


def _wait_asked_for(error: Exception) -> float | None:
    from huggingface_hub.errors import HfHubHTTPError

    if not isinstance(error, HfHubHTTPError):
        return None
    told: HfHubHTTPError = error
    value = told.response.headers.get("Retry-After", "")
    return min(float(value), 300.0) if value.isdigit() else None
