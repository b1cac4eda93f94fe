"""Has the daemon watched over part by part: its opening, then what serves. Called by `main`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from appliance.gate import Gate
from appliance.life_ports import OPENING_S_MAX, PATIENCE_S, Watch
from appliance.ports import Reader
from appliance.state_report import GateLooks, StateReport


def watch_opening(watch: Watch, stack: AsyncExitStack) -> asyncio.Event:
    """Have what is opened from now on watched over, until the event that is given is set.

    Args:
        watch: whoever watches over the daemon.
        stack: ends the watching, too.
    """
    opened = asyncio.Event()
    stack.enter_context(watch.over("opening", opened.wait, OPENING_S_MAX))
    return opened


def watch_serving(
    report: StateReport,
    stack: AsyncExitStack,
    looks: GateLooks,
    gate: Gate,
    readers: Sequence[Reader],
    database: Callable[[], Awaitable[None]],
) -> None:
    """Report that the gate serves, and have each part of it watched over until the stack closes.

    Args:
        report: tells the machine how the gate is.
        stack: ends it.
        looks: looks at the services.
        gate: whose loop moves the lane.
        readers: each with a loop of its own; one that is unplugged answers, too.
        database: goes once through the thread that writes.
    """
    watch = report.watch
    stack.enter_context(watch.over("lane", gate.beat.next, PATIENCE_S))
    stack.enter_context(watch.over("database", database, PATIENCE_S))
    for number, reader in enumerate(readers):
        stack.enter_context(watch.over(f"reader {number}", reader.beat.next, PATIENCE_S))
    stack.enter_context(report.serving(looks.look))
