"""Serves people at the gate: typed codes, and what a supervisor may do. One at a time.

Pages ask (`steward_ports`); the gate's own loop serves, between two people, so that nobody who is
going through is disturbed. What bends a rule is in the journal, with who and why, before it has
any effect, and a request that nobody waits for any more is not served.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, assert_never

from admission import journal
from admission.journal import Kind
from admission.passage import History
from admission.scan import KEYED_READER, Direction, is_well_formed, strip
from admission.sync.assignment import Move
from appliance.alarm import wait_set
from appliance.answering import Allowance
from appliance.commanding import Commanding
from appliance.errors import StorageError
from appliance.health import Health
from appliance.holdings import GateHoldings
from appliance.keying import meant_ticket
from appliance.lane_keeper import LaneKeeper
from appliance.lists import ListKeeper
from appliance.ports import Look, Payload, Screen
from appliance.recording import Recorder
from appliance.steward_ports import (
    REASON_CHARACTERS_MAX,
    Checked,
    Done,
    GrantEnd,
    Keyed,
    LastGrant,
    LetThrough,
    MoveTo,
    Outcome,
    Refusal,
    Refused,
    Request,
    ResetLast,
    SetFree,
    SetLock,
    Statistics,
    Turn,
)
from appliance.tally import Tally
from appliance.trust_ports import CommandMemory
from appliance.trusted_clock import TrustedClock

log = logging.getLogger(__name__)

WAITING_MAX: Final = 8  # a few hands; beyond, whoever asks is told to ask again
ANSWER_S_MAX: Final = 12.0  # two people may go through meanwhile
TYPED_A_SECOND: Final = 1 / 3  # whoever reads codes off tickets is no faster
TYPED_BURST_S: Final = 30.0
CHECK_ONLY_S: Final = 120.0  # after so long without a code tickets are marked again
MISS_COSTS: Final = 2  # what hits no ticket counts as so many more: guessing is the slower
REMEMBERED: Final = 500  # so many of the newest records are looked at for the last admission
MEMORY_KEY: Final = "steward"  # under which locks and turns are remembered, beside operators' keys


class Judge(Protocol):
    """The gate, as far as a typed code goes."""

    async def handle(self, payload: Payload) -> Screen | None:
        """Judge one payload and let the answer take effect; None where there was none."""
        ...

    def check(self, payload: Payload) -> Checked | None:
        """Judge one payload and let nothing follow; None where the gate has no duty."""
        ...


@dataclass(eq=False, slots=True)
class _Asked:
    request: Request
    outcome: Outcome = field(default_factory=lambda: Refused(Refusal.NOT_IN_TIME))
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Stewarding:
    """The service.

    Attributes:
        judge: the gate; set by `main`, which makes the gate with this.
    """

    judge: Judge

    def __init__(
        self,
        *,
        recorder: Recorder,
        holdings: GateHoldings,
        lists: ListKeeper,
        history: History,
        health: Health,
        lane: LaneKeeper,
        commanding: Commanding,
        memory: CommandMemory,
        clock: TrustedClock,
        readers: Mapping[str, Direction],
        ways: frozenset[Direction],
    ) -> None:
        """Take what is asked about and what is moved.

        Args:
            recorder: the journal's pen.
            holdings: the lists held.
            lists: knows where the gate may work; told where it does.
            history: the facts known; a reset is added to it.
            health: told of locks and of the way the lane lets people go.
            lane: stirred when something is asked for.
            commanding: lets people through.
            memory: keeps locks and turns over a restart.
            clock: trusted time.
            readers: which way each lets people go by the configuration, the first one first.
            ways: which the arm opens.
        """
        self._recorder = recorder
        self._holdings = holdings
        self._lists = lists
        self._history = history
        self._health = health
        self._lane = lane
        self._commanding = commanding
        self._memory = memory
        self._clock = clock
        self._directions = dict(readers)
        self._ways = ways
        self._waiting: deque[_Asked] = deque()
        self._check_until_ns = 0
        self._looked_at: Checked | None = None
        self._typed = Allowance(TYPED_A_SECOND, TYPED_BURST_S)
        self._tally = Tally(clock.now())
        recorder.watchers.append(self._tally.take)

    async def load(self) -> None:
        """Take up what was asked for before the last stop.

        Raises:
            StorageError: if the disk cannot be read.
        """
        for reader, direction in (await self._memory.turned()).items():
            if reader in self._directions and direction in self._ways:
                self._directions[reader] = direction
        self._lists.move = await self._memory.moved()
        self._face()
        own = self._recorder.journal
        for row in await own.current.rows(max(0, own.head - REMEMBERED), REMEMBERED):
            self._tally.recall(journal.decode(row.blob))

    # --- what pages look at -----------------------------------------------------------------------

    @property
    def directions(self) -> Mapping[str, Direction]:
        """Which way each reader lets people go now, by its name."""
        return dict(self._directions)

    @property
    def ways(self) -> frozenset[Direction]:
        """Which ways the arm opens."""
        return self._ways

    @property
    def checkpoints(self) -> Mapping[str, str]:
        """Names of the checkpoints that the gate may work at, by id, its present one first."""
        assignment, present = self._lists.assignment, self._lists.checkpoint
        if assignment is None or present is None:
            return {}
        rows = (present, assignment.checkpoint, *assignment.alternatives)
        return {row.id: row.name or row.id for row in rows}

    @property
    def is_locked(self) -> bool:
        """Whether the gate is closed to everybody who is not inside."""
        return self._health.is_ordered_locked

    @property
    def is_free(self) -> bool:
        """Whether the passage is free."""
        return self._lane.lane.is_free

    @property
    def queue(self) -> int:
        """Records that the server does not have yet."""
        own = self._recorder.journal
        return own.head - own.acknowledged.sequence

    def last(self) -> LastGrant | None:
        """Give the last admission, None before the first."""
        last, checkpoint = self._tally.last, self._health.checkpoint
        if last is None or checkpoint is None:
            return last
        for name in checkpoint.performances:
            performance = self._holdings.performances.get(name)
            if performance is not None:
                return replace(last, at=last.at.astimezone(performance.zone))
        return last

    def statistics(self) -> Statistics:
        """Give what was answered since the start."""
        checkpoint = self._health.checkpoint
        inside = None if checkpoint is None else self._history.occupancy(checkpoint.id)
        return self._tally.statistics(self._clock.now(), inside)

    @property
    def is_check_only(self) -> bool:
        """Whether what readers read is only looked at, and marks no ticket."""
        return self._clock.monotonic_ns() < self._check_until_ns

    @property
    def looked_at(self) -> Checked | None:
        """What a reader's last code came to while that is so; None for none."""
        return self._looked_at if self.is_check_only else None

    def check_only(self, *, is_on: bool) -> None:
        """Have what readers read only looked at, or judged again; it ends by itself, too."""
        now_ns = self._clock.monotonic_ns()
        self._check_until_ns = now_ns + round(CHECK_ONLY_S * 1e9) if is_on else 0
        self._looked_at = None
        log.warning("check only" if is_on else "check only is over")

    def taken(self, payload: Payload) -> Payload | None:
        """Give a payload the way that its reader lets people go now; None if only looked at."""
        direction = self._directions.get(payload.reader, payload.direction)
        if direction is not payload.direction:
            payload = replace(payload, direction=direction)
        if not self.is_check_only:
            return payload
        checked = self.judge.check(payload)
        is_misread = payload.is_tentative and checked is not None and checked.category == ""
        if not is_misread:  # a second look will tell
            self._looked_at = checked
            self._check_until_ns = self._clock.monotonic_ns() + round(CHECK_ONLY_S * 1e9)
        return None

    # --- asking -----------------------------------------------------------------------------------

    async def ask(self, request: Request) -> Outcome:
        """Ask for something, done between two people; returns once it is done or refused.

        Cancel: it is not done, unless it was being done.
        """
        refusal = self._bound(request)
        if refusal is not None:
            return Refused(refusal)
        if isinstance(request, Keyed) and request.is_check:
            return self._check(request)
        if len(self._waiting) >= WAITING_MAX:
            return Refused(Refusal.BUSY)
        asked = _Asked(request)
        self._waiting.append(asked)
        self._lane.stirred.set()
        try:
            is_done = await wait_set(asked.done, self._clock, ANSWER_S_MAX)
            if not is_done and asked not in self._waiting:
                await asked.done.wait()  # it is being done, and is not undone
        finally:
            if asked in self._waiting:
                self._waiting.remove(asked)
        return asked.outcome

    def _bound(self, request: Request) -> Refusal | None:
        """Refuse what may not be asked at all."""
        match request:
            case Keyed():
                if not strip(request.typed):
                    return Refusal.EMPTY
                if not self._typed.take(self._clock.monotonic_ns()):
                    log.warning("too many codes typed")
                    return Refusal.TOO_MANY
            case LetThrough() | ResetLast() | MoveTo() | SetLock() | SetFree():
                if not request.reason.strip():
                    return Refusal.NO_REASON
            case Turn():
                pass
            case _:
                assert_never(request)
        return None

    async def serve_next(self) -> bool:
        """Serve the next request; tell whether there was one. Not to be called while busy."""
        if not self._waiting:
            return False
        asked = self._waiting.popleft()
        try:
            asked.outcome = await self._serve(asked.request)
        except StorageError as exc:
            log.exception("not done", extra={"reason": str(exc)})
            self._health.broken(exc.fault)
            asked.outcome = Refused(Refusal.CARD)
        finally:
            asked.done.set()
        if isinstance(asked.outcome, Refused):
            fields = {"request": type(asked.request).__name__, "why": asked.outcome.why.value}
            log.warning("steward refused", extra=fields)
        return True

    async def _serve(self, request: Request) -> Outcome:
        match request:
            case Keyed():
                return await self._keyed(request)
            case LetThrough():
                return await self._let_through(request)
            case ResetLast():
                return await self._reset_last(request)
            case Turn():
                return await self._turn(request)
            case MoveTo():
                return await self._move(request)
            case SetLock():
                return await self._set_lock(request)
            case SetFree():
                return await self._set_free(request)
            case _:
                assert_never(request)

    # --- typed codes ------------------------------------------------------------------------------

    async def _keyed(self, request: Keyed) -> Outcome:
        payload, is_ambiguous = self._payload(request)
        screen = await self.judge.handle(payload)
        if screen is None:
            return Refused(self._why_not())
        return Refused(Refusal.AMBIGUOUS) if is_ambiguous else Done(screen)

    def _check(self, request: Keyed) -> Outcome:
        payload, is_ambiguous = self._payload(request)
        if is_ambiguous:
            return Refused(Refusal.AMBIGUOUS)
        checked = self.judge.check(payload)
        if checked is None:
            return Refused(Refusal.NO_DUTY)
        answer = checked.screen.answer
        log.info("checked", extra={"answer": answer.value if answer else ""})
        return checked

    def _payload(self, request: Keyed) -> tuple[Payload, bool]:
        """Give what a reader would have yielded, and whether several tickets could be meant."""
        typed = strip(request.typed)
        number, is_ambiguous = typed, False
        if is_well_formed(typed):
            meant = meant_ticket(typed, self._holdings, self._history)
            number, is_ambiguous = meant.number, meant.is_ambiguous
            if not meant.is_known:
                for _ in range(MISS_COSTS):
                    self._typed.take(self._clock.monotonic_ns())
        data = number.encode("utf-8", "replace")
        now_ns = self._clock.monotonic_ns()
        return Payload(KEYED_READER, request.direction, data, "", now_ns), is_ambiguous

    def _why_not(self) -> Refusal:
        """Say why a payload had no answer."""
        if self.is_free:
            return Refusal.FREE_NOW
        if self._health.checkpoint is None:
            return Refusal.NO_DUTY
        if self._health.is_locked:
            return Refusal.REVOKED
        if self._health.is_stopped:
            return Refusal.CARD
        is_broken = self._lane.is_out_of_order or self._health.broken_faults
        return Refusal.ARM if is_broken else Refusal.AGAIN

    # --- what a supervisor may do -----------------------------------------------------------------

    async def _let_through(self, request: LetThrough) -> Outcome:
        if self.is_free:
            return Refused(Refusal.FREE_NOW)
        if self._health.checkpoint is None:
            return Refused(Refusal.NO_DUTY)
        if self._health.is_locked:
            return Refused(Refusal.REVOKED)
        if request.direction not in self._ways:
            return Refused(Refusal.NO_WAY)
        detail = _detail("open", request.who, request.reason)
        if not await self._commanding.let_through(request.direction, detail):
            return Refused(Refusal.ARM)
        return Done(Screen(Look.GRANTED, request.direction))

    async def _reset_last(self, request: ResetLast) -> Outcome:
        last, record = self._tally.last, self._tally.last_record
        if last is None or record is None:
            return Refused(Refusal.NO_LAST)
        if last.grant != request.grant:
            return Refused(Refusal.NEWER)
        if last.end is GrantEnd.NOT_PASSED:
            return Refused(Refusal.NOT_USED)
        if last.end is GrantEnd.RESET:
            return Refused(Refusal.WAS_RESET)
        if not record.identifier:
            return Refused(Refusal.NO_TICKET)
        detail = _detail("reset", request.who, request.reason) | {"grant": last.grant}
        (reset,) = await self._recorder.write(self._recorder.reset(record, detail))
        fact = journal.fact_of(self._recorder.journal.id, reset)
        if fact is not None:
            self._history.add(fact)
        self._health.changed()
        return Done()

    async def _turn(self, request: Turn) -> Outcome:
        if request.reader and request.reader not in self._directions:
            return Refused(Refusal.NO_READER)
        if request.direction not in self._ways:
            return Refused(Refusal.NO_WAY)
        for reader in [request.reader] if request.reader else list(self._directions):
            if self._directions[reader] is request.direction:
                continue
            await self._remember(f"turn {request.direction.value} {reader}")
            detail = _detail("turn", request.who, request.direction.value) | {"reader": reader}
            await self._note(detail)
            self._directions[reader] = request.direction
        self._face()
        return Done()

    async def _move(self, request: MoveTo) -> Outcome:
        assignment, present = self._lists.assignment, self._lists.checkpoint
        if assignment is None or present is None:
            return Refused(Refusal.NO_DUTY)
        if request.checkpoint == present.id or request.checkpoint not in self.checkpoints:
            return Refused(Refusal.NO_CHECKPOINT)
        move = Move(assignment.checkpoint.id, request.checkpoint)
        await self._remember("move " + json.dumps([move.own, move.chosen]))
        detail = _detail("move", request.who, request.reason)
        await self._note(detail | {"from": present.id, "to": move.chosen})
        self._lists.move = move
        self._health.changed()
        return Done()

    async def _set_lock(self, request: SetLock) -> Outcome:
        action = "lock" if request.is_locked else "unlock"
        await self._remember(action)
        self._health.order_locked(is_locked=request.is_locked)  # on the disk: nothing may undo it
        await self._note(_detail(action, request.who, request.reason))
        return Done()

    async def _set_free(self, request: SetFree) -> Outcome:
        orders, why = self._lane.orders, f"{request.who}: {request.reason.strip()}"
        if request.is_free == self.is_free:
            return Refused(Refusal.NOT_FREE)
        if request.is_free:
            await orders.begin_free(why[:REASON_CHARACTERS_MAX])
        elif not await orders.end_free(why[:REASON_CHARACTERS_MAX]):
            return Refused(Refusal.FIRE)
        return Done()

    async def _remember(self, action: str) -> None:
        counter = (await self._memory.counters()).get(MEMORY_KEY, 0) + 1
        await self._memory.spend(MEMORY_KEY, counter, action)

    async def _note(self, detail: dict[str, str | int]) -> None:
        checkpoint = self._health.checkpoint
        where = "" if checkpoint is None else checkpoint.id
        await self._recorder.note(Kind.COMMAND, checkpoint=where, detail=detail)
        log.warning("steward obeyed", extra={"action": detail["action"]})

    def _face(self) -> None:
        """Have the display show the way of the first reader."""
        for direction in self._directions.values():
            self._health.face(direction)
            return


def _detail(action: str, who: str, reason: str) -> dict[str, str | int]:
    return {
        "action": action,
        "operator": who,
        "why": reason.strip()[:REASON_CHARACTERS_MAX],
        "source": "page",
    }
