"""A headless Chromium that tests drive by real key presses, over its debugging pipe: no driver, no extra package."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

#: The browser reads commands from its file 3 and answers on its file 4.
_AS_3_AND_4 = """
import os, sys
for number, end in zip((3, 4), sys.argv[1:3]):
    os.dup2(int(end), number)
os.execv(sys.argv[3], sys.argv[3:])
"""
#: Key → code and number that the page's events carry.
_KEYS = {
    "ArrowLeft": ("ArrowLeft", 37),
    "ArrowRight": ("ArrowRight", 39),
    "Enter": ("Enter", 13),
    "r": ("KeyR", 82),
}


#: Nothing is asked of the network but what a page asks for.
_QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


def program() -> str:
    """Where Chromium is; the test that asks skips where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no chromium on the PATH")


def shown(page: Path, profile: Path) -> str:
    """The document of a page after it was opened.

    Args:
        page: an HTML file.
        profile: an empty folder.
    """
    command = [program(), *_QUIET, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


class Browser:
    """One page of a browser, as a context manager. Tests skip where no Chromium is on the PATH.

    Args:
        profile: an empty folder.
        downloads: where what the page saves goes.
    """

    def __init__(self, profile: Path, downloads: Path) -> None:
        downloads.mkdir(parents=True, exist_ok=True)
        self._program, self._profile, self._downloads = program(), profile, downloads
        self._count, self._rest, self._session = 0, b"", ""
        #: What the page wrote to its console as errors, and exceptions.
        self.complaints: list[str] = []

    def __enter__(self) -> Self:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        far = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out)]
        words = [
            self._program, *_QUIET, "--remote-debugging-pipe",
            f"--user-data-dir={self._profile}", "--window-size=1200,800", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AS_3_AND_4, *map(str, far), *words],
            pass_fds=far,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (theirs_in, theirs_out, *far):
            os.close(end)
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")
        self.send("Runtime.enable")
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self._downloads))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def send(self, method: str, *, timeout: float = 60.0, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol and its result."""
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + timeout
        while True:
            answer = self._receive(until)
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])
            if answer.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(answer["params"]["exceptionDetails"])[:500])

    def _receive(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(until - time.monotonic(), 0))
            assert ready, "the browser does not answer"
            got = os.read(self._in, 1 << 16)
            assert got, "the browser has ended"
            self._rest += got
        message, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(message))

    def open(self, page: Path) -> None:
        """Show a local file."""
        self.send("Page.navigate", url=page.resolve().as_uri())
        self.wait_for("document.readyState === 'complete'")

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True)["result"]
        assert result.get("subtype") != "error", result
        return result.get("value")

    def wait_for(self, expression: str, timeout: float = 60.0) -> None:
        """Until the expression is true."""
        until = time.monotonic() + timeout
        while not self.ask(f"Boolean({expression})"):
            assert time.monotonic() < until, f"never true: {expression}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """A key, down and up, as from a keyboard."""
        code, number = _KEYS[key]
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=number)

    def screenshot(self, path: Path) -> None:
        """What the window shows, as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))
