"""From the commit of a grant at gate A to the refusal of the ticket at gate B, through the server.

One real server process; A and B are the whole gate daemon (`run_gate`) over the real link, with a
reader that this script feeds. The other gates are the real link client (`HttpLink`) in a process
of their own: signed, each on a live connection, subscribed, saying every five seconds how it is.
In the last row one of them hands in passages, a thousand a request, all the time. The peer, in the
same run and interleaved scan by scan: a WebSocket's bare echo through the same server process, of
a message of a hint's size. A claim's round trip (strict mode) beside.

`known` is when B would refuse; `refused` is when B, shown the ticket then, has its refusal on the
disk.

Usage: python benchmarks/refusal_at_the_other_gate.py [--folder DIR] [--scans N] [--rate N] [N …]
"""

import argparse
import asyncio
import hashlib
import json
import logging
import os
import platform
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from admission.journal import Kind, Record, encode, genesis
from admission.journal import chain as chain_value
from admission.limits import JOURNAL_BATCH_RECORDS_MAX
from admission.scan import Direction
from admission.sync.enrolment_link import EnrolmentLink
from admission.sync.messages import Batch, Claim, Claimed, Hint, Lists, Moment, Status, Subscribe
from admission.trust.keys import public_key
from appliance import drivers
from appliance.beat import Beat
from appliance.config import Config, PeersConfig, ReaderConfig
from appliance.enrolling import enrol
from appliance.hinting import Hinting
from appliance.main import run_gate
from appliance.ports import Payload
from appliance.recording import Recorder
from appliance.storage.stored_signer import StoredSigner
from appliance.transport.client import open_link
from sync_server import main as server_main
from sync_server.config import ServerConfig
from sync_server.entities import Gate
from sync_server.main import init_server, serving
from sync_server.storage.database import open_database

STATUS_S = 5.0
LOST_S = 2.0
CONNECTING_AT_ONCE = 16
HINT_BYTES = 220


def ticket(place: int) -> str:
    return f"T{place:019d}"


# --- the server's process ---------------------------------------------------------------------


async def serve(folder: Path, port: int) -> None:
    make = server_main.make_application

    def with_echo(**parts: Any) -> Any:
        app, board = make(**parts)
        app.router.add_get("/echo", echo)
        return app, board

    server_main.make_application = with_echo  # type: ignore[assignment]
    async with serving(ServerConfig(folder, port=port)):
        server_main.spare_the_collector()
        print("ready", flush=True)
        await asyncio.Event().wait()


async def echo(request: web.Request) -> web.WebSocketResponse:
    there = web.WebSocketResponse()
    await there.prepare(request)
    async for message in there:
        await there.send_bytes(message.data)
    return there


# --- the crowd's process ----------------------------------------------------------------------


def secret(place: int) -> bytes:
    return hashlib.sha256(f"crowd {place}".encode()).digest()


async def crowd(address: str, performance: str, count: int) -> None:
    door = asyncio.Semaphore(CONNECTING_AT_ONCE)
    there = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as tasks:
        for place in range(count):
            tasks.create_task(one_of_the_crowd(address, performance, place, door, there))
        for _ in range(count):
            await there.acquire()
        print("ready", flush=True)


async def one_of_the_crowd(
    address: str,
    performance: str,
    place: int,
    door: asyncio.Semaphore,
    there: asyncio.Semaphore,
) -> None:
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        async with door:
            link = await stack.enter_async_context(
                open_link(address, f"crowd-{place:04d}", StoredSigner(secret(place)))
            )
            live = await stack.enter_async_context(link.live())
            await live.send(Subscribe({performance: 0}))
            while not isinstance(await live.receive(), Lists):
                pass  # it is served from then on
        there.release()
        tasks.create_task(say_how_it_is(live, place))
        while True:
            await live.receive()


async def say_how_it_is(live: Any, place: int) -> None:
    await asyncio.sleep(STATUS_S * (place % 100) / 100)
    while True:
        sent = Moment(time.time_ns() // 1_000_000, 1000, bytes(16))
        await live.send(Status("connected", [], 0, {}, sent, "bench"))
        await asyncio.sleep(STATUS_S)


async def backlog(address: str, performance: str, checkpoint: str) -> None:
    """Hand in hour after hour of a gate that was without a link: a thousand passages a request."""
    name, chain, sequence = "journal-of-the-crowd", genesis("journal-of-the-crowd"), 0
    async with open_link(address, "crowd-0001", StoredSigner(secret(1))) as link:
        print("ready", flush=True)
        while True:
            first, before, blobs = sequence + 1, chain, []
            for sequence in range(first, first + JOURNAL_BATCH_RECORDS_MAX):
                blobs.append(encode(passage(performance, checkpoint, sequence)))
                chain = chain_value(chain, blobs[-1])
            sent = Moment(time.time_ns() // 1_000_000, 1000, bytes(16))
            await link.upload(Batch(name, first, before, blobs, sent))


def passage(performance: str, checkpoint: str, sequence: int) -> Record:
    return Record(
        kind=int(Kind.PASSED),
        sequence=sequence,
        wall_ms=time.time_ns() // 1_000_000,
        boot_ms=1000,
        boot_id=bytes(16),
        checkpoint=checkpoint,
        performance=performance,
        identifier=hashlib.sha256(f"old {sequence}".encode()).digest()[:16],
        direction=1,
        ticket_class=("standard", "single", None, None),
    )


@asynccontextmanager
async def child(*arguments: str) -> AsyncIterator[None]:
    """Run a part of this script in a process of its own, from its `ready` to the context's end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is None or await process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"{arguments[0]} did not start")
        yield
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself, and said why
            process.kill()
        await process.wait()


# --- the two gates ----------------------------------------------------------------------------


class FedReader:
    """Reads what it is given."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._given: asyncio.Queue[bytes] = asyncio.Queue()

    def present(self, number: str) -> None:
        """Hold a ticket before it."""
        self._given.put_nowait(number.encode())

    @property
    def beat(self) -> Beat:
        """Nobody watches over a trial."""
        return Beat()

    def is_alive(self) -> bool:
        """It is always there."""
        return True

    @property
    def trouble(self) -> str:
        """Nothing is ever wrong with it."""
        return ""

    async def payloads(self) -> AsyncIterator[Payload]:
        """Yield what it was given."""
        while True:
            data = await self._given.get()
            yield Payload(self.name, Direction.ENTRY, data, "QRCode", time.monotonic_ns())


class Instants:
    """When what was written and heard, seen from inside the gates, by ticket."""

    def __init__(self) -> None:
        self.granted: dict[bytes, int] = {}
        self.refused: dict[bytes, int] = {}
        self.heard: dict[bytes, int] = {}
        self.stirred = asyncio.Event()
        self._watch_writing()
        self._watch_hearing()

    def _watch_writing(self) -> None:
        write = Recorder.write

        async def watched(recorder: Recorder, *drafts: Record, **how: Any) -> tuple[Record, ...]:
            records = await write(recorder, *drafts, **how)
            at = time.monotonic_ns()
            for record in records:
                if record.kind == Kind.GRANTED:
                    self.granted[record.identifier] = at
                elif record.kind == Kind.DENIED and record.answer == "already_used":
                    self.refused[record.identifier] = at
            self.stirred.set()
            return records

        Recorder.write = watched  # type: ignore[method-assign]

    def _watch_hearing(self) -> None:
        hear = Hinting.hear

        def watched(hinting: Hinting, hint: Hint) -> None:
            hear(hinting, hint)
            self.heard.setdefault(hint.identifier, time.monotonic_ns())
            self.stirred.set()

        Hinting.hear = watched  # type: ignore[method-assign]

    async def wait(self, among: dict[bytes, int], size: int) -> bool:
        """Wait until something more was noted; False is that it was not, for too long."""
        try:
            async with asyncio.timeout(LOST_S):
                while len(among) < size:
                    self.stirred.clear()
                    await self.stirred.wait()
        except TimeoutError:
            return False
        return True


class Venue:
    """The server as an operator set it up."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder
        self.performance = self.checkpoint = self.venue = ""
        self._csrf = ""

    async def set_up(self, session: aiohttp.ClientSession, password: str, tickets: int) -> None:
        """Make a performance with a published list, and a checkpoint."""
        signed_in = await self._call(
            session, "login", json={"login": "bench", "password": password}
        )
        self._csrf = signed_in["csrf"]
        made = self._make
        self.venue = await made(session, "venues", name="Hall", timezone="Europe/Paris")
        event = await made(session, "events", venue_id=self.venue, name="Show")
        self.performance = await made(session, "performances", event_id=event, name="Tonight")
        performances = [self.performance]
        self.checkpoint = await made(
            session, "checkpoints", venue_id=self.venue, name="North", performances=performances
        )
        rows = "number\n" + "".join(f"{ticket(place)}\n" for place in range(tickets))
        path = f"performances/{self.performance}"
        await self._call(session, f"{path}/imports", data=rows.encode())
        await self._call(session, f"{path}/publish")

    async def enrol(self, session: aiohttp.ClientSession, name: str) -> Config:
        """Make a gate and enrol it; give the configuration to run it by."""
        gate = await self._make(
            session, "gates", checkpoint_id=self.checkpoint, name=name, direction="entry"
        )
        code = (await self._call(session, f"gates/{gate}/enrolment-code"))["code"]
        config = Config(
            path=self.folder / f"{name}.toml",
            data=self.folder / name,
            server=self.address,
            language="en",
            readers=(ReaderConfig(name, "fed", Direction.ENTRY),),
            risk_of_plain_http=True,
            peers=PeersConfig(enabled=False),  # through the server alone
        )
        config.data.mkdir()
        await enrol(config, EnrolmentLink((self.address,), code, ()))
        return config

    async def add_crowd(self, count: int) -> None:
        """Put gates into the database as if they had been enrolled one by one."""
        path = self.folder / "server/portillon.db"
        async with open_database(path) as database, database.write() as transaction:
            for place in range(count):
                gate = Gate(
                    id=f"crowd-{place:04d}",
                    venue_id=self.venue,
                    name=f"Crowd {place}",
                    checkpoint_id=self.checkpoint,
                    direction=Direction.ENTRY,
                    public_key=public_key(secret(place)),
                    enrolled_ms=1,
                )
                await transaction.gates.add_gate(gate)

    async def _make(self, session: aiohttp.ClientSession, kind: str, **fields: Any) -> str:
        return str((await self._call(session, kind, json=fields))["id"])

    async def _call(self, session: aiohttp.ClientSession, path: str, **more: Any) -> Any:
        headers = {"X-CSRF-Token": self._csrf}
        url = f"{self.address}/api/v1/{path}"
        async with session.post(url, headers=headers, **more) as response:
            response.raise_for_status()
            return await response.json()


# --- measuring --------------------------------------------------------------------------------


async def measure(
    venue: Venue,
    readers: dict[str, FedReader],
    instants: Instants,
    session: aiohttp.ClientSession,
    scans: range,
    rate: float,
) -> dict[str, float]:
    """Show tickets at A, and at B what B has heard; an echo and a claim between each two."""
    took: dict[str, list[float]] = {"known": [], "refused": [], "echo": [], "claim": []}
    lost = 0
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        plain = await enter(session.ws_connect(f"{venue.address}/echo"))
        link = await enter(open_link(venue.address, "crowd-0000", StoredSigner(secret(0))))
        asking = await enter(link.live())
        await asking.send(Subscribe({venue.performance: 0}))
        for place in scans:
            begun = time.monotonic()
            took["echo"].append(await echoed(plain))
            took["claim"].append(await claimed(asking, venue, place))
            size = len(instants.heard) + 1
            refused = len(instants.refused) + 1
            readers["A"].present(ticket(place))
            if not await instants.wait(instants.heard, size):
                lost += 1
                continue
            identifier = next(reversed(instants.heard))
            await instants.wait(instants.granted, 1)
            took["known"].append(instants.heard[identifier] - instants.granted[identifier])
            readers["B"].present(ticket(place))
            if not await instants.wait(instants.refused, refused):
                raise RuntimeError(f"B let {ticket(place)} in")
            took["refused"].append(instants.refused[identifier] - instants.granted[identifier])
            await asyncio.sleep(max(0.0, begun + 1 / rate - time.monotonic()))
    figures: dict[str, float] = {"lost": lost}
    for name, values in took.items():
        values.sort()
        figures[f"{name}_p50_ms"] = round(values[len(values) // 2] / 1e6, 2)
        figures[f"{name}_p99_ms"] = round(values[int(len(values) * 0.99)] / 1e6, 2)
    figures["known_over_echo_p50"] = round(figures["known_p50_ms"] / figures["echo_p50_ms"], 2)
    figures["known_over_echo_p99"] = round(figures["known_p99_ms"] / figures["echo_p99_ms"], 2)
    return figures


async def echoed(plain: aiohttp.ClientWebSocketResponse) -> float:
    begun = time.monotonic_ns()
    await plain.send_bytes(bytes(HINT_BYTES))
    await plain.receive_bytes()
    return time.monotonic_ns() - begun


async def claimed(asking: Any, venue: Venue, place: int) -> float:
    begun = time.monotonic_ns()
    await asking.send(
        Claim(
            number=place + 1,
            checkpoint=venue.checkpoint,
            performance=venue.performance,
            identifier=hashlib.sha256(f"claim {place}".encode()).digest()[:16],
            direction=1,
            at_ms=time.time_ns() // 1_000_000,
            ticket_class=("standard", "single", None, None),
        )
    )
    while not isinstance(answer := await asking.receive(), Claimed):
        pass
    if (answer.number, answer.answer) != (place + 1, "granted"):
        raise RuntimeError(f"the claim was answered {answer}")
    return time.monotonic_ns() - begun


async def run(folder: Path, sizes: list[int], scans: int, rate: float) -> None:
    readers: dict[str, FedReader] = {}

    def open_fed(_: drivers.Drivers, config: ReaderConfig) -> FedReader:
        return readers.setdefault(config.name, FedReader(config.name))

    drivers.READERS["fed"] = open_fed
    instants = Instants()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    venue = Venue(f"http://127.0.0.1:{port}", folder)
    password = await init_server(folder / "server", "bench") or ""
    jar = aiohttp.CookieJar(unsafe=True)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(child("--serve", str(folder / "server"), str(port)))
        session = await enter(aiohttp.ClientSession(cookie_jar=jar))
        await venue.set_up(session, password, scans * (len(sizes) + 1))
        configs = [await venue.enrol(session, name) for name in ("A", "B")]
        await venue.add_crowd(max(10, *sizes))
        async with asyncio.TaskGroup() as gates:
            daemons = [gates.create_task(run_gate(config, "bench")) for config in configs]
            await asyncio.sleep(1.0)  # both hold their list and their connection by then
            for turn, size in enumerate(sizes):
                shown = range(turn * scans, (turn + 1) * scans)
                others = str(max(0, size - 2))
                async with child("--crowd", venue.address, venue.performance, others):
                    await asyncio.sleep(min(5.0, size / 100))  # all have said how they are
                    figures = await measure(venue, readers, instants, session, shown, rate)
                print(json.dumps({"gates": size, "scans": scans, **figures}), flush=True)
            shown = range(len(sizes) * scans, (len(sizes) + 1) * scans)
            where = (venue.address, venue.performance)
            async with child("--crowd", *where, "8"), child("--backlog", *where, venue.checkpoint):
                figures = await measure(venue, readers, instants, session, shown, rate)
            told = {"gates": 10, "beside": "an hour's backlog", "scans": scans}
            print(json.dumps({**told, **figures}), flush=True)
            for daemon in daemons:
                daemon.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the databases lie; default: a new one")
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--rate", type=float, default=10.0, help="scans a second at gate A")
    parser.add_argument("gates", type=int, nargs="*", default=[10, 100, 1000])
    options = parser.parse_args()
    logging.getLogger().addHandler(logging.NullHandler())
    logging.disable(logging.WARNING)
    print(
        f"# {platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        asyncio.run(run(Path(folder), options.gates, options.scans, options.rate))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(Path(sys.argv[2]), int(sys.argv[3])))
    elif sys.argv[1:2] == ["--backlog"]:
        asyncio.run(backlog(sys.argv[2], sys.argv[3], sys.argv[4]))
    elif sys.argv[1:2] == ["--crowd"]:
        asyncio.run(crowd(sys.argv[2], sys.argv[3], int(sys.argv[4])))
    else:
        main()
