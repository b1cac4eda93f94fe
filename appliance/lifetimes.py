"""How long the gate's tasks run: together, until the daemon is told to stop. Called by `main`."""

import asyncio
import signal

from appliance.ports import Task


def stop_on_signals() -> asyncio.Event:
    """Give an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def run_until(
    stop: asyncio.Event, tasks: list[Task], ended: asyncio.Event | None = None
) -> None:
    """Run all tasks until told to stop or to end; one that fails ends them all and is told."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(task) for task in tasks]
        over = asyncio.Event()
        marks = [group.create_task(_mark(event, over)) for event in (stop, ended) if event]
        await over.wait()
        for task in (*running, *marks):
            task.cancel()


async def _mark(event: asyncio.Event, over: asyncio.Event) -> None:
    await event.wait()
    over.set()
