"""What every proof in the guest needs: its steps told as JSON, modules loaded, a gate's devices.

A proof prints one object a line on its standard output, which is a line of its own out of the
machine; whatever else is said goes to the console.
"""

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from appliance.clock import SystemClock
from appliance.config import load_config
from appliance.drivers import Drivers
from appliance.ports import Payload, Reader

STEP_S_MAX: Final = 45  # for anything that takes a second on a quiet machine
_POLL_S: Final = 0.02


def step(name: str, **found: Any) -> None:
    """Tell the test what a step found."""
    print(json.dumps({"step": name, **found}), flush=True)


def uptime_s() -> float:
    """Seconds since the machine started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def load(*modules: str) -> None:
    """Load kernel modules, options behind a space."""
    for module in modules:
        subprocess.run(["modprobe", *module.split()], check=True)


def start_udev() -> None:
    """Have udev name devices as it does on a real machine; it ends with the machine."""
    Path("/run/udev").mkdir(exist_ok=True)
    subprocess.run(["/lib/systemd/systemd-udevd", "--daemon"], check=True)


def prove(proof: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a proof from its first step, `begin`, to its last, `end`."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    step("begin", uptime_s=uptime_s())
    asyncio.run(proof())
    step("end")


async def wait_until(is_so: Callable[[], bool], what: str) -> float:
    """Wait for something; give the seconds that it took.

    Raises:
        TimeoutError: naming it, if it does not come.
    """
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > STEP_S_MAX:
            raise TimeoutError(f"waited {STEP_S_MAX} s and {what} did not come")
        await asyncio.sleep(_POLL_S)
    return time.monotonic() - began


@asynccontextmanager
async def gate_devices(config: str) -> AsyncIterator[Drivers]:
    """Give the drivers that a gate has with this configuration, as its `main` opens them."""
    path = Path("/tmp/gate.toml")
    path.write_text(f'data = "/tmp/gate"\nlanguage = "en"\n{config}', encoding="utf-8")
    async with AsyncExitStack() as stack:
        yield Drivers(load_config(path), SystemClock(), stack)


class Listener:
    """Keeps what a reader reads.

    Attributes:
        payloads: all of it, in order.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.payloads: list[Payload] = []

    async def listen(self) -> None:
        """Read until cancelled."""
        async for payload in self.reader.payloads():
            self.payloads.append(payload)

    async def until(self, count: int) -> list[Payload]:
        """Wait until as many codes were read, and give them all."""
        await wait_until(lambda: len(self.payloads) >= count, f"code number {count}")
        return self.payloads

    async def there(self) -> float:
        """Wait until the reader says that its device is there; give the seconds."""
        return await wait_until(self.reader.is_alive, "the reader's device")

    async def gone(self) -> float:
        """Wait until the reader says that its device is not there; give the seconds."""
        return await wait_until(lambda: not self.reader.is_alive(), "the loss of the device")
