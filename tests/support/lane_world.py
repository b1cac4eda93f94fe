"""A lane and everything around it, small enough to try every course of events.

The lane is the real one. Around it stand, as a value: the relay and its own timer, the lane's
timers, the grants that are on the disk and have not ended, the alarm. `explore` goes breadth first
through
everything that can follow from everything, and says by which events a promise was broken.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from admission.lane import Lane, LaneState
from admission.lane_events import (
    Declined,
    EndFree,
    Failed,
    FireAlarm,
    FireOver,
    Granted,
    HoldOpen,
    LaneAction,
    LaneInput,
    LaneOutput,
    Lock,
    Mended,
    Part,
    Passed,
    Presented,
    PulseFailed,
    Settled,
    TimedOut,
    TurnedBack,
    Turning,
    TurnTimedOut,
    Unlock,
)
from admission.scan import Direction

ENDS = {LaneAction.RECORD_PASSED, LaneAction.RECORD_NOT_PASSED, LaneAction.RECORD_UNRESOLVED}
CROSSINGS = {
    LaneAction.RECORD_PASSED,
    LaneAction.RECORD_TAILGATING,
    LaneAction.RECORD_FORCED,
    LaneAction.RECORD_FREE,
}
LAST = 10  # what the newest grant is called, so that there are finitely many worlds
RELAY_ENDS = "the relay's own time is over"
Timer = type[TimedOut] | type[TurnTimedOut] | type[Settled]


class BrokenPromiseError(AssertionError):
    """A course of events after which a promise does not hold."""


@dataclass(frozen=True, slots=True)
class World:
    """One moment.

    Attributes:
        lane: the lane.
        opened: grants on the disk that have not ended.
        timers: which of the newest remembered grant's times run.
        is_on: whether a pulse of the relay runs; its timer ends it.
        is_held: whether the arm is kept free.
    """

    lane: Lane
    opened: frozenset[int] = frozenset()
    timers: frozenset[Timer] = frozenset()
    is_on: bool = False
    is_held: bool = False


_ALWAYS: tuple[LaneInput | str, ...] = (
    *(
        Granted(LAST + 1, direction, is_override)
        for direction in Direction
        for is_override in (False, True)
    ),
    *(Failed(part) for part in (Part.SENSOR, Part.DEVICE)),
    *(Mended(part) for part in Part),
    Turning(),
    TurnedBack(),
    Declined(),
    Lock(),
    Unlock(),
    FireAlarm(),
    FireOver(),
    HoldOpen(),
    EndFree(),
    *(Presented(direction) for direction in Direction),
    RELAY_ENDS,
)


def happenings(world: World) -> Iterator[LaneInput | str]:
    """Give everything that can happen next."""
    yield from _ALWAYS
    if world.lane.senses:
        yield from (Passed(), Passed(Direction.ENTRY), Passed(Direction.EXIT))
    if world.lane.current is not None:
        yield from (timer(world.lane.current) for timer in world.timers)
    for late in (TimedOut, TurnTimedOut, Settled):
        yield late(LAST - 5)


def after(world: World, event: LaneInput | str) -> Iterator[World]:
    """Give the worlds that an event may lead to; a pulse may fail, or nobody knows."""
    if event == RELAY_ENDS:
        yield replace(world, is_on=False)
        return
    assert not isinstance(event, str)
    opened = world.opened | {event.grant} if isinstance(event, Granted) else world.opened
    lane, outputs = world.lane.step(event)
    _require_step(world, event, lane, outputs)
    moved = _moved(replace(world, lane=lane, opened=opened), outputs)
    yield _renamed(moved)
    pulsed = [output.grant for output in outputs if output.action is LaneAction.PULSE]
    for fault in (PulseFailed(grant) for grant in pulsed if grant):
        yield from _failed(moved, fault)
        yield from _failed(moved, Failed(Part.DEVICE))


def _failed(moved: World, fault: LaneInput) -> Iterator[World]:
    lane, outputs = moved.lane.step(fault)
    _require_step(moved, fault, lane, outputs)
    yield _renamed(_moved(replace(moved, lane=lane, is_on=False), outputs))


def _moved(world: World, outputs: tuple[LaneOutput, ...]) -> World:
    """Do what the lane says, in order, and hold it against the promises."""
    opened, timers = world.opened, world.timers
    is_on, is_held = world.is_on, world.is_held
    used_at_once: set[int | None] = set()
    for output in outputs:
        match output.action:
            case LaneAction.PULSE:
                is_durable = output.grant in opened or output.grant in used_at_once
                _require(is_durable, "energised without a durable grant", output)
                is_told = world.lane.senses or output.grant in used_at_once
                _require(is_told, "opened blindly before the passage was written", output)
                is_on, timers = True, frozenset({TimedOut})
            case LaneAction.PULSE_FREE | LaneAction.HOLD:
                _require(world.lane.is_free, "energised without a grant or free passage", output)
                is_on = is_on or output.action is LaneAction.PULSE_FREE
                is_held = is_held or output.action is LaneAction.HOLD
            case LaneAction.RELOCK:
                is_held = False
            case LaneAction.AWAIT_TURN:
                timers |= {TurnTimedOut}
            case _ if output.action in ENDS:
                _require(output.grant in opened, "a grant ended twice, or never began", output)
                opened -= {output.grant or 0}
                if output.action is LaneAction.RECORD_PASSED:
                    used_at_once.add(output.grant)
                    timers = frozenset({Settled})
            case _:
                pass
    return replace(world, opened=opened, timers=timers, is_on=is_on, is_held=is_held)


def _require_step(
    world: World, event: LaneInput, lane: Lane, outputs: tuple[LaneOutput, ...]
) -> None:
    before = world.lane
    actions = [output.action for output in outputs]
    seen = [action for action in actions if action in CROSSINGS]
    if isinstance(event, Passed):
        _require(len(seen) == 1, "a crossing is not written exactly once", event)
        is_used = LaneAction.RECORD_PASSED in actions
        ways = {event.direction, before.direction} - {None}
        _require(not is_used or len(ways) == 1, "a ticket used up by who went the other way", event)
        _require(not is_used or before.is_busy, "a ticket used up without its grant", event)
    elif before.senses:
        _require(not seen, "a crossing nobody saw", event)
    if isinstance(event, Granted) and LaneAction.PULSE in actions:
        is_entry = event.direction is Direction.ENTRY and not event.is_override
        may = before.resting is LaneState.IDLE or not is_entry
        _require(may, "somebody let in though nobody is to enter", event)
        _require(not before.is_busy, "opened for one while another is going through", event)
    if before.is_free and not lane.is_free:
        _require(
            isinstance(event, EndFree) and not before.is_fire, "free passage ended by itself", event
        )
    if isinstance(event, FireAlarm | HoldOpen):
        _require(lane.is_free, "no free passage though it was ordered", event)


def _require_rest(world: World) -> None:
    """Require what must hold at every moment, also once every time has run out."""
    _require(world.lane.is_free or not world.is_held, "held open outside free passage", world)
    _require(world.is_held or not world.lane.is_free, "free passage that is not held", world)
    pending = {world.lane.pending} - {None}
    _require(world.opened == pending, "a grant without an end that nobody waits for", world)
    for _ in range(4):
        current = world.lane.current
        if not world.timers or current is None:
            break
        timer = sorted(world.timers, key=lambda one: one.__name__)[0]
        lane, outputs = world.lane.step(timer(current))
        world = replace(world, lane=lane, timers=world.timers - {timer})
        world = _moved(world, outputs)
    _require(not world.opened, "a grant that never ends", world)
    may_leave = world.lane.takes(Direction.EXIT) or world.lane.is_free
    _require(may_leave, "somebody is held in", world)
    if not world.lane.is_free:
        lane, outputs = world.lane.step(Granted(LAST + 2, Direction.EXIT))
        opens = any(output.action is LaneAction.PULSE for output in outputs)
        _require(opens, "the exit does not open", world)


def _renamed(world: World) -> World:
    """Call the newest grant LAST and the remembered one before it LAST - 1."""
    names = {world.lane.last: LAST}
    current = world.lane.current
    if current is not None and current != world.lane.last:
        names[current] = LAST - 1
    timers = world.timers if current is not None else frozenset()
    return replace(
        world,
        lane=replace(world.lane, last=LAST, current=None if current is None else names[current]),
        opened=frozenset(names.get(grant, grant) for grant in world.opened),
        timers=timers,
    )


def explore(has_sensor: bool) -> set[World]:
    """Go through every world that can come about.

    Raises:
        BrokenPromiseError: with the shortest course of events after which a promise is broken.
    """
    first = World(Lane(has_sensor, last=LAST))
    came_from: dict[World, tuple[World, LaneInput | str] | None] = {first: None}
    waiting = deque([first])
    while waiting:
        world = waiting.popleft()
        for event in happenings(world):
            try:
                for follower in after(world, event):
                    if follower not in came_from:
                        came_from[follower] = world, event
                        _require_rest(follower)
                        waiting.append(follower)
            except BrokenPromiseError as exc:
                raise BrokenPromiseError(
                    f"{exc}; after {_course(came_from, world, event)}"
                ) from None
    return set(came_from)


def _course(
    came_from: dict[World, tuple[World, LaneInput | str] | None],
    world: World,
    event: LaneInput | str,
) -> list[LaneInput | str]:
    events = [event]
    while (step := came_from[world]) is not None:
        world, earlier = step
        events.append(earlier)
    return events[::-1]


def _require(holds: bool, promise: str, what: object) -> None:
    if not holds:
        raise BrokenPromiseError(f"{promise}: {what}")
