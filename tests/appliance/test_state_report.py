"""What the gate reports of itself to the machine: when, what, and that it never ends the gate."""

import asyncio
import json
import stat
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace

import pytest

from admission import journal
from admission.ticket import Performance
from appliance.life_ports import Unwatched
from appliance.simulator.virtual_clock import VirtualClock, settle
from appliance.state_report import REPEAT_S, GateLooks, GateState, StateReport
from appliance.storage.lasting_file import write_passing

BOOT = bytes(range(16))
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Lines(Unwatched):
    """Remembers what whoever watches was told."""

    def __init__(self) -> None:
        self.said = []

    def ready(self) -> None:
        self.said.append("READY")

    def status(self, text: str) -> None:
        self.said.append(text)


class Stage:
    """A report, and what came of it."""

    def __init__(self) -> None:
        self.clock, self.lines, self.written = VirtualClock(), Lines(), []
        self.report = StateReport(self.lines, self.write, self.clock, "0.2.0", BOOT)
        self.is_full = False

    def write(self, content: bytes) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.written.append(json.loads(content))

    async def run(self, seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(self.report.run())
            await self.clock.run(seconds)
            running.cancel()
            await settle()


async def test_it_is_written_when_it_changes_and_every_ten_seconds_all_the_same():
    stage, state = Stage(), GateState(ready=True, tickets=3)
    with stage.report.serving(lambda: state):
        await stage.run(REPEAT_S * 3 - 1)
    times = [one["written_ms"] for one in stage.written if one["ready"]]
    begun = journal.wall_ms(datetime(2026, 6, 1, 18, tzinfo=UTC))
    assert [at - begun for at in times] == [0, 10_000, 20_000]


async def test_a_change_is_reported_within_a_second():
    stage = Stage()
    states = [GateState(ready=True), GateState(ready=True, faults=("GT-RDR",))]
    with stage.report.serving(lambda: states[0]):
        async with asyncio.TaskGroup() as group:
            running = group.create_task(stage.report.run())
            await stage.clock.run(3.5)
            states.pop(0)
            await stage.clock.run(1.0)
            assert stage.written[-1]["faults"] == ["GT-RDR"]
            running.cancel()


async def test_the_file_has_the_fields_that_both_sides_agreed_on():
    stage = Stage()
    stage.report.out_of_service("GT-DSK")
    (written,) = stage.written
    assert written == {
        "format": 1,
        "version": "0.2.0",
        "boot_id": BOOT.hex(),
        "written_ms": journal.wall_ms(stage.clock.now()),
        "ready": False,
        "faults": ["GT-DSK"],
        "tickets": 0,
        "lists": [],
        "server_reached_ms": None,
        "last_scan_ms": None,
        "on_until_ms": None,
    }


async def test_the_start_is_over_once_it_serves_or_tells_people_why_it_does_not():
    stage = Stage()
    stage.report.out_of_service("GT-DSK")
    assert stage.lines.said == ["out of service: GT-DSK", "READY"]
    with stage.report.serving(lambda: GateState(ready=True, tickets=7)):
        assert stage.lines.said[-2:] == ["serving: 7 tickets in 0 lists", "READY"]
    assert stage.written[-1]["ready"] is False  # the last word


async def test_a_folder_that_takes_nothing_is_told_once_and_the_gate_goes_on(caplog):
    stage = Stage()
    stage.is_full = True
    await stage.run(60)
    assert [record.msg for record in caplog.records] == ["state not reported"]
    stage.is_full = False
    await stage.run(20)
    assert stage.written


async def test_without_anybody_to_read_it_nothing_is_looked_at_again_and_again():
    report = StateReport(Unwatched(), None, VirtualClock(), "0.2.0", BOOT)
    await asyncio.wait_for(report.run(), 1)


async def test_what_is_reported_comes_from_the_services(open_gate):
    async with open_gate(version=7) as gate:
        heard = []
        looks = GateLooks(
            gate.health,
            gate.holdings,
            gate.time,
            lambda: heard[-1] if heard else None,
            lambda: gate.gate.read_ns,
        )
        before = looks.look()
        assert (before.ready, before.last_scan_ms, before.server_reached_ms) == (True, None, None)
        assert [(one.performance, one.version) for one in before.lists] == [("show", 7)]
        assert before.tickets == len(gate.holdings.get("show").entries) > 0
        await gate.scan("T1")
        heard.append(gate.clock.monotonic_ns())
        came = journal.wall_ms(gate.clock.now())
        await gate.later(90)
        after = looks.look()
        assert (after.last_scan_ms, after.server_reached_ms) == (came, came)
        gate.health.noted("GT-RDR")
        gate.health.others = lambda: ("GT-NET",)
        assert looks.look().faults == ("GT-NET", "GT-RDR")


def hours(hour: int) -> datetime:
    return NOON.replace(hour=hour)


@pytest.mark.parametrize(
    ("performances", "until"),
    [
        ([], None),
        ([Performance("a", UTC)], None),  # one without an end keeps nothing waiting for ever
        ([Performance("a", UTC, admits_until=hours(14))], hours(14)),
        ([Performance("a", UTC, admits_from=hours(11), admits_until=hours(14))], hours(14)),
        ([Performance("a", UTC, admits_from=hours(13), admits_until=hours(14))], None),
        ([Performance("a", UTC, admits_until=hours(12))], None),
        ([Performance("a", UTC, admits_until=hours(14), canceled=True)], None),
        (
            [Performance(str(n), UTC, admits_until=hours(n)) for n in (13, 17, 15)],
            hours(17),
        ),
    ],
)
def test_until_when_a_performance_is_on(performances, until):
    clock = VirtualClock(NOON)
    names = [one.id for one in performances]
    health = SimpleNamespace(
        checkpoint=SimpleNamespace(performances=names), faults=(), others=lambda: ()
    )
    holdings = SimpleNamespace(lists=[], performances={one.id: one for one in performances})
    looks = GateLooks(health, holdings, clock, lambda: None, lambda: None)
    assert looks.look().on_until_ms == (None if until is None else journal.wall_ms(until))


def test_a_passing_file_is_put_in_place_whole_and_everybody_may_read_it(tmp_path):
    write = partial(write_passing, tmp_path / "status.json", mode=0o644)
    for content in (b"one", b"another"):
        write(content)
        (file,) = tmp_path.iterdir()
        assert file.read_bytes() == content
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
