"""Publishing that is killed at any moment: the hub has the old version or the new one, and a re-run completes it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hub_cases import REPO, environment, folder_hashes, holds, serving, some_files, write_release

from dataset.hub import publish
from dataset.hub.manifest import read_release

KILLS = 20

# The imports are done before it says that it is ready, so that the kill strikes while it publishes.
PROGRAM = """
import sys
from dataset.hub.manifest import read_release
from dataset.hub.publish import publish
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.utils import build_hf_headers
release = read_release(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
publish(release, sys.argv[2])
"""


@pytest.mark.slow
def test_twenty_kills_at_random_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(4)
    with serving(tmp_path / "hub", monkeypatch) as hub:
        env = environment(hub, tmp_path / "home")
        released = write_release(tmp_path / "0", some_files("0"), version="1.0.0")
        begin = time.monotonic()
        publish(read_release(released), REPO, endpoint=hub.url, verify="quick")
        usual = time.monotonic() - begin
        killed_midway = 0
        for number in range(1, KILLS + 1):
            files = some_files(str(number))
            files[f"videos/extra{number}.mp4"] = os.urandom(20_000)
            new = write_release(tmp_path / str(number), files, version=f"1.{number}.0")
            worker = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(new), REPO],
                env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            assert worker.stdin is not None
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"ready\n"
            worker.stdin.write(b"go\n")
            worker.stdin.flush()
            time.sleep(chance.uniform(0, 1.2 * usual))
            worker.send_signal(signal.SIGKILL)
            midway = worker.wait() == -signal.SIGKILL
            killed_midway += midway
            # What published in one go was quicker than the first time, and so will the next be.
            usual *= 1.0 if midway else 0.8
            worker.stdin.close()
            worker.stdout.close()
            assert holds(hub, released) or holds(hub, new), f"kill {number} left a mixture"
            repo = hub.store.get("datasets", REPO)
            assert repo is not None
            assert f"v1.{number}.0" not in repo.tags or holds(hub, new, f"v1.{number}.0")
            assert holds(hub, released, f"v1.{number - 1}.0")
            publish(read_release(new), REPO, endpoint=hub.url)
            assert holds(hub, new, "main")
            assert holds(hub, new, f"v1.{number}.0")
            released = new
        assert killed_midway >= KILLS // 2
        assert folder_hashes(released)
