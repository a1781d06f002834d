"""What runs in a worker process: open the task once, then do one item after another.

A worker is a fresh interpreter that runs this file (`dataset.work.worker` starts it): nothing of the parent is copied,
as MediaPipe and the locks of decoders do not survive a fork, and a script that starts a run needs no
``if __name__ == "__main__"``. The first message is the parent's search path, the second the task; so nothing of the
project is imported before.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

#: What a worker says: it is ready, it cannot begin, here is a result, an item raised.
READY, UNFIT, DONE, RAISED = "ready", "unfit", "done", "raised"


def main(descriptor: int) -> None:
    """Serve the connection until it is closed; a parent that has what it wants may close it at any moment."""
    connection = Connection(descriptor)
    end_with_parent()
    # Nobody is left who could be told.
    with suppress(EOFError, ConnectionError):
        _serve(connection)


def _serve(connection: Connection) -> None:
    sys.path[:] = connection.recv()
    task_bytes = connection.recv_bytes()
    try:
        task = pickle.loads(task_bytes)  # noqa: S301 - from the process that started this one
        opened = task.open()
        work = opened.__enter__()
    except BaseException as error:
        _send(connection, UNFIT, error)
        return
    try:
        connection.send((READY, None))
        while True:
            try:
                payload = connection.recv()
            except EOFError:
                return
            try:
                answer = (DONE, work(payload))
            except Exception as error:
                answer = (RAISED, error)
            _send(connection, *answer)
    finally:
        opened.__exit__(None, None, None)


def _send(connection: Connection, kind: str, value: Any) -> None:
    try:
        content = pickle.dumps((kind, value))
        if isinstance(value, BaseException):
            pickle.loads(content)  # noqa: S301 - some exceptions can be written but not read
    except Exception:
        kind, value = (kind if kind == UNFIT else RAISED), RuntimeError(f"{type(value).__name__}: {value}")
        content = pickle.dumps((kind, value))
    connection.send_bytes(content)


def end_with_parent(every: float = 0.5) -> None:
    """End this process soon after the parent, even if that was killed and could not say goodbye."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]))
