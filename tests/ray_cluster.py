"""A real Ray cluster of several nodes on loopback, for tests and benchmarks; whoever starts it ends it.

Each node is a ``ray start --block`` of its own, in a process session of its own, so that one can be killed with all
that it started while the others go on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

#: Seconds that a node may take to come up on a machine that is busy with other things.
PATIENCE = 120.0
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # A node that is gone is noticed within seconds.
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "4",
    "OMP_NUM_THREADS": "1",
}


class RayCluster:
    """Nodes of one core each.

    Attributes:
        address: what ``--ray`` takes.
        nodes: the ``ray start`` processes, the head first.
    """

    def __init__(self, folder: Path, path: list[Path]) -> None:
        self._folder = folder
        self._path = os.pathsep.join(str(one) for one in path)
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        self.nodes: list[subprocess.Popen[bytes]] = []

    def start(self, nodes: int) -> None:
        """Bring up so many nodes, and wait for them."""
        self.add_node()
        wait_for(lambda: self._answers(), "the head of the Ray cluster")
        while len(self.nodes) < nodes:
            self.add_node()

    def add_node(self) -> None:
        """One more node."""
        head = not self.nodes
        place = [
            "--head", "--port", str(self._port), "--temp-dir", str(self._folder), "--include-dashboard", "false",
        ] if head else ["--address", self.address]  # fmt: skip
        log = open(self._folder / f"node-{len(self.nodes)}.log", "wb")  # noqa: SIM115 - the process keeps it
        with log:
            node = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats",
                    "--node-ip-address", "127.0.0.1", "--num-cpus", "1", "--object-store-memory", "80000000",
                    "--min-worker-port", "0", "--max-worker-port", "0", "--include-log-monitor", "false",
                    "--dashboard-agent-listen-port", str(free_port()), *place,
                ],
                env=os.environ | _SETTINGS | {"PYTHONPATH": self._path}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.nodes.append(node)

    def kill_node(self, number: int) -> None:
        """Kill a node with all that runs on it, as if its power had failed."""
        for pid in [self.nodes[number].pid, *descendants(self.nodes[number].pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.nodes[number].wait()

    def stop(self) -> None:
        """End everything."""
        for number in reversed(range(len(self.nodes))):
            self.kill_node(number)
        self.nodes = []

    def _answers(self) -> bool:
        assert self.nodes[0].poll() is None, (self._folder / "node-0.log").read_text("utf-8", "replace")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@contextlib.contextmanager
def ray_cluster(nodes: int, path: list[Path]) -> Iterator[RayCluster]:
    """A cluster for as long as the block lasts.

    Args:
        nodes: how many, one core each.
        path: folders in which workers find modules.
    """
    # Not pytest's folder: names of sockets in it would be longer than a socket's may be.
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    cluster = RayCluster(folder, path)
    try:
        cluster.start(nodes)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def descendants(pid: int) -> list[int]:
    """Processes that a process has started, and those that they have."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: object, name: str, seconds: float = PATIENCE) -> None:
    """Wait until a callable is true."""
    end = time.monotonic() + seconds
    assert callable(what)
    while not what():
        assert time.monotonic() < end, f"{name} did not come"
        time.sleep(0.1)
