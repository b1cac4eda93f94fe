"""The real daemons of a chaos run, each in its namespace: the server, and gates on small disks."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
import tty
from pathlib import Path

from portillon.demo.operator import Operator
from portillon.demo.processes import Daemon, DaemonError, run_once

PORT = 8443
LOGIN = "chaos"
_PASSWORD = re.compile(r"^\s*password:?\s+(\S+)", re.IGNORECASE | re.MULTILINE)
_SERVER = """\
data = "{data}"
host = "0.0.0.0"
port = {port}
tls = "own"
addresses = ["https://{address}:{port}"]
"""
_GATE = """\
data = "{folder}/data"

[[readers]]
kind = "serial"
name = "outside"
port = "{entry}"
direction = "entry"

[[readers]]
kind = "serial"
name = "inside"
port = "{exit}"
direction = "exit"

[turnstile]
kind = "simulated"
entry_pin = 17
exit_pin = 27
sensor_pin = 22
passage_timeout_s = 3.0
person_delay_s = 0.5
person_log = "{folder}/walked.log"
"""


def clock_library() -> Path | None:
    """Give libfaketime's library, None where it is not installed."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


class Isolated(Daemon):
    """A daemon in a namespace.

    Attributes:
        vitals: resident KiB and open files, as they were looked at, by process id.
    """

    def __init__(self, name, namespace, arguments, log_file, environment):
        super().__init__(name, arguments, log_file)
        self._namespace, self._environment = namespace, environment
        self._arguments = arguments
        self.vitals = {}

    async def start(self, tasks):
        self._process = await asyncio.create_subprocess_exec(
            "setpriv", "--pdeathsig", "KILL", "--",
            "ip", "netns", "exec", self._namespace,
            "env", *(f"{key}={value}" for key, value in self._environment.items()),
            sys.executable, "-m", "portillon", *self._arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            limit=1 << 20,
        )  # fmt: skip
        tasks.create_task(self._read(self._process))

    def pause(self):
        """Let it stand still, as on a machine that has no time for it."""
        self._send(signal.SIGSTOP)

    def resume(self):
        """Let it go on."""
        self._send(signal.SIGCONT)

    def _send(self, number):
        if self.is_running:
            self._process.send_signal(number)

    def look(self):
        """Note how much memory it has and how many files are open."""
        if not self.is_running:
            return
        here = Path(f"/proc/{self._process.pid}")
        try:
            text = (here / "status").read_text("ascii")
            kib = int(re.search(r"VmRSS:\s+(\d+)", text)[1])
            files = len(list((here / "fd").iterdir()))
        except (OSError, TypeError):
            return  # it has just ended
        self.vitals.setdefault(self._process.pid, []).append((kib, files))


class ChaosGate:
    """A gate with its readers' other ends, its disk and its clock.

    Attributes:
        name: of its machine.
        daemon: its process.
    """

    def __init__(self, name, networks, folder):
        self.name, self.folder = name, folder
        self.ends = {}
        ports = {}
        for way in ("entry", "exit"):
            ours, theirs = os.openpty()
            tty.setraw(ours)
            os.set_blocking(ours, False)
            self.ends[way], ports[way] = ours, os.ttyname(theirs)
        self.config = folder / "gate.toml"
        self.config.write_text(_GATE.format(folder=folder, **ports), "utf-8")
        self.clock = folder / "clock"
        environment = {}
        library = clock_library()
        if library is not None:
            self.step(0)
            environment = {
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        arguments = ["gate", "run", "--config", str(self.config), "--log", "json"]
        self.daemon = Isolated(
            name, networks.namespace(name), arguments, folder / "log.jsonl", environment
        )

    @property
    def data(self):
        """Its small disk."""
        return self.folder / "data"

    @property
    def walked(self):
        """How many people went through its arm, by the arm's own book."""
        book = self.folder / "walked.log"
        return book.read_bytes().count(b"\n") if book.exists() else 0

    def step(self, seconds):
        """Set its wall clock this far from the right time."""
        new = self.clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n", "ascii")
        new.replace(self.clock)

    def present(self, number, way):
        """Hold a ticket before a reader; one that nobody reads any more is full, and it is lost."""
        with contextlib.suppress(BlockingIOError):
            os.write(self.ends[way], number.encode() + b"\r")

    def copy_card_of(self, other):
        """Take over another gate's whole card, as an image of it would; both must be stopped."""
        shutil.copytree(other.data, self.data, dirs_exist_ok=True)
        shutil.copy(other.data.with_name("data.secret"), self.data.with_name("data.secret"))

    async def enrol(self, link):
        """Make it a gate of the server."""
        await run_once("gate", "enrol", "--config", str(self.config), "--link", link)


class ChaosServer:
    """The server's machine."""

    def __init__(self, networks, folder):
        self.folder, self.data = folder, folder / "data"
        folder.mkdir(parents=True)
        self.address = f"https://{networks.address('server')}:{PORT}"
        self.config = folder / "server.toml"
        self.config.write_text(
            _SERVER.format(data=self.data, port=PORT, address=networks.address("server")), "utf-8"
        )
        arguments = ["server", "run", "--config", str(self.config), "--log", "json"]
        self.daemon = Isolated(
            "server", networks.namespace("server"), arguments, folder / "log.jsonl", {}
        )

    async def init(self):
        """Set it up; give the operator's password."""
        printed = await run_once("server", "init", "--config", str(self.config), "--login", LOGIN)
        found = _PASSWORD.search(printed)
        if found is None:
            raise DaemonError("the server's set-up printed no password")
        return found[1]

    async def sign_in(self, session, password):
        """Wait until it answers, and sign the operator in."""
        operator = Operator(session, self.address)
        await self.daemon.wait_for("its start", lambda event: event.get("event") == "server ready")
        await operator.sign_in(LOGIN, password)
        return operator
