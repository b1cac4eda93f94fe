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
VM: Final = ROOT / "var/vm"
PROOFS: Final = Path(__file__).parent / "guest"
QEMU: Final = "qemu-system-x86_64"
NO_QEMU: Final = (
    f"These tests run in an emulated machine, and there is no `{QEMU}` here. `make test-vm`"
    " installs it (on Debian: apt-get install qemu-system-x86), or leave them out with:"
    " pytest -m 'not vm'"
)
MEMORY_MB: Final = 1024
PROOF_S_MAX: Final = 600  # emulated on a busy machine; a quiet one takes a tenth
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


class Guest:
    """A machine that has not run yet.

    Args:
        folder: for itself alone.
        told: notes how long it took.

    Attributes:
        job: a folder that the machine sees, read-only, as /job; put files for the proof there.
        devices: what it has besides, in QEMU's words.
    """

    def __init__(self, folder: Path, told: Callable[[str, str], None]) -> None:
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
        words = [sys.executable, "-X", "faulthandler", str(PROOFS / proof), *arguments]
        (self.job / "run").write_text(_job(words))
        began = time.monotonic()
        with (self._folder / "console").open("wb") as console:
            machine = subprocess.Popen(
                [*_command(self.job, self._folder / "printed"), *self.devices],
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


def _job(words: list[str]) -> str:
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{PROOFS}:{ROOT / 'tests/support'}:/opt/portillon-vm",
        "GPIOZERO_PIN_FACTORY": "",
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    return "\n".join([*lines, f"cd {shlex.quote(str(ROOT))}", f"exec {shlex.join(words)}\n"])


def _command(job: Path, printed: Path) -> list[str]:
    words = ["nice", QEMU, "-M", "q35,accel=tcg", "-cpu", "max", "-m", str(MEMORY_MB)]
    # Time goes by instructions, one a nanosecond: a busy machine makes a guest late, not hasty.
    words += ["-icount", "shift=0,sleep=on"]
    words += ["-display", "none", "-no-reboot", "-nodefaults", "-nic", "none"]
    words += ["-kernel", str(VM / "vmlinuz"), "-initrd", str(VM / "initrd")]
    words += ["-append", "console=ttyS0 quiet panic=-1 mitigations=off"]
    words += ["-serial", "stdio", "-serial", f"file:{_escaped(printed)}"]
    for name, folder in {"tree": Path("/"), "layer": VM / "layer", "job": job}.items():
        shared = f"local,id={name},path={_escaped(folder)},security_model=none,readonly=on"
        words += ["-fsdev", f"{shared},multidevs=remap"]
        words += ["-device", f"virtio-9p-pci,fsdev={name},mount_tag={name}"]
    return words


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")  # a comma ends an option of QEMU's


@pytest.fixture(scope="session")
def built_guest() -> Iterator[None]:
    """Have the guest built, and no other test's guest running."""
    if shutil.which(QEMU) is None:
        pytest.fail(NO_QEMU)
    built = subprocess.run([ROOT / "tools/vm"], check=False, capture_output=True, text=True)
    if built.returncode:
        pytest.fail(f"the guest cannot be built:\n{built.stderr}")
    with (VM / "running").open("w") as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        yield


@pytest.fixture
def guest(built_guest: None, tmp_path: Path, record_property: Callable[[str, str], None]) -> Guest:
    """A machine for one proof; its timings are told at the end of the session."""
    return Guest(tmp_path, record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long each guest took."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, value in report.user_properties:
            if name == "vm":
                terminalreporter.line(f"{report.nodeid.rpartition('::')[2]}:\n    {value}")
