"""The guest: an emulated machine that runs one proof of `guest/` on a real kernel, then goes away.

A proof drives the project's own drivers and prints what came of it, one JSON object a line; a test
looks at those. A tool that is missing fails the test and says its name; nothing is skipped.
"""

import fcntl
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PROOFS: Final = Path(__file__).parent / "guest"
QEMU: Final = "qemu-system-x86_64"
NO_QEMU: Final = (
    f"These tests run in an emulated machine, and there is no `{QEMU}` here. `make test-vm`"
    " installs it (on Debian: apt-get install qemu-system-x86), or leave them out with:"
    " pytest -m 'not vm'"
)
MEMORY_MB: Final = 1024
PORTILLON_VM: Final = "/opt/portillon-vm"  # in the layer of either machine: packages for its Python
PROOF_S_MAX: Final = 1200  # emulated on a busy machine; a quiet one takes a tenth
CONSOLE_LINES: Final = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a proof came to.

    Attributes:
        steps: what it printed, by the name of the step.
        up_s: seconds of guest time until the proof began.
        wall_s: seconds from the start of the emulator to its end.
    """

    steps: dict[str, dict[str, Any]]
    up_s: float
    wall_s: float

    def timings(self) -> str:
        """Tell how long everything took that says so."""
        told = [f"up after {self.up_s:.1f} s, {self.wall_s:.1f} s in all"]
        for name, found in self.steps.items():
            times = [f"{key} {value:.3g}" for key, value in found.items() if _is_time(key, value)]
            told += [f"{name}: {', '.join(times)}"] if times else []
        return "; ".join(told)

    def __getitem__(self, step: str) -> dict[str, Any]:
        """Give what a step printed."""
        assert step in self.steps, f"the proof never came to {step!r}: {list(self.steps)}"
        return self.steps[step]


def _is_time(key: str, value: object) -> bool:
    return key.endswith("_s") and isinstance(value, float)


@dataclass(frozen=True, slots=True)
class Machine:
    """What a guest is started from.

    Attributes:
        built: the folder that a script of `tools` leaves it in.
        qemu: the emulator.
        tree: the guest's root.
        python: what runs the proofs there.
        packages: where that finds what the project stands on, beside its own.
        is_own_tree: whether its root is this machine's own; else it is shown the project apart.
    """

    built: Path
    qemu: str
    tree: Path
    python: str
    packages: tuple[str, ...]
    is_own_tree: bool


class Guest:
    """A machine that has not run yet.

    Args:
        machine: what it is started from.
        folder: for itself alone.
        told: notes how long it took.

    Attributes:
        job: a folder that the machine sees, read-only, as /job; put files for the proof there.
        devices: what it has besides, in QEMU's words.
    """

    def __init__(self, machine: Machine, folder: Path, told: Callable[[str, str], None]) -> None:
        self._machine = machine
        self._folder = folder
        self.job = folder / "job"
        self.job.mkdir()
        self._told = told
        self.devices: list[str] = []

    def run(self, proof: str, *arguments: str) -> Outcome:
        """Run a proof of `guest/` to its end.

        Raises:
            AssertionError: if it fails or takes too long; its console is told.
        """
        words = [self._machine.python, "-X", "faulthandler", str(PROOFS / proof), *arguments]
        (self.job / "run").write_text(_job(words, self._machine.packages))
        began = time.monotonic()
        with (self._folder / "console").open("wb") as console:
            command = _command(self._machine, self.job, self._folder / "printed")
            machine = subprocess.Popen(
                [*command, *self.devices],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )
            try:
                machine.wait(PROOF_S_MAX)
            except subprocess.TimeoutExpired:
                pytest.fail(f"{proof}: no end after {PROOF_S_MAX} s\n{self._console()}")
            finally:
                machine.kill()
                machine.wait()
        outcome = self._outcome(proof, time.monotonic() - began)
        self._told("vm", outcome.timings())
        return outcome

    def _outcome(self, proof: str, wall_s: float) -> Outcome:
        printed = (self._folder / "printed").read_text(errors="replace")
        steps = {}
        for line in filter(None, map(str.strip, printed.splitlines())):
            try:
                step = json.loads(line)
            except ValueError:
                pytest.fail(f"{proof} printed what is no step: {line!r}\n{self._console()}")
            steps[step.pop("step")] = step
        if "end" not in steps:
            pytest.fail(f"{proof} came to {list(steps)} and not to its end\n{self._console()}")
        return Outcome(steps, steps.pop("begin")["uptime_s"], wall_s)

    def _console(self) -> str:
        console = (self._folder / "console").read_text(errors="replace")
        return "\n".join(console.splitlines()[-CONSOLE_LINES:])


def _job(words: list[str], packages: tuple[str, ...]) -> str:
    paths = [str(PROOFS), str(ROOT / "tests/support"), *packages]
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": ":".join(paths),
        "GPIOZERO_PIN_FACTORY": "",
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    return "\n".join([*lines, f"cd {shlex.quote(str(ROOT))}", f"exec {shlex.join(words)}\n"])


def _command(machine: Machine, job: Path, printed: Path) -> list[str]:
    folders = {"tree": machine.tree, "layer": machine.built / "layer", "job": job}
    told = ""
    if not machine.is_own_tree:
        folders["project"] = ROOT
        told = f" project={ROOT}"
    words = ["nice", machine.qemu, "-M", "q35,accel=tcg", "-cpu", "max", "-m", str(MEMORY_MB)]
    # Time goes by instructions, one a nanosecond: a busy machine makes a guest late, not hasty.
    words += ["-icount", "shift=0,sleep=on"]
    words += ["-display", "none", "-no-reboot", "-nodefaults", "-nic", "none"]
    words += ["-kernel", str(machine.built / "vmlinuz"), "-initrd", str(machine.built / "initrd")]
    words += ["-append", f"console=ttyS0 quiet panic=-1 mitigations=off{told}"]
    words += ["-serial", "stdio", "-serial", f"file:{_escaped(printed)}"]
    for name, folder in folders.items():
        shared = f"local,id={name},path={_escaped(folder)},security_model=none,readonly=on"
        words += ["-fsdev", f"{shared},multidevs=remap"]
        words += ["-device", f"virtio-9p-pci,fsdev={name},mount_tag={name}"]
    return words


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")  # a comma ends an option of QEMU's


@pytest.fixture(scope="session")
def one_guest_at_a_time() -> Iterator[None]:
    """Have no other test's guest running."""
    if ROOT.is_relative_to("/tmp"):
        pytest.fail("a guest has a /tmp of its own: put this checkout elsewhere", pytrace=False)
    lock = ROOT / "var/vm-running"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        yield


def _built_by(*command: str) -> str:
    built = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if built.returncode:
        pytest.fail(f"the guest cannot be built:\n{built.stderr}")
    return built.stdout.strip()


@pytest.fixture(scope="session")
def own_machine(one_guest_at_a_time: None) -> Machine:
    """A machine that has this one's files as its root."""
    if shutil.which(QEMU) is None:
        pytest.fail(NO_QEMU)
    _built_by("tools/vm")
    return Machine(
        ROOT / "var/vm", QEMU, Path("/"), sys.executable, (PORTILLON_VM,), is_own_tree=True
    )


@pytest.fixture(scope="session")
def camera_machine(one_guest_at_a_time: None) -> Machine:
    """A machine with Debian 13, which has libcamera, and a kernel that shares its pictures."""
    _built_by("tools/vm-camera")
    built = ROOT / "var/vm-camera"
    return Machine(
        built=built,
        qemu=_built_by("tools/qemu", "x86_64"),
        tree=built / "root",
        python="/usr/bin/python3",
        packages=(str(ROOT), PORTILLON_VM),
        is_own_tree=False,
    )


@pytest.fixture
def guest(
    own_machine: Machine, tmp_path: Path, record_property: Callable[[str, str], None]
) -> Guest:
    """A machine for one proof; its timings are told at the end of the session."""
    return Guest(own_machine, tmp_path, record_property)


@pytest.fixture
def camera_guest(
    camera_machine: Machine, tmp_path: Path, record_property: Callable[[str, str], None]
) -> Guest:
    """Likewise, with Debian 13 as its root."""
    return Guest(camera_machine, tmp_path, record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long each guest took."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, value in report.user_properties:
            if name == "vm":
                terminalreporter.line(f"{report.nodeid.rpartition('::')[2]}:\n    {value}")
