"""Starts the lane again where the card ended it; what people are told meanwhile stays up.

Called by `main`. A card that cannot be read is tried again for ever, a damaged database is gone on
from: never a loop of crashes, and never a dark display.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from admission import journal
from admission.journal import Kind, Record
from admission.sync.gate_side import Row
from appliance.alarm import wait_set
from appliance.announcer import Announcer
from appliance.clock import SystemClock, boot_id, fresh_id
from appliance.config import Config
from appliance.drivers import Drivers
from appliance.errors import StorageError
from appliance.fault_codes import JOURNAL_FAULT
from appliance.health import Health
from appliance.ports import Look, Screen
from appliance.recording import Recorder
from appliance.state_report import StateReport
from appliance.storage.salvage import DAMAGED, Salvaged, salvage

log = logging.getLogger(__name__)

RETRY_S_MIN: Final = 1.0
RETRY_S_MAX: Final = 30.0
SALVAGES_MAX: Final = 3  # of one start of the daemon: a card that damages all it is given is no use


@dataclass(slots=True)
class House:
    """What is there whatever the card does: it tells people what is wrong.

    Attributes:
        config: the checked configuration.
        software: version of this program.
        machine: its clock.
        drivers: of the devices that stay open.
        announcer: display, light and sound.
        database: path of its file.
        report: tells the machine how the gate is.
        runtime: where the machine's caretaker looks for requests, None without one.
        salvaged: what became of damaged ones, still to be written down.
        was_damaged: whether one was, since the daemon runs.
    """

    config: Config
    software: str
    machine: SystemClock
    drivers: Drivers
    announcer: Announcer
    database: Path
    report: StateReport
    runtime: Path | None = None
    salvaged: list[Salvaged] = field(default_factory=list)
    was_damaged: bool = False

    def tell(self, fault: str) -> None:
        """Show that nobody is served, and by what fault."""
        direction = self.config.readers[0].direction
        self.announcer.rest_on(Screen(Look.OUT_OF_SERVICE, direction, degraded=True, fault=fault))
        self.report.out_of_service(fault)

    async def tell_salvaged(self, recorder: Recorder, health: Health) -> None:
        """Write down, once, what was damaged; it is shown while this start of the daemon lasts.

        Raises:
            StorageError: if it could not be written.
        """
        while self.salvaged:
            salvaged = self.salvaged[0]
            detail: dict[str, str | int] = {
                "code": JOURNAL_FAULT,
                "previous": salvaged.previous,
                "kept": salvaged.kept,
                "strays": salvaged.strays,
                "lost": " ".join(salvaged.lost)[:200],
            }
            await recorder.note(Kind.FAULT, detail=detail)
            self.salvaged.remove(salvaged)
            self.was_damaged = True
        if self.was_damaged:
            health.noted(JOURNAL_FAULT)


Serve = Callable[[asyncio.Event, House], Awaitable[None]]


async def serve_until(stop: asyncio.Event, house: House, serve: Serve) -> None:
    """Serve the lane until told to stop; begin again after a wait that grows.

    Args:
        stop: set when it is over.
        house: what stays.
        serve: opens the card and serves until `stop`; raises StorageError where that ends it.
    """
    wait_s, salvages = RETRY_S_MIN, 0
    while not stop.is_set():
        failures: list[StorageError] = []
        try:
            await serve(stop, house)
        except* StorageError as group:
            failures += _leaves(group)
        if not failures:
            continue
        fault = failures[0].fault
        log.error("not served", extra={"fault": fault, "reason": str(failures[0])})
        house.tell(fault)
        if fault == JOURNAL_FAULT and salvages < SALVAGES_MAX:
            salvages += 1
            if await _salvage(house):
                continue
        await wait_set(stop, house.machine, wait_s)
        wait_s = min(RETRY_S_MAX, wait_s * 2)


async def _salvage(house: House) -> bool:
    """Go on from what is left of a damaged database; tell whether that can be."""
    try:
        salvaged = await asyncio.to_thread(
            salvage, house.database, fresh_id(), _opening(house.machine)
        )
    except StorageError as exc:
        log.error("not salvaged", extra={"fault": exc.fault, "reason": str(exc)})  # noqa: TRY400
        house.tell(exc.fault)
        return False
    house.salvaged.append(salvaged)
    return True


def _opening(machine: SystemClock) -> Callable[[str, Row], Record]:
    boot = boot_id()

    def opening(previous: str, last: Row) -> Record:
        return Record(
            kind=int(Kind.JOURNAL_NEW),
            sequence=0,
            wall_ms=journal.wall_ms(machine.now()),
            boot_ms=machine.boot_ms(),
            boot_id=boot,
            detail={
                "previous": previous,
                "at": last.sequence,
                "chain": last.chain.hex(),
                "why": DAMAGED,
            },
        )

    return opening


def _leaves(group: BaseExceptionGroup[StorageError]) -> list[StorageError]:
    found: list[StorageError] = []
    for failure in group.exceptions:
        found += _leaves(failure) if isinstance(failure, BaseExceptionGroup) else [failure]
    return found
