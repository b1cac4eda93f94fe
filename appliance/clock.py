"""The machine's clocks and its randomness for ids: the only place that reads them."""

import asyncio
import ctypes
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

from admission.ids import ID_ENTROPY_BYTES, new_id
from admission.trust.trusted_time import TimeQuality

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_SYNCED_MARK: Final = Path("/run/systemd/timesync/synchronized")
_CLOCKS_WITH_BATTERY: Final = Path("/sys/class/rtc")
_CARETAKERS_WORD: Final = Path("/run/portillon-care/clock.json")  # what set the clock at the start
_WORD_BYTES_MAX: Final = 4096
_ERROR_MS_MAX: Final = 10 * 365 * 86_400_000  # an error that is larger says nothing
_EPOCH_MARK: Final = Path("/usr/lib/clock-epoch")  # its date is that of the image
_SOFTWARE_DATE: Final = datetime(2026, 1, 1, tzinfo=UTC)
_TIMEX_BYTES: Final = 512  # the kernel's struct has 208 or fewer
_QUALITY_NS: Final = 1_000_000_000  # the kernel is asked once a second, not at each scan
_TIME_ERROR: Final = 5  # adjtimex: the clock is not synchronised


@dataclass(frozen=True, slots=True)
class ClockWord:
    """What is said of the wall clock at the machine's start.

    Attributes:
        quality: RTC, SAVED or FLOOR.
        error_ms: how far off it was at the most; None where nobody can say.
    """

    quality: TimeQuality
    error_ms: int | None = None


class SystemClock:
    """Implements `ports.Clock` over the machine's clocks."""

    def __init__(self, has_battery: bool | None = None) -> None:
        """Take what is known of the machine.

        Args:
            has_battery: whether a clock with a battery set the wall clock at the machine's start;
                None asks the caretaker's word, where there is none the kernel.
        """
        word = read_word(_CARETAKERS_WORD, boot_id()) if has_battery is None else None
        if word is None:
            is_set = _was_set_by_battery() if has_battery is None else has_battery
            word = ClockWord(TimeQuality.RTC if is_set else TimeQuality.SAVED)
        self._word = word
        self._is_synchronised, self._asked_ns = False, -_QUALITY_NS

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        return datetime.now(UTC)

    def boot_ms(self) -> int:
        """Milliseconds since the machine started, sleep included (CLOCK_BOOTTIME)."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def monotonic_ns(self) -> int:
        """Nanoseconds on a clock that never steps."""
        return time.monotonic_ns()

    def wall_quality(self) -> TimeQuality:
        """Tell how the wall clock came by its time."""
        now_ns = time.monotonic_ns()
        if now_ns - self._asked_ns >= _QUALITY_NS:
            self._is_synchronised, self._asked_ns = _is_synchronised(), now_ns
        if self._is_synchronised:
            return TimeQuality.SYNCED
        return self._word.quality

    def start_error_ms(self) -> int | None:
        """Give how far off the wall clock was at the start, by whoever set it; None: unknown."""
        return self._word.error_ms

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def software_date() -> datetime:
    """Give a date before which no time can be the present one: the image's, else the release's."""
    try:
        marked = datetime.fromtimestamp(_EPOCH_MARK.stat().st_mtime, UTC)
    except OSError:
        return _SOFTWARE_DATE
    return max(marked, _SOFTWARE_DATE)


def _is_synchronised() -> bool:
    """Ask the kernel whether a time server keeps its clock right, or timesyncd where it may not."""
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except AttributeError:  # another system's C library
        state = -1
    return 0 <= state < _TIME_ERROR or _SYNCED_MARK.exists()


def read_word(path: Path, boot: bytes) -> ClockWord | None:
    """Read what the caretaker left; None where there is no word of this start of the machine.

    It may be of another version, or half a file: then the kernel is asked, as without it.
    """
    try:
        with path.open("rb") as file:
            said = json.loads(file.read(_WORD_BYTES_MAX))
        quality = TimeQuality(said["quality"])
        is_ours = bytes.fromhex(said["boot_id"].replace("-", "")) == boot
        error_ms = said.get("error_ms")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not is_ours or quality in (TimeQuality.SIGNED, TimeQuality.SYNCED):
        return None
    is_bound = type(error_ms) is int and 0 <= error_ms <= _ERROR_MS_MAX
    return ClockWord(quality, error_ms if is_bound else None)


def _was_set_by_battery() -> bool:
    try:
        return any(
            mark.read_text("ascii").strip() == "1"
            for mark in _CLOCKS_WITH_BATTERY.glob("*/hctosys")
        )
    except OSError:
        return False


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
