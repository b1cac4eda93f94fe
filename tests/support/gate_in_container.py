"""A gate's machine in a container: its card, what it says, and tickets held before its reader."""

import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.simulator.ticket_pictures import draw_code, save_picture
from booted import Booted
from portillon.care import ACTIONS

GATE: Final = "portillon-gate.service"
SERVER: Final = "portillon-server.service"
PICTURES: Final = "/var/lib/portillon-gate/pictures"
LANE_TOML: Final = """\
language = "en"

[[readers]]
kind = "folder"
name = "outside"
direction = "entry"
folder = "/var/lib/portillon-gate/pictures"

[turnstile]
kind = "simulated"

[display]
kind = "none"

[page]
port = 0

[peers]
enabled = false
"""
UNITS: Final = Path(__file__).resolve().parents[2] / "systemd"
_CARE: Final = re.compile(r"^ExecStart=.*/portillon care (\S+)", re.M)


@dataclass(frozen=True)
class Card:
    """What outlives a machine's power: the folders of its data and boot partitions.

    Attributes:
        folder: where they lie outside.
        user: number of the gate's user inside, who is given what is the gate's.
    """

    folder: Path
    user: int

    @classmethod
    def blank(cls, folder: Path, root: Path) -> "Card":
        """Make one with nothing on it, for a machine that is booted from a root folder."""
        users = (line.split(":") for line in (root / "etc/passwd").read_text().splitlines())
        card = cls(folder, next(int(user[2]) for user in users if user[0] == "portillon-gate"))
        for outside, mode in (("config", 0o755), ("gate", 0o700), ("secret", 0o700)):
            (folder / outside).mkdir(mode=mode, parents=True)
        (folder / "care").mkdir(mode=0o700)
        (folder / "boot").mkdir(mode=0o755)
        card.give_to_the_gate()
        return card

    def give_to_the_gate(self) -> None:
        """Make what lies in the gate's folders the gate's."""
        for name in ("gate", "secret"):
            for path in (self.folder / name, *(self.folder / name).rglob("*")):
                shutil.chown(path, self.user, self.user)

    @property
    def binds(self) -> dict[str, Path]:
        """Where a machine finds what is on it."""
        return {
            "/etc/portillon": self.folder / "config",
            "/var/lib/portillon-gate": self.folder / "gate",
            "/var/lib/portillon-gate-secret": self.folder / "secret",
            "/var/lib/portillon-care": self.folder / "care",
            "/boot/cfg": self.folder / "boot",
        }


def units_of_the_image() -> list[str]:
    """Name the units that an image starts.

    Raises:
        AssertionError: one calls an action that the caretaker does not have.
    """
    found = []
    for line in (UNITS / "system-preset/80-portillon.preset").read_text().splitlines():
        if line.startswith("enable "):
            unit = line.removeprefix("enable ").strip()
            service = UNITS / "system" / re.sub(r"\.(timer|path)$", ".service", unit)
            action = _CARE.search(service.read_text()) if service.exists() else None
            assert action is None or action[1] in ACTIONS, f"{unit}: no action {action}"
            found.append(unit)
    return found


def said(machine: Booted, text: str) -> list[str]:
    """Give the lines of the gate's log that hold some text."""
    return [line for line in machine.journal(GATE).splitlines() if text in line]


def wait_said(machine: Booted, text: str, count: int = 1, limit_s: float = 30) -> None:
    """Wait until the gate's log holds a text so many times."""
    end = time.monotonic() + limit_s
    while len(said(machine, text)) < count:
        assert time.monotonic() < end, f"{text!r} was not said:\n{machine.journal(GATE)}"
        time.sleep(0.05)


def wait_file(path: Path, text: str, limit_s: float = 20) -> str:
    """Wait until a file on a card holds some text; give all of it."""
    end = time.monotonic() + limit_s
    found = ""
    while text not in found:
        assert time.monotonic() < end, f"{path.name} has no {text!r}: {found!r}"
        time.sleep(0.05)
        if path.exists():
            found = path.read_text(errors="replace")
    return found


def show(machine: Booted, folder: Path, ticket: str, number: int) -> None:
    """Hold a ticket before the gate's reader: the picture of that number, which only ever rises."""
    picture = folder / "picture.png"
    save_picture(draw_code(ticket.encode(), "QRCode"), picture)
    words = ["tar", "--create", f"--directory={folder}", f"--transform=s/picture/{number:06}/"]
    archive = subprocess.run([*words, picture.name], capture_output=True, check=True).stdout
    machine.unpack(archive, PICTURES)
    machine.run("chown", "--recursive", "portillon-gate:portillon-gate", PICTURES)
