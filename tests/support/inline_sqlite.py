"""aiosqlite without its thread: each connection's work is done in order by a `VirtualLoop`.

The statements are SQLite's own, on real files; only who runs them, and when, is another.
"""

import asyncio

from aiosqlite import core

from virtual_loop import do


class NoThread:
    """Stands in for a connection's thread, which has nothing to do."""

    daemon = True

    def __init__(self, target, args):
        del target, args

    def start(self):
        pass


class WorkOfALoop:
    """Stands in for the queue between a connection and its thread.

    One piece of work in some takes its time, and others of the loop come in between; the rest is
    done on the spot, which is what makes hours pass in seconds.
    """

    def __init__(self):
        self._due_s = 0.0

    def put_nowait(self, work):
        future, function = work
        loop = asyncio.get_running_loop()
        wait_s = loop.disk_s()
        if not wait_s and loop.time() > self._due_s:
            _settle(future, function)
            return
        self._due_s = max(self._due_s, loop.time() + wait_s)
        loop.call_at(self._due_s, _settle, future, function)

    put = put_nowait


def _settle(future, function):
    """Do it, as the thread would, also for somebody who does not wait for it any more."""
    if future is not None and future.cancelled():
        future = future.get_loop().create_future()
        future.add_done_callback(lambda done: done.exception())
    do(future, function)


def replace_threads(patch):
    """Have every connection that is opened from now on work so.

    Args:
        patch: pytest's monkeypatch, or what has its `setattr`.
    """
    patch.setattr(core, "Thread", NoThread)
    patch.setattr(core, "SimpleQueue", WorkOfALoop)
