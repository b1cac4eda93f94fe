"""READ ME FIRST. One lane, whole: payload -> scan -> verdict -> journal -> arm and display.

Everything that happens to the lane is handled one thing at a time, by `run`. A fact is on the disk
before its effect: the grant before the arm moves, the passage when the sensor saw it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from admission import journal
from admission.errors import ListFormatError, PayloadError
from admission.journal import Flag, Kind
from admission.passage import History, Passage, TicketKey
from admission.rules import judge, opens_on_refusal
from admission.scan import Direction, Scan, normalise
from admission.sync.command_code import is_code, read_code
from admission.ticket import Checkpoint
from admission.ticketlist.attributes import NOTHING, Attributes
from admission.trust.trusted_time import TrustedInstant
from admission.verdict import Deny, Grant, Verdict
from appliance.announcer import Announcer
from appliance.beat import Beat
from appliance.checking import checked
from appliance.claiming import Claiming
from appliance.commanding import Commanding, Source
from appliance.errors import StorageError
from appliance.health import Health
from appliance.hinting import Hinting
from appliance.holdings import GateHoldings
from appliance.lane_keeper import LaneKeeper
from appliance.ports import Payload, Reader, Screen
from appliance.presenting import Presentations, waiting_with
from appliance.recording import Recorder
from appliance.steward_ports import Checked
from appliance.telling import please_pass, screen_of
from appliance.trusted_clock import TrustedClock

log = logging.getLogger(__name__)

_NO_FLAGS: Final = Flag(0)
WAITING_MAX: Final = 8  # codes shown while somebody goes through; beyond, the oldest is dropped


class _Judged(NamedTuple):
    """What a scan came to.

    Attributes:
        verdict: the answer.
        last: of a refusal, the ticket's last passage here.
        flags: how it came to that.
    """

    verdict: Verdict
    last: Passage | None = None
    flags: Flag = _NO_FLAGS


async def _nothing() -> None:
    """Do nothing."""


async def _nobody_asks() -> bool:
    """Serve nobody."""
    return False


def _as_read(payload: Payload) -> Payload | None:
    """Leave a payload as its reader yielded it."""
    return payload


class Gate:
    """One lane with its readers, its arm and its face."""

    def __init__(
        self,
        *,
        holdings: GateHoldings,
        history: History,
        recorder: Recorder,
        lane: LaneKeeper,
        health: Health,
        announcer: Announcer,
        commanding: Commanding,
        hinting: Hinting,
        claiming: Claiming,
        clock: TrustedClock,
        new_id: Callable[[], str],
        at_rest: Callable[[], Awaitable[None]] = _nothing,
        serve_next: Callable[[], Awaitable[bool]] = _nobody_asks,
        taken: Callable[[Payload], Payload | None] = _as_read,
    ) -> None:
        """Take what the gate works with; `main` makes it all."""
        self._holdings = holdings
        self._history = history
        self._recorder = recorder
        self._lane = lane
        self._health = health
        self._announcer = announcer
        self._commanding = commanding
        self._hinting = hinting
        self._claiming = claiming
        self._clock = clock
        self._new_id = new_id
        self._at_rest = at_rest  # done between two people: no grant is open, nothing is owed
        self._serve_next = serve_next  # what people at the gate ask for, one at a time
        self.beat = Beat(lane.stirred.set)
        self.read_ns: int | None = None  # when the last code was read
        self.taken = taken  # turns a payload, or takes it away where it is only looked at
        self._waiting: deque[Payload] = deque(maxlen=WAITING_MAX)
        self._going_through = b""  # what was read for the grant that is pending
        self._presentations = Presentations()

    async def run(self, readers: list[Reader]) -> None:
        """Serve the lane until cancelled; the arm is at rest on every way out."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for reader in readers:
                    tasks.create_task(self._pump(reader))
                tasks.create_task(self._lane.watch())
                while True:
                    self.beat.round()
                    await self._lane.wait()
                    await self._lane.settle()
                    while not self._lane.is_busy and (
                        await self._commanding.obey_next() or await self._serve_next()
                    ):
                        await self._lane.settle()
                    if self._lane.is_settled:
                        await self._at_rest()
                    while self._waiting and not self._lane.is_busy:
                        await self._next()
        finally:
            try:
                self._lane.rest()
            finally:
                self._announcer.rest()

    async def _pump(self, reader: Reader) -> None:
        async for read in reader.payloads():
            self.read_ns = read.received_ns
            payload = self.taken(read)
            if payload is None:
                continue
            if is_code(payload.data):
                if not payload.is_tentative:
                    self._take_code(payload)
                continue
            if self._lane.is_busy and self._is_going_through(payload):
                continue  # the same ticket is still held before the reader
            self._waiting = waiting_with(self._waiting, payload)
            self._lane.stirred.set()

    def _take_code(self, payload: Payload) -> None:
        """Hand an operator's command on; a garbled one is refused where all are."""
        try:
            raw = read_code(payload.data)
        except ListFormatError:
            raw = payload.data
        self._commanding.give(raw, Source.CODE, payload.direction)

    def _is_going_through(self, payload: Payload) -> bool:
        return self._holdings.named(payload.data) == self._going_through

    async def _next(self) -> None:
        await self.handle(self._waiting.popleft())
        if self._lane.is_busy:  # it was held before the reader while it was judged, too
            others = [other for other in self._waiting if not self._is_going_through(other)]
            self._waiting = deque(others, maxlen=WAITING_MAX)
        await self._lane.settle()

    async def handle(self, payload: Payload) -> Screen | None:
        """Judge one payload, write the answer down, then let it take effect.

        Returns:
            What was told; None where nothing was, or the arm stayed closed.
        """
        if self._lane.lane.is_free:
            await self._lane.let_through(payload.direction)  # whatever it is: nobody is asked
            return None
        checkpoint = self._health.checkpoint
        if checkpoint is None:
            return None  # the display says that the gate waits for its first list
        is_closed = self._health.is_locked or self._health.is_stopped
        if (is_closed or self._lane.is_out_of_order) and payload.direction is Direction.ENTRY:
            return None  # the display says why
        name = self._holdings.named(payload.data)
        if self._presentations.is_again(payload, name):
            return None
        begun_ns = self._clock.monotonic_ns()
        instant = self._clock.look()  # one for judging, for conditions and for the record
        scan = self._scan(payload, instant)
        judged = self._judge(scan, checkpoint, instant)
        if self._health.is_strict and isinstance(judged.verdict, Grant):
            judged = await self._claim(judged.verdict, scan, checkpoint)
        verdict = judged.verdict
        if payload.is_tentative and isinstance(verdict, Deny):
            self._presentations.undecided(payload, name)
            return None  # a second look will tell whether it was misread
        judged_ns = self._clock.monotonic_ns()
        opens = self._opens(scan.direction, verdict)
        self._going_through = name
        self._presentations.answered(payload, name)
        try:
            took_effect = await self._take_effect(scan, checkpoint, judged, opens, instant)
        except StorageError as exc:
            log.exception("answer not written", extra={"scan": scan.id, "reason": str(exc)})
            self._health.broken(exc.fault)
            self._announcer.done()  # what was said to the person before is not said to this one
            return None
        if self._lane.take_late():
            self._waiting.clear()  # whoever showed these has gone, too
        screen: Screen | None = None
        if took_effect:
            held = self._holdings.performances
            said = self._said(scan, verdict)  # not before the arm was told: nobody waits for it
            screen = screen_of(
                verdict,
                scan.direction,
                held,
                judged.last,
                opens=opens,
                said=said,
                gate_called=self._health.gate_called,
            )
            then = please_pass(scan.direction) if self._lane.is_busy else None
            self._announcer.post(screen, then)  # one-slot: a broken display holds nobody up
        else:
            self._announcer.done()  # the arm stayed closed: at rest the fault is shown
        self._log(scan, verdict, judged_ns - begun_ns, begun_ns, payload)
        self._health.changed()
        return screen

    def check(self, payload: Payload) -> Checked | None:
        """Judge one payload as `handle` does, and let nothing follow of it.

        Returns:
            What is known of it; None where the gate has no duty.
        """
        checkpoint = self._health.checkpoint
        if checkpoint is None:
            return None
        instant = self._clock.look()
        scan = self._scan(payload, instant)
        judged = self._judge(scan, checkpoint, instant)
        opens = self._opens(scan.direction, judged.verdict)
        held = self._holdings.performances
        return checked(
            judged.verdict,
            screen_of(judged.verdict, scan.direction, held, judged.last, opens=opens),
            scan.number,
            checkpoint=checkpoint,
            holdings=self._holdings,
            history=self._history,
            gate_called=self._health.gate_called,
        )

    def _judge(self, scan: Scan, checkpoint: Checkpoint, instant: TrustedInstant) -> _Judged:
        """Judge by the facts; a grant is looked at again where there are hints."""
        conditions = self._health.conditions(instant)
        verdict = judge(
            scan.number,
            checkpoint=checkpoint,
            direction=scan.direction,
            now=scan.at,
            holdings=self._holdings,
            history=self._history,
            conditions=conditions,
        )
        if isinstance(verdict, Deny):
            return _Judged(verdict, self._last_passage(checkpoint, verdict))
        if not self._hinting.board:
            return _Judged(verdict)
        tightened = self._hinting.look_again(verdict, scan, checkpoint, conditions)
        if tightened is None:
            return _Judged(verdict)
        return _Judged(tightened.denied, tightened.last, Flag.HINTED)

    async def _claim(self, granted: Grant, scan: Scan, checkpoint: Checkpoint) -> _Judged:
        """Ask the server, too; its refusal comes before the gate's own grant."""
        denied = await self._claiming.ask(granted, scan, checkpoint)
        if denied is None:
            return _Judged(granted)
        return _Judged(denied, self._last_passage(checkpoint, denied), Flag.HINTED)

    def _scan(self, payload: Payload, now: TrustedInstant) -> Scan:
        try:
            number = normalise(payload.data)
        except PayloadError as exc:
            log.warning("no ticket number", extra={"reason": str(exc)})
            number = ""  # judged, and so answered, as malformed
        return Scan(
            id=self._new_id(),
            number=number,
            direction=payload.direction,
            at=journal.instant(now.now_ms),
            boot_ms=now.reading.boot_ms,
            reader=payload.reader,
            wall_ms=now.reading.wall_ms,
        )

    def _opens(self, direction: Direction, verdict: Verdict) -> bool:
        """Tell whether the arm opens: on a grant, and at an exit as the exit policy has it."""
        if isinstance(verdict, Grant):
            return True
        return direction is Direction.EXIT and opens_on_refusal(self._health.exit_policy, verdict)

    async def _take_effect(
        self,
        scan: Scan,
        checkpoint: Checkpoint,
        judged: _Judged,
        opens: bool,
        instant: TrustedInstant,
    ) -> bool:
        """Write the answer down and let it happen; tell whether it did."""
        verdict = judged.verdict
        is_stale = self._holdings.is_stale(verdict.performance or "", scan.at)
        flags = judged.flags | Flag.STALE if is_stale else judged.flags
        if opens and isinstance(verdict, Deny):
            flags |= Flag.EXIT_POLICY
        draft = self._recorder.draft(
            Kind.GRANTED if opens else Kind.DENIED,
            scan,
            checkpoint=checkpoint.id,
            verdict=verdict,
            list_version=self._holdings.version(verdict.performance or ""),
            flags=flags,
            instant=instant,
        )
        if opens:
            return await self._lane.release(draft)
        await self._recorder.write(draft, is_awaited=True)
        return True

    def _said(self, scan: Scan, verdict: Verdict) -> Attributes:
        """Open what a ticket that was granted says; its number is the key."""
        if not isinstance(verdict, Grant):
            return NOTHING
        return self._holdings.attributes(
            verdict.performance, verdict.ticket.identifier, scan.number
        )

    def _last_passage(self, checkpoint: Checkpoint, verdict: Verdict) -> Passage | None:
        if verdict.performance is None or verdict.ticket is None:
            return None
        key = TicketKey(checkpoint.id, verdict.performance, verdict.ticket.identifier)
        return self._history.use(key, None).last

    def _log(
        self, scan: Scan, verdict: Verdict, judged_ns: int, begun_ns: int, payload: Payload
    ) -> None:
        fields = {
            "scan": scan.id,
            "answer": verdict.answer.value,
            "direction": scan.direction.value,
            "reader": scan.reader,
            "waited_us": (begun_ns - payload.received_ns) // 1000,  # decoding, and the one before
            "verdict_us": judged_ns // 1000,
            "durable_us": (self._clock.monotonic_ns() - begun_ns) // 1000,
        }
        log.info("scan", extra=fields)
