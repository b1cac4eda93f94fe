"""What the gate's own page needs of the gate, as values and protocols. `main` binds them.

The page reads snapshots and asks for things to be done through these; it never reaches into a
service.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from itertools import pairwise
from typing import Final, Protocol, runtime_checkable

from admission.scan import Direction
from appliance.handheld_ports import StaffDesk

PIN_CHARACTERS_MAX: Final = 64


@unique
class PageRole(StrEnum):
    """Who somebody at the gate's page is; a supervisor may do all that a steward may."""

    STEWARD = "steward"
    SUPERVISOR = "supervisor"

    def may_act_as(self, needed: "PageRole") -> bool:
        """Tell whether this role may do what another is needed for."""
        return self is needed or self is PageRole.SUPERVISOR


PIN_CHARACTERS_MIN: Final = {PageRole.STEWARD: 4, PageRole.SUPERVISOR: 6}


def pin_problem(role: PageRole, pin: str) -> str:
    """Give what is wrong with a new PIN: `short`, `long`, `plain` or "" for nothing."""
    if len(pin) < PIN_CHARACTERS_MIN[role]:
        return "short"
    if len(pin) > PIN_CHARACTERS_MAX:
        return "long"
    return "plain" if _is_plain(pin) else ""


def _is_plain(pin: str) -> bool:
    """Tell whether it is what everybody tries first: 000000, 123456, 987654."""
    steps = {ord(after) - ord(before) for before, after in pairwise(pin)}
    return len(steps) == 1 and steps <= {-1, 0, 1}


class PinStore(Protocol):
    """The PINs of the gate's page; only a salted, slow hash of each is kept."""

    async def stamps(self) -> dict[PageRole, str]:
        """Give, for each role whose PIN is set, a text that another PIN changes.

        Raises:
            StorageError: if the file is there and cannot be read.
        """
        ...

    async def is_right(self, role: PageRole, pin: str) -> bool:
        """Check a PIN, slowly; False where none is set.

        Raises:
            StorageError: if the file is there and cannot be read.
        """
        ...

    async def choose(self, role: PageRole, pin: str) -> None:
        """Set a PIN, in the place of the one before; "" removes it.

        Raises:
            ValueError: if it is too short, too long or too plain; see `pin_problem`.
            StorageError: if it cannot be written.
        """
        ...


@dataclass(frozen=True, slots=True)
class MachineState:
    """What the machine tells of itself; None where it tells nothing.

    Attributes:
        temperature_c: of its processor.
        is_under_voltage: whether its supply is too weak now.
        was_under_voltage: whether it was since the machine started.
        is_throttled: whether it is slowed down now, by heat or supply.
        memory_free_mb: to be had without swapping.
        memory_mb: all of it.
        networks: interfaces with a link, loopback not counted; None where there are none at all.
    """

    temperature_c: float | None = None
    is_under_voltage: bool | None = None
    was_under_voltage: bool | None = None
    is_throttled: bool | None = None
    memory_free_mb: int | None = None
    memory_mb: int | None = None
    networks: tuple[str, ...] | None = None


@unique
class ListState(StrEnum):
    """How a list is that the gate controls by."""

    GOOD = "good"
    STALE = "stale"
    EXPIRED = "expired"
    UNTRUSTED = "untrusted"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class ListLine:
    """One list.

    Attributes:
        title: of the event, for people; "" before it is known.
        performance: its id.
        version: 0 for none.
        age_s: since the server's last word that it is the newest; None for no list.
        state: how it is.
    """

    title: str
    performance: str
    version: int
    age_s: float | None
    state: ListState


@dataclass(frozen=True, slots=True)
class FaultLine:
    """One fault.

    Attributes:
        code: `GT-…`.
        since_s: for how long; None where that is not known.
    """

    code: str
    since_s: float | None


@dataclass(frozen=True, slots=True)
class ReaderLine:
    """One reader.

    Attributes:
        name: as it is configured.
        kind: of its configuration.
        direction: `entry` or `exit`.
        is_alive: whether it is there.
    """

    name: str
    kind: str
    direction: str
    is_alive: bool


@unique
class CheckOutcome(StrEnum):
    """What one check of the self-test came to."""

    GOOD = "good"
    NOTE = "note"  # the gate serves all the same
    FAULT = "fault"  # something that admission needs does not work
    ABSENT = "absent"  # there is none here, or it cannot be told


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check of the self-test.

    Attributes:
        name: what was looked at: `card`, `clock`, `reader:outside`.
        code: by which a failure is known, `GT-…`.
        outcome: what it came to.
        figure: what was measured or said, without words: `14 ms`, `41.5 °C`.
    """

    name: str
    code: str
    outcome: CheckOutcome
    figure: str = ""


@dataclass(frozen=True, slots=True)
class GateStatus:
    """How the gate is, as a value: all that its overview tells.

    Attributes:
        checkpoint: where it works, for people; "" before its first assignment.
        mode: `connected` or `degraded`.
        causes: of the degradation, most telling first.
        known_s: how old what is known has become by the first; None where that says nothing.
        queue: records that the server has not got yet.
        queued_s: for how long the oldest of them has waited.
        peers: gates of the local network that are heard.
        occupancy: people inside the checkpoint, None before it has one.
        lists: those that it controls by.
        now: trusted time, aware, in the venue's zone.
        clock: by whose word: signed, synced, rtc, saved, floor.
        clock_error_s: how far off it is at the most; None where nobody can say.
        signed_s: since the last signed time; None before the first.
        faults: what is wrong now, the gate's own and what it knows of others.
        commit_ms: the 99th percentile of the last commits.
        free_mb: room left on the card; -1 where it is not known.
        readers: all of them.
        machine: what the machine tells of itself.
        uptime_s: since the machine started.
        served_s: since the lane is served.
        software: version of this program.
        tested: what the self-test found.
    """

    checkpoint: str
    mode: str
    causes: tuple[str, ...]
    known_s: float | None
    queue: int
    queued_s: float
    peers: int
    occupancy: int | None
    lists: tuple[ListLine, ...]
    now: datetime
    clock: str
    clock_error_s: float | None
    signed_s: float | None
    faults: tuple[FaultLine, ...]
    commit_ms: int
    free_mb: int
    readers: tuple[ReaderLine, ...]
    machine: MachineState
    uptime_s: float
    served_s: float
    software: str
    tested: tuple[CheckLine, ...] = ()


@dataclass(frozen=True, slots=True)
class TailLine:
    """One record of the journal, without anything that tells whose ticket it was.

    Attributes:
        sequence: its number.
        at: the record's moment, aware, in the venue's zone.
        kind: of the record, as the journal names it: `granted`, `passed`.
        answer: the verdict's code, "" for none.
        direction: `entry`, `exit` or "".
        reader: "" for none.
        detail: of a fault or a test, its code and state; "" for everything else.
    """

    sequence: int
    at: datetime
    kind: str
    answer: str
    direction: str
    reader: str
    detail: str


@dataclass(frozen=True, slots=True)
class SeenCode:
    """One code in a camera's picture.

    Attributes:
        symbology: its kind, `QRCode`.
        outline: its corners, pixels of the picture.
        length: of its content in bytes; 0 where it was found and not read.
    """

    symbology: str
    outline: tuple[tuple[int, int], ...]
    length: int = 0


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A camera's picture of a moment ago, small, and what was seen in it.

    Attributes:
        picture: the image file; what stood in a code cannot be read back out of it.
        content_type: `image/png` or `image/jpeg`.
        width, height: pixels.
        seen: the codes; never what stands in them.
        taken_ns: `Clock.monotonic_ns` of the frame.
    """

    picture: bytes
    content_type: str
    width: int
    height: int
    seen: tuple[SeenCode, ...] = ()
    taken_ns: int = 0


@runtime_checkable
class Glimpses(Protocol):
    """A reader that sees pictures."""

    async def glimpse(self) -> Glimpse | None:
        """Give its picture of now; None while it has none."""
        ...


@unique
class TrialScreen(StrEnum):
    """What a wiring test shows: each with its picture, light and sound."""

    GRANTED = "granted"
    ATTENTION = "attention"
    REPEATED = "repeated"
    REFUSED = "refused"
    ELSEWHERE = "elsewhere"
    NOT_PASSED = "not_passed"


@unique
class TrialRefusal(StrEnum):
    """Why a wiring test does not do something."""

    BUSY = "busy"  # somebody goes through just now
    FREE = "free"  # the passage stands open for everybody
    NOT_BEGUN = "not_begun"
    NO_RELAY = "no_relay"  # the arm has none for that way
    RELAY_FAILED = "relay_failed"


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that arm, sensors or inputs said.

    Attributes:
        word: a `ports.LaneEvent`.
        ago_s: how long ago.
    """

    word: str
    ago_s: float


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Something that a reader read, without what it said.

    Attributes:
        reader: its name.
        symbology: the code's kind, "" where the reader cannot tell.
        length: bytes.
        ago_s: how long ago.
    """

    reader: str
    symbology: str
    length: int
    ago_s: float


class Wiring(Protocol):
    """A wiring test of one lane; each deed raises StorageError if it cannot be written down."""

    ways: frozenset[Direction]

    @property
    def left_s(self) -> float | None:
        """For how long the test still lasts; None where there is none."""
        ...

    @property
    def heard(self) -> tuple[Heard, ...]:
        """What was said since it began, the newest first."""
        ...

    @property
    def reads(self) -> tuple[ReadBack, ...]:
        """What was read since it began, the newest first."""
        ...

    async def begin(self, who: str) -> TrialRefusal | None:
        """Close the lane to the public and begin."""
        ...

    async def end(self, who: str) -> None:
        """Open the lane to the public again."""
        ...

    async def pulse(self, direction: Direction, who: str) -> TrialRefusal | None:
        """Release the arm once."""
        ...

    def show(self, screen: TrialScreen) -> TrialRefusal | None:
        """Show one pattern."""
        ...


@dataclass(frozen=True, slots=True)
class SettingsText:
    """What the configuration file says.

    Attributes:
        text: all of it; there are no secrets in it.
        digest: SHA-256 of its bytes, by which a change meanwhile is noticed.
    """

    text: str
    digest: str


class Settings(Protocol):
    """The gate's configuration file; each raises StorageError if the file cannot be had."""

    async def read(self) -> SettingsText:
        """Give what the file says now."""
        ...

    async def check(self, text: str) -> str:
        """Give what is wrong with another text, as a start would; "" for nothing."""
        ...

    async def save(self, text: str, seen: str) -> str:
        """Put another text in the file's place, if it is good.

        Args:
            text: all of it.
            seen: digest of the text that was changed.

        Returns:
            What is wrong with it, `changed` if the file was changed meanwhile, "" if it is saved.
        """
        ...


@dataclass(slots=True)
class GateDesk:
    """What the page may look at and ask for. `main` fills it in while the lane is served.

    Each is None while nothing is served: the page then says so.

    Attributes:
        gate_name: for people; "" before it is known.
        status: gives how the gate is; does no I/O.
        tail: gives the last so many records of the journal, the newest first; raises
            StorageError.
        cameras: the readers that see pictures, by name.
        wiring: the wiring test.
        settings: the configuration file; there also while nothing is served.
        staff: what stewards and supervisors look at and ask for.
    """

    gate_name: str = ""
    status: Callable[[], GateStatus] | None = None
    tail: Callable[[int], Awaitable[list[TailLine]]] | None = None
    cameras: Mapping[str, Glimpses] = field(default_factory=dict)
    wiring: Wiring | None = None
    settings: Settings | None = None
    staff: StaffDesk = field(default_factory=StaffDesk)

    def clear(self) -> None:
        """Forget everything that belongs to the lane that was served."""
        self.status, self.tail, self.cameras, self.wiring = None, None, {}, None
        self.staff.clear()
