"""`portillon care provision`: hands the caretaker what the gate knows of its own files."""

import argparse
import asyncio
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from appliance.config import load_config
from appliance.errors import ApplianceError
from appliance.page_ports import PageRole, pin_problem
from appliance.storage.identity_file import IDENTITY_FILE
from appliance.storage.pin_file import PIN_FILE, PinFile
from caretaker.errors import CareError
from caretaker.places import Places
from caretaker.provisioning import PINS_FILE, Provisioning


class GateFiles:
    """Implements `caretaker.provisioning.GateKnowledge` by the gate's own readers and writers."""

    def problem(self, text: str) -> tuple[str, str] | None:
        """Give key and words of what is wrong with a configuration, None for nothing."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "gate.toml"
            path.write_text(text, "utf-8")
            try:
                load_config(path)
            except ApplianceError as exc:
                at, _, what = str(exc).removeprefix(f"{path}: ").partition(": ")
                return at, what
        return None

    def pin_problem(self, role: str, pin: str) -> bool:
        """Tell whether a PIN is too short, too long or what everybody tries first."""
        return bool(pin_problem(PageRole(role), pin))

    def with_pins(self, before: bytes | None, pins: Mapping[str, str]) -> bytes:
        """Give the file of the PINs' hashes, with these changed."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path = folder / PIN_FILE
            if before is not None:
                path.write_bytes(before)
            try:
                for role, pin in pins.items():
                    asyncio.run(PinFile(folder).choose(PageRole(role), pin))
            except ApplianceError as exc:
                raise CareError(str(exc).replace(str(path), PINS_FILE)) from exc
            return path.read_bytes()

    def is_enrolled(self, state: Path) -> bool:
        """Tell whether the gate belongs to a server."""
        return os.path.lexists(state / IDENTITY_FILE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments."""
    parser.add_argument(
        "--from",
        type=Path,
        dest="stick",
        metavar="FOLDER",
        help="a stick with a gate.toml, for a gate that is not enrolled; else it is /boot/cfg",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the action; a file that is refused is told beside it, and the start goes on."""
    result = Provisioning(
        places=Places(),
        gate=GateFiles(),
        now_ms=lambda: time.time_ns() // 1_000_000,
        set_name=socket.sethostname,
    ).run(arguments.stick)
    for line in result.lines("en"):
        print(f"{result.outcome}: {line}")
    if result.outcome == "applied":
        _begin_anew()
    return 0


def _begin_anew() -> None:
    """Have what reads these files read them anew, where it runs already; at a start it does not."""
    for words in (
        ("networkctl", "reload"),
        ("systemctl", "--no-block", "try-restart", "portillon-wifi.service"),
        ("systemctl", "--no-block", "try-restart", "portillon-gate.service"),
    ):
        try:
            subprocess.run(words, check=False, timeout=20, stderr=subprocess.DEVNULL)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired):  # no such program: an ordinary machine's own
            continue
