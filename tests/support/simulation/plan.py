"""What will happen in a run, drawn from the seed beforehand: a plain value that can be shrunk."""

import random
from dataclasses import dataclass, field, replace
from enum import StrEnum, unique
from typing import Final

from admission.scan import Direction
from admission.ticketlist.manifest import ClassRow
from appliance.simulator.box_office import ENTRY_EXIT, SINGLE, multi

SHOWS: Final = ("evening", "matinee")
CHECKPOINTS: Final = {"hall": ("evening",), "house": ("evening", "matinee")}
MINUTE_MS: Final = 60_000


@unique
class Trouble(StrEnum):
    """What can go wrong."""

    CUT = "cut"  # nothing goes either way between a gate and the server
    DEAF = "deaf"  # nothing comes back to the gate
    MUTE = "mute"  # nothing reaches the server
    SPLIT = "split"  # half of the gates are cut off
    RESET = "reset"  # the live connection breaks, both ends know
    KILL = "kill"  # the daemon dies at one of its next steps; its machine runs on
    POWER = "power"  # the machine loses its power at one of its next steps
    FULL = "full"  # the disk takes nothing more
    READ_ONLY = "read_only"
    SYNC = "sync"  # the next syncs fail: nobody knows what is on the disk
    JUMP = "jump"  # the wall clock is set
    RELAY = "relay"  # the relay does not obey
    SERVER_DOWN = "server_down"
    SERVER_BEFORE_COMMIT = "server_before_commit"
    SERVER_AFTER_COMMIT = "server_after_commit"
    BACKUP = "backup"  # the server's database is copied
    RESTORE = "restore"  # and put back
    OLD_LIST = "old_list"  # somebody hands out a list of before
    BAD_LIST = "bad_list"  # or one with a bit turned over
    FLOOD = "flood"  # junk before a reader
    LAN = "lan"  # a gate is cut off from its neighbours
    FALSE_HINTS = "false_hints"  # somebody of the venue lies about who has just gone in
    CLONE = "clone"  # the card is copied into another machine, and both work
    CARD_BACK = "card_back"  # the card is put back to an older image


LASTING: Final = frozenset(
    {Trouble.CUT, Trouble.DEAF, Trouble.MUTE, Trouble.SPLIT, Trouble.FULL, Trouble.READ_ONLY}
    | {Trouble.RELAY, Trouble.SERVER_DOWN, Trouble.KILL, Trouble.POWER}
)
CARDS: Final = (Trouble.CLONE, Trouble.CARD_BACK)
SELDOM: Final = CARDS  # cards are copied in worlds of their own
COMMON: Final = tuple(trouble for trouble in Trouble if trouble not in SELDOM)


@dataclass(frozen=True, slots=True)
class Planned:
    """A ticket: its number, its performance, its class, and whether the list has it."""

    number: str
    show: str
    row: ClassRow
    is_listed: bool = True


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody holds a code before a reader.

    Attributes:
        goes_after_ms: if the arm opens, the person goes through after this; None turns away.
        override: a steward lets the person through.
    """

    at_ms: int
    gate: int
    ticket: int
    direction: Direction
    goes_after_ms: int | None
    override: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """Something goes wrong.

    Attributes:
        amount: the trouble's own: milliseconds of a jump, steps until a cut.
    """

    at_ms: int
    trouble: Trouble
    gate: int
    lasts_ms: int
    amount: int


@dataclass(frozen=True, slots=True)
class Desk:
    """Somebody at the venue changes a ticket: `cancel`, `reissue`, `reset`, or `free` at a gate."""

    at_ms: int
    what: str
    ticket: int
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Weather:
    """How the network is while nothing is wrong with it."""

    loss: float = 0.02
    twice: float = 0.02
    slow: float = 0.03


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run."""

    seed: str
    gates: int
    minutes: int
    tickets: tuple[Planned, ...]
    visits: tuple[Visit, ...]
    faults: tuple[Fault, ...]
    desk: tuple[Desk, ...]
    weather: Weather = Weather()
    without_sensor: frozenset[int] = field(default_factory=frozenset)
    has_lan: bool = False

    @property
    def end_ms(self) -> int:
        """When the last of it is over and everything heals."""
        return self.minutes * MINUTE_MS

    def only(self, gates: int) -> "Plan":
        """Give the plan with fewer gates; what was to happen at the others does not."""
        return replace(
            self,
            gates=gates,
            visits=tuple(one for one in self.visits if one.gate < gates),
            faults=tuple(one for one in self.faults if one.gate < gates),
        )

    def cut_short(self, minutes: int) -> "Plan":
        """Give the plan's first minutes."""
        end = minutes * MINUTE_MS
        return replace(
            self,
            minutes=minutes,
            visits=tuple(one for one in self.visits if one.at_ms < end),
            faults=tuple(one for one in self.faults if one.at_ms < end),
            desk=tuple(one for one in self.desk if one.at_ms < end),
        )


def draw(
    seed: int | str,
    *,
    gates: int = 0,
    minutes: int = 25,
    people: int = 18,
    faults: int = 10,
    desk: int = 4,
    troubles: tuple[Trouble, ...] = COMMON,
    certain: tuple[Trouble, ...] = (),
) -> Plan:
    """Draw a plan.

    Args:
        seed: the same one gives the same plan.
        gates: how many; 0 draws that, too.
        minutes: how long it lasts.
        people: how many come.
        faults: how many things go wrong.
        desk: how often somebody at the venue changes something.
        troubles: what may go wrong.
        certain: what goes wrong once at least.
    """
    chance = random.Random(f"plan/{seed}")
    count = gates or chance.randint(2, 5)
    end = minutes * MINUTE_MS
    tickets = _tickets(chance, people)
    visits: list[Visit] = []
    for place, ticket in enumerate(tickets):
        visits += _visits(chance, place, ticket, count, end)
    wanted = [chance.choice(troubles) for _ in range(faults if troubles else 0)]
    wanted[: len(certain)] = certain
    drawn = sorted((_fault(chance, trouble, count, end) for trouble in wanted), key=_when)
    return Plan(
        seed=str(seed),
        gates=count,
        minutes=minutes,
        tickets=tickets,
        visits=tuple(sorted(visits, key=_when)),
        faults=tuple(drawn),
        desk=tuple(sorted(_desk(chance, tickets, end, desk), key=_when)),
        without_sensor=frozenset(gate for gate in range(count) if chance.random() < 0.15),
        has_lan=chance.random() < 0.5,
    )


def _when(one: Visit | Fault | Desk) -> int:
    return one.at_ms


def _tickets(chance: random.Random, people: int) -> tuple[Planned, ...]:
    rows = (SINGLE, SINGLE, ENTRY_EXIT, ENTRY_EXIT, multi(total=3), multi(per_day=2))
    return tuple(
        Planned(
            f"T{place:04d}",
            SHOWS[0] if chance.random() < 0.7 else SHOWS[1],
            chance.choice(rows),
            chance.random() < 0.95,
        )
        for place in range(people)
    )


def _visits(
    chance: random.Random, place: int, ticket: Planned, gates: int, end: int
) -> list[Visit]:
    """Draw what one ticket does: in, out, in again; now and then a copy of it elsewhere."""
    visits = []
    at = chance.randrange(end)
    direction = Direction.ENTRY
    for _ in range(chance.choice((1, 2, 2, 3, 5))):
        gate = chance.randrange(gates)
        goes = None if chance.random() < 0.1 else chance.randint(200, 4_500)
        override = chance.random() < 0.03
        visits.append(Visit(at, gate, place, direction, goes, override))
        if chance.random() < 0.25:  # a copy of it at another gate, at almost the same moment
            other = chance.randrange(gates)
            later = at + chance.randint(0, 3_000)
            visits.append(Visit(later, other, place, direction, chance.randint(200, 4_500)))
        at += int(chance.expovariate(1 / (5 * MINUTE_MS))) + 1_000
        if ticket.row is not SINGLE and chance.random() < 0.7:
            back = direction is Direction.ENTRY
            direction = Direction.EXIT if back else Direction.ENTRY
    return [visit for visit in visits if visit.at_ms < end]


def _fault(chance: random.Random, trouble: Trouble, gates: int, end: int) -> Fault:
    lasts = int(chance.expovariate(1 / (4 * MINUTE_MS))) + 500
    if trouble in (Trouble.KILL, Trouble.POWER, Trouble.SERVER_DOWN):
        lasts = int(chance.expovariate(1 / 20_000)) + 500
    amount = chance.randint(1, 12)
    if trouble is Trouble.JUMP:
        amount = chance.choice((-3_600_000, 3_600_000, -90_000, 90_000, -5_000, 5_000))
    at = chance.randrange(end)
    return Fault(at, trouble, chance.randrange(gates), lasts, amount)


def _desk(chance: random.Random, tickets: tuple[Planned, ...], end: int, count: int) -> list[Desk]:
    return [
        Desk(
            chance.randrange(end),
            chance.choice(("cancel", "reissue", "reset", "free")),
            chance.randrange(len(tickets)),
            chance.choice(list(CHECKPOINTS)),
        )
        for _ in range(count if tickets else 0)
    ]


def drawn(seed: int | str) -> Plan:
    """Draw what kind of world a seed is, and then the world: most are small, some are not."""
    chance = random.Random(f"kind/{seed}")
    kind = chance.random()
    if kind < 0.1:
        return draw(seed, gates=8, people=50, faults=16)
    if kind < 0.25:
        plan = draw(seed, faults=24)
        return replace(plan, weather=Weather(loss=0.1, twice=0.1, slow=0.1))
    if kind < 0.4:
        return draw(seed, certain=(chance.choice(CARDS),), troubles=(*COMMON, *CARDS))
    return draw(seed)
