"""The two gates of the demonstration, and how tickets are shown to them.

Gate A's readers are folders in which camera frames appear; gate B's is a serial port, a pseudo
terminal at whose other end the demonstration is the scanner.
"""

import os
import tty
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.simulator.ticket_pictures import draw_code, save_picture
from portillon.demo.processes import Daemon, Event, run_once

_SYMBOLOGIES = ("QRCode", "Aztec", "DataMatrix", "PDF417")

CONFIG = """\
data = "{data}"
server = "{server}"
language = "{language}"
{readers}
[turnstile]
kind = "simulated"
entry_pin = 17
exit_pin = 27
sensor_pin = 22
passage_timeout_s = 3.0
person_delay_s = 0.15
person_log = "{folder}/walked.log"

[display]
kind = "picture"
width = 800
height = 480

[page]
port = {page_port}

[peers]
{peers}
"""
ALONE = "enabled = false"  # the demonstration shows what the server makes of two gates apart


@dataclass(slots=True)
class DemoGate:
    """One gate: its folder, its process, and where its tickets are shown.

    Attributes:
        name: for people.
        folder: of its data.
        daemon: its process; replaced when it is started anew.
        page: address of its display's page.
        shown: how many tickets were shown.
    """

    name: str
    folder: Path
    page: str
    config: Path
    daemon: Daemon
    serial: int = -1
    shown: int = 0
    frames: dict[str, Path] = field(default_factory=dict)

    async def enrol(self, link: str) -> str:
        """Enrol by the link of the server's page; give what the gate said."""
        return await run_once("gate", "enrol", "--config", str(self.config), "--link", link)

    async def show(self, payload: bytes, direction: str, wait_s_max: float = 20.0) -> Event:
        """Show a ticket to the reader of a direction; give the gate's word on it."""
        place = self.daemon.seen
        self.present(payload, direction)
        return await self.daemon.wait_for(
            "the answer to a scan",
            lambda event: event.get("event") == "scan",
            after=place,
            wait_s_max=wait_s_max,
        )

    async def wait_mode(self, mode: str, after: int = 0, wait_s_max: float = 60.0) -> Event:
        """Wait until the gate says that it is connected or degraded."""
        return await self.daemon.wait_for(
            f"mode {mode}",
            lambda event: event.get("event") == "mode changed" and event.get("mode") == mode,
            after=after,
            wait_s_max=wait_s_max,
        )

    def present(self, payload: bytes, direction: str) -> None:
        """Show a ticket to the reader of a direction, and wait for nothing."""
        self.shown += 1
        if self.serial >= 0:
            os.write(self.serial, payload + b"\r")
            return
        symbology = _SYMBOLOGIES[self.shown % len(_SYMBOLOGIES)]
        path = self.frames[direction] / f"{self.shown:06d}.png"
        save_picture(draw_code(payload, symbology), path)


def make_camera_gate(
    name: str, folder: Path, server: str, page_port: int, peers: str = ALONE
) -> DemoGate:
    """Make a gate that reads image frames, one folder a direction."""
    frames = {way: folder / f"frames-{way}" for way in ("entry", "exit")}
    readers = "".join(
        f'\n[[readers]]\nkind = "folder"\nname = "camera {way}"\ndirection = "{way}"\n'
        f'folder = "{path}"\n'
        for way, path in frames.items()
    )
    for path in frames.values():
        path.mkdir(parents=True)
    gate = _make(name, folder, server, page_port, "fr", readers, peers)
    gate.frames = frames
    return gate


def make_serial_gate(
    name: str, folder: Path, server: str, page_port: int, peers: str = ALONE
) -> DemoGate:
    """Make a gate that reads a serial port."""
    ours, theirs = os.openpty()
    tty.setraw(ours)
    readers = (
        f'\n[[readers]]\nkind = "serial"\nname = "scanner"\nport = "{os.ttyname(theirs)}"\n'
        "baud = 115200\n"
    )
    gate = _make(name, folder, server, page_port, "en", readers, peers)
    gate.serial = ours
    return gate


def _make(
    name: str, folder: Path, server: str, page_port: int, language: str, readers: str, peers: str
) -> DemoGate:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "gate.toml"
    fields: dict[str, Any] = {
        "folder": folder,
        "data": folder / "data",
        "server": server,
        "language": language,
        "readers": readers,
        "page_port": page_port,
        "peers": peers,
    }
    config.write_text(CONFIG.format(**fields), "utf-8")
    arguments = ["gate", "run", "--config", str(config), "--log", "json"]
    daemon = Daemon(name, arguments, folder / "log.jsonl")
    return DemoGate(name, folder, f"http://127.0.0.1:{page_port}/", config, daemon)
