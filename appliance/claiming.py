"""Strict checkpoints: ask the server before the arm opens, but not for long.

Called by the gate between its own verdict, a grant, and the journal. Without an answer in time the
gate's own rule holds: a link that is slow or gone keeps nobody out.
"""

import asyncio
import logging
from typing import Final

from admission import journal
from admission.scan import Direction, Scan
from admission.sync.messages import Claim, Claimed
from admission.ticket import Checkpoint, EntryExit
from admission.verdict import Answer, Deny, Grant
from appliance.alarm import wait_set
from appliance.hinting import ExpressQueue
from appliance.ports import Clock

log = logging.getLogger(__name__)

CLAIM_S_MAX: Final = 0.15  # people notice a gate that thinks for longer


class Claiming:
    """Claims tickets at the server.

    Attributes:
        lane: carries claims ahead of everything else.
        unanswered: claims that no answer came to in time.
    """

    def __init__(self, lane: ExpressQueue, clock: Clock, wait_s_max: float = CLAIM_S_MAX) -> None:
        """Take the way to the server.

        Args:
            lane: carries claims ahead of everything else.
            clock: counts the wait.
            wait_s_max: seconds that a claim may take.
        """
        self.unanswered = 0
        self.lane = lane
        self._clock = clock
        self._wait_s_max = wait_s_max
        self._number = 0
        self._answer = ""
        self._answered = asyncio.Event()

    async def ask(self, granted: Grant, scan: Scan, checkpoint: Checkpoint) -> Deny | None:
        """Claim a ticket that the gate's own rule grants.

        Args:
            granted: the verdict.
            scan: what was presented.
            checkpoint: where.

        Returns:
            The server's refusal; None where the gate's own rule holds.
        """
        if not self.lane.is_open or _leaves(granted, scan.direction):
            return None
        ticket = granted.ticket
        self._number += 1
        self._answered.clear()
        self.lane.offer(
            Claim(
                number=self._number,
                checkpoint=checkpoint.id,
                performance=granted.performance,
                identifier=ticket.identifier,
                direction=journal.direction_code(scan.direction),
                at_ms=journal.wall_ms(scan.at),
                ticket_class=journal.class_code(ticket.ticket_class),
            )
        )
        if not await wait_set(self._answered, self._clock, self._wait_s_max):
            self.unanswered += 1
            log.warning("claim not answered", extra={"scan": scan.id, "count": self.unanswered})
            return None
        refusal = _refusal(self._answer)
        return None if refusal is None else Deny(refusal, granted.performance, ticket)

    def hear(self, claimed: Claimed) -> None:
        """Take the server's answer; one that comes too late is to a claim that is over."""
        if claimed.number == self._number:
            self._answer = claimed.answer
            self._answered.set()

    def lost(self) -> None:
        """Wait no longer: the connection is gone."""
        self._answer = ""
        self._answered.set()


def _leaves(granted: Grant, direction: Direction) -> bool:
    """Line 4: whoever is inside goes out without anybody being asked."""
    return direction is Direction.EXIT and isinstance(granted.ticket.ticket_class.rule, EntryExit)


def _refusal(code: str) -> Answer | None:
    """Read an answer; of one that this gate has no words for it makes nothing."""
    try:
        answer = Answer(code)
    except ValueError:
        return None
    return None if answer is Answer.GRANTED else answer
