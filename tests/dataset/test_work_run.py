"""Every item once, in processes of this machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from work_tasks import Acts, Unfit, acts, double

from dataset.errors import VideoError, WorkError
from dataset.work import Item, run_items, spread
from dataset.work.results import LocalResults
from dataset.work.run import work_through

MIXED = ("fine", "bad", "bug", "nan", "die", "die-once", "exit", *["fine"] * 5)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Acts, Any]:
    """A run over good, bad, faulty and deadly items, by two workers."""
    root = tmp_path_factory.mktemp("mixed")
    task = Acts(root / "diary")
    return root / "out", task, run_items(acts(*MIXED), task, root / "out", workers=2)


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if not path.name.startswith(".")}


def test_one_bad_item_never_stops_the_rest(mixed: tuple[Path, Acts, Any]) -> None:
    out, _, summary = mixed
    assert (summary.done, summary.skipped, len(summary.failed)) == (7, 0, 5)
    assert len(contents(out)) == len(MIXED)
    good = json.loads((out / f"{acts('fine')[0].key}.json").read_text("utf-8"))
    assert good["uri"] == "act://x/00000/fine"
    assert good["result"]["words"] == ["ä", 1, 0.1, None]


def test_each_failure_says_why_in_one_line(mixed: tuple[Path, Acts, Any]) -> None:
    told = {failure.uri.rpartition("/")[2]: failure.error for failure in mixed[2].failed}
    assert told["bad"] == "a.mp4: cannot be read"
    assert told["bug"].startswith("KeyError: 'surprise'")
    assert "JSON" in told["nan"]
    assert told["die"] == "its worker was killed (SIGKILL, perhaps for want of memory); tried 3 times"
    assert told["exit"] == "its worker ended with status 3; tried 3 times"
    for failure in mixed[2].failed:
        assert json.loads((mixed[0] / f"{failure.key}.failed.json").read_text("utf-8")) == {
            "uri": failure.uri, "error": failure.error,
        }  # fmt: skip


def test_an_item_whose_worker_was_killed_is_tried_again_and_others_are_not(
    mixed: tuple[Path, Acts, Any],
) -> None:
    begun = mixed[1].begun()
    times = {item.uri.rpartition("/")[2]: begun.count(item.key) for item in acts(*MIXED)}
    assert (times["die"], times["exit"], times["die-once"]) == (3, 3, 2)
    assert times["bad"] == times["fine"] == 1


def test_a_second_run_does_nothing_and_knows_what_failed(mixed: tuple[Path, Acts, Any]) -> None:
    out, task, first = mixed
    begun, before = len(task.begun()), contents(out)
    seen: list[tuple[int, int, int]] = []
    again = run_items(acts(*MIXED), task, out, workers=2, progress=lambda *counts: seen.append(counts))
    assert (again.done, again.skipped, again.failed) == (0, 7, first.failed)
    assert seen == [(7, 5, 12)]
    assert len(task.begun()) == begun
    assert contents(out) == before


def test_failed_items_are_tried_again_when_asked_to(tmp_path: Path) -> None:
    task = Acts(tmp_path / "diary")
    (item,) = acts("die-once")
    assert len(run_items([item], task, tmp_path / "out", workers=1, retries=0).failed) == 1
    summary = run_items([item], task, tmp_path / "out", workers=1, retries=0, retry=True)
    assert (summary.done, summary.failed) == (1, ())
    assert list(contents(tmp_path / "out")) == [f"{item.key}.json"]


def test_bytes_do_not_depend_on_the_workers(mixed: tuple[Path, Acts, Any], tmp_path: Path) -> None:
    items = [item for item in acts(*MIXED) if item.uri.endswith(("fine", "bad", "bug", "nan"))]
    run_items(items, Acts(), tmp_path, workers=0)
    alone = contents(tmp_path)
    assert len(alone) == len(items)
    assert alone == {name: content for name, content in contents(mixed[0]).items() if name in alone}


def test_an_item_that_takes_too_long_is_ended_and_the_rest_goes_on(tmp_path: Path) -> None:
    begin = time.monotonic()
    summary = run_items(acts("sleep:60", "fine", "fine"), Acts(), tmp_path, workers=1, time_limit=1.0)
    assert [failure.error for failure in summary.failed] == ["not done after 1 s"]
    assert summary.done == 2
    assert time.monotonic() - begin < 30


def test_a_worker_that_takes_too_much_memory_is_ended(tmp_path: Path) -> None:
    summary = run_items(
        acts("eat:400", "fine"), Acts(), tmp_path, workers=1, memory_limit=200_000_000, retries=1
    )
    assert [failure.error for failure in summary.failed] == [
        "its worker took more than 200 MB of memory; tried 2 times"
    ]
    assert summary.done == 1


def test_the_heaviest_is_begun_first(tmp_path: Path) -> None:
    task = Acts(tmp_path / "diary")
    items = [Item.of(f"act://x/{weight}/fine", weight) for weight in (2, 30, 7)]
    run_items(items, task, tmp_path / "out", workers=1)
    assert task.begun() == [items[1].key, items[2].key, items[0].key]


def test_the_task_is_opened_once_in_each_worker(tmp_path: Path) -> None:
    task = Acts(tmp_path / "diary")
    run_items(acts(*["sleep:0.01"] * 40), task, tmp_path / "out", workers=2)
    assert len(list(task.diary.glob("*.txt"))) == 2  # type: ignore[union-attr]


def test_no_more_is_under_way_than_there_are_workers(tmp_path: Path) -> None:
    task = Acts(tmp_path / "diary")
    outcomes = work_through(acts(*["fine"] * 50), task, workers=2)
    for _ in range(3):
        next(outcomes)
    time.sleep(0.3)  # whoever holds results back holds back the work
    assert len(task.begun()) <= 3 + 2 + 2
    outcomes.close()


def test_a_task_that_cannot_be_opened_ends_the_run_with_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="the model is missing"):
        run_items(acts("fine"), Unfit(), tmp_path, workers=1)
    with pytest.raises(WorkError, match="no worker gets ready: its worker was killed"):
        run_items(acts("fine"), Unfit("die"), tmp_path, workers=1)
    assert contents(tmp_path) == {}


def test_results_of_other_settings_are_not_mixed_in(tmp_path: Path) -> None:
    run_items(acts("fine"), Acts(), tmp_path, workers=0, identity={"model": "a", "pairs": 20})
    run_items(acts("fine"), Acts(), tmp_path, workers=0, identity={"pairs": 20, "model": "a"})
    with pytest.raises(WorkError, match=r"other settings.*model 'a', now 'b'"):
        run_items(acts("fine"), Acts(), tmp_path, workers=0, identity={"model": "b", "pairs": 20})


def test_two_runs_cannot_write_into_one_folder(tmp_path: Path) -> None:
    with LocalResults(tmp_path).alone(), pytest.raises(WorkError, match="another run writes into it"):
        run_items(acts("fine"), Acts(), tmp_path, workers=0)


def test_a_limit_needs_a_process(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match="a limit needs a worker"):
        run_items(acts("fine"), Acts(), tmp_path, workers=0, time_limit=1)


DRIVER = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from work_tasks import Acts, acts
from dataset.work import run_items
root = Path({root!r})
run_items(acts(*["sleep:0.15,%d" % i for i in range({count})]), Acts(root / "diary"), root / "out", workers=2)
"""


def test_a_run_that_is_killed_again_and_again_does_every_item_once(tmp_path: Path) -> None:
    out, count = tmp_path / "out", 60
    script = DRIVER.format(path=[str(Path(__file__).parents[1])], root=str(tmp_path), count=count)
    seen: dict[str, bytes] = {}
    for reach in (10, 30):
        driver = subprocess.Popen([sys.executable, "-c", script])
        wait_until(lambda reach=reach: out.is_dir() and len(contents(out)) >= reach)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        now = contents(out)
        assert len(now) < count
        assert now.items() >= seen.items()
        seen = now
        wait_until(lambda: not alive(tmp_path / "diary"))
    items = acts(*[f"sleep:0.15,{number}" for number in range(count)])
    summary = run_items(items, Acts(tmp_path / "diary"), out, workers=2)
    assert summary.skipped >= 30
    assert summary.done + summary.skipped == count
    assert sorted(contents(out)) == sorted(f"{item.key}.json" for item in items)
    assert contents(out).items() >= seen.items()
    assert not [path for path in out.iterdir() if ".part" in path.name]
    # Twice begun is at most what was under way when the driver was killed, and was not yet written.
    assert len(Acts(tmp_path / "diary").begun()) <= count + 2 * (2 + 2)


def alive(diary: Path) -> list[int]:
    """Processes of the workers that wrote the diary and still run."""
    return [int(page.stem) for page in diary.glob("*.txt") if Path(f"/proc/{page.stem}").exists()]


def wait_until(what: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_spread_gives_every_result_with_its_number() -> None:
    for workers in (1, 2):
        assert dict(spread(double, [1, 2, 3], workers)) == {0: 2, 1: 4, 2: 6}


def test_spread_raises_what_a_job_raises_and_says_when_a_worker_is_killed() -> None:
    with pytest.raises(VideoError, match="thirteen"):
        list(spread(double, [1, 13, 2], 2))
    with pytest.raises(WorkError, match="one of 2 jobs could not be done: its worker was killed"):
        list(spread(double, [1, -1], 2, retries=0))
