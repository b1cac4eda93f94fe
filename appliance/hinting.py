"""Tells other gates of a grant at once, and hears of theirs: one board, several lanes.

Called by the lane when a grant is durable, by the gate before it believes a grant, and by whatever
brings hints in: the server's live connection, the local network. What goes out is lossy and never
waited for; the journal alone is the truth, and it follows.
"""

import asyncio
import logging
from collections import deque
from typing import Final

from admission.errors import RemoteProtocolError
from admission.journal import Kind, Record
from admission.passage import History
from admission.rules import GateConditions
from admission.scan import Scan
from admission.sync.hints import HintBoard, Tightened, hint_of, tighten
from admission.sync.messages import Claim, Hint
from admission.ticket import Checkpoint
from admission.verdict import Verdict
from appliance.holdings import GateHoldings
from appliance.link_ports import HintLane
from appliance.ports import Clock
from appliance.recording import Recorder

log = logging.getLogger(__name__)

QUEUED_MAX: Final = 32  # beyond, the oldest is dropped: by then the journal has overtaken it
_NS_PER_MS: Final = 1_000_000


class Hinting:
    """The gate's word to other gates, and theirs to it.

    Attributes:
        board: what was heard and is not over.
        lanes: the ways out; `main` adds them.
        nonsense: hints that could not be read.
    """

    def __init__(
        self,
        gate: str,
        recorder: Recorder,
        history: History,
        holdings: GateHoldings,
        clock: Clock,
    ) -> None:
        """Take what the gate judges by.

        Args:
            gate: its own id.
            recorder: knows the journal that the gate's grants are in.
            history: the facts.
            holdings: the lists.
            clock: tells how old a hint is.
        """
        self.board = HintBoard()
        self.lanes: list[HintLane] = []
        self.nonsense = 0
        self._gate = gate
        self._recorder = recorder
        self._history = history
        self._holdings = holdings
        self._clock = clock

    def granted(self, grant: Record) -> None:
        """Tell of a grant that is durable; never waits.

        Args:
            grant: the GRANTED record.
        """
        self._offer(grant)

    def ended(self, ending: Record) -> None:
        """Take a grant back if nobody went through; a passage is the journal's to tell.

        Args:
            ending: the record that ended the grant, on the disk.
        """
        if ending.kind == Kind.NOT_PASSED:
            self._offer(ending)

    def _offer(self, record: Record) -> None:
        if not record.performance or not self.lanes:
            return  # a grant without a ticket says nothing of one
        withdrawn = record.kind == Kind.NOT_PASSED
        hint = hint_of(self._gate, self._recorder.journal.id, record, withdrawn=withdrawn)
        for lane in self.lanes:
            lane.offer(hint)

    def hear(self, hint: Hint) -> None:
        """Take in what another gate has said; whoever calls knows that the gate has said it."""
        if hint.gate == self._gate or self._recorder.journal.is_own(hint.journal):
            return  # our own word, come back on another way
        try:
            self.board.hear(hint, self._now_ms())
        except RemoteProtocolError as exc:
            if self.nonsense == 0:
                log.warning("hint makes no sense", extra={"gate": hint.gate, "reason": str(exc)})
            self.nonsense += 1

    def look_again(
        self, verdict: Verdict, scan: Scan, checkpoint: Checkpoint, conditions: GateConditions
    ) -> Tightened | None:
        """Judge a grant again with hints in view; None where the verdict stands.

        Args:
            verdict: what the rules say without hints.
            scan: what was presented.
            checkpoint: where.
            conditions: by which it was judged.
        """
        before = self.board.unconfirmed
        tightened = tighten(
            verdict,
            self.board,
            self._now_ms(),
            presented=scan.number,
            checkpoint=checkpoint,
            direction=scan.direction,
            now=scan.at,
            holdings=self._holdings,
            history=self._history,
            conditions=conditions,
        )
        if self.board.unconfirmed != before:
            log.warning("hints expired", extra={"unconfirmed": self.board.unconfirmed})
        return tightened

    def _now_ms(self) -> int:
        return self._clock.monotonic_ns() // _NS_PER_MS


class ExpressQueue:
    """The lane to the server: what goes out ahead of everything else while the link is up.

    The newest goes first, and the oldest is dropped when there are too many: a hint is worth
    something in its first second.

    Attributes:
        is_open: whether there is a connection; nothing is kept for a later one.
        dropped: what had to make room.
    """

    def __init__(self) -> None:
        """Begin without a connection."""
        self.is_open = False
        self.dropped = 0
        self._waiting: deque[Hint | Claim] = deque()
        self._due = asyncio.Event()

    def open(self) -> None:
        """Take what is offered from now on."""
        self.is_open = True

    def close(self) -> None:
        """Forget what is left, and take no more."""
        self.is_open = False
        self._waiting.clear()
        self._due.clear()

    def offer(self, message: Hint | Claim) -> None:
        """Have something sent, if it can be; never waits."""
        if not self.is_open:
            return
        if len(self._waiting) == QUEUED_MAX:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(message)
        self._due.set()

    async def next(self) -> Hint | Claim:
        """Wait for what goes out next.

        Cancel: loses nothing.
        """
        while not self._waiting:
            self._due.clear()
            await self._due.wait()
        return self._waiting.pop()
