"""Payload -> verdict -> journal on disk, with 10 k, 100 k and 1 M tickets installed.

The peer, in the same run and interleaved scan by scan: the same row inserted and committed
(`synchronous=FULL`) through one hop to a database thread, into a table of the same shape on the
same disk, with nothing judged. The bare commit, without a hop, is printed beside it. The lane has a
passage sensor, so a scan writes one record, the grant; its end is written outside the time. *Relay*
is the same scan to the moment at which the arm is told to open. With `--busy` another process
writes and syncs a megabyte on the same disk, again and again, all the while.

Usage: python benchmarks/scan_to_journal.py [--folder DIR] [--scans N] [--busy] [TICKETS ...]
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiosqlite

from admission.journal import Record, decode
from admission.operating_mode import Situation
from admission.passage import History
from admission.scan import Direction
from admission.sync.assignment import Assignment, CheckpointRow
from admission.sync.gate_side import Row
from admission.ticket import TicketState
from admission.ticketlist.identifiers import identify
from admission.ticketlist.manifest import ClassRow, Manifest, Showing, list_key_id
from admission.ticketlist.packed import Entry, pack
from admission.ticketlist.pieces import FileRef
from admission.trust.root import Role, root_digest
from appliance.announcer import Announcer
from appliance.claiming import Claiming
from appliance.clock import SystemClock, boot_id, fresh_id, scan_ids
from appliance.commanding import Commanding
from appliance.gate import Gate
from appliance.health import Health
from appliance.hinting import ExpressQueue, Hinting
from appliance.holdings import GateHoldings, open_list
from appliance.key_cabinet import KeyCabinet
from appliance.lane_keeper import LaneKeeper
from appliance.lists import ListKeeper
from appliance.ports import LaneEvent, Payload, Turnstile
from appliance.recording import Recorder
from appliance.simulator.box_office import BoxOffice
from appliance.starting import spare_the_collector
from appliance.storage.command_store import SqliteCommands
from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal
from appliance.storage.memory_store import SqliteMemory
from appliance.storage.trust_store import SqliteTrust
from appliance.trust_keeper import TrustKeeper
from appliance.trusted_clock import TrustedClock

LIST_KEY = b"k" * 32
PERFORMANCE = "0198f0a0-0000-7000-8000-000000000001"
_PEER_TABLE = (
    "CREATE TABLE journal (sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, "
    "refers_to INTEGER NOT NULL, chain BLOB NOT NULL, blob BLOB NOT NULL) STRICT"
)
_PEER_PRAGMAS = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
_PEER_INSERT = "INSERT INTO journal (sequence, kind, refers_to, chain, blob) VALUES (?, ?, ?, ?, ?)"


def number(place: int) -> str:
    """Give the ticket number at a place."""
    return f"T{place:019d}"


def install(holdings: GateHoldings, tickets: int) -> None:
    """Make a list and hold it."""
    snapshot = pack(
        PERFORMANCE,
        (Entry(identify(LIST_KEY, number(n)), 0, TicketState.VALID) for n in range(tickets)),
    )
    manifest = Manifest(
        performance=PERFORMANCE,
        version=1,
        chain="0" * 64,
        snapshot=FileRef(version=1, size=len(snapshot), sha256="0" * 64, count=tickets),
        list_key_id=list_key_id(LIST_KEY),
        classes=(ClassRow(category="standard", mode="single"),),
        showing=Showing(name="Bench", timezone="Europe/Paris"),
        published_at=datetime.now(UTC),
    )
    holdings.install(open_list(manifest, snapshot, LIST_KEY))


async def compose(
    connection: aiosqlite.Connection,
    folder: Path,
    tickets: int,
    turnstile: Turnstile | None = None,
) -> tuple[Gate, LaneKeeper, Recorder, GateHoldings]:
    """Compose the gate's own services, without devices but the arm where one is given."""
    journal: Any = TimedJournal(await SqliteJournal.open(connection, fresh_id()))
    memory = SqliteMemory(connection, folder / "lists")
    boot, built = boot_id(), datetime(2026, 1, 1, tzinfo=UTC)
    clock = await TrustedClock.open(SystemClock(), boot, built, journal, memory)
    recorder = Recorder(journal, clock, boot)
    history, holdings = History(), GateHoldings()
    install(holdings, tickets)
    cabinet = KeyCabinet(
        shelf=memory.keys, secrets=(), agreement_key=lambda: bytes(32), random=os.urandom
    )  # fmt: skip
    root = BoxOffice().roots[0]
    trust = TrustKeeper(
        root=root, root_digest=root_digest(root), memory=SqliteTrust(connection),
        time=clock, fresh_nonce=fresh_id,
    )  # fmt: skip
    keeper = ListKeeper(
        gate="g", trust=trust, cabinet=cabinet, memory=memory,
        holdings=holdings, recorder=recorder, now=clock.now,
    )  # fmt: skip
    keeper.assignment = Assignment(
        gate="g", gate_name="g", version=1,
        checkpoint=CheckpointRow(id="c", name="c", performances=(PERFORMANCE,)),
    )  # fmt: skip
    announcer = Announcer([], [], clock)
    health = Health(
        keeper=keeper, holdings=holdings, history=history, recorder=recorder,
        announcer=announcer, clock=clock, direction=Direction.ENTRY,
    )  # fmt: skip
    health.situation = lambda: Situation(live=True)
    hinting = Hinting("g", recorder, history, holdings, clock)
    claiming = Claiming(ExpressQueue(), clock)
    hinting.lanes.append(claiming.lane)
    claiming.lane.open()  # a hint of each grant is offered, as on a live link
    lane = LaneKeeper(
        turnstile=turnstile or SensedTurnstile(), recorder=recorder, history=history, health=health,
        announcer=announcer, hinting=hinting, clock=clock, passage_timeout_s=6.0,
    )  # fmt: skip
    commanding = Commanding(
        gate="g", signers=lambda: trust.signers(Role.OPERATOR), memory=SqliteCommands(connection),
        recorder=recorder, holdings=holdings, health=health, lane=lane, announcer=announcer,
        clock=clock,
    )  # fmt: skip
    gate = Gate(
        commanding=commanding, hinting=hinting, claiming=claiming, holdings=holdings,
        history=history, recorder=recorder,
        lane=lane, health=health,
        announcer=announcer, clock=clock, new_id=scan_ids(),
    )  # fmt: skip
    return gate, lane, recorder, holdings


class SensedTurnstile:
    """An arm whose sensor sees everybody at once; what it costs is not timed."""

    has_sensor = True

    released_ns = 0  # of the last one

    def __init__(self) -> None:
        self._passed: asyncio.Queue[LaneEvent] = asyncio.Queue()

    async def release(self, direction: Direction) -> None:
        """Let one person through."""
        SensedTurnstile.released_ns = time.perf_counter_ns()
        self._passed.put_nowait(LaneEvent.PASSED)

    def close(self) -> None:
        """Do nothing: it closes behind each person."""

    async def hold(self, is_open: bool) -> None:
        """Do nothing: nobody holds it."""

    async def events(self) -> AsyncIterator[LaneEvent]:
        """Yield what the sensor says."""
        while True:
            yield await self._passed.get()

    def rest(self) -> None:
        """Do nothing: there is no output."""


class TimedJournal:
    """The gate's own journal; notes when an append was on the disk."""

    def __init__(self, store: SqliteJournal) -> None:
        self._store = store
        self.durable_ns = 0

    async def append(self, *drafts: Record) -> tuple[Record, ...]:
        """Append, and note the time."""
        records = await self._store.append(*drafts)
        self.durable_ns = time.perf_counter_ns()
        return records

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def values(rows: list[Row], records: list[Record], shift: int) -> list[object]:
    """Give the peer's values: the very rows that the gate just wrote."""
    return [
        value
        for row, record in zip(rows, records, strict=True)
        for value in (row.sequence + shift, record.kind, record.refers_to, row.chain, row.blob)
    ]


async def measure(folder: Path, tickets: int, scans: int) -> dict[str, list[int]]:
    """Time scans, hops and bare commits, one after the other; nanoseconds."""
    times: dict[str, list[int]] = {"scan": [], "relay": [], "hop": [], "bare": []}
    bare = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    bare.executescript(_PEER_PRAGMAS)
    bare.execute(_PEER_TABLE)
    async with (
        open_database(folder / "gate.sqlite") as connection,
        aiosqlite.connect(folder / "hop.sqlite", isolation_level=None) as hop,
        AsyncExitStack() as stack,
    ):
        await hop.executescript(_PEER_PRAGMAS)
        await hop.execute_fetchall(_PEER_TABLE)
        gate, lane, recorder, _ = await compose(connection, folder, tickets)
        spare_the_collector()  # as the daemon does
        timed: Any = recorder.journal
        watching = await stack.enter_async_context(asyncio.TaskGroup())
        watch = watching.create_task(lane.watch())
        step = max(1, tickets // (scans + 1))
        for turn in range(scans):
            data = number(turn * step).encode()
            before = time.perf_counter_ns()
            payload = Payload("bench", Direction.ENTRY, data, "", time.monotonic_ns())
            await gate.handle(payload)
            after = timed.durable_ns  # the arm, the display and the log come later
            rows = await recorder.journal.rows(recorder.journal.head - 1, 1)
            peer_values = values(rows, [decode(row.blob) for row in rows], 0)
            hop_before = time.perf_counter_ns()
            await hop.execute_fetchall(_PEER_INSERT, peer_values)
            hop_after = time.perf_counter_ns()
            bare.execute(_PEER_INSERT, peer_values)
            bare_after = time.perf_counter_ns()
            while lane.is_busy:  # the person goes through
                await lane.wait()
                await lane.settle()
            times["scan"].append(after - before)
            times["relay"].append(SensedTurnstile.released_ns - before)
            times["hop"].append(hop_after - hop_before)
            times["bare"].append(bare_after - hop_after)
        watch.cancel()
    bare.close()
    return times


@contextmanager
def busy_disk(folder: Path) -> Iterator[None]:
    """Have another process write and sync on the same disk while the context lasts."""
    writing = multiprocessing.get_context("spawn").Process(
        target=write_for_ever, args=(folder / "busy",), daemon=True
    )
    writing.start()
    try:
        yield
    finally:
        writing.kill()
        writing.join()


def write_for_ever(path: Path) -> None:
    """Write a megabyte and sync it, again and again."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.seek(0)
            file.write(os.urandom(1 << 20))
            os.fsync(file.fileno())


def quantile(sample: list[int], share: float) -> float:
    """Give a quantile in microseconds."""
    ordered = sorted(sample)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1000


def main() -> None:
    """Measure and print one line a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--scans", type=int, default=2000)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("tickets", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    chosen = parser.parse_args()
    print(
        f"# {platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    flat: dict[int, float] = {}
    for tickets in chosen.tickets:
        with (
            tempfile.TemporaryDirectory(dir=chosen.folder) as folder,
            busy_disk(Path(folder)) if chosen.busy else nullcontext(),
        ):
            times = asyncio.run(measure(Path(folder), tickets, chosen.scans))
        line: dict[str, object] = {"tickets": tickets, "scans": chosen.scans}
        for name, sample in times.items():
            line[f"{name}_p50_us"] = round(quantile(sample, 0.5), 1)
            line[f"{name}_p99_us"] = round(quantile(sample, 0.99), 1)
        for share, label in ((0.5, "p50"), (0.99, "p99")):
            ratio = quantile(times["scan"], share) / quantile(times["hop"], share)
            line[f"scan_over_hop_{label}"] = round(ratio, 2)
            relay = quantile(times["relay"], share) / quantile(times["bare"], share)
            line[f"relay_over_bare_{label}"] = round(relay, 2)
        flat[tickets] = quantile(times["scan"], 0.5)
        print(json.dumps(line), flush=True)
    if len(flat) > 1:
        least, most = min(flat), max(flat)
        print(f"# p50 at {most} over p50 at {least}: {flat[most] / flat[least]:.2f}")


if __name__ == "__main__":
    main()
