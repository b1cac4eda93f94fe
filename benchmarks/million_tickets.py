"""From a CSV file to a list that a gate judges by: import, publish, fetch, verify, install.

A real server process, its real HTTP interface, a real gate's storage. Verifying is printed as a
ratio to one bare SHA-256 over the same bytes in the same run (the physical limit), importing as a
ratio to reading the same numbers into a plain SQLite table of one column.

Usage: python benchmarks/million_tickets.py [--folder DIR] [TICKETS]
"""

import argparse
import asyncio
import hashlib
import json
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from admission.ticketlist.acceptance import accept_manifest, check_list_key, check_snapshot
from admission.trust.root import Role, first_root, signers
from admission.trust.sealing import unseal
from appliance.config import load_config
from appliance.enrolling import enrol, link_of
from appliance.holdings import open_list
from appliance.key_cabinet import SEALED_KEY_CONTEXT
from appliance.ports import StoredList
from appliance.storage.database import open_database
from appliance.storage.identity_file import Identity
from appliance.storage.memory_store import SqliteMemory
from appliance.transport.client import open_link
from portillon.demo.stage import Stage, open_stage


class Watch:
    """Times steps and tells each as it is done."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def step(self, name: str) -> None:
        """End a step."""
        now = time.perf_counter()
        self.seconds[name] = round(now - self._since, 3)
        print(json.dumps({"step": name, "seconds": self.seconds[name]}), flush=True)
        self._since = time.perf_counter()

    def begin(self) -> None:
        """Begin a step anew; what was done since is not counted."""
        self._since = time.perf_counter()


def make_csv(tickets: int) -> bytes:
    """Make a file as a ticket shop would."""
    rows = (f"TK{n:016d};standard" for n in range(tickets))
    return ("number;category\r\n" + "\r\n".join(rows)).encode()


def plain_insert_s(folder: Path, tickets: int) -> float:
    """Time the same numbers into a plain table, in one durable transaction."""
    before = time.perf_counter()
    connection = sqlite3.connect(folder / "plain.sqlite", isolation_level=None)
    connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE plain (number TEXT PRIMARY KEY) WITHOUT ROWID")
    connection.execute("BEGIN")
    rows = ((f"TK{n:016d}",) for n in range(tickets))
    connection.executemany("INSERT INTO plain VALUES (?)", rows)
    connection.execute("COMMIT")
    connection.close()
    return time.perf_counter() - before


async def set_up(stage: Stage) -> str:
    """Create what one performance needs; give its id."""
    operator = stage.operator
    venue = await operator.create("venues", name="Arena", timezone="Europe/Paris")
    event = await operator.create("events", name="Final", venue_id=venue)
    performance = await operator.create("performances", event_id=event, name="Final")
    stage.checkpoint = await operator.create(
        "checkpoints", venue_id=venue, name="Gates", performances=[performance]
    )
    return performance


async def run(folder: Path, tickets: int) -> None:
    """Measure all steps."""
    watch = Watch()
    csv = make_csv(tickets)
    print(json.dumps({"tickets": tickets, "csv_mib": round(len(csv) / 2**20, 1)}))
    async with open_stage(folder / "stage", 0) as stage:
        performance = await set_up(stage)
        watch.begin()
        report = await stage.operator.upload(performance, "million.csv", csv)
        watch.step("import")
        assert report["added"] == tickets, report
        await stage.operator.post(f"performances/{performance}/publish")
        watch.step("publish")
        await take_over(stage, performance, folder, watch)
    plain_s = plain_insert_s(folder, tickets)
    print(
        json.dumps(
            {
                "plain_insert_s": round(plain_s, 3),
                "import_over_plain": round(watch.seconds["import"] / plain_s, 1),
                "verify_over_bare_sha256": round(
                    watch.seconds["verify"] / watch.seconds["bare SHA-256"], 2
                ),
                "csv_to_installed_s": round(
                    sum(watch.seconds[name] for name in ("import", "publish", "fetch", "install")),
                    1,
                ),
            }
        )
    )


async def enrol_gate(stage: Stage) -> Identity:
    """Enrol a machine at the stage's checkpoint."""
    gate_id = await stage.operator.create(
        "gates", checkpoint_id=stage.checkpoint, name="gate", direction="entry"
    )
    code = (await stage.operator.post(f"gates/{gate_id}/enrolment-code"))["code"]
    config = load_config(stage.gates[0].config)
    return (await enrol(config, link_of(config, code))).identity


async def take_over(stage: Stage, performance: str, folder: Path, watch: Watch) -> None:
    """Fetch, verify and install the list as a gate does."""
    identity = await enrol_gate(stage)
    async with (
        open_link(stage.address, identity.gate, identity.signer, identity.pins) as link,
        open_database(folder / "gate.sqlite") as connection,
    ):
        memory = SqliteMemory(connection, folder / "lists")
        watch.begin()
        await link.assignment()
        raw = await link.manifest(performance)
        assert raw is not None
        manifest = accept_manifest(
            raw,
            performance=performance,
            trusted=signers(first_root(identity.root, identity.root_digest), Role.LIST),
            installed=None,
            now=None,
        )
        context = SEALED_KEY_CONTEXT + performance.encode()
        list_key = unseal(await link.list_key(performance), identity.agreement_key, context)
        check_list_key(manifest, list_key)
        download = memory.files.new_download()
        ref = manifest.snapshot
        await link.download(performance, ref.sha256, ref.size, download)
        watch.step("fetch")
        data = download.read_bytes()
        best_of(watch, "bare SHA-256", lambda: hashlib.sha256(data).hexdigest())
        best_of(watch, "verify", lambda: check_snapshot(manifest, data))
        watch.begin()
        stored = StoredList(performance, manifest.version, manifest.chain, raw)
        snapshot = await memory.files.open("snapshot", ref, download)
        held = open_list(manifest, snapshot, list_key)
        await memory.install(stored, {ref.sha256: download})
        watch.step("install")
        print(json.dumps({"list_mib": round(ref.size / 2**20, 1), "held": len(held.entries)}))


def best_of(watch: Watch, name: str, call: Callable[[], object], times: int = 5) -> None:
    """Time the best of some calls: both sides of a ratio, on a machine that others use."""
    best = float("inf")
    for _ in range(times):
        before = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - before)
    watch.seconds[name] = best
    print(json.dumps({"step": name, "seconds": round(best, 4)}), flush=True)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("tickets", type=int, nargs="?", default=1_000_000)
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"# {platform.machine()}, Python {platform.python_version()}, load {load:.1f}")
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        asyncio.run(run(Path(folder), chosen.tickets))


if __name__ == "__main__":
    main()
