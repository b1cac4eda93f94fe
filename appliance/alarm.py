"""Waiting for something, but no longer than the Clock allows.

Called by drivers. `asyncio.timeout` counts the loop's own time, which a virtual clock does not
move; here the limit is the port's. Never consumes what it waits for, so nothing is lost on a tie.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from appliance.ports import Clock


async def wait_set(event: asyncio.Event, clock: Clock, wait_s_max: float) -> bool:
    """Wait until an event is set.

    Args:
        event: set by whoever has something for the caller; left set.
        clock: counts the limit.
        wait_s_max: seconds to wait at most.

    Returns:
        Whether the event is set; False is the limit reached.

    Cancel: ends the wait at once, with no task left behind.
    """
    if event.is_set():
        return True
    woken = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watches = (
            group.create_task(_wake_after(event.wait(), woken)),
            group.create_task(_wake_after(clock.sleep(wait_s_max), woken)),
        )
        await woken.wait()
        for watch in watches:
            watch.cancel()
    return event.is_set()


async def _wake_after(wait: Coroutine[Any, Any, object], woken: asyncio.Event) -> None:
    await wait
    woken.set()
