"""Keeps one gate's trouble to that gate. The only place that catches every exception."""

import logging
from collections.abc import Awaitable

log = logging.getLogger(__name__)


async def contained(work: Awaitable[None], what: str, gate: str) -> None:
    """Run what is done for one gate beside all others: its fault is told, and not theirs.

    A handler's faults end in its answer, and the framework sees to that. What goes on behind
    several requests has no answer to end in.

    Args:
        work: what is done.
        what: in words, for the log.
        gate: id of the gate.
    """
    try:
        await work
    except Exception:
        log.exception(what, extra={"gate": gate})
