"""Gates that ask for one page at once are answered by one reading, and by none that is too old."""

import asyncio

import pytest

from admission.sync.messages import Feed
from sync_server.errors import NotFoundError
from sync_server.web.shared_pages import SharedPages


class Stream:
    """A feed that grows, and counts how often it is read."""

    def __init__(self):
        self.head = self.reads = 0
        self.may_end = asyncio.Event()

    async def read(self):
        self.reads += 1
        head = self.head  # what a database shows is how it was when the reading began
        await self.may_end.wait()
        return Feed("show", 0, [], head)


async def test_all_that_are_woken_at_once_share_one_reading():
    pages, stream = SharedPages(), Stream()
    stream.may_end.set()
    async with asyncio.TaskGroup() as gates:
        asked = [gates.create_task(pages.read("show", 0, stream.read)) for _ in range(100)]
    assert stream.reads == 1
    assert len({id(task.result()) for task in asked}) == 1


async def test_other_streams_and_places_are_read_for_themselves():
    pages, stream = SharedPages(), Stream()
    stream.may_end.set()
    async with asyncio.TaskGroup() as gates:
        for name, after in (("show", 0), ("show", 1), ("matinee", 0)):
            gates.create_task(pages.read(name, after, stream.read))
    assert stream.reads == 3


async def test_whoever_asks_when_a_reading_has_begun_gets_a_newer_one():
    pages, stream = SharedPages(), Stream()
    async with asyncio.TaskGroup() as gates:
        early = gates.create_task(pages.read("show", 0, stream.read))
        for _ in range(5):
            await asyncio.sleep(0)
        assert stream.reads == 1
        stream.head = 1
        late = gates.create_task(pages.read("show", 0, stream.read))
        for _ in range(5):
            await asyncio.sleep(0)
        stream.may_end.set()
    assert (early.result().head, late.result().head) == (0, 1)


@pytest.mark.parametrize("way", ["refused", "gone"])
async def test_a_gate_that_may_not_read_any_more_keeps_nobody_from_reading(way):
    pages, stream = SharedPages(), Stream()
    stream.may_end.set()

    async def refused():
        raise NotFoundError("gate")

    async with asyncio.TaskGroup() as gates:
        first = gates.create_task(_swallow(pages.read("show", 0, refused)))
        other = gates.create_task(pages.read("show", 0, stream.read))
        await asyncio.sleep(0)
        if way == "gone":
            first.cancel()
    assert other.result().head == 0
    assert not pages._gathering


async def _swallow(reading):
    with pytest.raises(NotFoundError):
        await reading
