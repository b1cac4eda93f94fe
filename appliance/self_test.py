"""The gate's self-test: at boot, and again every few seconds for what can go wrong meanwhile.

Called by `main` and by `portillon selftest`. Each check looks at one thing and says how it is.
Nobody waits for it: the gate admits as soon as what admission needs works, and a reader that is
still being opened is told when it has not come in time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.errors import ApplianceError, StorageError
from appliance.health import Health
from appliance.page_ports import CheckLine, CheckOutcome, MachineState
from appliance.ports import Clock

log = logging.getLogger(__name__)

READER_FAULT: Final = "GT-RDR"  # a reader other than a camera is gone
CAMERA_FAULT: Final = "GT-CAM"
DISPLAY_FAULT: Final = "GT-DSP"
SIGNAL_FAULT: Final = "GT-SIG"
HEAT_FAULT: Final = "GT-TMP"
SUPPLY_FAULT: Final = "GT-PWR"
NETWORK_FAULT: Final = "GT-NET"
LOOK_S: Final = 10.0
CHECK_S_MAX: Final = 5.0  # one that does not come back has failed
HOT_C: Final = 80.0  # a Pi slows down from here on
COOL_C: Final = 75.0  # and the fault is over below here


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check came to.

    Attributes:
        outcome: how it is.
        figure: what was measured, without words; "" is nothing.
    """

    outcome: CheckOutcome
    figure: str = ""


GOOD: Final = Finding(CheckOutcome.GOOD)
ABSENT: Final = Finding(CheckOutcome.ABSENT)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at.

    Attributes:
        name: what it is; see `CheckLine`.
        code: by which its failure is known.
        look: says how it is; an ApplianceError or a wait that is too long is a failure.
        failing: what a failure means: FAULT where admission needs it, else NOTE.
        is_told: whether the self-test itself raises the fault; False where a service does.
    """

    name: str
    code: str
    look: Callable[[], Awaitable[Finding]]
    failing: CheckOutcome = CheckOutcome.NOTE
    is_told: bool = False


async def look_at(check: Check) -> CheckLine:
    """Make one check."""
    try:
        async with asyncio.timeout(CHECK_S_MAX):
            found = await check.look()
    except (ApplianceError, TimeoutError) as exc:
        code = exc.fault if isinstance(exc, StorageError) else check.code
        log.warning("check failed", extra={"check": check.name, "reason": str(exc)})
        return CheckLine(check.name, code, check.failing)
    return CheckLine(check.name, check.code, found.outcome, found.figure)


class SelfTest:
    """Makes all checks, and keeps what they came to.

    Attributes:
        lines: of the last round; () before the first.
    """

    def __init__(self, checks: Sequence[Check], health: Health, clock: Clock) -> None:
        """Take the checks, who is told, and what counts the time between two rounds."""
        self.lines: tuple[CheckLine, ...] = ()
        self._checks = checks
        self._health = health
        self._clock = clock

    async def look(self) -> None:
        """Make one round."""
        lines = [await look_at(check) for check in self._checks]
        is_first = not self.lines
        self.lines = tuple(lines)
        if is_first:
            wrong = [f"{line.name} {line.code}" for line in lines if is_wrong(line)]
            log.info("self-tested", extra={"checks": len(lines), "wrong": wrong})
        told = {check.code for check in self._checks if check.is_told}
        wrong_now = {line.code for line in lines if is_wrong(line)}
        for code in sorted(told):
            if code in wrong_now:
                self._health.noted(code)
            else:
                self._health.mended(code)

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self._clock.sleep(LOOK_S)
            await self.look()


def is_wrong(line: CheckLine) -> bool:
    """Tell whether a check found something to look after."""
    return line.outcome in {CheckOutcome.NOTE, CheckOutcome.FAULT}


# --- the machine ----------------------------------------------------------------------------------


class MachineChecks:
    """Heat, supply and network, from one reading a round.

    Attributes:
        state: as it was read last.
    """

    def __init__(self, read: Callable[[], MachineState], *, needs_network: bool) -> None:
        """Take what reads the machine.

        Args:
            read: reads files of the kernel; called in a thread.
            needs_network: whether the server is on another machine.
        """
        self.state = MachineState()
        self._read = read
        self._needs_network = needs_network
        self._is_hot = False

    def checks(self) -> list[Check]:
        """Give the checks; the first of them reads."""
        return [
            Check("temperature", HEAT_FAULT, self._temperature, is_told=True),
            Check("supply", SUPPLY_FAULT, self._supply, is_told=True),
            Check("network", NETWORK_FAULT, self._network, is_told=True),
        ]

    async def _temperature(self) -> Finding:
        self.state = await asyncio.to_thread(self._read)
        celsius = self.state.temperature_c
        if celsius is None:
            return ABSENT
        self._is_hot = celsius >= (COOL_C if self._is_hot else HOT_C)
        outcome = CheckOutcome.NOTE if self._is_hot else CheckOutcome.GOOD
        return Finding(outcome, f"{celsius:.0f} °C")

    async def _supply(self) -> Finding:
        if self.state.is_under_voltage is None:
            return ABSENT
        return Finding(CheckOutcome.NOTE) if self.state.is_under_voltage else GOOD

    async def _network(self) -> Finding:
        networks = self.state.networks
        if networks is None:
            return ABSENT
        if networks or not self._needs_network:
            return Finding(CheckOutcome.GOOD, " ".join(networks))
        return Finding(CheckOutcome.NOTE)
