"""The device API's desk on a site server: gates do not know the difference. Bound by `site_main`.

What it hands out comes from upstream, at once or out of stock; what gates bring is durable here
before it is acknowledged, goes out to the venue's other gates, and is carried up.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from admission.errors import RemoteProtocolError
from admission.sync import codec
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
from admission.sync.sealed_head import check_carried
from admission.sync.site_messages import GateTold, SiteLive
from admission.verdict import Answer
from sync_server.claiming import Claiming
from sync_server.entities import Gate, Standing
from sync_server.errors import ConflictError, NotFoundError, UpstreamError
from sync_server.ledger import Ledger
from sync_server.ports import News, Store
from sync_server.reconciling import Reconciling, Taken
from sync_server.relaying import Relay
from sync_server.site_book import SiteBook
from sync_server.site_ports import Load
from sync_server.stocking import Stock
from sync_server.upstream_ports import Upstream

log = logging.getLogger(__name__)

CLAIM_S_MAX: Final = 0.1  # the gate gives up after 0.15 s
_FREE: Final = Answer.GRANTED.value

_ENROL_WORDS: Final = (
    "this is a site server: a gate enrols with the central server, since whoever passes a code on"
    " could become the gate itself; then name this server in the gate's configuration"
)


@dataclass(slots=True)
class Present:
    """Which gates are connected, and what they last said.

    Attributes:
        gates: by id.
        tell: sends a message up, if upstream is there.
    """

    gates: dict[str, Status] = field(default_factory=dict)
    tell: Callable[[SiteLive], None] = lambda _: None

    def hint_up(self, hint: Hint) -> None:
        """Have a hint go up at once; nobody waits for it."""
        self.tell(hint)


class SiteDesk:
    """The `DeviceDesk` of `web.device_api`.

    Args:
        store: the database.
        ledger: the time.
        news: told of what gates bring.
        book: whom the site serves.
        stock: what upstream gave for them.
        upstream: asked where a gate's own word has to go up at once.
        reconciling: takes journals in.
        relay: carries them up.
        claiming: answers strict gates.
        present: which gates are connected.
    """

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        news: News,
        book: SiteBook,
        stock: Stock,
        upstream: Upstream,
        reconciling: Reconciling,
        relay: Relay,
        claiming: Claiming,
        present: Present,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._news = news
        self._book = book
        self._stock = stock
        self._upstream = upstream
        self._reconciling = reconciling
        self._relay = relay
        self._claiming = claiming
        self._present = present

    async def enrol(self, request: Enrol, address: str) -> Enrolled:
        """Refuse: a code is for the central server's ears alone."""
        del request
        log.warning("a gate tried to enrol here", extra={"address": address})
        raise UpstreamError(_ENROL_WORDS, 403)

    async def caller(self, gate: str) -> Gate | None:
        """Give the gate that an id names, whatever its standing; None if there is none."""
        async with self._store.read() as transaction:
            return await transaction.gates.gate(gate)

    async def root(self, version: int) -> bytes:
        """Give one root document."""
        return await self._stock.root(version)

    async def status(self, gate: str, nonce: str) -> bytes:
        """Give upstream's answer to a gate, or the last word that it signed to be carried."""
        return await self._stock.status(gate, nonce)

    async def renew(self, gate: str, request: Renew, word: str = "") -> Renewed:
        """Have upstream certify a gate's keys anew, by the gate's own signature."""
        self._require_up("certificates are renewed by the central server, which is away")
        raw = await self._upstream.certify(gate, word, codec.encode(request))
        renewed = codec.decode(raw, Renewed)
        await self._book.keys_changed(gate, request.public_key, request.agreement_key)
        return renewed

    async def assignment(self, gate: str) -> bytes:
        """Give the gate's signed assignment."""
        self._book.line(gate)
        return await self._stock.assignment(gate)

    async def manifest(self, gate: str, performance: str) -> bytes:
        """Give the newest signed manifest of a performance that the gate holds."""
        return await self._stock.manifest(gate, performance)

    async def list_file(self, gate: str, performance: str, sha256: str) -> Path:
        """Give a file of a published list."""
        return await self._stock.piece(gate, performance, sha256)

    async def list_key(self, gate: str, performance: str) -> bytes:
        """Give a list key, sealed for the gate."""
        return await self._stock.list_key(gate, performance)

    async def update_offer(self, gate: str) -> bytes | None:
        """Offer nothing: bundles do not come by site servers yet (docs/adr/0035-fleet.md)."""
        del gate
        return None

    async def update_bundle(self, gate: str, sha256: str) -> Path:
        """Have none."""
        del gate, sha256
        raise NotFoundError("update")

    async def take(self, gate: str, batch: Batch) -> Ack:
        """Take a batch in, durably, to be carried up; a revoked gate's goes up at once or waits.

        Raises:
            RemoteProtocolError: if the gate has not sealed what it brings.
            UpstreamError: for a revoked gate, while upstream is away: its journal is held apart
                there, and has no place among the others here.
        """
        found = await self.caller(gate)
        if found is None or found.standing is not Standing.IN_FORCE:
            self._require_up("a revoked gate's journal goes to the central server, which is away")
            return await self._upstream.carry(Carried(gate, batch))
        return await self._take(Carried(gate, batch))

    async def carry(self, carrier: str, carried: Carried) -> Ack:
        """Take a part of a journal that another gate brings; durable when this returns."""
        ack = await self._take(carried)
        log.info("journal carried", extra={"gate": carried.gate, "carrier": carrier})
        return ack

    async def _take(self, carried: Carried) -> Ack:
        batch = carried.batch
        async with self._store.read() as transaction:
            gate = await transaction.gates.gate(carried.gate)
            keys = await transaction.gates.keys(carried.gate)
        if gate is None or gate.standing is not Standing.IN_FORCE:
            raise RemoteProtocolError(f"{carried.gate} is no gate of this site that is in force")
        if batch.blobs:
            good = [key for key, is_good in keys.items() if is_good]
            check_carried(batch, gate=gate.id, keys=good)  # or nobody would believe it from us
        taken = await self._keep(gate.id, batch)
        if taken.streams:
            self._news.streams_grew(taken.streams)
        self._claiming.settle(gate.id, batch)
        if taken.has_news:
            self._relay.grew.set()
            self._news.report_changed()
        return taken.ack

    async def _keep(self, gate: str, batch: Batch) -> Taken:
        now_ms = self._ledger.now_ms()
        last = batch.first + len(batch.blobs) - 1
        load = Load(0, batch.journal, gate, batch.first, last, codec.encode(batch), now_ms)
        try:
            async with self._store.write() as transaction:
                await transaction.freight.adopt(batch.journal, gate)
                taken = await self._reconciling.take_within(transaction, gate, batch, now_ms)
                if taken.has_news:
                    await transaction.freight.load(load)
        except ConflictError as exc:
            raise RemoteProtocolError(exc.message) from exc
        return taken

    async def heads(self, gate: str, journals: Sequence[str]) -> Heads:
        """Give how far journals of the gate's own venue are held."""
        found = await self.caller(gate)
        if found is None:
            raise NotFoundError("gate")
        async with self._store.read() as transaction:
            known = await transaction.journals.heads(journals, found.venue_id)
        return Heads({name: (head.sequence, head.chain) for name, head in known.items()})

    async def feed(self, gate: str, stream: str, after: int) -> Feed:
        """Read a stream after a cursor."""
        if stream not in await self.streams(gate):
            raise NotFoundError("feed")
        return await self._reconciling.feed(stream, after)

    async def numbering(self) -> str:
        """Give the name of the feeds' numbers: the site numbers for itself."""
        return await self._reconciling.numbering()

    async def streams(self, gate: str) -> frozenset[str]:
        """Give the streams that a gate may follow."""
        await self._require_in_force(gate)
        return frozenset(self._book.line(gate).streams)

    async def lists(self, gate: str) -> Lists:
        """Give the versions that are published for a gate, as upstream has said them last."""
        await self._require_in_force(gate)
        return self._book.lists(gate)

    def hinted(self, hint: Hint) -> None:
        """Know of a grant that a gate may speak of; never waits."""
        self._claiming.hear(hint)

    async def claim(self, gate: str, claim: Claim) -> Claimed | None:
        """Say whether a ticket is free: by what is known here, and by upstream if it answers soon.

        None says nothing, and leaves the gate to its own rule.
        """
        claimed = await self._claiming.claim(gate, claim)
        if claimed is None or claimed.answer != _FREE or not self._stock.is_up:
            return claimed
        try:
            async with asyncio.timeout(CLAIM_S_MAX):
                told = await self._upstream.claim(gate, claim)
        except (UpstreamError, TimeoutError):
            return claimed
        if told is not None and told.answer != _FREE:
            self._claiming.give_back(gate, claim)
            return told
        return claimed

    async def journals(self, gate: str) -> list[str]:
        """Give the ids of a gate's journals, as far as they are here."""
        async with self._store.read() as transaction:
            return await transaction.journals.journals_of(gate)

    async def standing_order(self, gate: str) -> bytes | None:
        """Give the signed lock or unlock that was last told for a gate, or None."""
        return await self._stock.order(gate)

    async def note_status(self, gate: str, status: Status) -> None:
        """Remember how a gate is, and which certificates of ours it knows; tell upstream."""
        known = self._present.gates.get(gate)
        if known is None or known.pins != status.pins:
            async with self._store.write() as transaction:
                said: dict[str, object] = {"pins": list(status.pins)}
                await transaction.gates.note_gate(gate, self._ledger.now_ms(), said)
        self._present.gates[gate] = status
        self._present.tell(GateTold(gate, status))

    async def note_gone(self, gate: str) -> None:
        """Remember that a gate's live connection has ended, and tell upstream."""
        self._present.gates.pop(gate, None)
        self._present.tell(GateTold(gate, None))

    async def _require_in_force(self, gate: str) -> None:
        found = await self.caller(gate)
        if found is None or found.standing is not Standing.IN_FORCE:
            raise NotFoundError("gate")

    def _require_up(self, words: str) -> None:
        if not self._stock.is_up:
            raise UpstreamError(words)
