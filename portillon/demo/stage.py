"""Sets the demonstration up: a server with a venue and two gates, all of them real daemons."""

import asyncio
import contextlib
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp

from appliance.transport.pinning import pinned_context
from portillon.demo.gates import ALONE, DemoGate, make_camera_gate, make_serial_gate
from portillon.demo.operator import Operator
from portillon.demo.processes import Daemon, DaemonError, daemons, run_once
from portillon.demo.tickets import Cast, as_csv, make_tickets
from sync_server.tls import read_pins

LOGIN: Final = "demo"
_START_S_MAX: Final = 60.0
_PASSWORD: Final = re.compile(r"^\s*password:?\s+(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(slots=True)
class Stage:
    """Everything that the story plays with.

    Attributes:
        tasks: reads the daemons' logs.
        server: the server's process.
        address: of the server.
        login: of the operator.
        password: of the operator.
        operator: signed in.
        gates: camera gate and serial gate.
        cast: who plays which part.
        tonight: id of tonight's performance.
        tomorrow: id of tomorrow's.
        checkpoint: id of the checkpoint that both gates serve.
    """

    tasks: asyncio.TaskGroup
    server: Daemon
    address: str
    login: str
    password: str
    operator: Operator
    gates: tuple[DemoGate, DemoGate]
    cast: Cast
    tonight: str = ""
    tomorrow: str = ""
    checkpoint: str = ""

    async def start_server(self) -> None:
        """Start the server, or start it again, and wait until it answers."""
        await self.server.start(self.tasks)
        async with asyncio.timeout(_START_S_MAX):
            while not await _answers(self.address):
                if not self.server.is_running:
                    raise DaemonError("the server ended; its log is beside its data")
                await asyncio.sleep(0.05)


async def _answers(address: str) -> bool:
    host, _, port = address.partition("://")[2].partition(":")
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        await writer.wait_closed()
        return True
    return False


@asynccontextmanager
async def open_stage(
    folder: Path, port: int, *, tls: bool = False, peers: tuple[str, str] = (ALONE, ALONE)
) -> AsyncIterator[Stage]:
    """Start a server on an empty folder, sign an operator in, and prepare two gates.

    Args:
        folder: emptied first.
        port: of the server, 0 for a free one.
        tls: whether the server speaks HTTPS, by its own certificate, which gates and operator pin.
            The demonstration does without, on loopback: a browser would warn of its page.
        peers: what each gate's configuration says of its local network.

    Raises:
        DaemonError: if a daemon does not start.
        OperatorError: if the server does not let the operator in.
    """
    folder = await asyncio.to_thread(_empty, folder)
    ports = _free_ports(3)
    address = f"{'https' if tls else 'http'}://127.0.0.1:{port or ports[0]}"
    data = str(folder / "server")
    printed = await run_once("server", "init", "--data", data, "--login", LOGIN)
    found = _PASSWORD.search(printed)
    if found is None:
        raise DaemonError(f"the server's set-up printed no password: {printed!r}")
    run = ["server", "run", "--data", data, "--port", address.rpartition(":")[2], "--log", "json"]
    run += ["--tls", "own"] if tls else []
    gates = (
        make_camera_gate("gate A", folder / "gate-a", address, ports[1], peers[0]),
        make_serial_gate("gate B", folder / "gate-b", address, ports[2], peers[1]),
    )
    server = Daemon("server", run, folder / "server.jsonl")
    async with daemons() as (tasks, running), _session(folder / "server", tls=tls) as session:
        running += [server, *(gate.daemon for gate in gates)]
        operator = Operator(session, address)
        cast = make_tickets()[2]
        stage = Stage(tasks, server, address, LOGIN, found[1], operator, gates, cast)
        await stage.start_server()
        await operator.sign_in(LOGIN, found[1])
        yield stage


def _empty(folder: Path) -> Path:
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _session(data: Path, *, tls: bool) -> aiohttp.ClientSession:
    jar = aiohttp.CookieJar(unsafe=True)  # the server is an address, not a name
    trusted = pinned_context(read_pins(data).all) if tls else True
    connector = aiohttp.TCPConnector(ssl=trusted)
    timeout = aiohttp.ClientTimeout(60)
    return aiohttp.ClientSession(cookie_jar=jar, timeout=timeout, connector=connector)


async def build_venue(stage: Stage) -> dict[str, Any]:
    """Create a venue, tonight's and tomorrow's performance, a checkpoint and both gates.

    Returns:
        The report of tonight's import.
    """
    operator = stage.operator
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    venue = await operator.create("venues", name="Théâtre du Port", timezone="Europe/Paris")
    event = await operator.create("events", name="La Traversée", venue_id=venue)
    stage.tonight = await operator.create(
        "performances",
        event_id=event,
        name="Ce soir",
        starts_at=(now + timedelta(hours=1)).isoformat(),
    )
    stage.tomorrow = await operator.create(
        "performances",
        event_id=event,
        name="Demain",
        starts_at=(now + timedelta(hours=25)).isoformat(),
    )
    stage.checkpoint = await operator.create(
        "checkpoints", venue_id=venue, name="Parvis", performances=[stage.tonight], capacity=1500
    )
    tonight, tomorrow, _ = make_tickets()
    report = await operator.upload(stage.tonight, "tonight.csv", as_csv(tonight))
    await operator.upload(stage.tomorrow, "tomorrow.csv", as_csv(tomorrow))
    return report


async def enrol_gates(stage: Stage, venue_names: tuple[str, str]) -> list[str]:
    """Create both gates at the server and enrol them; give what each said."""
    said = []
    for gate, name in zip(stage.gates, venue_names, strict=True):
        gate_id = await stage.operator.create(
            "gates", checkpoint_id=stage.checkpoint, name=name, direction="entry"
        )
        made = await stage.operator.post(f"gates/{gate_id}/enrolment-code")
        said.append(await gate.enrol(str(made["link"])))
    return said


def _free_ports(count: int) -> list[int]:
    """Find ports that are free now; all are held until all are found."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
