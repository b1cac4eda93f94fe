"""A gate of no server yet becomes one by a link, through losses; afterwards a link is nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web

from admission.scan import Direction
from admission.sync import codec
from admission.sync.messages import Enrol, Enrolled
from appliance.awaiting_enrolment import CHECK_S, LINK_FILE, LOOK_S, PENDING_CHECK_S, enrolled_vault
from appliance.config import load_config
from appliance.ports import Look, Screen
from appliance.simulator.box_office import BoxOffice
from appliance.simulator.scripted_reader import ScriptedReader
from appliance.simulator.virtual_clock import VirtualClock, settle
from appliance.storage.identity_file import IDENTITY_FILE
from caretaker import provisioning

OFFICE = BoxOffice()


@dataclass
class Desk:
    """The server's side."""

    url: str = ""
    status: int = 200
    pending: bool = False
    asked: list[Enrol] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        asked = codec.decode(await request.read(), Enrol)
        self.asked.append(asked)
        if self.status != 200:
            return web.Response(status=self.status, text="no")
        keys = {"device_key": asked.public_key, "agreement_key": asked.agreement_key}
        certificate = b"" if self.pending else OFFICE.certify(gate="gate-a", **keys)
        root = OFFICE.roots[0]
        answer = Enrolled("gate-a", "Porte A", root, "000000", 0, self.pending, certificate)
        return web.Response(body=codec.encode(answer))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    served = Desk()
    app = web.Application()
    app.router.add_post("/sync/v1/enrolments", served.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield served
    await runner.cleanup()


class Shown:
    """The announcer: keeps every screen, and lets a test wait for one."""

    def __init__(self) -> None:
        self.screens: list[Screen] = []
        self._posted = asyncio.Event()

    def rest_on(self, screen: Screen) -> None:
        self.screens.append(screen)
        self._posted.set()

    async def line(self, line: str) -> Screen:
        """Wait until this line is what is shown."""
        async with asyncio.timeout(10):
            while not self.screens or self.screens[-1].fault != line:
                self._posted.clear()
                await self._posted.wait()
        assert self.screens[-1].look is Look.ENROLLING
        return self.screens[-1]


class Gate:
    """A gate before it serves anybody."""

    def __init__(self, folder: Path, server: str = "") -> None:
        path = folder / "gate.toml"
        path.write_text(
            f'data = "{folder / "data"}"\n'
            + (f'server = "{server}"\n' if server else "")
            + f'[[readers]]\nkind = "folder"\nfolder = "{folder / "pictures"}"\n'
        )
        (folder / "data").mkdir(exist_ok=True)
        self.config = load_config(path)
        self.clock = VirtualClock()
        self.reader = ScriptedReader("a", Direction.ENTRY, self.clock)
        self.shown = Shown()
        self.opened = 0
        self.stop = asyncio.Event()
        drivers = SimpleNamespace(for_one_start=lambda _: self, open_readers=self.open_readers)
        self.is_ready = False
        self.house = SimpleNamespace(
            config=self.config,
            machine=self.clock,
            drivers=drivers,
            announcer=self.shown,
            report=SimpleNamespace(watch=SimpleNamespace(ready=self.ready)),
        )

    def ready(self) -> None:
        self.is_ready = True

    def open_readers(self) -> list[ScriptedReader]:
        self.opened += 1
        return [self.reader]

    @property
    def link_file(self) -> Path:
        return self.config.data / LINK_FILE

    async def begin(self):
        return await enrolled_vault(self.stop, self.house)


def link_to(*servers: str, code: str = "CODE-1") -> bytes:
    return (
        "portillon:enrol?v=1&" + "".join(f"server={one}&" for one in servers) + f"code={code}"
    ).encode()


async def test_a_link_held_to_the_reader_makes_the_gate_one_and_shows_its_digits(
    desk: Desk, tmp_path: Path
):
    gate = Gate(tmp_path)
    async with asyncio.TaskGroup() as group:
        begun = group.create_task(gate.begin())
        await gate.shown.line("show")
        gate.reader.present(b"4006381333931")
        gate.reader.present(link_to(desk.url))
        check = await gate.shown.line("check")
        assert len(check.title.replace(" ", "")) == 6
        await settle()
        assert not begun.done()
        assert gate.is_ready  # or systemd would take the wait for a start that hangs
        gate.clock.advance(CHECK_S)
    assert begun.result().identity.gate_name == "Porte A"
    assert len(desk.asked) == 1


async def test_digits_that_an_operator_has_to_find_stand_for_a_minute(desk: Desk, tmp_path: Path):
    gate, desk.pending = Gate(tmp_path), True
    async with asyncio.TaskGroup() as group:
        begun = group.create_task(gate.begin())
        await gate.shown.line("show")
        gate.reader.present(link_to(desk.url))
        await gate.shown.line("check")
        gate.clock.advance(CHECK_S)
        await settle()
        assert not begun.done()
        gate.clock.advance(PENDING_CHECK_S)
    assert begun.result().certificate == b""


async def test_the_link_of_the_file_is_asked_until_the_server_answers(
    desk: Desk, tmp_path: Path, unused_tcp_port: int
):
    gate = Gate(tmp_path)
    gate.link_file.write_bytes(link_to(f"http://127.0.0.1:{unused_tcp_port}"))
    async with asyncio.TaskGroup() as group:
        begun = group.create_task(gate.begin())
        await gate.shown.line("unreached")
        await settle()
        gate.link_file.write_bytes(link_to(desk.url))  # as if the network had come
        desk.status = 500
        gate.clock.advance(5)
        await gate.shown.line("strange")
        await settle()
        desk.status = 200
        gate.clock.advance(9.9)
        await settle()
        assert len(desk.asked) == 1  # it waits longer each time
        gate.clock.advance(0.1)
        await gate.shown.line("check")
        await settle()
        gate.clock.advance(CHECK_S)
    assert begun.result() is not None
    assert not gate.link_file.exists()
    assert desk.asked[0].public_key == desk.asked[1].public_key


async def test_a_link_that_the_server_refuses_is_dropped_and_another_may_be_shown(
    desk: Desk, tmp_path: Path
):
    gate, desk.status = Gate(tmp_path), 403
    gate.link_file.write_bytes(link_to(desk.url))
    async with asyncio.TaskGroup() as group:
        begun = group.create_task(gate.begin())
        await gate.shown.line("refused")
        await settle()
        assert not gate.link_file.exists()
        desk.status = 200
        gate.reader.present(link_to(desk.url, code="CODE-2"))
        await gate.shown.line("check")
        await settle()
        gate.clock.advance(CHECK_S)
    assert begun.result() is not None
    assert [asked.code for asked in desk.asked] == ["CODE-1", "CODE-2"]


async def test_a_code_alone_in_the_file_goes_to_the_configured_server(desk: Desk, tmp_path: Path):
    gate = Gate(tmp_path, desk.url)
    async with asyncio.TaskGroup() as group:
        begun = group.create_task(gate.begin())
        await gate.shown.line("show")
        await settle()
        gate.link_file.write_text("code 1\n")
        while not desk.asked:
            gate.clock.advance(LOOK_S)  # it is brought while the gate waits
            await asyncio.to_thread(gate.link_file.exists)
        await gate.shown.line("check")
        await settle()
        gate.clock.advance(CHECK_S)
    assert begun.result() is not None
    assert desk.asked[0].code == "CODE-1"


async def test_where_the_file_names_a_server_a_link_of_another_is_not_followed(
    desk: Desk, tmp_path: Path
):
    gate = Gate(tmp_path, "https://tickets.example.org")
    async with asyncio.TaskGroup() as group:
        begun = group.create_task(gate.begin())
        await gate.shown.line("show")
        gate.reader.present(link_to(desk.url))
        await gate.shown.line("other_server")
        await settle()
        gate.stop.set()
    assert begun.result() is None
    assert desk.asked == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"portillon:enrol?",
        b"portillon:enrol?v=2&server=http://127.0.0.1:9&code=CODE-1",
        b"portillon:enrol?" + b"x" * 5000,
        b"portillon:enrol?v=1&server=http://127.0.0.1:9&code=CODE-1&run=rm",
        "portillon:enrol?v=1&server=http://127.0.0.1:9&code=CÖDE".encode(),
        b"\xff\x00",
    ],
)
async def test_what_is_no_link_does_nothing(tmp_path: Path, data: bytes):
    gate = Gate(tmp_path)
    gate.link_file.write_bytes(data)
    async with asyncio.TaskGroup() as group:
        begun = group.create_task(gate.begin())
        await gate.shown.line("show")
        gate.reader.present(data)
        await settle()
        gate.stop.set()
    assert begun.result() is None
    assert len(gate.shown.screens) == 1


async def test_a_gate_of_a_server_looks_for_no_link(desk: Desk, tmp_path: Path):
    first = Gate(tmp_path)
    first.link_file.write_bytes(link_to(desk.url))
    async with asyncio.TaskGroup() as group:
        group.create_task(first.begin())
        await first.shown.line("check")
        await settle()
        first.clock.advance(CHECK_S)
    again = Gate(tmp_path)
    identity = (again.config.data / IDENTITY_FILE).read_bytes()
    again.link_file.write_bytes(link_to(desk.url, code="CODE-9"))
    again.reader.present(link_to(desk.url, code="CODE-9"))
    assert await again.begin() is not None
    assert (again.opened, again.shown.screens, len(desk.asked)) == (0, [], 1)
    assert not again.link_file.exists()
    assert (again.config.data / IDENTITY_FILE).read_bytes() == identity


def test_gate_and_caretaker_mean_the_same_file():
    assert LINK_FILE == provisioning.ENROL_FILE
