"""Every item once, on a Ray cluster of two nodes on this machine, whatever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_cluster import RayCluster, ray_cluster, wait_for
from work_tasks import Acts, Unfit, acts, double

from dataset.errors import DanceproofError, WorkError
from dataset.mannequin import Performer, film
from dataset.work import items_from, run_items, spread
from forensics.scanning.batch import ScanTask

pytest.importorskip("ray", reason="Ray is not installed: pip install 'danceproof[ray]'")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
DRIVER = """
from pathlib import Path
from work_tasks import Acts, acts
from dataset.work import run_items
root = Path({root!r})
items = acts(*["sleep:0.05,%d" % number for number in range({count})])
run_items(items, Acts(root / "diary"), root / "out", ray={address!r}, workers=2)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster(2, [ROOT, ROOT / "tests"]) as running:
        yield running


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if not path.name.startswith(".")}


def test_results_have_the_bytes_of_the_local_pool(cluster: RayCluster, tmp_path: Path) -> None:
    items = acts("bad", "bug", "nan", "die", *["fine"] * 12)
    here = run_items(items, Acts(), tmp_path / "here", workers=2)
    there = run_items(items, Acts(tmp_path / "diary"), tmp_path / "there", ray=cluster.address, workers=2)
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    assert len(contents(tmp_path / "there")) == len(items)
    assert (here.done, here.failed) == (there.done, there.failed)


def test_scans_have_the_bytes_of_the_local_pool(cluster: RayCluster, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for seed in range(3):
        film(videos / f"{seed}.mp4", Performer.from_seed(seed), "dance", seconds=1, fps=12.0, size=(240, 320))
    items, task = items_from([videos], {".mp4"}), ScanTask(pairs=4)
    run_items(items, task, tmp_path / "one", workers=1)
    run_items(items, task, tmp_path / "two", workers=2)
    run_items(items, task, tmp_path / "there", ray=cluster.address, workers=2)
    expected = contents(tmp_path / "one")
    assert [json.loads(told)["result"]["people"] == [] for told in expected.values()] == [False] * 3
    assert contents(tmp_path / "two") == expected
    assert contents(tmp_path / "there") == expected


def test_a_task_that_cannot_be_opened_and_a_job_that_raises_are_told(
    cluster: RayCluster, tmp_path: Path
) -> None:
    with pytest.raises(DanceproofError, match="the model is missing"):
        run_items(acts("fine"), Unfit(), tmp_path, ray=cluster.address)
    with pytest.raises(DanceproofError, match="thirteen"):
        list(spread(double, [1, 13], ray=cluster.address))


def test_nothing_is_lost_or_doubled_when_workers_are_killed(cluster: RayCluster, tmp_path: Path) -> None:
    task = Acts(tmp_path / "diary")
    items = acts(*["sleep:0.05"] * 40, "sleep:60")
    killed: list[int] = []

    def kill(done: int, failed: int, total: int) -> None:
        if done in (6, 14, 22):  # a worker, the actor that keeps one, and a worker again
            workers = [int(page.stem) for page in (tmp_path / "diary").glob("*.txt")]
            alive = [pid for pid in workers if Path(f"/proc/{pid}").exists() and pid not in killed]
            victim = parent_of(alive[0]) if done == 14 else alive[-1]
            os.kill(victim, signal.SIGKILL)
            killed.append(alive[0] if done == 14 else victim)

    summary = run_items(
        items, task, tmp_path / "out", ray=cluster.address, workers=2, time_limit=6, progress=kill, retries=3
    )
    assert len(killed) == 3
    assert summary.done == 40
    assert [failure.error for failure in summary.failed] == ["not done after 6 s"]
    assert len(contents(tmp_path / "out")) == 41
    begun = task.begun()
    assert set(begun) == {item.key for item in items}
    assert len(begun) <= 41 + 3


def test_nothing_is_lost_or_doubled_when_the_driver_is_killed(cluster: RayCluster, tmp_path: Path) -> None:
    count, out = 40, tmp_path / "out"
    script = DRIVER.format(root=str(tmp_path), count=count, address=cluster.address)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    for reach in (5, 15):
        driver = subprocess.Popen([sys.executable, "-c", script], env=environment)
        wait_for(lambda reach=reach: out.is_dir() and len(contents(out)) >= reach, "a first part")
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    before = contents(out)
    assert 15 <= len(before) < count
    items = acts(*[f"sleep:0.05,{number}" for number in range(count)])
    summary = run_items(items, Acts(tmp_path / "diary"), out, ray=cluster.address, workers=2)
    assert (summary.skipped, summary.done) == (len(before), count - len(before))
    assert contents(out).items() >= before.items()
    assert sorted(contents(out)) == sorted(f"{item.key}.json" for item in items)


def test_nothing_is_lost_or_doubled_when_a_node_is_killed_and_another_joins(
    cluster: RayCluster, tmp_path: Path
) -> None:
    task = Acts(tmp_path / "diary")
    items = acts(*["sleep:0.2"] * 40)
    nodes = len(cluster.nodes)

    def kill(done: int, failed: int, total: int) -> None:
        if done == 8:
            assert len(list((tmp_path / "diary").glob("*.txt"))) == 2  # both nodes are at work
            cluster.kill_node(nodes - 1)
            cluster.add_node()

    summary = run_items(items, task, tmp_path / "out", ray=cluster.address, progress=kill)
    assert (summary.done, summary.failed) == (40, ())
    assert sorted(contents(tmp_path / "out")) == sorted(f"{item.key}.json" for item in items)
    assert len(task.begun()) <= 40 + 1


def test_without_a_cluster_it_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match=r"no Ray cluster answers.*ray start --head"):
        run_items(acts("fine"), Acts(), tmp_path, ray="127.0.0.1:1")


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
