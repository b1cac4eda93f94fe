"""Runs in the started image, as a credential of the emulated machine; see test_image_on_arm.py.

Tells how the start went, and what the gate and the kernel say of its relay while tickets are held
before its scanner, outside: one JSON object a line.
"""

import json
import platform
import re
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Final

GATE: Final = "portillon-gate.service"
PORT: Final = Path("/dev/virtio-ports/probe")
STEP_S_MAX: Final = 600  # emulated, beside other work
RELAY: Final = re.compile(r"\|portillon\s*\)\s*(\w+)\s+(\w+)")  # the gate claims one


def told(*words: str) -> str:
    """Give what a command prints, whatever it ends with."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def gate_log() -> str:
    """Give what the gate said."""
    return told("journalctl", "--no-pager", "-o", "cat", "-u", GATE)


def failed() -> list[str]:
    """Give the units that failed, with what they said last."""
    lines = told("systemctl", "list-units", "--failed", "--plain", "--no-legend").splitlines()
    units = [line.split()[0] for line in lines if line.strip()]
    return [f"{unit}: {told('journalctl', '-o', 'cat', '-n', '15', '-u', unit)}" for unit in units]


def relay() -> list[str]:
    """Give what the kernel says of the relay's line: direction and level; nothing if unclaimed."""
    found = RELAY.search(Path("/sys/kernel/debug/gpio").read_text())
    return list(found.groups()) if found else []


class Watch:
    """Looks at the relay all the time: it is up for a second, and the journal takes longer."""

    def __init__(self) -> None:
        self.seen = [relay()]
        threading.Thread(target=self._look, daemon=True).start()

    def until(self, text: str) -> tuple[bool, list[list[str]]]:
        """Wait until the gate has said something; give whether, and what the relay did since."""
        until = time.monotonic() + STEP_S_MAX
        while text not in gate_log():
            if time.monotonic() > until:
                return False, self.seen
            time.sleep(1)
        time.sleep(2)  # the relay falls
        found, self.seen = self.seen, self.seen[-1:]
        return True, found

    def _look(self) -> None:
        while True:
            now = relay()
            if now != self.seen[-1]:
                self.seen.append(now)
            time.sleep(0.03)


def main() -> None:
    """Tell all of it, then turn the machine off."""
    with PORT.open("w", encoding="utf-8") as port:

        def step(name: str, **found: Any) -> None:
            port.write(json.dumps({"step": name, **found}) + "\n")
            port.flush()

        try:
            step("begin", machine=platform.machine(), up_s=time.clock_gettime(time.CLOCK_BOOTTIME))
            state = told("systemctl", "is-system-running", "--wait")
            result = Path("/boot/cfg/gate-result.txt")
            step(
                "started",
                state=state,
                failed=failed(),
                up_s=time.clock_gettime(time.CLOCK_BOOTTIME),
                root=told("findmnt", "-no", "FSTYPE,OPTIONS", "/"),
                result=result.read_text(errors="replace") if result.exists() else "",
                chip=Path("/sys/kernel/debug/gpio").read_text()[:300],
            )
            until = time.monotonic() + STEP_S_MAX
            while "reader is there" not in gate_log() and time.monotonic() < until:
                time.sleep(1)
            gate = told("systemctl", "show", "-P", "ActiveState", "-P", "NRestarts", GATE)
            addresses = told("ip", "-4", "-o", "address", "show", "scope", "global").split()[3:4]
            step(
                "ready",
                gate=gate.split(),
                addresses=addresses,
                relay=relay(),
                log=gate_log()[-2000:],
            )
            watch = Watch()
            for name, answer in (("admitted", "granted"), ("refused", "already_used")):
                is_said, seen = watch.until(f"answer='{answer}'")
                step(name, said=is_said, relay=seen, log=gate_log()[-2000:])
            step("end", failed=failed())
        finally:
            subprocess.run(["systemctl", "--no-block", "poweroff"], check=False)


if __name__ == "__main__":
    main()
