"""One relay and its one timer: a pulse ends whatever happens, and no fault stays unseen."""

from collections.abc import Callable
from itertools import product

import pytest

from admission.scan import Direction
from appliance.errors import TurnstileFaultError
from appliance.simulator.virtual_clock import Due, VirtualClock
from appliance.turnstiles.inputs import Inputs
from appliance.turnstiles.pulse import PulsedRelay, after_in_thread
from appliance.turnstiles.relay import RelayTurnstile

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT


class Coil:
    """An output that can refuse."""

    def __init__(self) -> None:
        self.is_on = False
        self.refuses: set[str] = set()

    def on(self) -> None:
        self.set("on", True)

    def off(self) -> None:
        self.set("off", False)

    def set(self, verb: str, level: bool) -> None:
        if verb in self.refuses:
            raise OSError(5, "Input/output error")
        self.is_on = level


def pulsed(coil: Coil, clock: VirtualClock) -> PulsedRelay:
    return PulsedRelay(coil, 0.2, (OSError,), clock.after)


def test_a_relay_that_cannot_be_switched_on_is_a_fault_and_off():
    coil, clock = Coil(), VirtualClock()
    coil.refuses = {"on"}
    relay = pulsed(coil, clock)
    with pytest.raises(TurnstileFaultError, match="switched on"):
        relay.pulse()
    assert not relay.is_on
    assert clock.sleepers == 0
    coil.refuses = set()
    relay.pulse()
    assert coil.is_on


def test_a_relay_that_does_not_switch_off_is_not_pulsed_again(caplog: pytest.LogCaptureFixture):
    coil, clock = Coil(), VirtualClock()
    relay = pulsed(coil, clock)
    relay.pulse()
    coil.refuses = {"off"}
    clock.advance(0.2)
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]
    with pytest.raises(TurnstileFaultError, match="did not switch off"):
        relay.pulse()
    with pytest.raises(TurnstileFaultError, match="switched off"):
        relay.rest()
    coil.refuses = set()
    relay.rest()
    relay.pulse()
    assert coil.is_on


def test_the_end_of_a_pulse_that_was_taken_back_too_late_does_not_cut_the_next_one_short():
    ends: list[Callable[[], None]] = []

    def after(delay_s: float, call: Callable[[], None]) -> Due:
        ends.append(call)
        return Due(0, 0, call)

    coil = Coil()
    relay = PulsedRelay(coil, 0.2, (OSError,), after)
    relay.pulse()
    relay.rest()
    relay.pulse()
    ends[0]()  # its thread was already on its way
    assert coil.is_on
    ends[1]()
    assert not coil.is_on


def test_no_pulse_begins_whose_end_cannot_be_set():
    def no_more_threads(delay_s: float, call: Callable[[], None]) -> Due:
        raise RuntimeError("can't start new thread")

    coil = Coil()
    with pytest.raises(TurnstileFaultError, match="thread"):
        PulsedRelay(coil, 0.2, (OSError,), no_more_threads).pulse()
    assert not coil.is_on


@pytest.mark.parametrize("pulse_s", [0.05, 1.5])
def test_a_pulse_shorter_or_longer_than_turnstiles_want_is_refused(pulse_s: float):
    with pytest.raises(ValueError, match="pulse_s"):
        PulsedRelay(Coil(), pulse_s, (), after_in_thread)


async def test_every_relay_is_put_to_rest_though_one_refuses():
    clock = VirtualClock()
    coils = {ENTRY: Coil(), EXIT: Coil()}
    relays = {direction: pulsed(coil, clock) for direction, coil in coils.items()}
    turnstile = RelayTurnstile(relays, Inputs([], clock), clock)
    for relay in relays.values():
        relay.pulse()
    coils[EXIT].refuses = {"off"}
    with pytest.raises(TurnstileFaultError):
        turnstile.rest()
    assert not coils[ENTRY].is_on


# --- every short course of what can be done to a relay --------------------------------------------

DEEDS = (
    "pulse",
    "close",
    "hold",
    "let go",
    "rest",
    "lock",
    "a moment",
    "all time",
    "stray call",
)
KINDS = {
    "pulse": {},
    "level": {"is_level": True},
    "power locks": {"is_level": True, "frees_at_rest": True},
}


class Watched:
    """A relay whose arm is watched: it is open only by a deed, and never for longer than it may."""

    def __init__(self, **kind: bool) -> None:
        self.clock, self.coil = VirtualClock(), Coil()
        self.calls: list[Callable[[], None]] = []
        self.is_safe = kind.get("frees_at_rest", False)
        self.relay = PulsedRelay(self.coil, 0.9, (OSError,), self.after, **kind)
        self.is_held = self.is_resting = False
        self.relay.lock()

    def after(self, delay_s: float, call: Callable[[], None]) -> Due:
        self.calls.append(call)
        return self.clock.after(delay_s, call)

    @property
    def is_open(self) -> bool:
        return self.coil.is_on is not self.is_safe

    def do(self, deed: str) -> None:
        match deed:
            case "pulse":
                self.relay.pulse()
                self.is_resting = False
            case "close":
                self.relay.close()
            case "hold" | "let go":
                self.is_held, self.is_resting = deed == "hold", False
                self.relay.hold(self.is_held)
            case "rest":
                self.is_held, self.is_resting = False, True
                self.relay.rest()
            case "lock":
                if not self.is_held:
                    self.relay.lock()
                    self.is_resting = False
            case "stray call":  # a thread that was under way when its timer was taken back
                for call in self.calls[:-1] if self.relay.is_on else self.calls:
                    call()
            case _:
                self.clock.advance(0.2 if deed == "a moment" else 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_done_to_a_relay_its_arm_is_never_left_open(kind: str):
    for course in product(DEEDS, repeat=4):
        one = Watched(**KINDS[kind])
        for deed in course:
            one.do(deed)
            assert one.is_open or not one.is_held, course
            if one.is_resting:
                assert not one.coil.is_on, course
            if deed in ("close", "let go") and not (one.is_held or one.is_resting):
                assert not one.is_open, course
        one.do("all time")
        expected = one.is_held or (one.is_resting and one.is_safe)
        assert one.is_open is expected, course
