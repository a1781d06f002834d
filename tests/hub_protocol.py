"""What a hub answers: one method an address, as huggingface_hub 2.4 and datasets 5.2 ask.

`hub_server.Handler` stands round it, reads and sends; `hub_store` keeps what is said here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub_store import HubError

if TYPE_CHECKING:
    from hub_server import Fault, HubServer


class Cut(Exception):
    """The connection ends here, without an answer."""


class Protocol(BaseHTTPRequestHandler):
    """The routes of one request."""

    hub: HubServer
    fault: Fault | None
    status: int
    body: bytes
    headers_out: dict[str, str]
    file: tuple[Path, int] | None

    def _read(self) -> bytes:
        raise NotImplementedError

    def _content(self) -> bytes:
        raise NotImplementedError

    def _page(self, rows: list[Any]) -> None:
        raise NotImplementedError

    def _json(self) -> Any:
        return json.loads(self._content() or b"{}")

    def _reply(self, value: Any) -> None:
        self.body = json.dumps(value).encode()
        self.headers_out["Content-Type"] = "application/json"

    # who asks -------------------------------------------------------------------------------------------------------

    def _who(self) -> dict[str, Any] | None:
        """The holder of the token; None if none was sent."""
        given = self.headers.get("Authorization", "")
        if not given:
            return None
        holder = self.hub.store.tokens().get(given.removeprefix("Bearer "))
        if holder is None:
            raise HubError(401, "Invalid credentials in Authorization header")
        return holder

    def _may(self, action: str, space: str) -> bool:
        holder = self._who()
        if holder is None or holder["rights"] == "none" or space not in (holder["user"], *holder["orgs"]):
            return False
        return action == "read" or holder["rights"] == "write"

    def _open(self, kind: str, repo_id: str, action: str) -> Any:
        """The repository, if the token may do that to it."""
        holder, repo = self._who(), self.hub.store.get(kind, repo_id)
        space = repo_id.split("/")[0]
        if repo is None or (repo.private and not self._may("read", space)):
            raise HubError(401 if holder is None else 404, "Repository not found", "RepoNotFound")
        if action == "write" and not self._may("write", space):
            raise HubError(403, "Forbidden: you must use a token with write access to this repository")
        if action == "content" and repo.gated and not self._may("read", space):
            accepted = {row["user"] for row in repo.requests if row["status"] == "accepted"}
            if holder is None or holder["rights"] == "none" or holder["user"] not in accepted:
                raise HubError(
                    401 if holder is None else 403, "Access to this dataset is restricted", "GatedRepo"
                )
        return repo

    # the routes -----------------------------------------------------------------------------------------------------

    def _route(self) -> None:
        parts = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        steps = [unquote(step) for step in parts.path.strip("/").split("/")]
        match (self.command, *steps):
            case ("PUT", "s3", kind, space, name, sha256, *part):
                self._take_object(kind, f"{space}/{name}", sha256, part[0] if part else None)
            case ("GET" | "HEAD", "cdn", kind, space, name, sha256):
                self._serve_object(kind, f"{space}/{name}", sha256)
            case ("GET", "api", "whoami-v2"):
                holder = self._who()
                if holder is None:
                    raise HubError(401, "Invalid credentials in Authorization header")
                self._reply(
                    {"type": "user", "name": holder["user"], "orgs": [{"name": o} for o in holder["orgs"]]}
                )
            case ("POST", "api", "validate-yaml"):
                self._validate_yaml()
            case (_, "api", "repos", ("create" | "delete") as verb):
                self._create_or_delete(verb)
            case ("POST", kind, space, name, "info", "lfs", "objects", "batch") if name.endswith(".git"):
                self._lfs_batch(kind, f"{space}/{name.removesuffix('.git')}")
            # A model's address names no kind.
            case ("POST", space, name, "info", "lfs", "objects", "batch") if name.endswith(".git"):
                self._lfs_batch("models", f"{space}/{name.removesuffix('.git')}")
            case ("GET" | "HEAD", space, name, "resolve", revision, *path):
                self._resolve("models", f"{space}/{name}", revision, "/".join(path))
            case ("GET" | "HEAD", kind, space, name, "resolve", revision, *path):
                self._resolve(kind, f"{space}/{name}", revision, "/".join(path))
            case ("POST", "api", kind, space, name, "complete"):
                self._complete(self.hub.store.folder(kind, f"{space}/{name}") / "lfs")
            case (_, "api", kind, space, name, *rest):
                self._api(kind, f"{space}/{name}", rest)
            case _:
                raise HubError(404, f"no such address: {self.path}", "RepoNotFound")

    def _api(self, kind: str, repo_id: str, rest: list[str]) -> None:
        verb = self.command
        match (verb, *rest):
            case ("GET",) | ("GET", "revision", _):
                self._info(self._open(kind, repo_id, "read"), rest[1] if rest else "main")
            case ("GET", "tree", revision, *path):
                self._tree(self._open(kind, repo_id, "content"), revision, "/".join(path))
            case ("POST", "paths-info", revision):
                self._paths_info(self._open(kind, repo_id, "content"), revision)
            case ("GET", "refs"):
                self._refs(self._open(kind, repo_id, "read"))
            case ("GET", "commits", revision):
                self._commits(self._open(kind, repo_id, "read"), revision)
            case ("GET", "lfs-files"):
                self._page(self._open(kind, repo_id, "write").objects())
            case ("GET", "user-access-request", status):
                rows = [row for row in self._open(kind, repo_id, "write").requests if row["status"] == status]
                self._page([row | {"requestId": row["user"], "user": {"user": row["user"]}} for row in rows])
            case _:
                with self.hub.store.lock:
                    self._change(
                        self._open(kind, repo_id, "read" if rest == ["ask-access"] else "write"), rest
                    )

    def _change(self, repo: Any, rest: list[str]) -> None:
        match (self.command, *rest):
            case ("POST", "preupload", _):
                self._preupload(repo)
            case ("POST", "commit", branch):
                lines = [json.loads(line) for line in self._content().splitlines() if line.strip()]
                oid = repo.apply(branch, lines)
                self._reply(
                    {"success": True, "commitOid": oid, "commitUrl": f"{self.hub.url}/{repo.id}/commit/{oid}"}
                )
            case ("POST", ("tag" | "branch") as what, name):
                wanted = self._json()
                refs = repo.tags if what == "tag" else repo.branches
                name, start = (
                    (wanted["tag"], name) if what == "tag" else (name, wanted.get("startingPoint", "main"))
                )
                if name in refs:
                    raise HubError(409, f"Reference already exists: {name}")
                refs[name] = repo.resolve(start)
                repo.save()
            case ("DELETE", ("tag" | "branch") as what, name):
                refs = repo.tags if what == "tag" else repo.branches
                if name not in refs or (what == "branch" and name == "main"):
                    raise HubError(404, f"Reference not found: {name}", "RevisionNotFound")
                repo.lingering.append(refs.pop(name))
                repo.save()
            case ("POST", "super-squash", branch):
                repo.squash(branch, self._json()["message"])
            case ("POST", "lfs-files", "batch"):
                wanted = self._json()["deletions"]
                repo.delete_objects(set(wanted["sha"]), rewrite=wanted["rewriteHistory"])
            case ("PUT", "settings"):
                wanted = self._json()
                repo.gated = wanted.get("gated", repo.gated)
                repo.private = wanted.get("visibility", "private" if repo.private else "public") == "private"
                repo.save()
                self._reply({"gated": repo.gated, "private": repo.private})
            case ("POST", "verify"):
                wanted = self._json()
                path = repo.folder / "lfs" / wanted["oid"]
                if not path.exists() or path.stat().st_size != wanted["size"]:
                    raise HubError(422, "the object was not uploaded")
            case ("POST", "ask-access"):
                holder = self._who() or {"user": "anonymous"}
                now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
                repo.requests.append({"user": holder["user"], "status": "pending", "timestamp": now})
                repo.save()
            case ("POST", "user-access-request", ("handle" | "grant") as what):
                wanted = self._json()
                name = wanted.get("user") or wanted["requestId"]
                rows = [row for row in repo.requests if row["user"] == name]
                if not rows and what == "handle":
                    raise HubError(404, "no such access request")
                if not rows:
                    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
                    rows = [{"user": name, "timestamp": now}]
                    repo.requests.extend(rows)
                rows[0]["status"] = wanted.get("status", "accepted")
                repo.save()
                self._reply({})
            case _:
                raise HubError(404, f"no such address: {self.path}")
        if not self.body:
            self._reply({})

    # reading --------------------------------------------------------------------------------------------------------

    def _info(self, repo: Any, revision: str) -> None:
        oid = repo.resolve(revision)
        commit = repo.commit(oid)
        self._reply(
            {
                "id": repo.id,
                "author": repo.id.split("/")[0],
                "sha": oid,
                "private": repo.private,
                "gated": repo.gated,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "createdAt": repo.created,
                "lastModified": commit["date"],
                "siblings": [{"rfilename": path} for path in commit["tree"]],
            }
        )

    def _tree(self, repo: Any, revision: str, folder: str) -> None:
        oid = repo.resolve(revision)
        commit = repo.commit(oid)
        deep, expand = (self.query.get(name, "").lower() == "true" for name in ("recursive", "expand"))
        prefix = f"{folder}/" if folder else ""
        rows: dict[str, dict[str, Any]] = {}
        for path, entry in commit["tree"].items():
            if not path.startswith(prefix):
                continue
            steps = path[len(prefix) :].split("/")
            for depth in range(1, len(steps)):
                if depth == 1 or deep:
                    name = prefix + "/".join(steps[:depth])
                    rows[name] = {
                        "type": "directory",
                        "path": name,
                        "size": 0,
                        "oid": _name_of_folder(oid, name),
                    }
            if deep or len(steps) == 1:
                rows[path] = _file_row(path, entry)
        if not rows and folder:
            raise HubError(404, f"{folder} does not exist on {revision}", "EntryNotFound")
        if expand:
            last = {"id": oid, "title": commit["title"], "date": commit["date"]}
            rows = {path: row | {"lastCommit": last} for path, row in rows.items()}
        self._page([rows[path] for path in sorted(rows)])

    def _paths_info(self, repo: Any, revision: str) -> None:
        wanted = parse_qs(self._content().decode()).get("paths", [])
        oid = repo.resolve(revision)
        tree, rows = repo.commit(oid)["tree"], []
        for path in wanted:
            if path in tree:
                rows.append(_file_row(path, tree[path]))
            elif any(name.startswith(path.rstrip("/") + "/") for name in tree):
                rows.append({"type": "directory", "path": path, "size": 0, "oid": _name_of_folder(oid, path)})
        self._reply(rows)

    def _refs(self, repo: Any) -> None:
        def rows(kind: str, refs: dict[str, str]) -> list[dict[str, str]]:
            return [{"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": oid} for n, oid in refs.items()]

        self._reply(
            {
                "branches": rows("heads", repo.branches),
                "tags": rows("tags", repo.tags),
                "converts": [],
                "pullRequests": [],
            }
        )

    def _commits(self, repo: Any, revision: str) -> None:
        rows = []
        for oid in repo.history(repo.resolve(revision)):
            commit = repo.commit(oid)
            rows.append(
                {"id": oid, "title": commit["title"], "message": commit["message"], "date": commit["date"]}
                | {"authors": [{"user": "owner"}]}
            )
        self._page(rows)

    def _resolve(self, kind: str, repo_id: str, revision: str, path: str) -> None:
        repo = self._open(kind, repo_id, "content")
        oid = repo.resolve(revision)
        entry = repo.commit(oid)["tree"].get(path)
        self.headers_out["X-Repo-Commit"] = oid
        if entry is None:
            raise HubError(404, f"{path} does not exist on {revision}", "EntryNotFound")
        if entry["lfs"] is None:
            self._serve_file(repo.folder / "blobs" / entry["oid"], entry["oid"])
            return
        sha256 = entry["lfs"]["oid"]
        if not (repo.folder / "lfs" / sha256).exists():
            raise HubError(404, f"the object of {path} was deleted", "EntryNotFound")
        self.headers_out |= {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(entry["size"])}
        address = f"/cdn/{kind}/{repo_id}/{sha256}"
        self.status = 302
        self.headers_out["Location"] = f"{self.hub.storage_url}{address}?Signature={self.hub.sign(address)}"

    def _serve_object(self, kind: str, repo_id: str, sha256: str) -> None:
        self._check_signed()
        path = self.hub.store.folder(kind, repo_id) / "lfs" / sha256
        if not path.exists():
            raise HubError(404, "no such object")
        self._serve_file(path, sha256)

    def _serve_file(self, path: Path, etag: str) -> None:
        size = path.stat().st_size
        self.file = (path, size)
        self.headers_out |= {
            "ETag": f'"{etag}"',
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if wanted and size:
            first, last = wanted.groups()
            start = int(first) if first else max(size - int(last), 0)
            end = min(int(last), size - 1) if first and last else size - 1
            if start >= size:
                self.headers_out["Content-Range"] = f"bytes */{size}"
                raise HubError(416, "range not satisfiable")
            self.status = 206
            self.headers_out["Content-Range"] = f"bytes {start}-{end}/{size}"

    # writing --------------------------------------------------------------------------------------------------------

    def _validate_yaml(self) -> None:
        text = self._json()["content"]
        warnings = (
            [] if text.startswith("---\n") else [{"message": "empty or missing yaml metadata in repo card"}]
        )
        self._reply({"errors": [], "warnings": warnings})

    def _create_or_delete(self, verb: str) -> None:
        wanted = self._json()
        holder = self._who()
        if holder is None:
            raise HubError(401, "Invalid username or password.")
        space = wanted.get("organization") or holder["user"]
        kind, repo_id = f"{wanted.get('type', 'model')}s", f"{space}/{wanted['name']}"
        if not self._may("write", space):
            raise HubError(
                403, f'You don\'t have the rights to {verb} a dataset under the namespace "{space}"'
            )
        with self.hub.store.lock:
            exists = self.hub.store.get(kind, repo_id) is not None
            if verb == "delete":
                if not exists:
                    raise HubError(404, "Repository not found", "RepoNotFound")
                shutil.rmtree(self.hub.store.folder(kind, repo_id))
                self._reply({})
                return
            if exists:
                self.status = 409
                self._reply(
                    {
                        "error": "You already created this dataset repo",
                        "url": f"{self.hub.url}/{kind}/{repo_id}",
                    }
                )
                return
            self.hub.store.create(kind, repo_id, private=wanted.get("visibility", "public") == "private")
            self._reply({"url": f"{self.hub.url}/{kind}/{repo_id}", "name": repo_id})

    def _preupload(self, repo: Any) -> None:
        tree = repo.tree("main")
        rows = []
        for file in self._json()["files"]:
            large = repo.is_large(file["path"], file["size"], base64.b64decode(file["sample"]))
            old = tree.get(file["path"])
            known = (old["lfs"]["oid"] if old["lfs"] else old["oid"]) if old else None
            mode = "lfs" if large else "regular"
            rows.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": known})
        self._reply({"files": rows})

    def _lfs_batch(self, kind: str, repo_id: str) -> None:
        repo = self._open(kind, repo_id, "write")
        wanted, rows = self._json(), []
        growth = sum(o["size"] for o in wanted["objects"] if not (repo.folder / "lfs" / o["oid"]).exists())
        if repo.limit is not None and repo.stored_bytes() + growth > repo.limit:
            raise HubError(403, "Private repository storage limit reached, please upgrade your plan")
        for item in wanted["objects"]:
            row = {"oid": item["oid"], "size": item["size"]}
            if not (repo.folder / "lfs" / item["oid"]).exists():
                row["actions"] = self._upload_actions(kind, repo_id, item["oid"], item["size"])
            rows.append(row)
        self._reply({"transfer": "basic", "objects": rows})

    def _upload_actions(self, kind: str, repo_id: str, sha256: str, size: int) -> dict[str, Any]:
        address = f"/s3/{kind}/{repo_id}/{sha256}"
        verify = {"href": f"{self.hub.url}/api/{kind}/{repo_id}/verify", "header": {}}
        if not self.hub.part_bytes or size <= self.hub.part_bytes:
            href = f"{self.hub.storage_url}{address}?X-Amz-Signature={self.hub.sign(address)}"
            return {"upload": {"href": href, "header": {}}, "verify": verify}
        header = {"chunk_size": str(self.hub.part_bytes)}
        for number in range(1, -(-size // self.hub.part_bytes) + 1):
            part = f"{address}/{number:05d}"
            header[f"{number:05d}"] = f"{self.hub.storage_url}{part}?X-Amz-Signature={self.hub.sign(part)}"
        complete = f"/api/{kind}/{repo_id}/complete"
        href = f"{self.hub.url}{complete}?X-Amz-Signature={self.hub.sign(complete)}"
        return {"upload": {"href": href, "header": header}, "verify": verify}

    def _check_signed(self) -> None:
        if self.headers.get("Authorization"):
            raise HubError(400, "Only one auth mechanism allowed: a token was sent to the object store")
        given = self.query.get("Signature") or self.query.get("X-Amz-Signature", "")
        if not hmac.compare_digest(given, self.hub.sign(urlsplit(self.path).path)):
            raise HubError(403, "SignatureDoesNotMatch")

    def _take_object(self, kind: str, repo_id: str, sha256: str, part: str | None) -> None:
        self._check_signed()
        folder = self.hub.store.folder(kind, repo_id) / "lfs"
        temporary = folder / f"{sha256}.{part or threading.get_ident()}.part"
        digest, cut = hashlib.sha256(), self.fault.after if self.fault and self.fault.kind == "cut" else None
        try:
            with temporary.open("wb") as out:
                while data := self._read():
                    out.write(data)
                    digest.update(data)
                    if cut is not None and out.tell() >= cut:
                        raise Cut
            if part is None and digest.hexdigest() != sha256:
                raise HubError(400, "XAmzContentSHA256Mismatch")
            if part is None:
                os.replace(temporary, folder / sha256)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self.headers_out["ETag"] = f'"{digest.hexdigest()}"'

    def _complete(self, folder: Path) -> None:
        self._check_signed()  # this address, too, is signed: the client sends no token along
        wanted = self._json()
        sha256 = wanted["oid"]
        whole = folder / f"{sha256}.whole.part"
        digest = hashlib.sha256()
        with whole.open("wb") as out:
            for part in wanted["parts"]:
                path = folder / f"{sha256}.{part['partNumber']:05d}.part"
                data = path.read_bytes()
                out.write(data)
                digest.update(data)
                path.unlink()
        if digest.hexdigest() != sha256:
            raise HubError(400, "the parts do not make the object")
        os.replace(whole, folder / sha256)


def _file_row(path: str, entry: dict[str, Any]) -> dict[str, Any]:
    row = {"type": "file", "path": path, "size": entry["size"], "oid": entry["oid"]}
    return row | {"lfs": entry["lfs"]} if entry["lfs"] else row


def _name_of_folder(commit: str, path: str) -> str:
    return hashlib.sha1(f"{commit}:{path}".encode()).hexdigest()
