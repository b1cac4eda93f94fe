"""What the gate needs of the outside, as protocols. Drivers implement them; `main` binds them.

Knows no driver and no outside library. The same contract tests run on every implementation,
the simulator's and the hardware's alike (tests/contracts).
"""

from collections.abc import (
    AsyncIterator,
    Collection,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from pathlib import Path
from typing import Any, Final, Protocol

from admission.scan import Direction
from admission.sync.messages import FeedItem
from admission.ticketlist.columns import Buffer
from admission.ticketlist.pieces import PieceRef
from admission.trust.trusted_time import StoredTime, TimeQuality
from appliance.beat import Beat
from appliance.screen import Look as Look
from appliance.screen import Screen as Screen

Task = Coroutine[Any, Any, None]  # something that runs until it is cancelled


@dataclass(frozen=True, slots=True)
class Payload:
    """What a reader yields: the code's exact bytes, its own framing taken off.

    Attributes:
        reader: the reader's configured name.
        direction: the way this reader lets people go.
        data: the code's bytes, at most `limits.SCAN_PAYLOAD_BYTES_MAX`.
        symbology: the name of the code's kind (`QRCode`), or "" where the reader cannot tell.
        received_ns: `Clock.monotonic_ns` when its last byte or its frame arrived.
        is_tentative: a camera's first look at a code, which may be misread: it can admit, since
            no misreading makes a listed number, but only a second, equal look refuses. The reader
            yields that look as another payload. False where a code is read for certain.
    """

    reader: str
    direction: Direction
    data: bytes
    symbology: str
    received_ns: int
    is_tentative: bool = False


class Clock(Protocol):
    """The only source of time. `main` binds the machine's, tests a virtual one."""

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        ...

    def boot_ms(self) -> int:
        """Milliseconds since the machine started, sleep included."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds on a clock that never steps, for durations only."""
        ...

    def wall_quality(self) -> TimeQuality:
        """Tell how the wall clock came by its time; never SIGNED."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancelling ends the wait at once."""
        ...


class Reader(Protocol):
    """Something that reads codes."""

    @property
    def beat(self) -> Beat:
        """Answers while `payloads` is read and its loop goes round, with a device or without."""
        ...

    def payloads(self) -> AsyncIterator[Payload]:
        """Yield payloads as they are read, for as long as the device lives.

        A device that goes away is waited for and opened again by the driver itself; each change
        is reported through `alive`.

        Cancel: closes the device.
        """
        ...

    def is_alive(self) -> bool:
        """Tell whether the device is there and yields data or heartbeats."""
        ...

    @property
    def trouble(self) -> str:
        """What is wrong with the device, and what to do, in one sentence; "" is nothing.

        Also of one that is there: it sends garbage, or codes without what is configured.
        """
        ...


class Trigger(Protocol):
    """What makes a reader look for a code: a button of a handheld works it."""

    def start(self) -> None:
        """Look for a code until one is read, `stop` is called, or the device gives up by itself.

        Returns at once. Where the device is away nothing is read, and that is no error.
        """
        ...

    def stop(self) -> None:
        """Look no more. Returns at once."""
        ...


@unique
class LaneEvent(StrEnum):
    """What a turnstile, its sensors and the staff's own inputs say; each debounced."""

    PASSED = "passed"  # somebody went through; the sensor does not say which way
    PASSED_ENTRY = "passed_entry"
    PASSED_EXIT = "passed_exit"
    NOT_PASSED = "not_passed"  # nobody goes on the grant that is pending: the arm closed again
    TURNING = "turning"  # somebody stands in the arm
    TURNED_BACK = "turned_back"  # the arm is home again
    SENSOR_STUCK = "sensor_stuck"  # a passage contact stays active, as with a broken wire
    SENSOR_FREE = "sensor_free"
    DEVICE_LOST = "device_lost"  # the controller does not answer, or was started anew
    DEVICE_BACK = "device_back"
    FIRE = "fire"  # the alarm's loop is open; the hard-wired release has freed the arm
    FIRE_OVER = "fire_over"
    OPEN_ENTRY = "open_entry"  # the staff's button: one person, once
    OPEN_EXIT = "open_exit"
    HOLD = "hold"  # the staff's switch: free passage
    HOLD_OVER = "hold_over"
    LOCK = "lock"  # the staff's switch: nobody enters
    LOCK_OVER = "lock_over"

    @property
    def direction(self) -> Direction | None:
        """Which way, where the event has one and knows it."""
        return _DIRECTIONS.get(self)


_DIRECTIONS: Final = {
    LaneEvent.PASSED_ENTRY: Direction.ENTRY,
    LaneEvent.PASSED_EXIT: Direction.EXIT,
    LaneEvent.OPEN_ENTRY: Direction.ENTRY,
    LaneEvent.OPEN_EXIT: Direction.EXIT,
}


class Turnstile(Protocol):
    """The arm."""

    @property
    def has_sensor(self) -> bool:
        """Whether passages are sensed; without it a grant counts as a passage at once."""
        ...

    async def release(self, direction: Direction) -> None:
        """Let one person through: start one bounded relay pulse and return.

        Never waits for the person. A pulse that is still running is not prolonged.

        Raises:
            TurnstileFaultError: if the relay cannot be driven.
        """
        ...

    def close(self) -> None:
        """Let nobody more through on the last release, where the arm can still be closed.

        Called when its grant has ended, by a passage or without; now, synchronously.
        """
        ...

    async def hold(self, is_open: bool) -> None:
        """Keep the way free for everybody, or no longer; nothing where no output can.

        Raises:
            TurnstileFaultError: if an output cannot be driven.
        """
        ...

    def events(self) -> AsyncIterator[LaneEvent]:
        """Yield what sensors and inputs say, debounced, until cancelled."""
        ...

    def rest(self) -> None:
        """Bring every output to rest, now, synchronously; called on every way out."""
        ...


class LaneInputs(Protocol):
    """What hangs beside an arm, whatever kind it is: the alarm's loop, the staff's inputs."""

    def events(self) -> AsyncIterator[LaneEvent]:
        """Yield what the inputs say, debounced, until cancelled."""
        ...


class Confirming(Protocol):
    """A lane whose steward says whether the person went: the tap is the sensor."""

    @property
    def awaits(self) -> Direction | None:
        """Which way somebody was let through whose going is to be confirmed; None for nobody."""
        ...

    def passed(self) -> bool:
        """Say that the person went; tell whether anybody was awaited."""
        ...

    def not_passed(self) -> bool:
        """Say that the person did not go; tell whether anybody was awaited."""
        ...


class Display(Protocol):
    """Where people read the answer."""

    async def show(self, screen: Screen) -> None:
        """Show a screen; returns when it is visible.

        Raises:
            DisplayLostError: if the device does not answer; the gate goes on without it.
        """
        ...


class Signals(Protocol):
    """Light and sound."""

    async def signal(self, screen: Screen) -> None:
        """Play the light and sound that belong to a screen; returns once they are started."""
        ...

    def rest(self) -> None:
        """Everything dark and silent, now, synchronously."""
        ...


@dataclass(frozen=True, slots=True)
class StoredList:
    """A list that the gate believed and wrote down.

    Attributes:
        performance: id of the performance.
        version: greatest version ever installed; never goes down.
        chain: of that version.
        manifest: its envelope.
        before: envelope of the list that was in use before, kept should this one be damaged.
    """

    performance: str
    version: int
    chain: str
    manifest: bytes
    before: bytes | None = None


@dataclass(frozen=True, slots=True)
class KeyBox:
    """A list key as it is kept on the disk.

    Attributes:
        how: `file`, or `sealed_` and the kind of the device secret.
        content: the key, or the box it is closed in.
    """

    how: str
    content: bytes = field(repr=False)


class KeyShelf(Protocol):
    """List keys on the disk. Implemented in `storage`; each raises StorageError if it cannot."""

    async def box(self, performance: str) -> KeyBox | None:
        """Give what is kept of a performance's key, None for nothing."""
        ...

    async def put(self, performance: str, box: KeyBox) -> None:
        """Keep a key; what was kept of it before has been wiped."""
        ...

    async def wipe(self, performance: str) -> None:
        """Leave nothing of a key in any file."""
        ...


class DeviceSecret(Protocol):
    """Something secret that belongs to this machine and is not in its database."""

    @property
    def kind(self) -> str:
        """What it rests on: `otp` or `file_beside`."""
        ...

    async def read(self) -> bytes | None:
        """Give it; None where this machine has none.

        Raises:
            StorageError: if it is there and cannot be used.
        """
        ...


class ListFiles(Protocol):
    """The pieces of lists on disk, each named by its digest. Implemented in `storage`."""

    async def missing(self, refs: Iterable[PieceRef]) -> set[str]:
        """Give the digests of those that are not there whole."""
        ...

    def new_download(self) -> Path:
        """Name a temporary file for a piece; leftovers are removed at the next start."""
        ...

    async def open(self, what: str, ref: PieceRef, download: Path | None = None) -> Buffer:
        """Map a piece, checked against its manifest; it stays good when it is kept or removed.

        Args:
            what: which piece, for messages.
            ref: what the manifest says of it.
            download: where it lies; None where it is kept already.

        Raises:
            DigestError: if the file is not what was signed.
            StorageError: if it is not there or cannot be read.
        """
        ...

    async def check(self, what: str, ref: PieceRef) -> None:
        """Read a kept piece again, from the card where that can be had, and check it.

        Raises:
            DigestError: if the file is not what was signed any more.
            StorageError: if it is not there or cannot be read.
        """
        ...

    async def set_aside(self, sha256: str) -> None:
        """Put a damaged piece where it is used no more, as evidence; only the last few are kept.

        Raises:
            StorageError: if it cannot be moved.
        """
        ...

    async def sweep(self, wanted: Collection[str]) -> None:
        """Remove every kept piece but those of these digests.

        Raises:
            StorageError: if one cannot be removed.
        """
        ...


@dataclass(slots=True)
class FeedCursors:
    """Greatest feed numbers applied.

    Attributes:
        last: the numbering of the server that was heard last, "" before any.
        by_numbering: greatest number applied, by numbering and stream.
    """

    last: str = ""
    by_numbering: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def streams(self) -> list[str]:
        """Every stream that brought something."""
        return sorted({stream for some in self.by_numbering.values() for stream in some})


class Memory(Protocol):
    """What else the gate remembers over a restart. Implemented in `storage`."""

    @property
    def files(self) -> ListFiles:
        """The pieces of its lists."""
        ...

    @property
    def keys(self) -> KeyShelf:
        """The keys of its lists."""
        ...

    async def lists(self) -> list[StoredList]:
        """Give what was installed."""
        ...

    async def install(self, stored: StoredList, downloads: Mapping[str, Path]) -> None:
        """Make a checked list the installed one, atomically.

        Args:
            stored: what to remember; its version is never less than the one before.
            downloads: by digest, the checked pieces that were not there yet.

        Raises:
            StorageError: if it cannot be written; what was installed stays.
        """
        ...

    async def assignment(self) -> bytes | None:
        """Give the assignment's envelope, or None before the first."""
        ...

    async def remember_assignment(self, version: int, envelope: bytes) -> None:
        """Remember an assignment that was checked."""
        ...

    async def signed_time(self) -> StoredTime | None:
        """Give what was remembered of the last signed time, or None before the first."""
        ...

    async def remember_signed_time(self, stored: StoredTime) -> None:
        """Remember a signed time, in the place of the one before."""
        ...

    async def feed_items(self, stream: str) -> list[FeedItem]:
        """Give all items of a stream that were applied."""
        ...

    async def feed_cursors(self) -> FeedCursors:
        """Give the greatest number applied, by numbering and stream."""
        ...

    async def remember_feed(
        self, stream: str, items: Sequence[FeedItem], numbering: str = ""
    ) -> None:
        """Remember items, in one commit; ones that are known are left as they are.

        Args:
            stream: which feed.
            items: as the server numbered them.
            numbering: whose numbers they are; what another's brought is kept beside them.
        """
        ...

    async def remember_numbering(self, numbering: str) -> None:
        """Remember whose numbers were heard last."""
        ...

    def renumber_feed(self, stream: str, numbering: str = "") -> None:
        """Take the next items of a stream as numbered anew; what it brought before is kept."""
        ...
