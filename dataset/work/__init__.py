"""Do this for every item, once: on the cores of this machine, or on a Ray cluster.

    from dataset.work import items_from, local_file, run_items

    items = items_from(["videos/", "s3://bucket/takes/*.mp4", "@more.txt"])
    summary = run_items(items, task, Path("results"), workers=8, time_limit=600)

`run_items` keeps one result file an item and passes over what is done, so it can be killed and started again at any
time. `spread` does the same for callers that keep their results themselves. A task is an object that can be pickled,
with a method `open` that loads what all items need (see `Task`).
"""

from __future__ import annotations

from dataset.work.inputs import items_from
from dataset.work.items import Item
from dataset.work.run import Failure, Summary, Task, run_items
from dataset.work.sources import local_file
from dataset.work.spread import spread
from dataset.work.table import results_table, write_table

__all__ = [
    "Item",
    "items_from",
    "run_items",
    "Task",
    "Summary",
    "Failure",
    "local_file",
    "spread",
    "results_table",
    "write_table",
]
