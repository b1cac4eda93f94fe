"""What time it is, as far as a gate can know: a fold over signed times, its clocks and its memory.

Called by the gate's trusted clock, which reads the machine and stores what has to be stored.
Every account of the time is kept as its *origin*: the instant at which, by that account, the
machine started. An account's now is its origin plus CLOCK_BOOTTIME, so that nobody who sets the
wall clock moves it (docs/adr/0013-trusted-time.md).

Trusted time is the greatest of what is stored, of the last signed time and of a plausible wall
clock. It never goes back, but to a signed time: that alone takes back what an unsigned clock
claimed, and never below a time that was signed before.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Final

from admission.journal import Record


@unique
class TimeQuality(StrEnum):
    """Where a time comes from, best first."""

    SIGNED = "signed"  # the server's signed word in this start of the machine, and time since
    SYNCED = "synced"  # a wall clock that a time server keeps right
    RTC = "rtc"  # a wall clock that a battery kept going
    SAVED = "saved"  # a wall clock of which nobody knows how far it is behind
    FLOOR = "floor"  # no clock is believed: it is this late at least


TRUSTED: Final = frozenset({TimeQuality.SIGNED, TimeQuality.SYNCED, TimeQuality.RTC})

HORIZON_MS: Final = 2 * 366 * 86_400_000  # longer than that in a cupboard, and the server must say
BEHIND_MS_MAX: Final = 600_000  # an honest clock lags behind the floor by less, after weeks alone
BOUND_MS: Final = 10_000  # a wall clock that is this far off signed time is worth a word
STEP_MS: Final = 2_000  # more than a leap second; the server takes what is nearer as it is
ROUND_TRIP_MS_MAX: Final = 30_000  # an answer that took longer says too little of now
_DRIFT_PPM: Final = 100  # of a cheap quartz, in heat
_ERROR_MS: Final = {TimeQuality.SYNCED: 1_000, TimeQuality.RTC: 5_000}
_NEVER_SIGNED_ERROR_MS: Final = 60_000  # of a battery's clock that nobody compared with anything
_SIGNED_MS_MAX: Final = 253_000_000_000_000  # in the year 9987: what follows still has a date


@dataclass(frozen=True, slots=True)
class Reading:
    """What the machine says.

    Attributes:
        wall_ms: wall clock, milliseconds since 1970.
        boot_ms: milliseconds since the machine started.
        quality: how the wall clock came by its time; never SIGNED.
        start_error_ms: how far off it was at the machine's start, by whoever set it then; None
            where nobody says.
    """

    wall_ms: int
    boot_ms: int
    quality: TimeQuality
    start_error_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SignedTime:
    """A server's signed time, heard in this start of the machine.

    Attributes:
        origin_ms: when the machine started, by it; not later than it truly did.
        error_ms: by how much earlier at the most: the way of question and answer.
        boot_ms: when it was heard.
    """

    origin_ms: int
    error_ms: int
    boot_ms: int

    def error_at(self, boot_ms: int) -> int:
        """Give the error after the machine's own count went on alone."""
        return self.error_ms + _drift(boot_ms - self.boot_ms)


@dataclass(frozen=True, slots=True)
class StoredTime:
    """What is written down whenever a signed time was heard.

    Attributes:
        boot_id: names the start of the machine.
        boot_ms: when it was written, in that start.
        floor_ms: trusted time at that moment.
        greatest_ms: greatest time ever signed; 0 for none.
        signed: the one that counts in that start; None for none.
        sequence: head of the journal; floors in records up to here are taken up in this.
    """

    boot_id: bytes
    boot_ms: int
    floor_ms: int
    greatest_ms: int
    signed: SignedTime | None
    sequence: int


@dataclass(frozen=True, slots=True)
class TrustedTime:
    """The fold's state.

    Attributes:
        earliest_ms: no time before it is one: the software's own date.
        floor_ms: origin of the floor.
        greatest_ms: greatest time ever signed; 0 for none.
        signed: what the server said in this start of the machine, or None.
        wall_ms: origin by the wall clock when it was last noted; None before.
        is_stepped: the wall clock was set by somebody unknown since the machine started.
    """

    earliest_ms: int
    floor_ms: int
    greatest_ms: int = 0
    signed: SignedTime | None = None
    wall_ms: int | None = None
    is_stepped: bool = False


@dataclass(frozen=True, slots=True)
class TrustedInstant:
    """What time it is.

    Attributes:
        now_ms: milliseconds since 1970.
        reading: what the machine said.
        quality: by whose word.
        error_ms: how far off it is at the most; None where nobody can say.
        age_ms: time since the last signed time; None before the first.
        is_suspect: the wall clock contradicts what is known, or nothing vouches for it.
        step_ms: how far the wall clock was set since it was last read; 0 for not.
    """

    now_ms: int
    reading: Reading
    quality: TimeQuality
    error_ms: int | None
    age_ms: int | None
    is_suspect: bool
    step_ms: int = 0

    @property
    def is_trusted(self) -> bool:
        """Whether the rules that need the time may go by it."""
        return self.quality in TRUSTED


def begin(
    stored: StoredTime | None,
    records: Iterable[Record],
    *,
    boot_id: bytes,
    boot_ms: int,
    earliest_ms: int,
) -> TrustedTime:
    """Find the time again at a start.

    Args:
        stored: what was written when a signed time was last heard, or None.
        records: the journal's last ones; each has the trusted time of its moment.
        boot_id: names this start of the machine.
        boot_ms: milliseconds since it.
        earliest_ms: the software's own date.
    """
    state = TrustedTime(earliest_ms, earliest_ms - boot_ms)
    if stored is not None:
        is_same = stored.boot_id == boot_id
        floor_ms = stored.floor_ms - (min(stored.boot_ms, boot_ms) if is_same else 0)
        state = replace(
            state,
            floor_ms=max(state.floor_ms, floor_ms),
            greatest_ms=stored.greatest_ms,
            signed=stored.signed if is_same else None,
        )
    last = -1
    for record in records:
        is_same = record.boot_id == boot_id
        if is_same and record.boot_ms > last:
            last = record.boot_ms
            state = replace(state, wall_ms=record.wall_ms - record.boot_ms)
        if record.trusted_ms and not _is_taken_up(record, stored):
            # what another start wrote was written before this one began
            floor_ms = record.trusted_ms - (min(record.boot_ms, boot_ms) if is_same else 0)
            state = replace(state, floor_ms=max(state.floor_ms, floor_ms))
    return state


def _is_taken_up(record: Record, stored: StoredTime | None) -> bool:
    """Tell whether a record's time is from before the signed time that may have corrected it."""
    if stored is None:
        return False
    if record.sequence <= stored.sequence:
        return True
    if record.boot_id != stored.boot_id:
        return False
    # the end of a grant has the moment of its scan, whenever it is written
    ends_earlier = 0 < record.refers_to <= stored.sequence and record.boot_ms == stored.boot_ms
    return record.boot_ms < stored.boot_ms or ends_earlier


def store(state: TrustedTime, boot_id: bytes, boot_ms: int, sequence: int) -> StoredTime:
    """Give what has to be written down after a signed time."""
    floor_ms = state.floor_ms + boot_ms
    return StoredTime(boot_id, boot_ms, floor_ms, state.greatest_ms, state.signed, sequence)


def read(state: TrustedTime, reading: Reading) -> tuple[TrustedTime, TrustedInstant]:
    """Tell the time, and what the state is after the wall clock was looked at."""
    origin_ms = reading.wall_ms - reading.boot_ms
    moved_ms = 0 if state.wall_ms is None else origin_ms - state.wall_ms
    step_ms = moved_ms if abs(moved_ms) > STEP_MS else 0
    is_synced = reading.quality is TimeQuality.SYNCED
    is_believed = _is_believed(state, reading)
    known = [state.floor_ms]
    known += [state.signed.origin_ms] if state.signed else []
    known += [origin_ms] if is_believed else []
    after = replace(
        state,
        floor_ms=max(known),
        wall_ms=origin_ms if step_ms or state.wall_ms is None else state.wall_ms,
        is_stepped=not is_synced and (state.is_stepped or step_ms != 0),
    )
    quality = _quality(after, reading, is_believed)
    now_ms = after.floor_ms + reading.boot_ms
    instant = TrustedInstant(
        now_ms=now_ms,
        reading=reading,
        quality=quality,
        error_ms=_error_ms(after, reading, quality),
        age_ms=now_ms - after.greatest_ms if after.greatest_ms else None,
        is_suspect=quality not in TRUSTED or _contradicts(after, reading),
        step_ms=step_ms,
    )
    return after, instant


def take_signed(
    state: TrustedTime, server_ms: int, asked_boot_ms: int, received_boot_ms: int
) -> tuple[TrustedTime, int] | None:
    """Take a time that the server signed under our own nonce.

    Args:
        state: before.
        server_ms: the time that was signed.
        asked_boot_ms: when the nonce was thought of.
        received_boot_ms: when the answer was there.

    Returns:
        The state after it, and by how many milliseconds it took trusted time back (0 for not at
        all); None where it says nothing: it took too long, or a later time was signed before.
    """
    round_trip_ms = received_boot_ms - asked_boot_ms
    earliest_ms = max(state.earliest_ms, state.greatest_ms)
    if not 0 <= round_trip_ms <= ROUND_TRIP_MS_MAX:
        return None
    if not earliest_ms <= server_ms <= _SIGNED_MS_MAX:
        return None
    heard = SignedTime(server_ms - received_boot_ms, round_trip_ms, received_boot_ms)
    signed = _better(state.signed, heard)
    lead_ms = state.floor_ms - signed.origin_ms
    is_wrong = lead_ms > STEP_MS + signed.error_at(received_boot_ms)
    floor_ms = heard.origin_ms if is_wrong else max(state.floor_ms, heard.origin_ms)
    after = replace(state, floor_ms=floor_ms, greatest_ms=server_ms, signed=signed)
    return after, state.floor_ms - floor_ms if is_wrong else 0


def forget_signed(state: TrustedTime) -> TrustedTime:
    """Let the next signed time count, whatever was signed before: those keys are revoked."""
    return replace(state, greatest_ms=0, signed=None)


def _better(before: SignedTime | None, heard: SignedTime) -> SignedTime:
    """Choose the more exact of two signed times; where they contradict each other, the later."""
    if before is None:
        return heard
    error_ms = before.error_at(heard.boot_ms)
    drift_ms = error_ms - before.error_ms
    agree = (
        before.origin_ms - drift_ms <= heard.origin_ms + heard.error_ms
        and heard.origin_ms <= before.origin_ms + error_ms
    )
    return before if agree and error_ms < heard.error_ms else heard


def _is_believed(state: TrustedTime, reading: Reading) -> bool:
    """Tell whether the wall clock may move trusted time: not while a signed time is held."""
    if state.signed is not None or reading.quality is TimeQuality.FLOOR:
        return False
    lead_ms = reading.wall_ms - reading.boot_ms - state.floor_ms
    return -BEHIND_MS_MAX <= lead_ms <= HORIZON_MS


def _quality(state: TrustedTime, reading: Reading, is_believed: bool) -> TimeQuality:
    if state.signed is not None:
        return TimeQuality.SIGNED
    if not is_believed:
        return TimeQuality.FLOOR
    return TimeQuality.SAVED if state.is_stepped else reading.quality


def _error_ms(state: TrustedTime, reading: Reading, quality: TimeQuality) -> int | None:
    if state.signed is not None:
        lead_ms = state.floor_ms - state.signed.origin_ms
        return state.signed.error_at(reading.boot_ms) + lead_ms
    if quality not in _ERROR_MS:
        return None
    error_ms = _ERROR_MS[quality] + state.floor_ms - (reading.wall_ms - reading.boot_ms)
    if quality is TimeQuality.RTC and reading.start_error_ms is not None:
        said_ms = reading.start_error_ms - _ERROR_MS[quality]
        error_ms += max(0, said_ms) + _drift(reading.boot_ms)
    elif quality is TimeQuality.RTC:
        alone_ms = state.floor_ms + reading.boot_ms - state.greatest_ms
        error_ms += _drift(alone_ms) if state.greatest_ms else _NEVER_SIGNED_ERROR_MS
    return error_ms


def _contradicts(state: TrustedTime, reading: Reading) -> bool:
    """Tell whether the wall clock is further off the signed time than both can be wrong."""
    if state.signed is None:
        return False
    apart_ms = abs(reading.wall_ms - reading.boot_ms - state.signed.origin_ms)
    return apart_ms > BOUND_MS + state.signed.error_at(reading.boot_ms)


def _drift(passed_ms: int) -> int:
    return max(0, passed_ms) * _DRIFT_PPM // 1_000_000
