"""Puts together what serves stewards and supervisors, and a handheld. Called by `main`."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from admission.passage import History
from admission.scan import Direction
from appliance.commanding import Commanding
from appliance.config import Config
from appliance.drivers import Drivers
from appliance.handheld_keeper import BatteryBounds, HandheldKeeper
from appliance.health import Health
from appliance.holdings import GateHoldings
from appliance.lane_keeper import LaneKeeper
from appliance.lists import ListKeeper
from appliance.ports import Task
from appliance.recording import Recorder
from appliance.stewarding import Stewarding
from appliance.trust_ports import CommandMemory
from appliance.trusted_clock import TrustedClock
from appliance.uplink import Uplink


@dataclass(frozen=True, slots=True)
class StaffParts:
    """What serving people at the gate is put together from; see `Stewarding`."""

    config: Config
    recorder: Recorder
    holdings: GateHoldings
    lists: ListKeeper
    history: History
    health: Health
    lane: LaneKeeper
    commanding: Commanding
    memory: CommandMemory
    clock: TrustedClock


async def open_stewarding(parts: StaffParts) -> Stewarding:
    """Make who serves people, with what it remembers of before the last stop.

    Raises:
        StorageError: if the disk cannot be read.
    """
    arm = parts.config.turnstile
    stewarding = Stewarding(
        recorder=parts.recorder,
        holdings=parts.holdings,
        lists=parts.lists,
        history=parts.history,
        health=parts.health,
        lane=parts.lane,
        commanding=parts.commanding,
        memory=parts.memory,
        clock=parts.clock,
        readers={reader.name: reader.direction for reader in parts.config.readers},
        ways=frozenset(Direction) if arm.has_exit else frozenset({Direction.ENTRY}),
    )
    await stewarding.load()
    return stewarding


def open_handheld(
    drivers: Drivers,
    stewarding: Stewarding,
    health: Health,
    uplink: Uplink,
    stack: AsyncExitStack,
) -> list[Task]:
    """Let the pages ask, and make what a handheld has; its readers are open already.

    Args:
        drivers: open its devices.
        stewarding: whom the pages ask.
        health: told of the battery.
        uplink: tells the server of it.
        stack: takes all of it from the pages when the lane stops.

    Returns:
        What runs for it; nothing on a gate that stands.

    Raises:
        DeviceError: if the trigger's pin cannot be had.
    """
    staff = drivers.desk.staff
    staff.steward = stewarding
    stack.callback(staff.clear)
    if drivers.face is None:
        return []
    config = drivers.config.handheld
    keeper = staff.handheld = HandheldKeeper(
        face=drivers.face,
        health=health,
        clock=drivers.clock,
        triggers=drivers.triggers,
        trigger_s=config.trigger_s,
        button=drivers.open_trigger(),
        battery=drivers.open_battery(),
        bounds=BatteryBounds(config.warn_percent, config.rest_percent),
        confirming=drivers.confirming,
    )
    uplink.battery = lambda: keeper.battery
    return [keeper.run()]
