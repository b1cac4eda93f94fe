"""A gate's machine as updates see it, in plain Python: firmware, card, slots, and a plug.

The programs of the caretaker are played step by step, each of which is durable or is not; between
any two the power may be cut. The firmware forgets its flag then, and keeps nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from caretaker.autoboot import document, primary_slot
from caretaker.update_machine import (
    ATTEMPTS_MAX,
    SLOTS,
    Action,
    Booted,
    Committed,
    Healthy,
    Installed,
    InstallFailed,
    Phase,
    Requested,
    Sick,
    Try,
    Update,
    is_on_its_way_down,
    step,
)

HALF = "half"  # what a slot holds while it is written
SICK = frozenset({"3.0.0"})  # versions that start and are not well
DEAD = frozenset({"4.0.0"})  # versions that do not come up
DAMAGED = frozenset({"5.0.0"})  # bundles whose payload is refused in the midst of it
RESTING = frozenset(
    {Phase.IDLE, Phase.COMMITTED, Phase.ROLLED_BACK, Phase.ABANDONED, Phase.REFUSED}
)


class BrokenPromiseError(AssertionError):
    """The world is in a state that updates promise it never is in."""


@dataclass(frozen=True)
class World:
    """A machine and its card.

    Attributes:
        autoboot: the sector of the boot partition.
        slots: what each holds: a version, "" or HALF.
        update: the caretaker's file.
        flag: the firmware's, in no memory that lasts.
        booted: what runs; None while nothing does.
        boot: number of this start.
        is_noted: whether the caretaker has noted this start.
        proven: versions that were well for a whole trial, and the one that the card came with.
        cuts: of power, so far.
        loses_flag: whether the firmware knows no tryboot.
    """

    autoboot: bytes = field(default_factory=lambda: document("a"))
    slots: tuple[str, str] = ("1.0.0", "")
    update: Update = field(default_factory=Update)
    flag: bool = False
    booted: Booted | None = None
    boot: int = 0
    is_noted: bool = False
    proven: frozenset[str] = frozenset({"1.0.0"})
    cuts: int = 0
    loses_flag: bool = False

    def holds(self, slot: str) -> str:
        return self.slots[SLOTS.index(slot)]

    def with_slot(self, slot: str, content: str) -> "World":
        changed = [content if one == slot else self.holds(one) for one in SLOTS]
        return replace(self, slots=(changed[0], changed[1]))

    @property
    def running(self) -> str:
        return self.holds(self.booted.slot) if self.booted else ""


def power_on(world: World) -> World:
    """The firmware's choice. A slot that does not come up is left by the watchdog, as usual."""
    primary = primary_slot(world.autoboot)
    slot = SLOTS[1 - SLOTS.index(primary)] if world.flag else primary
    booted = Booted(slot, world.flag)
    up = replace(world, flag=False, booted=booted, boot=world.boot + 1, is_noted=False)
    if up.running in DEAD or up.running in (HALF, ""):
        if not booted.is_tryboot:
            raise BrokenPromiseError(f"the machine does not start any more: {up}")
        return power_on(replace(up, booted=None))
    return up


def cut(world: World) -> World:
    return replace(world, flag=False, booted=None, cuts=world.cuts + 1)


def shut_down(world: World, flag: bool) -> World:
    return replace(world, flag=flag and not world.loses_flag, booted=None)


def steps(world: World, offered: str) -> Iterator[World]:
    """Play a start of the machine until it ends or rests; yield the world after each step.

    It may have been played in part before: the programs are ended then, and run again.

    Args:
        world: powered on.
        offered: a version whose bundle is on the card, "" for none.
    """
    assert world.booted is not None
    if not world.is_noted:
        update, _ = step(world.update, world.booted)
        world = replace(world, update=update, is_noted=True)
        yield world
    if is_on_its_way_down(world.update, str(world.boot)):
        yield shut_down(world, flag=True)
        return
    if world.booted.is_tryboot and world.update.phase is Phase.TRYING:
        yield from _trial(world)
        return
    if _wants(world, offered):
        primary = primary_slot(world.autoboot)
        requested = Requested(offered, world.booted.slot, primary, str(world.boot))
        update, action = step(world.update, requested)
        assert action is Action.INSTALL
        world = replace(world, update=update)
        yield world
        yield from _written(world, offered)
        return
    if _may_try(world):
        yield from _tried(world)


def _wants(world: World, offered: str) -> bool:
    assert world.booted is not None
    is_free = world.booted.slot == primary_slot(world.autoboot)
    is_new = offered not in ("", world.running) and offered not in world.update.blocked
    is_waiting = world.update.phase is Phase.ARMED and world.update.version == offered
    has_failed = world.update.phase in (Phase.ABANDONED, Phase.REFUSED)
    was_it = has_failed and world.update.version == offered  # answered already
    return is_free and is_new and not is_waiting and not was_it


def _written(world: World, version: str) -> Iterator[World]:
    target = world.update.target
    assert world.booted is not None
    if target in (world.booted.slot, primary_slot(world.autoboot)):
        raise BrokenPromiseError(f"a slot is written that runs, or starts next: {world}")
    world = world.with_slot(target, HALF)
    yield world
    if version in DAMAGED:
        update, _ = step(world.update, InstallFailed("payload is corrupted"))
        yield replace(world, update=update)
        return
    world = world.with_slot(target, version)
    yield world
    update, _ = step(world.update, Installed())
    world = replace(world, update=update)
    yield world
    yield from _tried(world)


def _may_try(world: World) -> bool:
    return world.update.phase is Phase.ARMED and world.update.attempts < ATTEMPTS_MAX


def _tried(world: World) -> Iterator[World]:
    update, action = step(world.update, Try(str(world.boot)))
    assert action is Action.TRY
    world = replace(world, update=update)
    assert is_on_its_way_down(update, str(world.boot))
    yield world
    yield shut_down(world, flag=True)


def _trial(world: World) -> Iterator[World]:
    if world.running in SICK:
        update, action = step(world.update, Sick("it is not well"))
        assert action is Action.LEAVE
        yield replace(world, update=update)
        yield shut_down(replace(world, update=update), flag=False)
        return
    update, action = step(world.update, Healthy())
    assert action is Action.COMMIT
    world = replace(world, update=update, proven=world.proven | {world.running})
    yield world
    world = replace(world, autoboot=document(update.target))  # one sector: old or new, never torn
    yield world
    update, _ = step(world.update, Committed())
    yield replace(world, update=update)


def check(world: World) -> None:
    """What holds at any moment, whatever was cut."""
    slot = primary_slot(world.autoboot)  # raises where the two partitions were the same
    if world.holds(slot) not in world.proven:
        raise BrokenPromiseError(f"what starts next was never found well: {world}")
    if world.update.attempts > ATTEMPTS_MAX:
        raise BrokenPromiseError(f"tried too often: {world}")
    if world.update.phase is Phase.ROLLED_BACK and world.update.version not in world.update.blocked:
        raise BrokenPromiseError(f"rolled back and not blocked: {world}")
    if world.running and world.running in world.update.blocked and not world.flag:
        is_home = world.booted is not None and not world.booted.is_tryboot
        if is_home:
            raise BrokenPromiseError(f"a blocked version is the one that starts: {world}")


def settle(world: World, offered: str, starts_max: int = 12) -> World:
    """Go on without any more cuts, until the machine rests.

    Raises:
        BrokenPromiseError: if it never does, or breaks a promise on its way.
    """
    for _ in range(starts_max):
        if world.booted is None:
            world = power_on(world)
        for after in steps(world, offered):
            world = after
            check(world)
        if world.booted is not None:
            if world.update.phase not in RESTING:
                raise BrokenPromiseError(f"the machine waits for nothing: {world}")
            return world
    raise BrokenPromiseError(f"the machine never rests: {world}")
