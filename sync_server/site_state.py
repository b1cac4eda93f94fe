"""How a site server stands, for the people beside it: gathered when its page is opened."""

from dataclasses import dataclass

from admission.errors import AdmissionError
from admission.ticketlist.manifest import decode_manifest
from admission.trust.envelope import MANIFEST_TYPE, unverified_body
from sync_server.ledger import Ledger
from sync_server.ports import Store
from sync_server.relaying import Relay
from sync_server.site_book import SiteBook
from sync_server.site_desk import Present
from sync_server.site_uplink import SiteUplink
from sync_server.stocking import Stock


@dataclass(frozen=True, slots=True)
class GateState:
    """A gate of the venue, as its site sees it.

    Attributes:
        name: for people.
        checkpoint: name of where it stands.
        standing: what it is to the server.
        is_connected: whether its live connection is open here.
        mode: as it said last, "" where it is not connected.
        queue: records that it has not handed over yet.
        faults: codes that it said.
    """

    name: str
    checkpoint: str
    standing: str
    is_connected: bool
    mode: str = ""
    queue: int = 0
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListState:
    """A list in stock.

    Attributes:
        name: of its performance.
        version: of the list.
        fetched_ms: when its manifest was fetched.
    """

    name: str
    version: int
    fetched_ms: int


@dataclass(frozen=True, slots=True)
class SiteState:
    """Everything that the page shows.

    Attributes:
        name: of the site.
        venue: its venue's.
        timezone: the venue's, "" before the first contact.
        upstream: its address.
        is_up: whether upstream is there.
        since_ms: since when it is there, or away.
        reason: why it is away.
        heard_ms: when upstream was asked last whom to serve; 0 for never.
        filled_ms: when all that gates may ask for was here; 0 for not since the start.
        backlog: records that upstream does not have yet.
        refused: by journal, why upstream does not take what waits.
        gates: of the venue, by name.
        lists: in stock, by name.
        at_ms: now.
    """

    name: str
    venue: str
    timezone: str
    upstream: str
    is_up: bool
    since_ms: int
    reason: str
    heard_ms: int
    filled_ms: int
    backlog: int
    refused: dict[str, str]
    gates: tuple[GateState, ...]
    lists: tuple[ListState, ...]
    at_ms: int


class SiteStates:
    """Gathers it.

    Args:
        store: the database.
        ledger: the time.
        address: of upstream.
        names: of the site and of its venue, until upstream has said them.
        book: whom the site serves.
        stock: what it has for them.
        relay: what it carries up.
        uplink: how it stands with upstream.
        present: which gates are connected.
    """

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        address: str,
        names: tuple[str, str],
        book: SiteBook,
        stock: Stock,
        relay: Relay,
        uplink: SiteUplink,
        present: Present,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._address = address
        self._names = names
        self._book = book
        self._stock = stock
        self._relay = relay
        self._uplink = uplink
        self._present = present

    async def now(self) -> SiteState:
        """Give how the site stands."""
        roster = self._book.roster
        name, venue = self._names
        return SiteState(
            name=name if roster is None else roster.name,
            venue=venue if roster is None else roster.venue_name,
            timezone="" if roster is None else roster.timezone,
            upstream=self._address,
            is_up=self._stock.is_up,
            since_ms=self._uplink.since_ms,
            reason=self._uplink.reason,
            heard_ms=self._book.fetched_ms,
            filled_ms=self._stock.filled_ms,
            backlog=await self._relay.backlog(),
            refused=self._relay.refused,
            gates=tuple(self._gates()),
            lists=tuple(await self._lists()),
            at_ms=self._ledger.now_ms(),
        )

    def _gates(self) -> list[GateState]:
        roster = self._book.roster
        if roster is None:
            return []
        places = {one.id: one.name for one in roster.checkpoints}
        states = []
        for line in sorted(roster.gates, key=lambda gate: (gate.name, gate.id)):
            said = self._present.gates.get(line.id)
            states.append(
                GateState(
                    line.name,
                    places.get(line.checkpoint, ""),
                    line.standing,
                    said is not None,
                    "" if said is None else said.mode,
                    0 if said is None else said.queue,
                    () if said is None else tuple(said.faults),
                )
            )
        return states

    async def _lists(self) -> list[ListState]:
        found = []
        async with self._store.read() as transaction:
            for name in await transaction.freight.names("manifest"):
                kept = await transaction.freight.document("manifest", name)
                if kept is None:
                    continue
                try:
                    read = decode_manifest(unverified_body(kept.raw, MANIFEST_TYPE))
                except AdmissionError:
                    continue
                found.append(ListState(read.showing.name, read.version, kept.fetched_ms))
        return sorted(found, key=lambda one: (one.name, one.version))
