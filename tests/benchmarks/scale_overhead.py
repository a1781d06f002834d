"""What it costs to do every item once: overhead an item, and the time to pass over what is done.

    python tests/benchmarks/scale_overhead.py [--ray] [--million]

The plain loop calls the same function and writes the same files, renamed when whole, one after the other: flushed to
the disk, as the results of a run are, or not, which is faster but may leave empty files when the power fails. Items do
nothing, so that what is measured is the way they are handed out: the time from the hundredth result to the last, for
each item. All ways take turns, and the median of their rounds counts. With --ray a cluster of two nodes of one core is
started on loopback, and Ray's own tasks, actors and data sets are measured as well. Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from ray_cluster import ray_cluster
from scale_tasks import Nothing

from dataset.files import atomic_path
from dataset.work import Item, run_items
from dataset.work.results import encoded

LOOP = "plain loop, not flushed"
#: Results that do not count: workers are still being started.
WARM = 100
ROOT = Path(__file__).resolve().parents[2]


def items_of(count: int) -> list[Item]:
    """Items that are nowhere."""
    return [Item.of(f"/videos/{number // 1000:04d}/take-{number:07d}.mp4") for number in range(count)]


class Watch:
    """Notes when results come in."""

    def __init__(self) -> None:
        self.begin = time.perf_counter()
        self.times: list[float] = []

    def __call__(self, done: int, failed: int, total: int) -> None:
        if done:
            self.times.append(time.perf_counter() - self.begin)

    def first(self) -> float:
        """Seconds until the first result."""
        return self.times[0]

    def each(self) -> float:
        """Milliseconds between results, once all is under way."""
        return 1000 * (self.times[-1] - self.times[WARM]) / (len(self.times) - 1 - WARM)


def plain_loop(items: list[Item], out: Path, watch: Watch, *, flushed: bool) -> None:
    """The same without any of it."""
    out.mkdir()
    work = Nothing().work
    for number, item in enumerate(items):
        text = encoded(item.uri, result=work(item))
        if flushed:
            with atomic_path(out / f"{item.key}.json") as temporary:
                temporary.write_text(text, "utf-8")
        else:
            (out / f"{item.key}.part").write_text(text, "utf-8")
            (out / f"{item.key}.part").rename(out / f"{item.key}.json")
        watch(number + 1, 0, len(items))


def overhead(
    root: Path, rounds: int, address: str | None, count: int = 1500
) -> dict[str, tuple[float, float]]:
    """Milliseconds an item, and seconds until the first, of each way: the median of some rounds."""
    items = items_of(count)

    def run(out: Path, watch: Watch, **how: Any) -> None:
        run_items(items, Nothing(), out, progress=watch, **how)

    ways: dict[str, Callable[[Path, Watch], None]] = {
        LOOP: lambda out, watch: plain_loop(items, out, watch, flushed=False),
        "plain loop, flushed": lambda out, watch: plain_loop(items, out, watch, flushed=True),
        "this process (workers=0)": lambda out, watch: run(out, watch, workers=0),
        "pool, 1 worker": lambda out, watch: run(out, watch, workers=1),
        "pool, 2 workers": lambda out, watch: run(out, watch, workers=2),
        "pool, 4 workers": lambda out, watch: run(out, watch, workers=4),
    }
    if address is not None:
        ways["Ray, 1 worker"] = lambda out, watch: run(out, watch, ray=address, workers=1)
        ways["Ray, 2 workers on 2 nodes"] = lambda out, watch: run(out, watch, ray=address, workers=2)
    found: dict[str, list[Watch]] = {name: [] for name in ways}
    for turn in range(rounds):
        for number, (name, way) in enumerate(ways.items()):
            watch = Watch()
            way(root / f"o{turn}-{number}", watch)
            found[name].append(watch)
    return {
        name: (statistics.median(one.each() for one in all_), statistics.median(one.first() for one in all_))
        for name, all_ in found.items()
    }


def seconds(work: Callable[[], Any]) -> float:
    """How long it takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def rays_own(address: str, count: int = 400) -> dict[str, float]:
    """Milliseconds an item of Ray's own ways, without writing, after a warm-up of each: tasks, actors, Ray Data."""
    import ray
    from ray.util import ActorPool

    ray.init(address=address, log_to_driver=False, logging_level="error")
    items = items_of(count)
    work = Nothing().work
    found = {}

    task = ray.remote(num_cpus=1)(lambda item: work(item))

    def tasks(some: list[Item]) -> None:
        waiting, under_way = list(reversed(some)), []
        while waiting or under_way:
            while waiting and len(under_way) < 2:
                under_way.append(task.remote(waiting.pop()))
            done, under_way = ray.wait(under_way, num_returns=1)
            ray.get(done)

    tasks(items[:20])
    found["tasks"] = seconds(lambda: tasks(items)) / count * 1000

    class Actor:
        def work(self, item: Item) -> dict[str, Any]:
            return work(item)

    actors = [ray.remote(num_cpus=1)(Actor).remote() for _ in range(2)]
    pool = ActorPool(actors)

    def by_actors(some: list[Item]) -> None:
        for _ in pool.map_unordered(lambda actor, item: actor.work.remote(item), some):
            pass

    by_actors(items[:20])
    found["actors"] = seconds(lambda: by_actors(items)) / count * 1000
    for actor in actors:
        ray.kill(actor)

    class Rows:
        def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
            return work(Item(str(row["key"]), str(row["uri"])))

    def data(some: list[Item]) -> float:
        rows = [{"key": one.key, "uri": one.uri} for one in some]
        mapped = ray.data.from_items(rows, override_num_blocks=len(some)).map(
            Rows, compute=ray.data.ActorPoolStrategy(size=1), num_cpus=1
        )
        times = [time.perf_counter() for _ in mapped.iter_rows()]
        assert len(times) == len(some)
        return 1000 * (times[-1] - times[WARM]) / (len(times) - 1 - WARM)

    try:
        import ray.data

        ray.data.DataContext.get_current().enable_progress_bars = False
        found["Ray Data, a block an item"] = data(items)
    finally:
        ray.shutdown()
    return found


def passing_over(root: Path, count: int) -> dict[str, float]:
    """Seconds until new work begins in a folder with so many empty results, their listing alone, and memory."""
    items = items_of(count + 1)
    out = root / f"done{count}"
    out.mkdir()
    for item in items[:count]:
        (out / f"{item.key}.json").touch()
    begin, used = time.perf_counter(), time.process_time()
    begun: list[float] = []

    def progress(done: int, failed: int, total: int) -> None:
        if done == count:
            begun.extend((time.perf_counter() - begin, time.process_time() - used))

    summary = run_items(items, Nothing(), out, workers=1, progress=progress)
    assert (summary.done, summary.skipped) == (1, count)
    return {
        "seconds until work is handed out": begun[0],
        "of these seconds of a processor": begun[1],
        "seconds until the new item is done": time.perf_counter() - begin,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--ray", action="store_true", help="also on a Ray cluster of two nodes")
    parser.add_argument("--million", action="store_true", help="also pass over a million results")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        if options.ray:
            with ray_cluster(2, [ROOT, ROOT / "tests"]) as cluster:
                ways = overhead(root, options.rounds, cluster.address)
                table["ray"] = rays_own(cluster.address)
        else:
            ways = overhead(root, options.rounds, None)
        table["overhead"] = ways
        print("| | ms an item | more than the loop | s until the first |\n|-|-:|-:|-:|")
        for name, (each, first) in ways.items():
            print(f"| {name} | {each:.2f} | {each - ways[LOOP][0]:+.2f} | {first:.2f} |")
        for name, each in table.get("ray", {}).items():
            print(f"| Ray's own {name}, nothing written | {each:.2f} | | |")
        for count in (10_000, 1_000_000) if options.million else (10_000,):
            table[f"pass over {count}"] = passing_over(root, count)
            told = ", ".join(f"{name} {value:.2f}" for name, value in table[f"pass over {count}"].items())
            print(f"\n{count:,} results there: {told}")
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
