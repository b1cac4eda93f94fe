"""Begins another journal where the present one is no longer one history with the server's.

A card that was cloned, or put back from an image, writes what another one has written otherwise.
So the gate goes on in a new journal, which names the old one; the old one is kept and handed in.
Called by the gate, between two people: a grant and its end stand in one journal.
"""

import logging
from collections.abc import Callable
from typing import Final

from admission.journal import Kind, Record
from admission.sync.gate_side import Row
from appliance.errors import StorageError
from appliance.handing_in import FORK, FORK_FAULT
from appliance.recording import Recorder

log = logging.getLogger(__name__)

NOTHING_ASKED: Final = -1


class Succession:
    """One gate's journals, one after another."""

    def __init__(
        self, *, gate: str, recorder: Recorder, new_id: Callable[[], str], stir: Callable[[], None]
    ) -> None:
        """Take what it works with.

        Args:
            gate: id of the gate.
            recorder: the journal's pen.
            new_id: makes an id that no journal has.
            stir: has the gate call `settle` soon.
        """
        self._gate = gate
        self._recorder = recorder
        self._new_id = new_id
        self._stir = stir
        self._asked = NOTHING_ASKED

    def ask(self, sequence: int) -> None:
        """Have another journal begun as soon as nobody is going through.

        Args:
            sequence: where the server's history was found to be another.
        """
        self._asked = sequence
        self._stir()

    async def settle(self) -> None:
        """Begin another journal if one was asked for; the lane must be at rest.

        What the disk does not take is tried again the next time.
        """
        if self._asked == NOTHING_ASKED:
            return
        old = self._recorder.journal.id
        try:
            await self._recorder.begin_journal(self._new_id(), FORK, self._opening)
            sequence, self._asked = self._asked, NOTHING_ASKED
            log.error("another journal begun", extra={"previous": old})
            await self._recorder.note(Kind.FAULT, detail={"code": FORK_FAULT, "sequence": sequence})
        except StorageError as exc:
            log.exception("no journal begun yet", extra={"reason": str(exc)})

    def _opening(self, last: Row) -> Record:
        return self._recorder.event(
            Kind.JOURNAL_NEW,
            detail={
                "gate": self._gate,
                "previous": self._recorder.journal.id,
                "at": last.sequence,
                "chain": last.chain.hex(),
                "why": FORK,
            },
        )
