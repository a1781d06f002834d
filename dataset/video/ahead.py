"""Doing the next step of an iteration in a thread of its own, while the last one's result is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

_T = TypeVar("_T")
# How often a waiting thread looks whether it is still wanted, seconds.
_GLANCE = 0.1


def ahead(items: Iterator[_T], depth: int) -> Iterator[_T]:
    """The same items, of which up to `depth` are made before they are asked for.

    What `items` raises is raised here, after the items before it. When the iteration ends, or is given up, the thread
    has ended too, and `items` is closed.

    Args:
        items: used in the thread only; it pays where making an item leaves Python's lock to others, as decoding does.
        depth: 1 or more.
    """
    made: Queue[tuple[_T] | BaseException | None] = Queue(depth)
    given_up = Event()

    def hand_over(item: tuple[_T] | BaseException | None) -> None:
        while not given_up.is_set():
            try:
                return made.put(item, timeout=_GLANCE)
            except Full:
                continue

    def work() -> None:
        end: BaseException | None = None
        try:
            for item in items:
                hand_over((item,))
                if given_up.is_set():
                    break
            if hasattr(items, "close"):
                items.close()
        except BaseException as error:  # it belongs to whoever iterates, whatever it is
            end = error
        hand_over(end)

    thread = Thread(target=work, name="decoding ahead", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = made.get(timeout=_GLANCE)
            except Empty:
                continue
            if isinstance(item, BaseException):
                raise item
            if item is None:
                return
            yield item[0]
            del item  # a pair of frames is large, and the next one may take long
    finally:
        given_up.set()
        thread.join()
