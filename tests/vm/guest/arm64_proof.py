"""The whole gate on a 64-bit ARM board's kernel and Python: a ticket by its serial line, the relay.

Runs `portillon gate run` over the data of a gate that was enrolled outside, in /job/gate. The
scanner is outside, too: what it sends comes by a USB serial line, once the gate's reader is there.
"""

import json
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Final

FOLDER: Final = Path("/tmp/gate")
RELAY: Final = 5
STEP_S_MAX: Final = 300  # emulated, beside other work
CONFIG: Final = f"""
data = "{FOLDER}/data"
language = "en"

[[readers]]
kind = "serial"
name = "outside"
port = "/dev/ttyUSB0"

[turnstile]
kind = "relay"
pin_factory = "gpiod"
entry_pin = {RELAY}
pulse_s = 1.0

[peers]
enabled = false
"""
_LINE: Final = re.compile(r"\|portillon\s*\)\s*(\w+)\s+(\w+)")  # the gate claims one


def step(name: str, **found: Any) -> None:
    """Tell the test what a step found."""
    print(json.dumps({"step": name, **found}), flush=True)


class Daemon:
    """The gate, and what it logs."""

    def __init__(self) -> None:
        words = [sys.executable, "-m", "portillon", "gate", "run", "--log", "json"]
        self.process = subprocess.Popen(
            [*words, "--config", str(FOLDER / "gate.toml")], stderr=subprocess.PIPE, text=True
        )
        self._events: Queue[dict[str, Any]] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, name: str) -> dict[str, Any]:
        """Wait for an event of the log.

        Raises:
            TimeoutError: if it does not come.
        """
        until = time.monotonic() + STEP_S_MAX
        while time.monotonic() < until:
            try:
                event = self._events.get(timeout=1)
            except Empty:
                if self.process.poll() is not None:
                    raise TimeoutError(f"the gate ended before: {name}") from None
                continue
            if event.get("event") == name:
                return event
        raise TimeoutError(f"the gate did not say in {STEP_S_MAX} s: {name}")

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            sys.stderr.write(line)
            if line.startswith("{"):
                self._events.put(json.loads(line))


def relay() -> tuple[str, str] | None:
    """Give what the kernel itself says of the relay's line: direction and level."""
    found = _LINE.search(Path("/sys/kernel/debug/gpio").read_text())
    return (found[1], found[2]) if found else None


def main() -> None:
    """Prove it."""
    step("begin", uptime_s=time.clock_gettime(time.CLOCK_BOOTTIME))
    step("board", machine=platform.machine(), python=platform.python_version())
    for module in ("xhci_pci", "xhci_plat_hcd", "ftdi_sio"):
        subprocess.run(["modprobe", module], check=False)  # some are built in
    chips = {path.name: path for path in Path("/dev").glob("gpiochip*")}
    text = Path("/sys/kernel/debug/gpio").read_text()
    step("chip", chips=sorted(chips), label="pl061" if "pl061" in text else text[:200])
    shutil.copytree("/job/gate", FOLDER)
    (FOLDER / "gate.toml").write_text(CONFIG)
    began = time.monotonic()
    daemon = Daemon()
    try:
        daemon.wait_for("gate ready")
        daemon.wait_for("reader is there")
        step("ready", after_s=time.monotonic() - began, relay=relay())
        _let_one_through(daemon)
        daemon.process.terminate()
        status = daemon.process.wait(STEP_S_MAX)
        step("stopped", status=status, relay=relay())
    finally:
        daemon.process.kill()
    step("end")


def _let_one_through(daemon: Daemon) -> None:
    """Wait for a ticket from outside, and watch the relay until it is at rest again."""
    seen: list[tuple[str, str]] = []
    events: list[dict[str, Any]] = []
    listening = threading.Thread(target=lambda: events.append(daemon.wait_for("scan")))
    listening.start()
    until = time.monotonic() + STEP_S_MAX
    while time.monotonic() < until:
        now = relay()
        if now is not None and (not seen or seen[-1] != now):
            seen.append(now)
        if len(seen) >= 3:
            break
        time.sleep(0.05)
    listening.join(STEP_S_MAX)
    step("scan", answer=events[0].get("answer"), relay=seen)


if __name__ == "__main__":
    main()
