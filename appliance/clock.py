"""The machine's clocks and its randomness for ids: the only place that reads them."""

import asyncio
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

from admission.ids import ID_ENTROPY_BYTES, new_id

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """Implements `ports.Clock` over the machine's clocks."""

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        return datetime.now(UTC)

    def boot_ms(self) -> int:
        """Milliseconds since the machine started, sleep included (CLOCK_BOOTTIME)."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def monotonic_ns(self) -> int:
        """Nanoseconds on a clock that never steps."""
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def boot_id() -> bytes:
    """Name this start of the machine: the kernel's boot id, 16 bytes."""
    return bytes.fromhex(_BOOT_ID.read_text("ascii").strip().replace("-", ""))


def scan_ids() -> Callable[[], str]:
    """Give a maker of names for scans: this start's random beginning, and a count.

    They only have to tell the lines of a log apart, and stand between a payload and its verdict.
    """
    start = secrets.token_hex(4)
    numbers = count(1)
    return lambda: f"{start}-{next(numbers)}"


def fresh_id() -> str:
    """Make a new identifier from the machine's clock and randomness."""
    return new_id(time.time_ns() // 1_000_000, secrets.token_bytes(ID_ENTROPY_BYTES))
