"""Being told to stop is never lost, even where the link breaks in the same moment."""

import asyncio

import pytest

from appliance.uplink import _stay_cancelled


async def test_a_stop_is_not_lost_when_the_link_breaks_in_the_same_moment():
    rounds = 0

    async def breaks_when_cancelled():
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionError("the server stopped too")

    async def run():
        nonlocal rounds
        while True:
            rounds += 1
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(breaks_when_cancelled())
            except* ConnectionError:
                pass
            _stay_cancelled()

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rounds == 1
