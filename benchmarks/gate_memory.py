"""The gate's resident memory with a list installed, against the bytes of the list file itself.

Starts the gate's services in a process of its own, with the list mapped from a file as the gate
maps it, judges a thousand scans, and reads VmRSS. The peer is the same process without a list.

Usage: python benchmarks/gate_memory.py [TICKETS ...]
"""

import argparse
import asyncio
import json
import mmap
import multiprocessing
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from scan_to_journal import LIST_KEY, PERFORMANCE, compose, number

from admission.scan import Direction
from admission.ticket import TicketState
from admission.ticketlist.identifiers import identify
from admission.ticketlist.manifest import ClassRow, Manifest, Showing, list_key_id
from admission.ticketlist.packed import Entry, pack
from admission.ticketlist.pieces import FileRef
from appliance import drivers  # noqa: F401 (what the daemon imports counts)
from appliance.holdings import GateHoldings, open_list
from appliance.ports import Payload
from appliance.readers import camera, folder, serial_port, zxing  # noqa: F401
from appliance.simulator.picture_display import PictureDisplay
from appliance.storage.database import open_database

LIMIT_MIB = 150  # a Pi Zero 2 W has 512


def resident_mib() -> float:
    """Give this process's resident memory."""
    status = Path("/proc/self/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def write_list(path: Path, tickets: int) -> None:
    """Write a packed list; called in a process of its own, whose memory does not count."""
    entries = (Entry(identify(LIST_KEY, number(n)), 0, TicketState.VALID) for n in range(tickets))
    path.write_bytes(pack(PERFORMANCE, entries))


def hold(holdings: GateHoldings, path: Path) -> None:
    """Map a list and hold it, after reading all of it once, as verifying does."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    sum(mapped[place] for place in range(0, len(mapped), 4096))
    manifest = Manifest(
        performance=PERFORMANCE,
        version=2,
        chain="0" * 64,
        snapshot=FileRef(version=1, size=len(mapped), sha256="0" * 64, count=1),
        list_key_id=list_key_id(LIST_KEY),
        classes=(ClassRow(category="standard", mode="single"),),
        showing=Showing(name="Bench", timezone="Europe/Paris"),
        published_at=datetime.now(UTC),
    )
    holdings.install(open_list(manifest, mapped, LIST_KEY))


async def serve(path: Path, tickets: int) -> float:
    """Judge a thousand scans; give the resident memory afterwards."""
    with tempfile.TemporaryDirectory() as name:
        async with open_database(Path(name) / "gate.sqlite") as connection:
            gate, _, _, holdings = await compose(connection, Path(name), 10)
            display = PictureDisplay("fr")
            if tickets:
                hold(holdings, path)
            step = max(1, tickets // 1000)
            for turn in range(1000):
                data = number(turn * step).encode()
                received_ns = time.monotonic_ns()
                await gate.handle(Payload("bench", Direction.ENTRY, data, "", received_ns))
            del display
            return resident_mib()


def measure(path: Path, tickets: int, result: "multiprocessing.SimpleQueue[float]") -> None:
    """Run in a process of its own."""
    result.put(asyncio.run(serve(path, tickets)))


def main() -> None:
    """Measure and print one line a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tickets", type=int, nargs="*", default=[0, 10_000, 100_000, 1_000_000])
    context = multiprocessing.get_context("spawn")
    for tickets in parser.parse_args().tickets:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "list.tgl"
            result: multiprocessing.SimpleQueue[float] = context.SimpleQueue()
            for target, arguments in (
                (write_list, (path, tickets)),
                (measure, (path, tickets, result)),
            ):
                process = context.Process(target=target, args=arguments)
                process.start()
                process.join()
            line = {"tickets": tickets, "file_mib": round(path.stat().st_size / 2**20, 1)}
            resident = result.get()
            line |= {"resident_mib": round(resident, 1), "of_limit": round(resident / LIMIT_MIB, 2)}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
