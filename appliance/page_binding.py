"""Puts the self-test and the gate's own page over the services of one start. Called by `main`."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Protocol

from admission.passage import History
from admission.scan import Direction
from appliance.announcer import Announcer
from appliance.card_ports import CardReport
from appliance.config import Config, is_on_this_machine
from appliance.drivers import Drivers
from appliance.gate import Gate
from appliance.gate_checks import GateChecks
from appliance.health import Health
from appliance.holdings import GateHoldings
from appliance.lane_keeper import LaneKeeper
from appliance.lists import ListKeeper
from appliance.machine_state import read_machine
from appliance.page_ports import Glimpses
from appliance.page_status import PageStatus, ReaderOf
from appliance.ports import Reader, Task, Turnstile
from appliance.recording import Recorder
from appliance.self_test import Check, MachineChecks, SelfTest
from appliance.trusted_clock import TrustedClock
from appliance.wiring import WiringTest


class Parts(Protocol):
    """What is shared by the gate's services while it runs, as far as the page is concerned."""

    @property
    def config(self) -> Config: ...  # noqa: D102
    @property
    def software(self) -> str: ...  # noqa: D102
    @property
    def stack(self) -> AsyncExitStack: ...  # noqa: D102
    @property
    def clock(self) -> TrustedClock: ...  # noqa: D102
    @property
    def recorder(self) -> Recorder: ...  # noqa: D102
    @property
    def announcer(self) -> Announcer: ...  # noqa: D102
    @property
    def drivers(self) -> Drivers: ...  # noqa: D102
    @property
    def history(self) -> History: ...  # noqa: D102
    @property
    def holdings(self) -> GateHoldings: ...  # noqa: D102


async def bind_page(
    parts: Parts,
    health: Health,
    keeper: ListKeeper,
    *,
    gate_name: str,
    server: str,
    card: Callable[[], CardReport],
    readers: Sequence[Reader],
    turnstile: Turnstile,
    lane: LaneKeeper,
    gate: Gate,
) -> list[Task]:
    """Test the gate, and let its page look at it until the parts' stack is closed.

    Args:
        parts: the services.
        health: the gate's state as a whole.
        keeper: knows which lists are damaged.
        gate_name: for people.
        server: where the gate was enrolled; the configuration comes first.
        card: gives what is known of the card.
        readers: in the order of the configuration.
        turnstile: the arm.
        lane: its keeper.
        gate: whose readers a wiring test listens to.

    Returns:
        What runs beside the gate.
    """
    is_near = is_on_this_machine(parts.config.server or server)
    machine = MachineChecks(read_machine, needs_network=not is_near)
    named = [
        ReaderOf(reader, of.name, of.kind, of.direction.value)
        for reader, of in zip(readers, parts.config.readers, strict=True)
    ]
    looks = GateChecks(
        health=health,
        holdings=parts.holdings,
        announcer=parts.announcer,
        clock=parts.clock,
        card=card,
        damaged=lambda: keeper.damaged,
    )
    checks = _checks(parts.config, looks, named, has_sensor=turnstile.has_sensor)
    self_test = SelfTest([*checks, *machine.checks()], health, parts.clock)
    await self_test.look()
    status = PageStatus(
        health=health,
        holdings=parts.holdings,
        history=parts.history,
        recorder=parts.recorder,
        clock=parts.clock,
        readers=named,
        software=parts.software,
    )
    status.card, status.machine = card, lambda: machine.state
    status.tested = lambda: self_test.lines
    desk = parts.drivers.desk
    desk.gate_name = gate_name
    desk.status, desk.tail = status.look, status.tail
    desk.cameras = {one.name: one.reader for one in named if isinstance(one.reader, Glimpses)}
    parts.stack.callback(desk.clear)
    wiring = WiringTest(
        turnstile=turnstile,
        lane=lane,
        health=health,
        recorder=parts.recorder,
        announcer=parts.announcer,
        clock=parts.clock,
        ways=_ways(parts.config),
    )
    gate.taken = partial(wiring.taken, gate.taken)
    desk.wiring = wiring
    return [self_test.run(), wiring.run()]


def _ways(config: Config) -> frozenset[Direction]:
    """Give the ways that the arm can be released for."""
    arm = config.turnstile
    if arm.kind == "none":
        return frozenset()
    has_exit = arm.exit_pin is not None or arm.kind not in {"relay", "simulated"}
    return frozenset(Direction) if has_exit else frozenset({Direction.ENTRY})


def _checks(
    config: Config, looks: GateChecks, readers: Sequence[ReaderOf], *, has_sensor: bool
) -> list[Check]:
    return looks.checks(
        readers,
        has_arm=config.turnstile.kind != "none",
        has_sensor=has_sensor,
        has_display=config.display.kind != "none",
        has_signals=config.signals.kind != "none",
    )
