"""What a list costs a gate: bytes, verifying, memory; and what 500 changed numbers cost after that.

A real server process, its real HTTP interface, a real gate's storage. Verifying is printed as a
ratio to one bare SHA-256 over the same bytes; memory as what the process has grown by beyond the
pages of the mapped file; the update beside the whole list that it spares.

Usage: python benchmarks/list_update.py [--folder DIR] [TICKETS]
"""

import argparse
import asyncio
import hashlib
import json
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from million_tickets import Watch, enrol_gate, make_csv, set_up

from admission.ticketlist.acceptance import Installed, accept_manifest, check_snapshot
from admission.ticketlist.identifiers import identify
from admission.ticketlist.manifest import Manifest, decode_manifest, encode_manifest, pieces_of
from admission.trust.root import Role, first_root, signers
from admission.trust.sealing import unseal
from appliance.holdings import HeldList
from appliance.key_cabinet import SEALED_KEY_CONTEXT
from appliance.list_store import ListStore
from appliance.ports import StoredList
from appliance.storage.database import open_database
from appliance.storage.identity_file import Identity
from appliance.storage.list_files import ListFolder
from appliance.storage.memory_store import SqliteMemory
from appliance.transport.client import HttpLink, open_link
from portillon.demo.stage import open_stage

UPDATE_NUMBERS = 500
UPDATES = 10
LOOKS = 20_000


class Step(NamedTuple):
    """What one version cost.

    Attributes:
        fetched_bytes: manifest and pieces.
        fetch_ms: over loopback.
        install_ms: opening, verifying and making durable.
    """

    fetched_bytes: int
    fetch_ms: float
    install_ms: float


class GateSide:
    """The gate's part: fetches what is missing, verifies, installs."""

    def __init__(
        self, identity: Identity, link: HttpLink, memory: SqliteMemory, performance: str
    ) -> None:
        self._identity, self._link, self._memory = identity, link, memory
        self._performance = performance
        self._store = ListStore(memory)
        self._key = b""
        self.held: HeldList | None = None

    async def update(self) -> Step:
        """Take the newest version over."""
        if not self._key:
            await self._link.assignment()
            sealed = await self._link.list_key(self._performance)
            context = SEALED_KEY_CONTEXT + self._performance.encode()
            self._key = unseal(sealed, self._identity.agreement_key, context)
        begun = time.perf_counter()
        raw = await self._link.manifest(self._performance)
        assert raw is not None
        known = None if self.held is None else self.held.manifest
        manifest = accept_manifest(
            raw,
            performance=self._performance,
            trusted=signers(first_root(self._identity.root, self._identity.root_digest), Role.LIST),
            installed=None if known is None else Installed(known.version, known.chain),
            now=None,
        )
        async with self._store.fetched(manifest, self._link) as downloads:
            fetched = len(raw) + sum(path.stat().st_size for path in downloads.values())
            between = time.perf_counter()
            self.held = await self._store.open(manifest, self._key, self.held, downloads)
            stored = StoredList(self._performance, manifest.version, manifest.chain, raw)
            await self._memory.install(stored, downloads)
            ended = time.perf_counter()
        return Step(fetched, (between - begun) * 1000, (ended - between) * 1000)

    @property
    def manifest(self) -> Manifest:
        """The newest that is installed."""
        assert self.held is not None
        return self.held.manifest

    @property
    def key(self) -> bytes:
        """The list key."""
        return self._key


def tell(**figures: object) -> None:
    """Print one line, with the load of the machine beside it."""
    print(json.dumps(figures | {"load": round(os.getloadavg()[0], 1)}), flush=True)


async def run(folder: Path, tickets: int) -> None:
    """Measure all steps."""
    watch = Watch()
    async with open_stage(folder / "stage", 0) as stage:
        performance = await set_up(stage)
        await stage.operator.upload(performance, "list.csv", make_csv(tickets))
        watch.begin()
        await stage.operator.post(f"performances/{performance}/publish")
        watch.step("publish the whole list")
        identity = await enrol_gate(stage)
        async with (
            open_link(stage.address, identity.gate, identity.signer, identity.pins) as link,
            open_database(folder / "gate.sqlite") as connection,
        ):
            memory = SqliteMemory(connection, folder / "lists")
            gate = GateSide(identity, link, memory, performance)
            whole = await gate.update()
            tell(step="take the whole list over", **rounded(whole))
            verify(folder, gate.manifest)
            for number in range(min(UPDATES, tickets // 10 // UPDATE_NUMBERS)):
                await stage.operator.upload(performance, "door.csv", door_sale(number))
                before = time.perf_counter()
                await stage.operator.post(f"performances/{performance}/publish")
                publish_s = time.perf_counter() - before
                step = await gate.update()
                assert len(gate.manifest.segments) == number + 1
                tell(step=f"update {number + 1}", publish_s=round(publish_s, 3), **rounded(step))
            before = time.perf_counter()
            for what, ref in pieces_of(gate.manifest):
                await memory.files.check(what, ref)
            tell(step="read everything again", ms=round((time.perf_counter() - before) * 1000, 1))
            memory_of(folder, gate)


def door_sale(number: int) -> bytes:
    """Make a file of new numbers."""
    rows = (f"DOOR{number:04d}{n:08d};standard\r\n" for n in range(UPDATE_NUMBERS))
    return ("number;category\r\n" + "".join(rows)).encode()


def rounded(step: Step) -> dict[str, float]:
    """Give a step's figures, to be printed."""
    return {name: round(value, 1) for name, value in step._asdict().items()}


def ms_of(call: Callable[[], object]) -> float:
    """Time a call."""
    before = time.perf_counter()
    call()
    return (time.perf_counter() - before) * 1000


def verify(folder: Path, manifest: Manifest) -> None:
    """Hold verifying against one bare SHA-256 over the same bytes."""
    (path,) = (folder / "lists").glob("*.tgl")
    data = path.read_bytes()
    bare, verified = [], []
    for _ in range(15):  # in turn: what else the machine does meets both alike
        bare.append(ms_of(lambda: hashlib.sha256(data).hexdigest()))
        verified.append(ms_of(lambda: check_snapshot(manifest, data)))
    tell(
        list_mb=round(len(data) / 1e6, 2),
        bytes_a_ticket=round(len(data) / manifest.snapshot.count, 1),
        bare_ms=round(min(bare), 1),
        verify_ms=round(min(verified), 1),
        verify_over_bare=round(min(verified) / min(bare), 2),
    )


# --- memory, in a process of its own --------------------------------------------------------------


def resident_kib(kind: str) -> int:
    """Give this process's resident memory of a kind: RssAnon is its own, RssFile is mapped."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith(kind)).split()[1])


async def hold(folder: Path, document: bytes, key: bytes) -> dict[str, float]:
    """Open an installed list, look tickets up, and give what the process has grown by."""

    class Files:
        files = ListFolder(folder)

    manifest = decode_manifest(document)
    await asyncio.to_thread(hashlib.sha256, bytes(1 << 20))  # the thread itself does not count
    own, mapped = resident_kib("RssAnon"), resident_kib("RssFile")
    held = await ListStore(Files()).open(manifest, key)  # type: ignore[arg-type]
    opened = resident_kib("RssAnon")
    begun = time.perf_counter()
    found = 0
    for n in range(LOOKS):
        found += held.entries.find(identify(key, f"TK{n:016d}")) is not None
    look_us = (time.perf_counter() - begun) / LOOKS * 1e6
    assert found == LOOKS, found
    return {
        "segments": len(manifest.segments),
        "changed": sum(ref.count for ref in manifest.segments),
        "own_kib_grown": opened - own,
        "own_kib_after_looks": resident_kib("RssAnon") - own,
        "mapped_kib": resident_kib("RssFile") - mapped,
        "identify_and_find_us": round(look_us, 1),
    }


def measure(
    folder: Path, document: bytes, key: bytes, out: "multiprocessing.Queue[object]"
) -> None:
    """Run in a process of its own."""
    out.put(asyncio.run(hold(folder, document, key)))


def memory_of(folder: Path, gate: GateSide) -> None:
    """Tell what holding the list takes, with all its segments."""
    context = multiprocessing.get_context("spawn")
    out: multiprocessing.Queue[dict[str, float]] = context.Queue()
    arguments = (folder / "lists", encode_manifest(gate.manifest), gate.key, out)
    process = context.Process(target=measure, args=arguments)
    process.start()
    tell(**out.get())
    process.join()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("tickets", type=int, nargs="?", default=1_000_000)
    chosen = parser.parse_args()
    print(f"# {platform.machine()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        asyncio.run(run(Path(folder), chosen.tickets))


if __name__ == "__main__":
    main()
