"""Keeps one gate's trouble to that gate. The only place that catches every exception."""

import logging
from collections.abc import Awaitable

log = logging.getLogger(__name__)


async def contained(work: Awaitable[None], what: str, gate: str) -> None:
    """Run what is done for one gate beside all others: its fault is told, and not theirs.

    A handler's faults end in its answer, and the framework sees to that. What goes on behind
    several requests has no answer to end in, and its task stands in one group with every other
    gate's: a fault let through here would end the live sessions of all of them. Nothing is begun
    again here. Whose session has ended is told so at its next request and begins another, at the
    pace of its own retries, which is bounded.

    Args:
        work: what is done.
        what: in words, for the log.
        gate: id of the gate.
    """
    try:
        await work
    except Exception:  # told with its traceback; what follows is as for a connection that was cut
        log.exception(what, extra={"gate": gate})
