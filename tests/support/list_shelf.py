"""A gate's lists by themselves, with a link to an imagined server that offers what a test likes."""

import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from admission import journal
from admission.journal import Kind
from appliance.holdings import GateHoldings
from appliance.key_cabinet import KeyCabinet
from appliance.lists import ListKeeper
from appliance.recording import Recorder
from appliance.simulator.box_office import BoxOffice
from appliance.simulator.imagined_link import ImaginedLink
from appliance.simulator.imagined_secret import ImaginedSecret
from appliance.simulator.imagined_server import ImaginedServer
from appliance.simulator.virtual_clock import VirtualClock
from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.memory_store import SqliteMemory
from appliance.storage.trust_store import SqliteTrust
from appliance.trusted_clock import TrustedClock
from gate_trust import trust_in

GATE = "gate-a"
KEY = b"a" * 32
CHIP = ImaginedSecret(b"c" * 32)
NOW = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)
BUILT = datetime(2026, 1, 1, tzinfo=UTC)
OFFICE, FORGER = BoxOffice(), BoxOffice("forger")


def listed(version: int = 1, *numbers: str, **fields):
    return OFFICE.draw_up("show", numbers or ("T1",), version, **fields)


V1, V2, V3 = listed(1), listed(2, "T1", "T2"), listed(3, "T1", "T2", "T3")


@asynccontextmanager
async def open_shelf(
    folder: Path, *, trusted=OFFICE, office=None, gate: str = GATE, secrets=(CHIP,)
):
    """Open a gate's lists as at a start, with a link to an imagined server."""
    async with open_database(folder / "journal.sqlite") as connection:
        clock = VirtualClock(NOW)
        store = await SqliteJournal.open(connection, "journal-a")
        holdings, server = (
            GateHoldings(),
            ImaginedServer(clock, OFFICE if office is None else office),
        )
        memory = SqliteMemory(connection, folder / "lists")
        time = await TrustedClock.open(clock, bytes(16), BUILT, store, memory)
        trust = trust_in(trusted, time, SqliteTrust(connection))
        await trust.load()
        keeper = ListKeeper(
            gate=gate,
            trust=trust,
            cabinet=KeyCabinet(
                shelf=memory.keys, secrets=secrets, agreement_key=lambda: KEY, random=os.urandom
            ),
            memory=memory,
            holdings=holdings,
            recorder=Recorder(store, time, bytes(16)),
            now=time.now,
        )
        begun = store.head
        await keeper.load()

        async def noted():
            rows = await store.rows(begun, 1_000)
            return [journal.decode(row.blob) for row in rows]

        async def refusals() -> list[str]:
            records = [r for r in await noted() if r.kind == Kind.LIST_REFUSED]
            return [f"{record.performance}: {record.detail['error']}" for record in records]

        yield SimpleNamespace(
            clock=clock,
            connection=connection,
            keeper=keeper,
            holdings=holdings,
            server=server,
            memory=memory,
            trust=trust,
            link=ImaginedLink(server, gate, KEY),
            noted=noted,
            refusals=refusals,
        )


async def offer(shelf, *lists, version: int = 1, performances=("show",)) -> bool:
    """Publish lists, assign the gate, and let it look."""
    for signed in lists:
        shelf.server.publish(signed)
    shelf.server.assign(GATE, version, OFFICE.assign(GATE, performances, version))
    return await shelf.keeper.refresh(shelf.link)


def admits(shelf, number: str) -> bool:
    return shelf.holdings.find("show", shelf.holdings.identify("show", number)) is not None
