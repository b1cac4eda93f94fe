"""What a running gate's self-test looks at, from its services. Called by `main`."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from appliance.announcer import Announcer
from appliance.card_ports import CardReport
from appliance.config import IMAGE_KINDS
from appliance.fault_codes import (
    CARD_FAULTS,
    CONTROLLER_FAULT,
    DISK_FAULT,
    FULL_FAULT,
    RELAY_FAULT,
    SENSOR_FAULT,
    SLOW_FAULT,
)
from appliance.health import Health
from appliance.holdings import GateHoldings
from appliance.page_ports import CheckOutcome
from appliance.page_status import ReaderOf
from appliance.ports import Clock
from appliance.self_test import (
    ABSENT,
    CAMERA_FAULT,
    DISPLAY_FAULT,
    GOOD,
    READER_FAULT,
    SIGNAL_FAULT,
    Check,
    Finding,
)
from appliance.trusted_clock import CLOCK_FAULT, TrustedClock

LIST_FAULT: Final = "GT-LST"
OPENING_S: Final = 8.0  # a reader that is still being opened is not missing yet
PICTURES: Final = IMAGE_KINDS
_NS: Final = 1_000_000_000


class GateChecks:
    """The checks of one start of the lane."""

    def __init__(
        self,
        *,
        health: Health,
        holdings: GateHoldings,
        announcer: Announcer,
        clock: TrustedClock,
        card: Callable[[], CardReport],
        damaged: Callable[[], Collection[str]],
    ) -> None:
        """Take what is looked at.

        Args:
            health: knows the faults that services found.
            holdings: the lists held.
            announcer: knows which displays and signals do not answer.
            clock: trusted time.
            card: gives what is known of the card.
            damaged: gives the lists that are damaged on it.
        """
        self._health = health
        self._holdings = holdings
        self._announcer = announcer
        self._clock = clock
        self._card = card
        self._damaged = damaged

    def checks(
        self,
        readers: Sequence[ReaderOf],
        *,
        has_arm: bool,
        has_sensor: bool,
        has_display: bool,
        has_signals: bool,
    ) -> list[Check]:
        """Give the checks, those first that admission needs most."""
        fault = CheckOutcome.FAULT
        return [
            Check("card", DISK_FAULT, self._card_takes_it, fault),
            Check("room", FULL_FAULT, self._has_room, fault),
            Check("clock", CLOCK_FAULT, self._time),
            Check("lists", LIST_FAULT, self._lists),
            Check("turnstile", RELAY_FAULT, self._arm if has_arm else _absent, fault),
            Check("sensor", SENSOR_FAULT, self._sensor if has_sensor else _absent, fault),
            *(self._reader(one) for one in readers),
            self._device("display", DISPLAY_FAULT, is_there=has_display),
            self._device("signals", SIGNAL_FAULT, is_there=has_signals),
        ]

    async def _card_takes_it(self) -> Finding:
        wrong = set(self._health.faults) & (CARD_FAULTS - {FULL_FAULT})
        if wrong:
            return Finding(CheckOutcome.FAULT, min(wrong))
        figure = f"{self._card().commit_ms} ms"
        slow = SLOW_FAULT in self._health.faults
        return Finding(CheckOutcome.NOTE if slow else CheckOutcome.GOOD, figure)

    async def _has_room(self) -> Finding:
        free_mb = self._card().free_mb
        if free_mb < 0:
            return ABSENT
        is_full = FULL_FAULT in self._health.faults
        return Finding(CheckOutcome.FAULT if is_full else CheckOutcome.GOOD, f"{free_mb} MB")

    async def _time(self) -> Finding:
        instant = self._clock.look()
        if not instant.is_trusted or instant.is_suspect:
            return Finding(CheckOutcome.NOTE)
        error_ms = instant.error_ms
        return GOOD if error_ms is None else Finding(GOOD.outcome, f"± {error_ms / 1000:.1f} s")

    async def _lists(self) -> Finding:
        checkpoint = self._health.checkpoint
        if checkpoint is None:
            return ABSENT
        wanted = set(checkpoint.performances)
        held = wanted & set(self._holdings.versions)
        is_whole = held == wanted and not self._damaged()
        outcome = CheckOutcome.GOOD if is_whole else CheckOutcome.NOTE
        return Finding(outcome, f"{len(held)}/{len(wanted)}")

    async def _arm(self) -> Finding:
        wrong = {RELAY_FAULT, CONTROLLER_FAULT} & set(self._health.faults)
        return Finding(CheckOutcome.FAULT, min(wrong)) if wrong else GOOD

    async def _sensor(self) -> Finding:
        return Finding(CheckOutcome.FAULT) if SENSOR_FAULT in self._health.faults else GOOD

    def _reader(self, one: ReaderOf) -> Check:
        begun_ns = self._clock.monotonic_ns()

        async def look() -> Finding:
            if one.reader.is_alive():  # what it sends may be wrong all the same
                return Finding(CheckOutcome.NOTE) if one.reader.trouble else GOOD
            is_opening = _seconds_since(begun_ns, self._clock) < OPENING_S
            return ABSENT if is_opening else Finding(CheckOutcome.NOTE)

        code = CAMERA_FAULT if one.kind in PICTURES else READER_FAULT
        return Check(f"reader:{one.name}", code, look, is_told=True)

    def _device(self, kind: str, code: str, *, is_there: bool) -> Check:
        async def look() -> Finding:
            lost = [device for device in self._announcer.lost if device.startswith(kind)]
            return Finding(CheckOutcome.NOTE) if lost else GOOD

        return Check(kind, code, look if is_there else _absent, is_told=True)


async def _absent() -> Finding:
    return ABSENT


def _seconds_since(begun_ns: int, clock: Clock) -> float:
    return (clock.monotonic_ns() - begun_ns) / _NS
