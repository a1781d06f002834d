"""Checks the cost model of docs/scale.md: replays measured seconds a video through a queue with failures.

    python tests/benchmarks/scale_simulation.py [--measured docs/scale.json]

What is simulated is what `dataset.work` does: one driver hands items out, longest first, one a worker; every result
passes the driver; a worker that dies loses its item, which is done again after all others; a machine that dies loses
all its workers and comes back later; files come over a network that all share. Time is counted in events, not waited
for. Beside each simulation stands what the formula says (`predict`), so that the two can be seen to agree, and where
they do not. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Site:
    """Machines, and what goes wrong with them.

    Attributes:
        machines, cores: of each machine a worker a core.
        driver: seconds of the driver for an item.
        link: bytes a second that all machines together can fetch.
        stream: bytes a second of one fetch.
        killed: chance that a worker dies in an item.
        respawn: seconds until a worker is back, models loaded.
        mtbf: hours between two failures of one machine.
        repair: seconds until a machine is back.
    """

    machines: int
    cores: int
    driver: float
    link: float
    stream: float = 50e6
    killed: float = 1e-4
    respawn: float = 10.0
    mtbf: float = 5000.0
    repair: float = 600.0

    @property
    def workers(self) -> int:
        """In all."""
        return self.machines * self.cores


@dataclass(frozen=True)
class Ran:
    """What came of a simulated run.

    Attributes:
        hours: from the first item to the last result.
        again: items that were begun again, as part of all.
        done: items, each counted once.
        driver, link: part of the time in which each was busy.
    """

    hours: float
    again: float
    done: int
    driver: float
    link: float


def rates(seconds: list[float], sizes: list[float], site: Site) -> dict[str, float]:
    """Videos a second that the workers, the network and one driver can do; the least of them is what is done.

    Args:
        seconds: of a worker, for a video; a sample.
        sizes: bytes of the same videos.
        site: where.
    """
    size = sum(sizes) / len(sizes)
    whole = [one + bytes_ / site.stream for one, bytes_ in zip(seconds, sizes, strict=True)]
    mean = sum(whole) / len(whole)
    squares = sum(one * one for one in whole) / len(whole)
    # A killed worker has done half of an item on average, and has to begin anew.
    kills = site.killed * (mean / 2 + site.respawn)
    # A machine that is lost has lost what was under way (of long items more), and is away for a while.
    losses = mean / (site.mtbf * 3600) * (squares / mean / 2 + site.repair + site.respawn)
    return {
        "workers": site.workers / (mean + kills + losses),
        "network": site.link / size,
        "driver": 1 / site.driver,
    }


def predict(seconds: list[float], sizes: list[float], items: int, site: Site) -> tuple[float, str]:
    """Hours that a run with one driver takes, and what limits it."""
    able = rates(seconds, sizes, site)
    limit = min(able, key=lambda name: able[name])
    return (items / able[limit] + site.respawn) / 3600, limit


def simulate(seconds: list[float], sizes: list[float], items: int, site: Site, seed: int = 0) -> Ran:
    """Run it, event by event."""
    dice = random.Random(seed)
    drawn = [dice.randrange(len(seconds)) for _ in range(items)]
    drawn.sort(key=lambda index: -seconds[index])
    waiting: list[tuple[int, int, int]] = [(0, number, index) for number, index in enumerate(drawn)]
    heapq.heapify(waiting)
    order = count()
    # (time, order, kind, worker, life of the worker, item or None)
    events: list[tuple[float, int, str, int, int, tuple[int, int, int] | None]] = []
    lives = [0] * site.workers
    doing: list[tuple[int, int, int] | None] = [None] * site.workers
    link_free, link_busy = 0.0, 0.0

    def push(time: float, kind: str, worker: int, item: tuple[int, int, int] | None = None) -> None:
        life = lives[worker] if kind != "machine" else 0
        heapq.heappush(events, (time, next(order), kind, worker, life, item))

    for worker in range(site.workers):
        push(site.respawn, "ready", worker)
    for machine in range(site.machines):
        push(dice.expovariate(1 / (site.mtbf * 3600)), "machine", machine)
    driver_free, driver_busy, done, again, now = 0.0, 0.0, 0, 0, 0.0
    seen = bytearray(items)
    idle: list[int] = []

    def give(worker: int, time: float) -> None:
        """Through the driver, which does one thing at a time."""
        nonlocal driver_free, driver_busy, link_free, link_busy
        item = heapq.heappop(waiting)
        begin = max(time, driver_free)
        driver_free = begin + site.driver
        driver_busy += site.driver
        doing[worker] = item
        # All fetches together get no more than the link carries, one of them no more than a stream does.
        link_free = max(link_free, driver_free) + sizes[item[2]] / site.link
        link_busy += sizes[item[2]] / site.link
        fetched = max(link_free, driver_free + sizes[item[2]] / site.stream)
        length = fetched - driver_free + seconds[item[2]]
        if dice.random() < site.killed:
            push(driver_free + length * dice.random(), "killed", worker, item)
        else:
            push(driver_free + length, "done", worker, item)

    while done < items:
        now, _, kind, worker, life, item = heapq.heappop(events)
        if kind == "machine":
            for one in range(worker * site.cores, (worker + 1) * site.cores):
                lives[one] += 1
                if (lost := doing[one]) is not None:
                    heapq.heappush(waiting, (lost[0] + 1, lost[1], lost[2]))
                    doing[one] = None
                    again += 1
                push(now + site.repair + site.respawn, "ready", one)
            push(now + site.repair + dice.expovariate(1 / (site.mtbf * 3600)), "machine", worker)
        elif life != lives[worker]:
            continue  # of a worker that is gone
        elif kind == "killed" and item is not None:
            lives[worker] += 1
            doing[worker] = None
            heapq.heappush(waiting, (item[0] + 1, item[1], item[2]))
            again += 1
            push(now + site.respawn, "ready", worker)
        else:
            if kind == "done" and item is not None:
                assert not seen[item[1]], "an item was done twice"
                seen[item[1]] = 1
                done += 1
                doing[worker] = None
            idle.append(worker)
        while idle and waiting:
            free = idle.pop()
            if doing[free] is None:
                give(free, now)
    assert all(seen), "an item was lost"
    return Ran(now / 3600, again / items, done, driver_busy / now, link_busy / now)


def plan(measured: dict[str, Any]) -> None:
    """Print what a million and a billion videos need, by the formula.

    A video is taken to be 30 s of 1080p at 25 frames a second in 10 MB; its scan looks at 20 pairs of frames, and its
    poses are those of all frames.
    """
    size = 10e6
    costs = {
        "scan": measured["scan_s"]["1080p"],
        "poses": 750 * measured["pose_ms"]["1080p"] / 1000,
    }
    print("| | videos | hours | core hours | machines of 32 cores | drivers | Gbit/s | read |")
    print("|-|-:|-:|-:|-:|-:|-:|-:|")
    for what, seconds in costs.items():
        for items, hours in ((10**6, 24.0), (10**9, 7 * 24.0)):
            one = Site(1, 32, measured["ray_ms"] / 1000, float("inf"))
            able = rates([seconds], [size], one)
            wanted = items / (hours * 3600)
            machines, drivers = math.ceil(wanted / able["workers"]), math.ceil(wanted / able["driver"])
            core_hours = items * one.workers / able["workers"] / 3600
            print(
                f"| {what} | {items:,} | {hours:.0f} | {core_hours:,.0f} | {machines:,} | {drivers} "
                f"| {wanted * size * 8 / 1e9:.1f} | {items * size / 1e12:,.0f} TB |"
            )


def main() -> None:
    """Print the tables of docs/scale.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--measured", type=Path, default=ROOT / "docs" / "scale.json")
    parser.add_argument(
        "--items", type=int, default=200_000, help="of each simulation; larger runs are parts of it"
    )
    options = parser.parse_args()
    measured = json.loads(options.measured.read_text("utf-8"))
    seconds = [one["scan_s"] for one in measured["videos"]]
    sizes = [float(one["bytes"]) for one in measured["videos"]]
    pool, ray = measured["pool_ms"] / 1000, measured["ray_ms"] / 1000
    ten = Site(10, 32, ray, 1.25e9)
    sites = {
        "one machine of 8 cores, 1 Gbit/s": Site(1, 8, pool, 125e6),
        "10 × 32 cores, 10 Gbit/s": ten,
        "the same, link of 100 Mbit/s": replace(ten, link=12.5e6),
        "the same, each machine fails every 2 h": replace(ten, mtbf=2.0),
        "the same, 1 of 50 items kills its worker": replace(ten, killed=0.02),
        "100 × 32 cores, 100 Gbit/s": Site(100, 32, ray, 12.5e9),
    }
    mean, size = sum(seconds) / len(seconds), sum(sizes) / len(sizes)
    print(f"{options.items:,} videos; mean {mean:.2f} s of a core, {size / 1e6:.2f} MB\n")
    print("| | hours, formula | hours, simulated | limited by | begun again | driver busy | link busy |")
    print("|-|-:|-:|-|-:|-:|-:|")
    for name, site in sites.items():
        said, limit = predict(seconds, sizes, options.items, site)
        ran = simulate(seconds, sizes, options.items, site)
        assert ran.done == options.items
        print(
            f"| {name} | {said:.3f} | {ran.hours:.3f} | {limit} | {ran.again:.2%} | {ran.driver:.0%} "
            f"| {ran.link:.0%} |",
            flush=True,
        )
    print()
    plan(measured)


if __name__ == "__main__":
    main()
