"""A machine of Debian 13 whose systemd is booted in a container, for the tests of units.

systemd-nspawn boots the real systemd with all its sandboxing in about two seconds. It wants a
private /run and a cgroup tree of version 2, which a mount namespace of its own gives it here,
whatever the machine around has.
"""

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

BOOT_S_MAX: Final = 60.0
COMMAND_S_MAX: Final = 60.0
SHUTDOWN_S_MAX: Final = 180.0  # all that the machine around is writing is waited for
ASKS_FOR_A_START: Final = 133  # systemd-nspawn's word for a restart of the machine
_PRIVATE: Final = """
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system
umount -R -l /sys/fs/cgroup 2>/dev/null
mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 77
mkdir -p "/sys/fs/cgroup/$1" && echo $$ > "/sys/fs/cgroup/$1/cgroup.procs"
shift
exec "$@"
"""


class BootError(Exception):
    """The container did not come up; the message has what its console said."""


@dataclass
class Booted:
    """One machine, from its start to its end.

    Attributes:
        root: the folder that it is booted from; never written to where `volatile` says so.
        folder: of this machine: its console's words.
        binds: folders from outside, by where they lie inside; writable.
        volatile: `state`: root is read-only and /var is gone at the end; `overlay`: all of it may
            be written to and is gone at the end; `no`: it is written to.
        network: `private` has a loopback alone.
    """

    root: Path
    folder: Path
    binds: Mapping[str, Path] = field(default_factory=dict)
    volatile: str = "overlay"
    options: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = None
    _init: int = 0

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"portillon-{os.getpid()}-{self.folder.name}"[:60]
        binds = [f"--bind={outside}:{inside}" for inside, outside in self.binds.items()]
        nspawn = [
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network",
            f"--directory={self.root}", f"--volatile={self.volatile}", "--console=pipe",
            "--link-journal=no", f"--machine={name}", *binds, *self.options, "--boot",
            "systemd.log_target=journal",
        ]  # fmt: skip
        with (self.folder / "console").open("wb") as console:
            self._process = subprocess.Popen(
                [
                    "unshare",
                    "--mount",
                    "--propagation",
                    "private",
                    "sh",
                    "-c",
                    _PRIVATE,
                    "sh",
                    name,
                    *nspawn,
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._init = self._wait_for_init()
            self._wait_until_up()
        except BaseException:
            self.cut_power()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.cut_power()

    @property
    def console(self) -> str:
        """What its console said so far."""
        return (self.folder / "console").read_text(errors="replace")

    @property
    def _enter(self) -> list[str]:
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        inside = ["nsenter", f"--target={self._init}", "--all", "--root", "--wd=/"]
        return [*inside, "env", "-i", f"PATH={path}", "LANG=C.UTF-8"]

    def run(
        self, *words: str, timeout_s: float = COMMAND_S_MAX, check: bool = True, text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root, outside of any unit.

        Raises:
            AssertionError: if it fails and `check` says that it must not.
        """
        done = subprocess.run(
            [*self._enter, *words],
            capture_output=True,
            text=True,
            input=text,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode:
            said = f"{shlex.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}"
            raise AssertionError(said)
        return done

    def wait(self, words: Sequence[str], statuses: set[int], limit_s: float = BOOT_S_MAX) -> None:
        """Run a command again and again until it ends with one of some statuses."""
        end = time.monotonic() + limit_s
        while True:
            done = self.run(*words, check=False)
            if done.returncode in statuses:
                return
            if time.monotonic() > end:
                said = f"{shlex.join(words)}: {done.stdout}{done.stderr}\n{self.console[-3000:]}"
                raise BootError(said)
            time.sleep(0.05)

    def shows(self, unit: str, *properties: str) -> dict[str, str]:
        """Give what systemd says of a unit."""
        done = self.run("systemctl", "show", unit, f"--property={','.join(properties)}")
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)

    def wait_active(self, unit: str, limit_s: float = BOOT_S_MAX) -> None:
        """Wait until a unit is active; tells what it said if it does not become so."""
        try:
            self.wait(["systemctl", "is-active", "--quiet", unit], {0}, limit_s)
        except BootError as exc:
            raise BootError(f"{unit}:\n{self.journal(unit)}\n{exc}") from exc

    def journal(self, unit: str) -> str:
        """Give what a unit said."""
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", unit).stdout

    @property
    def failed(self) -> list[str]:
        """Give the units that failed."""
        done = self.run("systemctl", "list-units", "--failed", "--plain", "--no-legend")
        return [line.split()[0] for line in done.stdout.splitlines() if line.strip()]

    def write(self, path: str, text: str, mode: str = "644") -> None:
        """Write a file inside."""
        script = 'mkdir -p "${1%/*}" && cat >"$1" && chmod "$2" "$1"'
        self.run("sh", "-c", script, "sh", path, mode, text=text)

    def unpack(self, archive: bytes, folder: str) -> None:
        """Unpack a tar archive into a folder inside."""
        script = 'mkdir -p "$1" && tar --extract --directory="$1"'
        words = [*self._enter, "sh", "-c", script, "sh", folder]
        subprocess.run(words, input=archive, capture_output=True, check=True)

    def cut_power(self) -> None:
        """End it as a power cut does: nothing inside gets to say goodbye."""
        if self._process is None:
            return
        for pid in filter(None, (self._init, self._process.pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait(30)
        self._process = None

    def wait_restarts_itself(self) -> None:
        """Wait until it has shut down to start anew, which is then up to the caller.

        Raises:
            AssertionError: if it was turned off, or ended in another way.
        """
        assert self._process is not None
        status = self._process.wait(SHUTDOWN_S_MAX)
        self._process = None
        assert status == ASKS_FOR_A_START, f"it ended with {status}: {self.console[-3000:]}"

    def turn_off(self) -> None:
        """Have it shut down in order."""
        assert self._process is not None
        self.run("systemctl", "poweroff", check=False)
        self._process.wait(SHUTDOWN_S_MAX)
        self._process = None

    def _wait_until_up(self) -> None:
        """Wait until all is started, whatever became of it."""
        end = time.monotonic() + BOOT_S_MAX
        while True:
            state = self.run("systemctl", "is-system-running", check=False)
            if state.stdout.strip() in {"running", "degraded"}:
                return
            if time.monotonic() > end:
                jobs = self.run("systemctl", "list-jobs", check=False).stdout
                raise BootError(f"{state.stdout}{state.stderr}{jobs}\n{self.console[-3000:]}")
            time.sleep(0.05)

    def _wait_for_init(self) -> int:
        assert self._process is not None
        end = time.monotonic() + BOOT_S_MAX
        while time.monotonic() < end:
            status = self._process.poll()
            if status is not None:
                raise BootError(f"systemd-nspawn ended with {status}: {self.console}")
            for pid in _below(self._process.pid):
                if _is_init(pid):
                    return pid
            time.sleep(0.02)
        raise BootError(f"no systemd after {BOOT_S_MAX} s: {self.console}")


def _below(pid: int) -> list[int]:
    """Give all the processes that a process has started, and theirs."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_below(child)]
    return found


def _is_init(pid: int) -> bool:
    """Tell whether a process is the first one of a namespace of its own, and systemd already."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return False
    ids = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
    return ids[-1] == "1" and len(ids) > 2 and name == "systemd"


def missing_programs() -> list[str]:
    """Name what this machine lacks for it."""
    return [
        name
        for name in ("systemd-nspawn", "unshare", "nsenter", "mmdebstrap")
        if not shutil.which(name)
    ]
