"""What time it may be when a machine without a network starts: decided here, from what is known.

Called by `clock_keeping`. Pure: it reads no clock and no file. A machine's clock is only ever set
forwards, to the latest of the software's date, the time that was saved last, and a battery's clock
that is plausible beside those two.
"""

import zlib
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

# As the gate's own bounds for a wall clock (docs/adr/0013-trusted-time.md): an honest battery's
# clock lags by less after weeks alone; one further ahead has to be vouched for by somebody else.
BEHIND_MS_MAX: Final = 600_000
AHEAD_MS_MAX: Final = 2 * 366 * 86_400_000
SAVED_BYTES: Final = 64  # less than a sector, and always as long: it is written in place
_BATTERY_ERROR_MS: Final = 2_000  # it counts whole seconds, and is read at a start
_NEVER_SYNCED_ERROR_MS: Final = 60_000
_DRIFT_PPM: Final = 100  # of a cheap quartz, in heat
_NEAR_MS: Final = 5_000  # a clock that was set by a battery's is no further from it
_HEAD: Final = b"portillon-clock-1"


@unique
class Source(StrEnum):
    """What set the machine's clock, as the gate calls it."""

    RTC = "rtc"
    SAVED = "saved"
    FLOOR = "floor"


@dataclass(frozen=True, slots=True)
class Saved:
    """What is written down every few minutes.

    Attributes:
        wall_ms: the machine's clock.
        synced_ms: what it was when a time server last kept it right; 0 for never.
    """

    wall_ms: int
    synced_ms: int = 0


@dataclass(frozen=True, slots=True)
class Restored:
    """What is made of it at a start.

    Attributes:
        wall_ms: what the machine's clock is to be; never less than what it was.
        source: by whose word.
        error_ms: how far off that is at the most; None where nobody can say.
    """

    wall_ms: int
    source: Source
    error_ms: int | None


def restore(wall_ms: int, built_ms: int, saved: Saved | None, battery_ms: int | None) -> Restored:
    """Tell what time it is at a start.

    Args:
        wall_ms: the machine's clock as it is, whoever set it.
        built_ms: the software's own date; no time before it is one.
        saved: what was written last; None for nothing that can be read.
        battery_ms: a battery's clock; None for none.
    """
    known = saved if saved is not None and _is_plausible(saved.wall_ms, built_ms) else None
    floor_ms = max(built_ms, known.wall_ms) if known else built_ms
    if battery_ms is not None and -BEHIND_MS_MAX <= battery_ms - floor_ms <= AHEAD_MS_MAX:
        target_ms = max(battery_ms, floor_ms)
        if wall_ms - target_ms <= _NEAR_MS:
            error_ms = _battery_error(target_ms, known) + target_ms - battery_ms
            return Restored(max(wall_ms, target_ms), Source.RTC, error_ms)
    if wall_ms - floor_ms > AHEAD_MS_MAX:  # nobody vouches for it, and nobody sets a clock back
        return Restored(wall_ms, Source.FLOOR, None)
    source = Source.SAVED if known and known.wall_ms > built_ms else Source.FLOOR
    return Restored(max(wall_ms, floor_ms), source, None)


def to_save(wall_ms: int, built_ms: int, before: Saved | None, *, is_synced: bool) -> Saved | None:
    """Tell what to write down; None where the clock says nothing that is worth it.

    A clock that a time server keeps is saved as it is, also where it was set back: that mends a
    saved time that was ahead. Any other has to be plausible beside what was saved.
    """
    if wall_ms < built_ms:
        return None
    if is_synced:
        return Saved(wall_ms, wall_ms)
    if before is not None and not _is_plausible(before.wall_ms, built_ms):
        before = None
    floor_ms = max(built_ms, before.wall_ms) if before else built_ms
    if not -BEHIND_MS_MAX <= wall_ms - floor_ms <= AHEAD_MS_MAX:
        return None
    return Saved(max(wall_ms, floor_ms), before.synced_ms if before else 0)


def write_saved(saved: Saved) -> bytes:
    """Give its bytes, always as many."""
    body = b"%s %015d %015d" % (_HEAD, saved.wall_ms, saved.synced_ms)
    line = b"%s %08x" % (body, zlib.crc32(body))
    return line.ljust(SAVED_BYTES - 1) + b"\n"


def read_saved(raw: bytes | None) -> Saved | None:
    """Read them; None where they are none, or were damaged."""
    if raw is None or len(raw) != SAVED_BYTES:
        return None
    try:
        _, wall, synced, _ = raw.split()
        saved = Saved(int(wall), int(synced))
    except ValueError:
        return None
    return saved if write_saved(saved) == raw else None


def _is_plausible(saved_ms: int, built_ms: int) -> bool:
    """Tell whether a saved time can be: software is used for years after it was built, not ages."""
    return saved_ms - built_ms <= 10 * AHEAD_MS_MAX


def _battery_error(now_ms: int, known: Saved | None) -> int:
    if known is None or not known.synced_ms:
        return _BATTERY_ERROR_MS + _NEVER_SYNCED_ERROR_MS
    alone_ms = max(0, now_ms - known.synced_ms)
    return _BATTERY_ERROR_MS + alone_ms * _DRIFT_PPM // 1_000_000
