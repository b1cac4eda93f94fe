"""docs/operations/site-server.md, followed by its commands: real processes, a cut wire, kill -9."""

import asyncio
import re
import shlex
import sqlite3
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from appliance.storage.device_secrets import device_secrets
from appliance.storage.identity_file import IDENTITY_FILE
from appliance.storage.identity_vault import open_vault
from cut_wire import CutWire
from portillon.demo.processes import Daemon, DaemonError, run_once
from portillon.demo.stage import _free_ports, build_venue, enrol_gates, open_stage
from sync_server.tls import read_pins

PAGE = Path(__file__).parents[2] / "docs/operations/site-server.md"


def documented(first):
    """Give the words of the page's command that begins so."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    lines = [line[2:] for line in "".join(blocks).splitlines() if line.startswith("$ ")]
    (found,) = [shlex.split(line)[1:] for line in lines if line.startswith(f"portillon {first}")]
    return found


class Box:
    """The site server's machine."""

    def __init__(self, stage, folder, port):
        self.stage, self.folder = stage, folder
        folder.mkdir()
        self.config = folder / "site.toml"
        self.data = folder / "data"
        self.address = f"https://127.0.0.1:{port}"
        self.config.write_text(
            f'data = "{self.data}"\nhost = "127.0.0.1"\nport = {port}\ntls = "own"\n'
            f'addresses = ["{self.address}"]\n'
        )
        words = self.words("server run")
        self.daemon = Daemon("site", [*words, "--log", "json"], folder / "site.jsonl")

    def words(self, first, link=""):
        changed = {"site.toml": str(self.config), "portillon:enrol?v=1&…": link}
        return [changed.get(word, word) for word in documented(first)]

    async def start(self):
        place = self.daemon.seen
        await self.daemon.start(self.stage.tasks)
        await self.daemon.wait_for("its start", lambda e: e.get("event") == "site ready", place)

    async def stand(self):
        """Give the site's own page, as text."""
        connector = aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(read_pins(self.data).current))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"{self.address}/?language=en") as response,
        ):
            return await response.text()

    async def until(self, words, seconds=60):
        async with asyncio.timeout(seconds):
            while words not in await self.stand():  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.1)


@asynccontextmanager
async def open_venue(tmp_path):
    """A stage with TLS, a wire to it, a site server joined over the wire, gates led there."""
    folder = tmp_path / "stage"
    async with open_stage(folder, 0, tls=True) as stage:
        await build_venue(stage)
        for performance in (stage.tonight, stage.tomorrow):
            await stage.operator.post(f"performances/{performance}/publish")
        (venue,) = (await stage.operator.get("venues"))["items"]
        site = await stage.operator.create("sites", venue_id=venue["id"], name="Box")
        made = await stage.operator.post(f"sites/{site}/enrolment-code")
        wire = CutWire(stage.address)
        async with wire.open() as upstream:
            box = Box(stage, tmp_path / "box", _free_ports(1)[0])
            link = made["link"].replace(stage.address, upstream)
            said = await run_once(*box.words("server join", link))
            (line,) = (await stage.operator.get("sites"))["items"]
            assert f"Check string: {line['check_string']}" in said
            await box.start()
            await enrol_gates(stage, ("gate A", "gate B"))
            for gate in stage.gates:
                await lead(gate, stage.address, box.address)
            running = [box.daemon, *(gate.daemon for gate in stage.gates)]
            try:
                yield stage, wire, box
            finally:
                for daemon in running:
                    await daemon.stop()


async def lead(gate, away_from, to):
    """Name another server in a gate's configuration."""
    text = await asyncio.to_thread(gate.config.read_text)
    await asyncio.to_thread(gate.config.write_text, text.replace(away_from, to))


async def start(stage, gate):
    place = gate.daemon.seen
    await gate.daemon.start(stage.tasks)
    await gate.wait_mode("connected", after=place)


def rows_of(path, table, where=""):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            f"SELECT sequence, chain, blob FROM {table} {where} ORDER BY sequence"
        ).fetchall()
    connection.close()
    return rows


def journals_of(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        (name,) = connection.execute("SELECT journal FROM identity").fetchone()
    connection.close()
    return name


async def use_up(ticket, here, there):
    """Have somebody in at one gate, and see the other refuse the ticket once it has heard."""
    place = there.daemon.seen
    assert await answer(here, ticket) == "granted"
    await there.daemon.wait_for(
        "the passage in a feed", lambda event: event.get("event") == "facts applied", after=place
    )
    assert await answer(there, ticket) == "already_used"


async def answer(gate, ticket):
    return (await gate.show(ticket.encode(), "entry"))["answer"]


async def test_gates_behind_a_site_server_go_on_with_the_wire_cut_and_nothing_is_lost(tmp_path):
    async with asyncio.timeout(240), open_venue(tmp_path) as (stage, wire, box):
        first, second = stage.gates
        data = first.folder / "data"
        identity = (await open_vault(data / IDENTITY_FILE, device_secrets(data, None))).identity
        central, site = (
            read_pins(tmp_path / "stage" / "server").current,
            read_pins(box.data).current,
        )
        assert identity.pins == (central, site)  # signed for it when it enrolled
        await box.until("All that gates may ask for was fetched")
        for gate in stage.gates:
            await start(stage, gate)
        tickets = iter(stage.cast.single)
        used = [next(tickets)]
        await use_up(used[0], first, second)
        live = (await stage.operator.get("live"))["gates"]
        assert [line["state"] for line in live] == ["online", "online"]

        wire.cut()
        await box.until("Away since")
        used.append(next(tickets))
        await use_up(used[1], first, second)

        await box.daemon.kill()  # after it has acknowledged, and before it could carry anything
        for gate in stage.gates:
            await gate.daemon.stop()
        await box.start()
        for gate in stage.gates:
            await start(stage, gate)
        assert await answer(second, used[1]) == "already_used"
        used.append(next(tickets))
        await use_up(used[2], second, first)

        wire.mend()
        await box.until("The central server has everything.")
        report = await stage.operator.get("report")
        assert report["occupancy"][stage.checkpoint] == 3
        assert report["anomalies"] == []
        for gate in stage.gates:
            await gate.daemon.stop()
        await box.until("The central server has everything.")
        (path,) = (tmp_path / "stage" / "server").glob("*.db")
        for gate in stage.gates:
            own = gate.folder / "data" / "journal.sqlite"
            written = rows_of(own, "journal")
            held = rows_of(path, "journal_records", f"WHERE journal_id = '{journals_of(own)}'")
            assert held == written[: len(held)]
            assert len(written) - len(held) <= 2  # what a gate writes when it stops


async def test_a_site_server_changes_its_certificate_under_gates_that_were_told(tmp_path):
    async with asyncio.timeout(240), open_venue(tmp_path) as (stage, _, box):
        gate = stage.gates[0]
        for one in stage.gates:
            await start(stage, one)
        await run_once(*documented_first(box, "server renew-tls"))
        old, new = read_pins(box.data).all
        await box.daemon.stop()
        await box.start()

        def knows_both(event):
            return "pins taken" in event.get("event", "") and event.get("pins") == 3

        await gate.daemon.wait_for("both pins", knows_both, wait_s_max=60)
        async with asyncio.timeout(60):
            while True:
                try:
                    await run_once(*box_words(box, "server renew-tls", "--switch"))
                    break
                except DaemonError:  # its next status is not here yet
                    await asyncio.sleep(0.5)
        place = gate.daemon.seen
        await box.daemon.stop()
        await box.start()
        await gate.wait_mode("connected", after=place)
        assert read_pins(box.data).current == new != old


def documented_first(box, first):
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    lines = [line[2:] for line in "".join(blocks).splitlines() if line.startswith("$ ")]
    line = next(line for line in lines if line.startswith(f"portillon {first}"))
    return [str(box.config) if word == "site.toml" else word for word in shlex.split(line)[1:]]


def box_words(box, first, *more):
    return [*documented_first(box, first), *more]
