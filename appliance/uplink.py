"""The link's life: contact, lists, upload, feed, and again after every loss. One task of the gate.

Connected means that the live connection stands and beats. Any failure ends the round, whatever
its cause; the next one comes after a jittered wait. Nothing here can hold a person up.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final, Protocol

from admission.errors import AdmissionError
from admission.operating_mode import Cause, QueueAge, Situation, causes_of, mode_of
from admission.passage import History
from admission.sync.machine_messages import Machine
from admission.sync.messages import (
    Beat,
    Claimed,
    Feed,
    Hint,
    Lists,
    Moment,
    Ordered,
    Status,
    Subscribe,
)
from appliance.alarm import wait_set
from appliance.card_ports import CardReport
from appliance.claiming import Claiming
from appliance.commanding import Commanding, Source
from appliance.errors import LinkBusyError, LinkError, LinkRefusedError, StorageError
from appliance.feed_keeper import FeedKeeper
from appliance.handheld_ports import BatteryReading
from appliance.handing_in import FORK_FAULT, HandingIn
from appliance.health import LOCK_CODE
from appliance.hinting import Hinting
from appliance.holdings import GateHoldings
from appliance.identity_keeper import IdentityKeeper
from appliance.identity_ports import Signer
from appliance.link_ports import LiveConnection, ServerLink
from appliance.lists import ListKeeper
from appliance.ports import Memory
from appliance.recording import Recorder
from appliance.trusted_clock import CLOCK_FAULT, TrustedClock

log = logging.getLogger(__name__)

RETRY_S_MIN: Final = 0.5
RETRY_S_MAX: Final = 30.0  # a gate is back at the latest this long after its server
WINDOW_S_MAX: Final = 120.0
STATUS_S: Final = 5.0
TRUST_S: Final = 300.0  # so often is asked what is the newest, whatever is pushed
LISTS_RETRY_S: Final = 60.0  # a list that was refused or not there yet is asked for again
TRUST_FAULT: Final = "GT-TRU"  # what the server says of itself is not to be believed
LIST_FAULT: Final = "GT-LST"  # an installed list is damaged: an older one is in use, or none
_FAILURES: Final = (LinkError, StorageError, AdmissionError)


class Around(Protocol):
    """The gates of the local network, as they are told to the server. See `neighbours`."""

    @property
    def heard(self) -> int:
        """How many are heard now."""
        ...

    @property
    def faults(self) -> list[str]:
        """Codes of what is wrong with them."""
        ...


class Uplink:
    """Keeps the gate and its server at one.

    Attributes:
        live: whether the gate learns of others' passages now.
        around: the gates of the local network; None where there is none.
        device_faults: gives the codes of what is wrong with the gate itself.
        card: gives what the server is told of the gate's card.
        battery: gives how a handheld's battery is; None where there is none.
        machine: gives what the machine runs; None where nobody says.
    """

    def __init__(
        self,
        *,
        link: ServerLink,
        keeper: ListKeeper,
        identity: IdentityKeeper,
        commanding: Commanding,
        hinting: Hinting,
        claiming: Claiming,
        memory: Memory,
        recorder: Recorder,
        history: History,
        holdings: GateHoldings,
        clock: TrustedClock,
        boot_id: bytes,
        jitter: Callable[[], float],
        changed: Callable[[], None],
        software: str,
        gate: str = "",
        signer: Signer | None = None,
        forked: Callable[[int], None] = lambda sequence: None,
    ) -> None:
        """Take what the uplink works with.

        Args:
            link: requests to the server.
            keeper: the lists.
            identity: keeps the gate one of the server's.
            commanding: given the commands that come.
            hinting: given the hints that come.
            claiming: given the answers to claims; its lane is sent ahead of everything else.
            memory: the disk.
            recorder: the journal's pen.
            history: what the gate judges by; others' facts are added here.
            holdings: the lists held; their streams are followed.
            clock: trusted time, and what the machine's clocks say.
            boot_id: names this start of the machine.
            jitter: gives a random number from 0 to 1.
            changed: called when `live`, the lists or the facts have changed.
            software: version of this program.
            gate: id of the gate, which seals its journals.
            signer: its device key; None leaves them without a seal.
            forked: told where the server was found to hold another history of the journal.
        """
        self.live = False
        self.around: Around | None = None
        self.device_faults: Callable[[], Collection[str]] = lambda: ()
        self.card: Callable[[], CardReport] = CardReport
        self.battery: Callable[[], BatteryReading | None] = lambda: None
        self.machine: Callable[[], Machine | None] = lambda: None
        self._link = link
        self._keeper = keeper
        self._identity = identity
        self._commanding = commanding
        self._hinting = hinting
        self._claiming = claiming
        self._express = claiming.lane
        self._recorder = recorder
        self._holdings = holdings
        self._clock = clock
        self._boot_id = boot_id
        self._jitter = jitter
        self._changed = changed
        self._software = software
        self._handing = HandingIn(
            recorder.journal, self._moment, gate=gate, signer=signer, forked=forked
        )
        self._feeds = FeedKeeper(memory, history, hinting.board, recorder.journal.is_own)
        self.heard_ns: int | None = None  # when the server was heard last
        self._heard_at_s = clock.monotonic_ns() / 1e9  # nothing yet: at least since the start
        self._queue_age = QueueAge()
        self._causes: tuple[Cause, ...] = ()
        self._offered = asyncio.Event()
        self._status_due = asyncio.Event()

    async def run(self) -> None:
        """Go on until cancelled."""
        failures = 0
        while True:
            window_s = 0.0
            try:
                await self._round()
            except _FAILURES as exc:
                window_s = exc.window_s if isinstance(exc, LinkBusyError) else 0.0
                if failures == 0 or self.live:
                    log.warning("link lost", extra={"reason": str(exc)})
            failures = 1 if self.live else failures + 1
            self._set_live(False)
            self._changed()  # what is known has become older
            jitter = self._jitter()
            wait_s = spread_s(window_s, jitter) if window_s else retry_s(failures, jitter)
            await self._clock.sleep(wait_s)

    async def _round(self) -> None:
        """One contact with the server, from the first request to the end of the connection."""
        self._handing.begin_contact()
        await self._feeds.start_anew()
        is_complete = await self._refresh()
        self._changed()
        self._follow()
        await self._upload_once()
        async with self._link.live() as connection:
            await connection.send(Subscribe(self._feeds.cursors, self._feeds.numbering))
            self._express.open()
            try:
                await _run_until_one_fails(
                    self._send_express(connection),
                    self._receive(connection),
                    self._keep_lists(connection, is_complete),
                    self._upload(),
                    self._report(connection),
                )
            finally:
                self._express.close()
                self._claiming.lost()

    async def _refresh(self) -> bool:
        """Fetch what is new; a gate that gets nothing any more still hands in what it wrote."""
        await self._identity.settle(self._link)
        try:
            is_complete = await self._keeper.refresh(self._link)
        except LinkError as exc:
            await self._identity.heed(self._keeper.status, self._link)
            while isinstance(exc, LinkRefusedError) and await self._upload_once():
                pass
            raise
        await self._identity.heed(self._keeper.status, self._link)
        return is_complete

    def lists_wanted(self) -> None:
        """Have the lists fetched again as soon as there is contact: one is not good any more."""
        self._offered.set()
        self._status_due.set()
        self._changed()

    def _follow(self) -> bool:
        """Follow the streams of the assignment; tell whether they are others than before."""
        assignment = self._keeper.assignment
        return assignment is not None and self._feeds.follow(assignment.performances)

    async def _receive(self, connection: LiveConnection) -> None:
        while True:
            message = await connection.receive()
            self.heard_ns = self._clock.monotonic_ns()
            self._heard_at_s = self.heard_ns / 1e9
            self._set_live(True)
            match message:
                case Feed():
                    await self._feeds.take(message, self._link)
                    self._changed()
                case Lists():
                    if self._is_news(message):
                        self._offered.set()
                case Hint():
                    self._hinting.hear(message)
                case Claimed():
                    self._claiming.hear(message)
                case Ordered():
                    self._commanding.give(message.raw, Source.LIVE)
                case Beat():
                    pass
                case _:
                    raise LinkError(f"a server does not send {type(message).__name__}")

    async def _send_express(self, connection: LiveConnection) -> None:
        while True:
            await connection.send(await self._express.next())

    def _is_news(self, offered: Lists) -> bool:
        known = self._keeper.assignment
        held = self._holdings.versions
        return (
            known is None
            or known.version < offered.assignment
            or self._keeper.root_version < offered.root
            or any(held.get(name, 0) < version for name, version in offered.versions.items())
        )

    async def _keep_lists(self, connection: LiveConnection, is_complete: bool) -> None:
        """Fetch what is offered, beside the feed: a long download must not hold that up."""
        while True:
            limit_s = TRUST_S if is_complete else LISTS_RETRY_S
            await wait_set(self._offered, self._clock, limit_s)
            self._offered.clear()
            try:
                is_complete = await self._refresh()
            except LinkBusyError:
                is_complete = False  # what stands goes on; it is asked again soon
            self._changed()
            self._status_due.set()
            if self._follow():
                await connection.send(Subscribe(self._feeds.cursors, self._feeds.numbering))

    async def _upload(self) -> None:
        while True:
            self._recorder.grew.clear()
            if not await self._upload_once():
                await self._recorder.grew.wait()

    async def _upload_once(self) -> bool:
        """Send one batch of each journal that owes any; tell whether one was sent and taken."""
        is_taken = await self._handing.once(self._link)
        if is_taken:
            self._status_due.set()
        return is_taken

    async def _report(self, connection: LiveConnection) -> None:
        while True:
            self._status_due.clear()
            await connection.send(self.status())
            await wait_set(self._status_due, self._clock, STATUS_S)
            self._changed()  # a list may have become stale meanwhile

    def status(self) -> Status:
        """Give how the gate is, as the server is told."""
        situation = self.situation()
        self._causes = causes = causes_of(situation, self._causes)
        instant = self._clock.look()
        faults = self.faults()
        faults += [code for code in self.device_faults() if code not in faults]
        card, battery = self.card(), self.battery()
        percent = None if battery is None else battery.percent
        return Status(
            mode=mode_of(causes).value,
            causes=[cause.value for cause in causes],
            queue=self._handing.backlog,
            checkpoint="" if (row := self._keeper.checkpoint) is None else row.id,
            lists=self._holdings.versions,
            sent=self._moment(),
            software=self._software,
            faults=faults,
            clock=instant.quality.value,
            keys=self._keeper.keys_kept,
            pins=[pin.hex() for pin in self._identity.pins],
            peers=0 if self.around is None else self.around.heard,
            commit_ms=card.commit_ms,
            free_mb=card.free_mb,
            list_age_s=-1 if situation.list_age_s is None else int(situation.list_age_s),
            queued_s=int(situation.queued_s),
            clock_error_ms=-1 if instant.error_ms is None else instant.error_ms,
            heard_s=int(situation.heard_s),
            battery=-1 if percent is None else percent,
            charging=battery is not None and battery.is_plugged,
            machine=self.machine(),
        )

    def faults(self) -> list[str]:
        """Give the codes of what is wrong between the gate, its server and the time."""
        faults = [FORK_FAULT] if self._handing.is_forked else []
        faults += [TRUST_FAULT] if self._keeper.is_trust_refused else []
        faults += [LIST_FAULT] if self._keeper.damaged else []
        faults += [LOCK_CODE] if self._commanding.is_locked else []
        faults += [CLOCK_FAULT] if self._clock.look().is_suspect else []
        faults += [] if self.around is None else self.around.faults
        return faults

    def situation(self) -> Situation:
        """Give what decides the operating mode now."""
        row = self._keeper.checkpoint
        controlled = () if row is None else row.performances
        now, now_s = self._clock.now(), self._clock.monotonic_ns() / 1e9
        backlog, head = self._handing.backlog, self._recorder.journal.head
        return Situation(
            live=self.live,
            lists_fresh=not any(self._holdings.is_stale(name, now) for name in controlled),
            clock_trusted=self._clock.is_trusted,
            backlog=backlog,
            peers=0 if self.around is None else self.around.heard,
            heard_s=now_s - self._heard_at_s,
            list_age_s=self._holdings.age_s(controlled, now),
            queued_s=self._queue_age.wait_s(head, head - backlog, now_s),
        )

    def _moment(self) -> Moment:
        reading = self._clock.look().reading
        return Moment(reading.wall_ms, reading.boot_ms, self._boot_id)

    def _set_live(self, live: bool) -> None:
        if live is not self.live:
            self.live = live
            log.info("link up" if live else "link down")
            self._changed()


def spread_s(window_s: float, jitter: float) -> float:
    """Give the wait where a server names a window: anywhere in it, so that all do not come at once.

    Args:
        window_s: as named; no server sends a gate away for longer than `WINDOW_S_MAX`.
        jitter: from 0 to 1.
    """
    return RETRY_S_MIN + jitter * min(window_s, WINDOW_S_MAX)


def retry_s(failures: int, jitter: float) -> float:
    """Give the wait before the next round: full jitter under a doubling cap.

    Args:
        failures: rounds that failed in a row, at least 1.
        jitter: from 0 to 1.
    """
    cap: float = min(RETRY_S_MAX, RETRY_S_MIN * 2.0 ** min(failures, 10))
    return RETRY_S_MIN + jitter * (cap - RETRY_S_MIN)


async def _run_until_one_fails(*services: Coroutine[Any, Any, None]) -> None:
    """Run what never ends by itself, until the link or the disk fails in one; raise that.

    No task of the group ends with such a failure: a TaskGroup (of CPython before 3.13) that is
    told to stop in the moment in which a task fails raises the failure alone, and whoever handles
    that goes on as if nobody had said stop.
    """
    failures: list[Exception] = []
    failed = asyncio.Event()

    async def run(service: Coroutine[Any, Any, None]) -> None:
        try:
            await service
        except _FAILURES as exc:
            failures.append(exc)
            failed.set()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(service)) for service in services]
        await failed.wait()
        for task in tasks:
            task.cancel()
    raise failures[0]
