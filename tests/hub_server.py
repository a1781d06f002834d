"""A hub on loopback that speaks the protocol of huggingface_hub and datasets, and fails when it is told to.

In a test:

>>> with HubServer(tmp_path) as hub:
...     hub.store.add_token("hf_owner", "owner", orgs=("studio",))
...     hub.fail("PUT", r"^/s3/", "cut", after=1000)       # the next upload ends after 1,000 bytes
...     HfApi(endpoint=hub.url, token="hf_owner").create_repo("studio/dancers", repo_type="dataset")

As a process of its own, for a walk-through or to kill its clients:

    python tests/hub_server.py --root hub --port 8765 --token hf_owner:owner:studio --token hf_guest:guest::read

It prints its address. The state is a folder (`hub_store`). Objects are uploaded to and downloaded from another host
name with signed addresses, as on the hub, where a token that is sent along would be leaked: such a request is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

sys.path.insert(0, str(Path(__file__).parent))

from hub_protocol import Cut, Protocol
from hub_store import HubError, Store


@dataclass
class Fault:
    """What shall go wrong with a request.

    Args:
        method: its verb; "*" for any.
        path: a regular expression that is searched in its address.
        kind: "status" answers with `status`; "cut" ends the connection after `after` bytes of the body, going up or
            coming down; "lost" does what was asked and ends the connection before the answer; "slow" waits
            `seconds` first; "corrupt" changes one byte of what is downloaded.
        times: how many requests it strikes.
        skip: how many fitting requests it lets pass first.
        retry_after: the header of that name, in seconds.
    """

    method: str
    path: str
    kind: str
    status: int = 500
    after: int = 0
    seconds: float = 0.0
    times: int = 1
    skip: int = 0
    retry_after: int | None = None
    message: str = "told to fail"

    def strikes(self, method: str, address: str) -> bool:
        """Whether this request is hit; counts down."""
        if self.times <= 0 or self.method not in ("*", method) or not re.search(self.path, address):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class HubServer:
    """The server, on a thread of its own.

    Args:
        root: the folder of its state; what is there already is served.
        port: 0 for any that is free.
        part_bytes: uploads above this size go up in parts of this size; None sends each in one piece.
        page: entries on a page of a listing.
    """

    def __init__(self, root: Path, *, port: int = 0, part_bytes: int | None = None, page: int = 1000) -> None:
        self.store = Store(Path(root))
        self.part_bytes, self.page = part_bytes, page
        self.faults: list[Fault] = []
        #: Called with (method, address) before each request is answered, outside of the lock.
        self.before: Callable[[str, str], None] | None = None
        #: (method, address, status) of every request, in order of the answers.
        self.log: list[tuple[str, str, int]] = []
        self.secret = secrets.token_bytes(16)
        handler = type("BoundHandler", (Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.storage_url = (
            f"http://localhost:{self.port}"  # another origin to a client, the same socket to us
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve_forever(self) -> None:
        """Serve on the calling thread, for the script."""
        self._server.serve_forever(0.05)

    def fail(self, method: str, path: str, kind: str, **more: Any) -> Fault:
        """Add a `Fault`."""
        fault = Fault(method, path, kind, **more)
        self.faults.append(fault)
        return fault

    def requests(self, method: str, path: str) -> list[tuple[str, str, int]]:
        """The requests so far that fit."""
        return [row for row in self.log if row[0] == method and re.search(path, row[1])]

    def sign(self, text: str) -> str:
        """What stands at the end of an address of the object store."""
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()[:32]


class Handler(Protocol):
    """The frame round one request: reading, sending, and failing as told. `HubServer` binds it to itself."""

    hub: HubServer
    protocol_version = "HTTP/1.1"
    server_version = "loopback-hub"
    disable_nagle_algorithm = (
        True  # or every answer of two writes waits 40 ms for the acknowledgement of the first
    )
    wbufsize = 1 << 16

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on stderr: `HubServer.log` has it."""

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    # the frame ------------------------------------------------------------------------------------------------------

    def _answer(self) -> None:
        self.status, self.body, self.headers_out = 200, b"", {}
        self.file: tuple[Path, int] | None = None
        self.unread = int(self.headers.get("Content-Length") or 0)
        self.chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        if self.hub.before is not None:
            self.hub.before(self.command, self.path)
        self.fault = next((f for f in self.hub.faults if f.strikes(self.command, self.path)), None)
        try:
            if self.fault and self.fault.kind == "slow":
                time.sleep(self.fault.seconds)
            if self.fault and self.fault.kind == "status":
                self._drain()
                if self.fault.retry_after is not None:
                    self.headers_out["Retry-After"] = str(self.fault.retry_after)
                raise HubError(self.fault.status, self.fault.message)
            self._route()
            self._drain()
            if self.fault and self.fault.kind == "lost":
                raise Cut
        except HubError as error:
            self._drain()
            self.status, self.file = error.status, None
            self.body = json.dumps({"error": error.message}).encode()
            self.headers_out |= {"Content-Type": "application/json", "X-Error-Message": error.message}
            if error.code:
                self.headers_out["X-Error-Code"] = error.code
        except Cut:
            self.hub.log.append((self.command, self.path, 0))
            self._hang_up()
            return
        self.hub.log.append((self.command, self.path, self.status))
        try:
            self._send()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self) -> None:
        self.send_response(self.status)
        size = self.file[1] if self.file else len(self.body)
        start = 0
        for name, value in self.headers_out.items():
            if name == "Content-Range":
                start = int(value.split(" ")[1].split("-")[0])
                size = int(value.split("-")[1].split("/")[0]) - start + 1
            self.send_header(name, value)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command == "HEAD":
            return
        limit = self.fault.after if self.fault and self.fault.kind == "cut" else None
        if self.file:
            with self.file[0].open("rb") as source:
                source.seek(start)
                left = size if limit is None else min(limit, size)
                corrupt = self.fault is not None and self.fault.kind == "corrupt"
                while left and (chunk := source.read(min(left, 1 << 18))):
                    if corrupt:
                        chunk, corrupt = bytes([chunk[0] ^ 1]) + chunk[1:], False
                    self.wfile.write(chunk)
                    left -= len(chunk)
        else:
            self.wfile.write(self.body[:limit])
        self.wfile.flush()
        if limit is not None:
            self._hang_up()

    def _read(self, limit: int = 1 << 18) -> bytes:
        """Some more of what is being uploaded; b"" at its end."""
        if self.chunked:
            size = int(self.rfile.readline().strip() or b"0", 16)
            data = self.rfile.read(size)
            self.rfile.readline()
            self.chunked = size > 0
            return data
        data = self.rfile.read(min(limit, self.unread))
        self.unread -= len(data)
        if not data and self.unread:
            raise Cut  # the client has gone
        return data

    def _drain(self) -> None:
        while self._read():
            pass

    def _content(self) -> bytes:
        if self.fault and self.fault.kind == "cut" and self.command in ("POST", "PUT"):
            self.rfile.read(min(self.fault.after, self.unread))
            raise Cut
        return b"".join(iter(self._read, b""))

    def _page(self, rows: list[Any]) -> None:
        start = int(self.query.get("cursor", "0"))
        end = start + self.hub.page
        if end < len(rows):
            more = "&".join(f"{k}={quote(v)}" for k, v in (self.query | {"cursor": str(end)}).items())
            self.headers_out["Link"] = f'<{self.hub.url}{urlsplit(self.path).path}?{more}>; rel="next"'
        self._reply(rows[start:end])


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description="A hub on loopback.")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", action="append", default=[], metavar="TOKEN:USER[:ORG,…[:RIGHTS]]")
    chosen = parser.parse_args()
    hub = HubServer(chosen.root, port=chosen.port)
    for text in chosen.token:
        token, user, orgs, rights, *_ = (*text.split(":"), "", "")
        names = tuple(name for name in orgs.split(",") if name)
        hub.store.add_token(token, user, orgs=names, rights=rights or "write")
    print(hub.url, flush=True)
    hub.serve_forever()


if __name__ == "__main__":
    main()
