"""A gate that was without a link hands in what it wrote: 3,000 passages, over slow links too.

One real server process, the real link client, and between them a relay of this script that adds
delay. *Batches*: as gates do it, up to a thousand records a request, each acknowledged before the
next. *One by one*: a request for each scan, on the same connection to the same server, as other
systems do it; a part of them is sent and the time is multiplied, for with 200 ms of delay all of
them would take ten minutes. *Read*: another gate fetches the same passages from the feed.

Batches and one by one take turns; the middle of the rounds is told.

Usage: python benchmarks/catch_up.py [--passages N] [--alone N] [--rounds N] [DELAY_MS …]
"""

import argparse
import asyncio
import hashlib
import json
import platform
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import msgspec
from refusal_at_the_other_gate import Venue, child, passage, secret

from admission.journal import chain, encode, genesis
from admission.limits import JOURNAL_BATCH_RECORDS_MAX
from admission.sync.messages import Batch, Moment
from appliance.storage.stored_signer import StoredSigner
from appliance.transport.client import HttpLink, open_link
from sync_server.main import init_server

DELAYS_MS = [0, 50, 200]


@asynccontextmanager
async def relay(port: int, delay_s: float) -> AsyncIterator[str]:
    """Stand before a server, half of the delay each way; give the address."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                at_s, data = await waiting.get()
                await asyncio.sleep(max(0.0, at_s - time.monotonic()))
                writer.write(data)
                if not data:
                    writer.close()
                    return

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(deliver())
            data = b"-"
            while data:
                try:
                    data = await reader.read(1 << 16)
                except ConnectionError:
                    data = b""
                waiting.put_nowait((time.monotonic() + delay_s / 2, data))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError, ExceptionGroup, asyncio.CancelledError):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pass_on(reader, back))
                tasks.create_task(pass_on(back_reader, writer))

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def batches(venue: Venue, name: str, count: int, size: int) -> Iterator[Batch]:
    """Give a journal of so many passages, in parts of so many records."""
    value, first, blobs = genesis(name), 1, []
    before = value
    for sequence in range(1, count + 1):
        made = passage(venue.performance, venue.checkpoint, sequence)
        ticket = hashlib.sha256(f"{name} {sequence}".encode()).digest()[:16]
        blobs.append(encode(msgspec.structs.replace(made, identifier=ticket)))
        value = chain(value, blobs[-1])
        if len(blobs) == size or sequence == count:
            sent = Moment(time.time_ns() // 1_000_000, 1000, bytes(16))
            yield Batch(name, first, before, blobs, sent)
            first, before, blobs = sequence + 1, value, []


async def hand_in(link: HttpLink, made: list[Batch]) -> float:
    """Send batches one after the other; give the seconds."""
    begun = time.monotonic()
    for batch in made:
        ack = await link.upload(batch)
        if ack.conflict:
            raise RuntimeError(f"{batch.journal} was refused")
    return time.monotonic() - begun


async def read(link: HttpLink, stream: str, after: int, count: int) -> float:
    """Fetch so many items of a feed; give the seconds."""
    begun, cursor = time.monotonic(), after
    while cursor < after + count:
        cursor = (await link.feed(stream, cursor)).items[-1].number
    return time.monotonic() - begun


async def measure(
    venue: Venue, port: int, delay_ms: int, options: argparse.Namespace
) -> dict[str, float]:
    """Take turns, and give the middle of each way."""
    count, alone = options.passages, min(options.alone, options.passages)
    took: dict[str, list[float]] = {"batches_s": [], "one_by_one_s": [], "read_s": []}
    async with (
        relay(port, delay_ms / 1000) as address,
        open_link(address, "crowd-0000", StoredSigner(secret(0))) as link,
    ):
        for turn in range(options.rounds):
            at = (await link.feed(venue.performance, 0)).head
            name = f"batches-{delay_ms}-{turn}"
            ours = list(batches(venue, name, count, JOURNAL_BATCH_RECORDS_MAX))
            took["batches_s"].append(await hand_in(link, ours))
            took["read_s"].append(await read(link, venue.performance, at, count))
            theirs = list(batches(venue, f"alone-{delay_ms}-{turn}", alone, 1))
            took["one_by_one_s"].append(await hand_in(link, theirs) * count / alone)
    middle = {name: round(statistics.median(values), 3) for name, values in took.items()}
    ratio = round(middle["one_by_one_s"] / middle["batches_s"], 1)
    return {"delay_ms": delay_ms} | middle | {"one_by_one_over_batches": ratio}


async def run(folder: Path, options: argparse.Namespace) -> None:
    """Set a server up, and measure each delay."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    venue = Venue(f"http://127.0.0.1:{port}", folder)
    password = await init_server(folder / "server", "bench") or ""
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        child("--serve", str(folder / "server"), str(port)),
        aiohttp.ClientSession(cookie_jar=jar) as session,
    ):
        await venue.set_up(session, password, 10)
        await venue.add_crowd(1)
        for delay_ms in options.delays or DELAYS_MS:
            print(json.dumps(await measure(venue, port, delay_ms, options)), flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=3000)
    parser.add_argument("--alone", type=int, default=100, help="sent one by one, of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("delays", type=int, nargs="*", metavar="DELAY_MS")
    options = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder), options))


if __name__ == "__main__":
    main()
