"""The services as the device API sees them. Bound by `main`; every call is one gate's."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from admission.errors import RemoteProtocolError, SignatureError
from admission.sync.messages import (
    Ack,
    Batch,
    Carried,
    Claim,
    Claimed,
    Enrol,
    Enrolled,
    Feed,
    Heads,
    Hint,
    Lists,
    Renew,
    Renewed,
    Status,
)
from admission.trust.status import PINS_MAX, REVOKED_MAX
from sync_server.carrying import Carrying
from sync_server.certifying import Certifying
from sync_server.claiming import Claiming
from sync_server.commanding import Commanding
from sync_server.enrollment import Enrollment
from sync_server.entities import Gate, JsonValue, Standing
from sync_server.errors import ConflictError, NotFoundError
from sync_server.gate_reports import is_news, said_of
from sync_server.ledger import Ledger
from sync_server.ports import News, Store
from sync_server.publishing import Publishing
from sync_server.quarantine import Quarantine
from sync_server.reconciling import Reconciling
from sync_server.rolling_out import RollingOut
from sync_server.trusting import Trust

log = logging.getLogger(__name__)

STATUS_MS: Final = 15_000  # so often at the least is written down that a gate is there
QUEUE_MS: Final = 2_000  # and so often at most how its queue grows and shrinks
_OF_THE_QUEUE: Final = ("queue", "queued_since_ms")
_Said = dict[str, JsonValue]


class GateDesk:
    """The `DeviceDesk` of `web.device_api`.

    Args:
        store: the database.
        trust: signs what is the newest now.
        ledger: the time.
        news: told of what gates bring.
        enrollment: takes machines in.
        publishing: lists and duties.
        reconciling: takes journals in.
        quarantine: takes those of revoked gates, apart.
        carrying: takes journals that others bring.
        certifying: certifies gates' keys.
        pins: of the server's certificates, for its gates.
        commanding: knows which locks stand.
        claiming: answers strict gates.
        rolling_out: knows which version a gate is offered.
        connected: filled with the ids of the gates whose live connection is open.
    """

    def __init__(
        self,
        *,
        store: Store,
        trust: Trust,
        ledger: Ledger,
        news: News,
        enrollment: Enrollment,
        publishing: Publishing,
        reconciling: Reconciling,
        quarantine: Quarantine,
        carrying: Carrying,
        certifying: Certifying,
        commanding: Commanding,
        claiming: Claiming,
        rolling_out: RollingOut,
        connected: set[str],
        pins: Sequence[bytes] = (),
    ) -> None:
        self._store = store
        self._trust = trust
        self._ledger = ledger
        self._news = news
        self._enrollment = enrollment
        self._publishing = publishing
        self._reconciling = reconciling
        self._quarantine = quarantine
        self._carrying = carrying
        self._certifying = certifying
        self._commanding = commanding
        self._claiming = claiming
        self._rolling_out = rolling_out
        self._connected = connected
        self._noted: dict[str, tuple[_Said, int]] = {}  # what is written down of who is there
        self._pins = tuple(pin.hex() for pin in pins)

    async def enrol(self, request: Enrol, address: str) -> Enrolled:
        """Spend a one-time code."""
        enrolled = await self._enrollment.enrol(request, address)
        log.info("gate enrolled", extra={"gate": enrolled.gate})
        return enrolled

    async def caller(self, gate: str) -> Gate | None:
        """Give the gate that an id names, whatever its standing; None if there is none."""
        return await self._gate(gate)

    async def root(self, version: int) -> bytes:
        """Give one root document."""
        return await self._trust.root_of_version(version)

    async def status(self, gate: str, nonce: str) -> bytes:
        """Sign what is the newest now, for a gate that asks with a nonce."""
        if await self._trust.refresh():  # a ceremony at the command line
            self._news.lists_changed()
        found = await self._gate(gate)
        async with self._store.read() as transaction:
            revoked = await transaction.gates.revoked()
        if found is not None and found.standing is Standing.REVOKED:
            own_first = [gate, *(one for one in revoked if one != gate)]
            return self._trust.status(nonce, {}, tuple(own_first[:REVOKED_MAX]), self._pins)
        lines, pins = await self._publishing.lines(gate), self._pins
        if pins and found is not None:
            pins += await self._site_pins(found.venue_id)
        return self._trust.status(nonce, lines, tuple(revoked[:REVOKED_MAX]), pins)

    async def _site_pins(self, venue_id: str) -> tuple[str, ...]:
        """Give the pins of a venue's site servers: its gates find their way there by them."""
        async with self._store.read() as transaction:
            sites = await transaction.sites.sites_at([venue_id])
        pins = [pin for site in sites if site.is_in_force for pin in site.pins]
        return tuple(dict.fromkeys(pins))[: PINS_MAX - len(self._pins)]

    async def renew(self, gate: str, request: Renew, word: str = "") -> Renewed:
        """Certify a gate's keys anew; who asks was made sure of before."""
        del word
        try:
            renewed = await self._certifying.renew(gate, request)
        except (ConflictError, SignatureError) as exc:
            raise RemoteProtocolError(str(exc)) from exc
        self._news.lists_changed()  # a site server has to know it by its new key
        return renewed

    async def assignment(self, gate: str) -> bytes:
        """Give the gate's signed assignment."""
        return await self._publishing.assignment(gate)

    async def manifest(self, gate: str, performance: str) -> bytes:
        """Give the newest signed manifest of a performance that the gate holds."""
        return await self._publishing.manifest(gate, performance)

    async def list_file(self, gate: str, performance: str, sha256: str) -> Path:
        """Give a file of a published list."""
        return await self._publishing.list_file(gate, performance, sha256)

    async def list_key(self, gate: str, performance: str) -> bytes:
        """Give a list key, sealed for the gate."""
        return await self._publishing.sealed_key(gate, performance)

    async def update_offer(self, gate: str) -> bytes | None:
        """Give the signed offer of another version; None while the gate is offered nothing."""
        return await self._rolling_out.offer(gate)

    async def update_bundle(self, gate: str, sha256: str) -> Path:
        """Give the bundle that the gate is offered."""
        return await self._rolling_out.bundle(gate, sha256)

    async def take(self, gate: str, batch: Batch) -> Ack:
        """Take a batch in, a revoked gate's apart from all others; durable when this returns."""
        found = await self._gate(gate)
        try:
            if found is None or found.standing is not Standing.IN_FORCE:
                return await self._quarantine.take(gate, batch)
            taken = await self._reconciling.take(gate, batch)
        except ConflictError as exc:
            raise RemoteProtocolError(exc.message) from exc
        if taken.streams:
            self._news.streams_grew(taken.streams)
        if taken.has_news:
            self._claiming.settle(gate, batch)
            self._news.report_changed()
        return taken.ack

    async def carry(self, carrier: str, carried: Carried) -> Ack:
        """Take a part of a journal that another gate brings; durable when this returns."""
        try:
            taken = await self._carrying.take(carried)
        except ConflictError as exc:
            raise RemoteProtocolError(exc.message) from exc
        if taken.has_news:
            log.info(
                "journal carried",
                extra={"gate": carried.gate, "carrier": carrier, "head": taken.ack.head},
            )
            self._news.report_changed()
        if taken.streams:
            self._claiming.settle(carried.gate, carried.batch)
            self._news.streams_grew(taken.streams)
        return taken.ack

    async def heads(self, gate: str, journals: Sequence[str]) -> Heads:
        """Give how far journals of the gate's own venue are held."""
        return await self._carrying.heads(gate, journals)

    async def feed(self, gate: str, stream: str, after: int) -> Feed:
        """Read a stream after a cursor."""
        if stream not in await self.streams(gate):
            raise NotFoundError("feed")
        return await self._reconciling.feed(stream, after)

    async def numbering(self) -> str:
        """Give the name of the feeds' numbers."""
        return await self._reconciling.numbering()

    async def streams(self, gate: str) -> frozenset[str]:
        """Give the streams that a gate may follow."""
        await self._require_in_force(gate)
        return await self._publishing.streams(gate)

    async def lists(self, gate: str) -> Lists:
        """Give the versions that are published for a gate now."""
        await self._require_in_force(gate)
        return await self._publishing.lists(gate)

    def hinted(self, hint: Hint) -> None:
        """Know of a grant that a gate may speak of; never waits."""
        self._claiming.hear(hint)

    async def claim(self, gate: str, claim: Claim) -> Claimed | None:
        """Say whether a ticket is free; None says nothing."""
        return await self._claiming.claim(gate, claim)

    async def journals(self, gate: str) -> list[str]:
        """Give the ids of a gate's journals."""
        async with self._store.read() as transaction:
            return await transaction.journals.journals_of(gate)

    async def standing_order(self, gate: str) -> bytes | None:
        """Give the signed lock or unlock that still stands for a gate, or None."""
        return await self._commanding.standing(gate)

    async def note_status(self, gate: str, status: Status, via: str = "") -> None:
        """Remember how a gate is, and the name of the site server that it is behind."""
        now_ms = self._ledger.now_ms()
        noted = self._noted.get(gate) if gate in self._connected else None
        if noted is not None:
            said = said_of(status, via, now_ms, noted[0])
            if says_nothing_new(said, noted, now_ms):
                return
        was = await self._gate(gate)
        before = None if was is None else was.last_status
        said = said_of(status, via, now_ms, before)
        async with self._store.write() as transaction:
            await transaction.gates.note_gate(gate, now_ms, said)
        self._noted[gate] = (said, now_ms)
        is_new = gate not in self._connected
        self._connected.add(gate)
        if is_new or is_news(said, before):
            self._news.report_changed()

    async def note_gone(self, gate: str) -> None:
        """Remember that a gate's live connection has ended."""
        self._connected.discard(gate)
        self._noted.pop(gate, None)
        async with self._store.write() as transaction:
            await transaction.gates.note_gate(gate, self._ledger.now_ms(), None)
        self._news.report_changed()

    async def _gate(self, gate: str) -> Gate | None:
        async with self._store.read() as transaction:
            return await transaction.gates.gate(gate)

    async def _require_in_force(self, gate: str) -> None:
        found = await self._gate(gate)
        if found is None or found.standing is not Standing.IN_FORCE:
            raise NotFoundError("gate")


def says_nothing_new(said: _Said, noted: tuple[_Said, int], now_ms: int) -> bool:
    """Tell whether what is written down of a gate says this as nearly as anybody cares.

    A thousand gates say every five seconds that nothing has changed: a commit for each would leave
    time for little else.
    """
    before, noted_ms = noted
    if is_news(said | {name: before[name] for name in _OF_THE_QUEUE}, before):
        return False
    wait_ms = STATUS_MS if said["queue"] == before["queue"] else QUEUE_MS
    return 0 <= now_ms - noted_ms < wait_ms
