"""What a gate does before it serves anybody: finds its place in the journal again.

Called by `main`. A grant whose end was never written (a crash, a power cut) becomes a passage,
marked unresolved: nobody knows whether the person went through, and nobody may be let in twice
(docs/rules.md).
"""

import gc
import logging
from collections.abc import Iterable, Sequence
from typing import Final

from admission import journal
from admission.journal import Flag, Kind, Record
from admission.passage import History
from appliance.feed_keeper import take_told
from appliance.journal_ports import Journal
from appliance.ports import Memory
from appliance.recording import Recorder

log = logging.getLogger(__name__)

COLLECTOR_THRESHOLDS: Final = (50_000, 20, 100)  # new objects; then rounds of the younger ones


async def note_start(recorder: Recorder, gate: str, software: str) -> None:
    """Begin the journal if it is new, and write down that the daemon started.

    Raises:
        StorageError: if it could not be written.
    """
    if recorder.journal.head == 0:
        await recorder.note(Kind.JOURNAL_NEW, detail={"gate": gate, "previous": ""})
    await recorder.note(Kind.BOOT, detail={"software": software})


async def close_open_grants(recorder: Recorder, grants: Sequence[Record]) -> None:
    """Make a passage, marked unresolved, of every grant whose end is unknown.

    Raises:
        StorageError: if it could not be written.
    """
    if grants:
        log.warning("grants without an end become passages", extra={"count": len(grants)})
    for grant in grants:
        ending = journal.ending(grant, Kind.PASSED, grant.sequence, Flag.UNRESOLVED)
        await recorder.write(ending)


async def remember(
    history: History, own: Journal, memory: Memory, facts: Iterable[tuple[str, Record]]
) -> None:
    """Fill the history with the gate's own facts and with those of others.

    Args:
        history: still empty.
        own: the gate's journal.
        memory: has the facts that the feed brought.
        facts: what the journal and those before it state, each with its journal's id.

    Raises:
        StorageError: if the feed cannot be read.
    """
    for name, record in facts:
        fact = journal.fact_of(name, record)
        if fact is not None:
            history.add(fact)
    for stream in (await memory.feed_cursors()).streams:
        for item in await memory.feed_items(stream):
            take_told(history, own.is_own, item)


def spare_the_collector() -> None:
    """Keep the garbage collector from going through everything between a payload and its verdict.

    What is loaded stays as it is, and a night's passages are no garbage: a full collection would
    look at all of them, tens of milliseconds at the wrong moment.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
