"""Obeys operators' signed commands, wherever they come from: each at most once, and not for long.

Called by the gate, which does one thing at a time, and handed commands by the readers and the
uplink. A command is spent on the disk before it has any effect, and so is the grant it gives: a
power cut between them loses the command, never doubles it. An override is no anomaly, and its
passage counts like any other (docs/rules.md).
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from admission.errors import ForeignListError, ListError, RollbackError
from admission.journal import Kind
from admission.scan import Direction
from admission.trust.command import Action, Command, accept_command
from admission.trust.root import Signers
from admission.verdict import Answer
from appliance.announcer import Announcer
from appliance.errors import StorageError
from appliance.health import Health
from appliance.holdings import GateHoldings
from appliance.lane_keeper import LaneKeeper
from appliance.lane_orders import BEGUN, OVER
from appliance.ports import Look, Screen
from appliance.recording import Recorder
from appliance.telling import please_pass
from appliance.trust_ports import CommandMemory
from appliance.trusted_clock import TrustedClock

log = logging.getLogger(__name__)

WAITING_MAX: Final = 8  # a hand gives them one by one; beyond, the newest is not taken
_KNOWN_MAX: Final = 64  # so many are recognised when a code stays before the reader


@unique
class Source(StrEnum):
    """Where a command came from."""

    LIVE = "live"
    CODE = "code"
    STICK = "stick"


@dataclass(frozen=True, slots=True)
class _Given:
    raw: bytes
    source: Source
    direction: Direction  # of the reader, for the answer

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.raw).digest()


class Commanding:
    """What operators command this gate."""

    def __init__(
        self,
        *,
        gate: str,
        signers: Callable[[], Signers],
        memory: CommandMemory,
        recorder: Recorder,
        holdings: GateHoldings,
        health: Health,
        lane: LaneKeeper,
        announcer: Announcer,
        clock: TrustedClock,
    ) -> None:
        """Take what commands are checked by and what they move.

        Args:
            gate: its id.
            signers: gives who may sign for the operator role now; may raise ListError.
            memory: which were obeyed.
            recorder: the journal's pen.
            holdings: the lists held.
            health: told of lock and unlock.
            lane: opened by `open` and `admit`.
            announcer: tells people.
            clock: trusted time.
        """
        self._gate = gate
        self._signers = signers
        self._memory = memory
        self._recorder = recorder
        self._holdings = holdings
        self._health = health
        self._lane = lane
        self._announcer = announcer
        self._clock = clock
        self._waiting: deque[_Given] = deque()
        self._known: dict[bytes, None] = {}
        self._counters: dict[str, int] = {}

    @property
    def is_locked(self) -> bool:
        """Whether an operator has locked the gate."""
        return self._health.is_ordered_locked

    async def load(self) -> None:
        """Take up what was obeyed before.

        Raises:
            StorageError: if the disk cannot be read.
        """
        self._counters = await self._memory.counters()
        self._health.order_locked(is_locked=await self._memory.is_locked())

    def give(self, raw: bytes, source: Source, direction: Direction = Direction.ENTRY) -> None:
        """Have a command looked at as soon as nobody is going through.

        Args:
            raw: its envelope, whatever it is.
            source: where it came from.
            direction: of the reader it was held before.
        """
        given = _Given(raw, source, direction)
        if given.digest in self._known or given in self._waiting:
            return  # the code is still before the reader, or comes by two ways
        if len(self._waiting) >= WAITING_MAX:
            log.warning("command not taken: too many wait", extra={"source": source.value})
            return
        self._waiting.append(given)
        self._lane.stirred.set()

    async def obey_next(self) -> bool:
        """Obey the next command; tell whether there was one. Not to be called while busy."""
        if not self._waiting:
            return False
        given = self._waiting.popleft()
        if given.digest in self._known:
            return True
        try:
            await self._take(given)
        except StorageError as exc:
            log.exception("command not obeyed", extra={"reason": str(exc)})
            self._health.broken(exc.fault)
            self._announcer.done()
            return True
        self._known[given.digest] = None
        while len(self._known) > _KNOWN_MAX:
            del self._known[next(iter(self._known))]
        return True

    async def _take(self, given: _Given) -> None:
        try:
            command = accept_command(
                given.raw,
                trusted=self._signers(),
                gate=self._gate,
                counters=self._counters,
                now=self._clock.now(),
            )
            self._require_able(command)
        except ListError as exc:
            await self._refuse(given, exc)
            return
        detail = _detail(command, given.source)
        await self._memory.spend(command.key, command.counter, command.action.value)
        self._counters[command.key] = command.counter
        if command.action in (Action.LOCK, Action.UNLOCK):  # on the disk; nothing may undo it now
            self._health.order_locked(is_locked=command.action is Action.LOCK)
        await self._recorder.note(
            Kind.COMMAND,
            checkpoint=self._checkpoint,
            performance=command.performance,
            detail=detail,
        )
        fields = {"action": command.action.value, "source": given.source.value}
        log.warning("command obeyed", extra=fields)
        if command.action in (Action.LOCK, Action.UNLOCK):
            await self._lane.orders.end_free(f"command {command.action.value}")
        if command.action in (Action.OPEN, Action.ADMIT):
            await self._open(command, detail)

    def _require_able(self, command: Command) -> None:
        if self._health.is_locked:
            raise ForeignListError("this gate was revoked: it obeys nobody")
        if command.action in (Action.OPEN, Action.ADMIT) and self._health.checkpoint is None:
            raise ForeignListError("this gate has no duty yet: nobody can be let through")

    async def _open(self, command: Command, detail: dict[str, str | int]) -> None:
        """Let one person through: the grant is durable before the arm moves."""
        is_ticket = command.action is Action.ADMIT
        await self.let_through(
            command.direction,
            detail,
            performance=command.performance if is_ticket else "",
            identifier=command.identifier if is_ticket else b"",
        )

    async def let_through(
        self,
        direction: Direction,
        detail: Mapping[str, str | int],
        performance: str = "",
        identifier: bytes = b"",
    ) -> bool:
        """Let one person through whatever the rules say. Not to be called while busy.

        Args:
            direction: which way.
            detail: who decided it, and why.
            performance: of the ticket that it is for, "" for none.
            identifier: of that ticket.

        Returns:
            Whether the arm was told to open.

        Raises:
            StorageError: if it could not be written; the arm has not moved.
        """
        ticket = self._holdings.find(performance, identifier) if identifier else None
        draft = self._recorder.override(
            checkpoint=self._checkpoint,
            direction=direction,
            performance=performance,
            identifier=identifier,
            ticket_class=None if ticket is None else ticket.ticket_class,
            list_version=self._holdings.version(performance),
            detail=detail,
        )
        is_open = await self._lane.release(draft)
        if is_open:
            then = please_pass(direction) if self._lane.is_busy else None
            self._announcer.post(Screen(Look.GRANTED, direction, Answer.GRANTED), then)
        else:
            self._announcer.done()
        self._health.changed()
        return is_open

    async def _refuse(self, given: _Given, exc: ListError) -> None:
        """Write a refusal down, once; what was obeyed and comes again by itself is no news."""
        log.warning("command refused", extra={"reason": str(exc), "source": given.source.value})
        if isinstance(exc, RollbackError) and given.source is not Source.CODE:
            return
        if given.source is Source.CODE:
            self._announcer.post(Screen(Look.DENIED, given.direction, Answer.UNKNOWN_TICKET))
        await self._recorder.note(
            Kind.COMMAND,
            checkpoint=self._checkpoint,
            detail={
                "refused": type(exc).__name__,
                "why": str(exc)[:200],
                "source": given.source.value,
            },
        )

    @property
    def _checkpoint(self) -> str:
        checkpoint = self._health.checkpoint
        return "" if checkpoint is None else checkpoint.id


async def obey_at_rest(
    raw: bytes,
    *,
    gate: str,
    signers: Signers,
    memory: CommandMemory,
    recorder: Recorder,
    now: datetime,
) -> bool:
    """Obey a lock or unlock on a gate whose daemon does not run: it stands from the next start on.

    Args:
        raw: the envelope.
        gate: id of the gate.
        signers: who may sign for the operator role.
        memory: which were obeyed.
        recorder: the journal's pen.
        now: aware trusted time.

    Returns:
        Whether it was obeyed; `open` and `admit` are for who stands there, and are not.

    Raises:
        ListError: if the command is refused.
        StorageError: if the disk cannot be written.
    """
    counters = await memory.counters()
    command = accept_command(raw, trusted=signers, gate=gate, counters=counters, now=now)
    if command.action not in (Action.LOCK, Action.UNLOCK):
        return False
    await memory.spend(command.key, command.counter, command.action.value)
    await recorder.note(Kind.COMMAND, detail=_detail(command, Source.STICK))
    last = await recorder.journal.last_of(Kind.FREE_PASSAGE)
    if last is not None and last.detail.get("phase") == BEGUN:  # the daemon would go on with it
        detail = {"phase": OVER, "why": f"command {command.action.value}"}
        await recorder.note(Kind.FREE_PASSAGE, detail=detail)
    return True


def _detail(command: Command, source: Source) -> dict[str, str | int]:
    return {
        "action": command.action.value,
        "operator": command.operator,
        "why": command.reason,
        "counter": command.counter,
        "key": command.key[:16],
        "source": source.value,
    }
