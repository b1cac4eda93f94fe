"""The self-test: each code comes from what goes wrong, is shown, written down, and ends again."""

import asyncio
from datetime import UTC, datetime

import pytest

from admission.trust.trusted_time import TimeQuality
from appliance.beat import Beat
from appliance.card_ports import CardReport
from appliance.errors import DisplayLostError, StorageError
from appliance.fault_codes import CONTROLLER_FAULT, FULL_FAULT, READ_ONLY_FAULT, SENSOR_FAULT
from appliance.gate_checks import GateChecks
from appliance.page_ports import CheckLine, CheckOutcome, MachineState
from appliance.page_status import ReaderOf
from appliance.self_test import Check, MachineChecks, SelfTest, look_at
from appliance.simulator.virtual_clock import VirtualClock, settle


class OnTheBench:
    """A gate on its bench with its self-test beside it, and handles on what may go wrong."""

    def __init__(self, bench) -> None:
        self.bench = bench
        self.report = CardReport(9, 2000)
        self.damaged: set[str] = set()
        self.state = MachineState(temperature_c=50.0, is_under_voltage=False, networks=("eth0",))
        self.reader = Silent()
        readers = [
            ReaderOf(self.reader, "outside", "serial", "entry"),
            ReaderOf(self.reader, "lens", "camera", "entry"),
        ]
        checks = GateChecks(
            health=bench.health,
            holdings=bench.holdings,
            announcer=bench.announcer,
            clock=bench.time,
            card=lambda: self.report,
            damaged=lambda: self.damaged,
        ).checks(readers, has_arm=True, has_sensor=True, has_display=True, has_signals=False)
        machine = MachineChecks(lambda: self.state, needs_network=True)
        self.test = SelfTest([*checks, *machine.checks()], bench.health, bench.clock)

    async def look(self) -> dict[str, CheckLine]:
        await self.test.look()
        return {line.name: line for line in self.test.lines}

    @property
    def faults(self) -> tuple[str, ...]:
        return self.bench.health.faults


class Silent:
    """A reader that is there, or is not."""

    def __init__(self) -> None:
        self.is_there = True
        self.wrong = ""

    @property
    def beat(self):
        return Beat()

    def is_alive(self) -> bool:
        return self.is_there

    @property
    def trouble(self) -> str:
        return self.wrong


@pytest.fixture
async def tested(open_gate):
    async with open_gate() as bench:
        yield OnTheBench(bench)


async def test_a_gate_that_is_well_says_so_with_its_figures(tested):
    lines = await tested.look()
    assert {name: line.outcome for name, line in lines.items()} == {
        "card": CheckOutcome.GOOD,
        "room": CheckOutcome.GOOD,
        "clock": CheckOutcome.GOOD,
        "lists": CheckOutcome.GOOD,
        "turnstile": CheckOutcome.GOOD,
        "sensor": CheckOutcome.GOOD,
        "reader:outside": CheckOutcome.GOOD,
        "reader:lens": CheckOutcome.GOOD,
        "display": CheckOutcome.GOOD,
        "signals": CheckOutcome.ABSENT,
        "temperature": CheckOutcome.GOOD,
        "supply": CheckOutcome.GOOD,
        "network": CheckOutcome.GOOD,
    }
    figures = [lines[name].figure for name in ("card", "room", "lists", "temperature", "network")]
    assert figures == ["9 ms", "2000 MB", "1/1", "50 °C", "eth0"]
    assert tested.faults == ()


@pytest.mark.parametrize(
    ("name", "state", "code"),
    [
        ("temperature", MachineState(temperature_c=80.0), "GT-TMP"),
        ("supply", MachineState(is_under_voltage=True), "GT-PWR"),
        ("network", MachineState(networks=()), "GT-NET"),
    ],
)
async def test_a_machine_in_need_is_shown_and_over_when_it_is_well(tested, name, state, code):
    well, tested.state = tested.state, state
    line = (await tested.look())[name]
    assert (line.code, line.outcome) == (code, CheckOutcome.NOTE)
    assert tested.faults == (code,)
    tested.state = well
    await tested.look()
    assert tested.faults == ()
    await tested.bench.settle()
    assert await tested.bench.faults_written() == [(code, "begun"), (code, "over")]


async def test_heat_is_over_only_well_below_where_it_began(tested):
    told = []
    for celsius in (79.9, 80.0, 76.0, 75.0, 74.9, 79.0):
        tested.state = MachineState(temperature_c=celsius)
        await tested.look()
        told.append("GT-TMP" in tested.faults)
    assert told == [False, True, True, True, False, False]


async def test_a_machine_that_tells_nothing_has_nothing_wrong(tested):
    tested.state = MachineState()
    lines = await tested.look()
    names = ("temperature", "supply", "network")
    assert {lines[name].outcome for name in names} == {CheckOutcome.ABSENT}
    assert tested.faults == ()


async def test_readers_have_a_while_to_come_up_and_are_told_by_kind(tested):
    tested.reader.is_there = False
    lines = await tested.look()
    assert lines["reader:outside"].outcome is CheckOutcome.ABSENT
    assert tested.faults == ()
    tested.bench.clock.advance(8)
    lines = await tested.look()
    assert (lines["reader:outside"].code, lines["reader:lens"].code) == ("GT-RDR", "GT-CAM")
    assert tested.faults == ("GT-CAM", "GT-RDR")
    tested.reader.is_there, tested.reader.wrong = True, "it sends garbage; set baud"
    assert (await tested.look())["reader:lens"].outcome is CheckOutcome.NOTE
    tested.reader.wrong = ""
    await tested.look()
    assert tested.faults == ()


async def test_a_display_that_does_not_answer(tested):
    bench = tested.bench
    bench.announcer._lost.add("display 0")
    assert (await tested.look())["display"].code == "GT-DSP"
    assert tested.faults == ("GT-DSP",)


@pytest.mark.parametrize(
    ("fault", "name", "code"),
    [
        (READ_ONLY_FAULT, "card", READ_ONLY_FAULT),
        (FULL_FAULT, "room", "GT-FUL"),
        (SENSOR_FAULT, "sensor", "GT-SNS"),
        (CONTROLLER_FAULT, "turnstile", "GT-RLY"),
        ("GT-RLY", "turnstile", "GT-RLY"),
    ],
)
async def test_what_a_service_found_stands_in_the_table_and_is_not_ended_by_it(
    tested, fault, name, code
):
    if fault == FULL_FAULT:
        tested.bench.disk.fill()  # else its keeper finds at once that there is room
    tested.bench.health.broken(fault)
    line = (await tested.look())[name]
    assert (line.outcome, code in {line.code, line.figure}) == (CheckOutcome.FAULT, True)
    assert fault in tested.faults


async def test_a_damaged_list_is_noted(tested):
    tested.damaged = {"show"}
    assert (await tested.look())["lists"].code == "GT-LST"
    assert tested.test.lines[3].outcome is CheckOutcome.NOTE


async def test_a_clock_that_nobody_trusts_is_noted(open_gate):
    clock = VirtualClock(datetime(2026, 5, 1, 18, tzinfo=UTC))
    clock.quality = TimeQuality.SAVED
    async with open_gate(hears_time=False, clock=clock) as bench:
        line = (await OnTheBench(bench).look())["clock"]
    assert (line.code, line.outcome) == ("GT-CLK", CheckOutcome.NOTE)


async def test_a_list_that_never_came_is_noted(open_gate):
    assigned = {"performances": ["show", "other"]}
    async with open_gate(assignment=assigned) as bench:
        line = (await OnTheBench(bench).look())["lists"]
    assert (line.outcome, line.figure) == (CheckOutcome.NOTE, "1/2")


async def test_a_check_that_fails_is_told_with_the_code_of_what_it_met():
    async def failing():
        raise DisplayLostError("no answer")

    async def full():
        raise StorageError("no room", FULL_FAULT)

    told = [
        await look_at(Check("a", "GT-DSP", failing)),
        await look_at(Check("b", "GT-DSK", full, CheckOutcome.FAULT)),
    ]
    assert told == [
        CheckLine("a", "GT-DSP", CheckOutcome.NOTE),
        CheckLine("b", "GT-FUL", CheckOutcome.FAULT),
    ]


async def test_it_goes_on_looking(tested):
    bench = tested.bench
    task = asyncio.create_task(tested.test.run())
    await settle()
    tested.state = MachineState(is_under_voltage=True)
    await bench.clock.run(10)
    await bench.until(lambda: tested.faults == ("GT-PWR",))  # the machine is read in a thread
    task.cancel()
