"""A gate's staff desk with made-up answers behind it, for tests of the pages."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from admission.scan import Direction
from admission.verdict import Answer
from appliance.displays.told import told
from appliance.handheld_ports import BatteryReading, StaffDesk
from appliance.page_ports import GateDesk
from appliance.ports import Look, Screen
from appliance.steward_ports import (
    Checked,
    Done,
    GrantEnd,
    LastGrant,
    Outcome,
    Request,
    Statistics,
)

GRANTED = Screen(Look.GRANTED, Direction.ENTRY, Answer.GRANTED, detail="standard")
USED = Screen(Look.DENIED, Direction.ENTRY, Answer.ALREADY_USED, detail="18:04", gate="Porte B")
IDLE = Screen(Look.IDLE, title="Roméo et Juliette", occupancy=412)
AT = datetime(2026, 6, 1, 18, 4, 9, tzinfo=UTC)
CHECKED = Checked(
    USED,
    category="standard",
    first_used_at=AT,
    first_used_by="Porte B",
    passages=1,
    attention="proof of age",
    seat="Balcony · 12",
    holder="Jeanne Martin",
)


@dataclass
class MadeUpSteward:
    """Answers as it is told to, and remembers what it was asked."""

    outcome: Outcome = field(default_factory=lambda: Done(GRANTED))
    asked: list[Request] = field(default_factory=list)
    directions: dict[str, Direction] = field(default_factory=lambda: {"outside": Direction.ENTRY})
    ways: frozenset[Direction] = frozenset(Direction)
    checkpoints: dict[str, str] = field(
        default_factory=lambda: {"north": "North stairs", "vip": "VIP & friends"}
    )
    is_locked: bool = False
    is_free: bool = False
    queue: int = 3
    is_check_only: bool = False
    looked_at: Checked | None = None
    last_grant: LastGrant | None = field(
        default_factory=lambda: LastGrant(
            41, AT, Direction.ENTRY, "standard", is_override=False, end=GrantEnd.PASSED
        )
    )

    def last(self) -> LastGrant | None:
        return self.last_grant

    def statistics(self) -> Statistics:
        refused = {"already_used": 7, "unknown_ticket": 2}
        minutes = tuple((n * 7) % 23 for n in range(30))
        return Statistics(AT, 388, 4, 2, refused, minutes, 412)

    def check_only(self, *, is_on: bool) -> None:
        self.is_check_only = is_on

    async def ask(self, request: Request) -> Outcome:
        self.asked.append(request)
        return self.outcome


@dataclass
class MadeUpHandheld:
    """A handheld that is as it is told to be."""

    now: Screen | None = IDLE
    last: Screen | None = None
    battery: BatteryReading | None = field(default_factory=lambda: BatteryReading(64, False))
    has_trigger: bool = True
    is_triggered: bool = False
    awaits: Direction | None = None
    pulled: int = 0
    said: list[bool] = field(default_factory=list)

    def pull(self) -> None:
        self.pulled += 1
        self.last = None

    def went(self, *, has_passed: bool) -> bool:
        self.said.append(has_passed)
        self.awaits = None
        return True


def desk_of(steward: MadeUpSteward | None, hand: MadeUpHandheld | None = None) -> GateDesk:
    """Give what the pages look at."""
    return GateDesk(gate_name="Porte A", staff=StaffDesk(steward, hand, told))
