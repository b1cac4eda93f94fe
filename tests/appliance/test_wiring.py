"""The wiring test: only while the lane is closed, and written down; it ends by itself."""

import asyncio
import sqlite3

import pytest

from admission.scan import Direction
from appliance.errors import StorageError, TurnstileFaultError
from appliance.page_ports import GateDesk, PageRole, TrialRefusal, TrialScreen
from appliance.ports import Look
from appliance.simulator.virtual_clock import settle
from appliance.simulator.virtual_turnstile import Motion, Person
from appliance.wiring import TEST_S_MAX, WiringTest
from gate_visitor import pages_of, visiting

BOTH = frozenset(Direction)


def wiring_of(bench, ways=BOTH) -> WiringTest:
    wiring = WiringTest(
        turnstile=bench.turnstile,
        lane=bench.lane,
        health=bench.health,
        recorder=bench.recorder,
        announcer=bench.announcer,
        clock=bench.clock,
        ways=ways,
    )
    before = bench.gate.taken
    bench.gate.taken = lambda payload: wiring.taken(before, payload)
    return wiring


def releases(bench) -> list[Direction]:
    """Give the ways that the arm was released for, in order."""
    return [one.direction for one in bench.turnstile.history if one.motion is Motion.RELEASED]


async def noted(bench) -> list[str]:
    """Give what the journal says of tests, in order."""
    records = await bench.records()
    return [
        str(record.detail["test"])
        for record in records
        if record.detail.get("action") == "wiring_test"
    ]


async def test_nothing_moves_before_the_lane_is_closed(open_gate):
    async with open_gate() as bench:
        wiring = wiring_of(bench)
        assert await wiring.pulse(Direction.ENTRY, "page") is TrialRefusal.NOT_BEGUN
        assert wiring.show(TrialScreen.GRANTED) is TrialRefusal.NOT_BEGUN
        assert releases(bench) == []
        assert await noted(bench) == []


async def test_a_test_closes_the_lane_and_judges_nothing(open_gate):
    async with open_gate() as bench:
        wiring = wiring_of(bench)
        assert await wiring.begin("page") is None
        await bench.settle()
        assert (bench.display.last.look, bench.display.last.fault) == (
            Look.OUT_OF_SERVICE,
            "GT-TST",
        )
        kinds = await bench.kinds()
        for reader in (bench.entry, bench.exit):
            reader.present(b"T1", symbology="QRCode")
            await bench.settle()
        assert [(one.symbology, one.length) for one in wiring.reads] == [("QRCode", 2)] * 2
        assert [kind for kind in (await bench.kinds())[len(kinds) :] if kind != "FAULT"] == []
        assert b"T1" not in repr(vars(wiring)).encode()


async def test_a_pulse_is_written_down_before_the_arm_moves_and_counts_nobody(open_gate):
    async with open_gate() as bench:
        wiring = wiring_of(bench)
        await wiring.begin("page")
        assert await wiring.pulse(Direction.EXIT, "page") is None
        assert await noted(bench) == ["begun", "pulse exit"]
        assert releases(bench) == [Direction.EXIT]
        assert bench.inside == 0


async def test_a_card_that_fails_moves_nothing(open_gate):
    async with open_gate() as bench:
        wiring = wiring_of(bench)
        await wiring.begin("page")
        bench.disk.card.fail(sqlite3.SQLITE_IOERR)
        with pytest.raises(StorageError):
            await wiring.pulse(Direction.ENTRY, "page")
        assert releases(bench) == []


async def test_afterwards_people_are_served_as_before(open_gate):
    async with open_gate(people=[Person(0.5)]) as bench:
        wiring = wiring_of(bench)
        await wiring.begin("page")
        await wiring.end("page")
        await bench.settle()
        assert (await bench.scan("T1")).look is Look.GRANTED
        assert await noted(bench) == ["begun", "over"]


async def test_while_somebody_goes_through_no_test_begins(open_gate):
    async with open_gate(people=[Person(None)]) as bench:
        wiring = wiring_of(bench)
        await bench.scan("T1")
        assert await wiring.begin("page") is TrialRefusal.BUSY
        assert bench.health.faults == ()


async def test_a_way_without_a_relay_is_refused(open_gate):
    async with open_gate() as bench:
        wiring = wiring_of(bench, frozenset({Direction.ENTRY}))
        await wiring.begin("page")
        assert await wiring.pulse(Direction.EXIT, "page") is TrialRefusal.NO_RELAY


async def test_a_relay_that_fails_is_told(open_gate, monkeypatch):
    async def failing(direction):
        raise TurnstileFaultError("no pins")

    async with open_gate() as bench:
        wiring = wiring_of(bench)
        await wiring.begin("page")
        monkeypatch.setattr(bench.turnstile, "release", failing)
        assert await wiring.pulse(Direction.ENTRY, "page") is TrialRefusal.RELAY_FAILED


@pytest.mark.parametrize("screen", list(TrialScreen))
async def test_each_pattern_is_shown_and_gives_way_to_the_test(open_gate, screen):
    async with open_gate() as bench:
        wiring = wiring_of(bench)
        await wiring.begin("page")
        await bench.settle()
        assert wiring.show(screen) is None
        await bench.settle()
        assert bench.display.last.look is not Look.OUT_OF_SERVICE
        await bench.later(6)
        assert bench.display.last.fault == "GT-TST"


async def test_a_test_that_is_forgotten_ends_by_itself(open_gate):
    async with open_gate() as bench:
        wiring = wiring_of(bench)
        task = asyncio.create_task(wiring.run())
        await wiring.begin("page")
        await bench.later(TEST_S_MAX - 6)
        assert bench.health.faults == ("GT-TST",)
        await bench.later(12)
        await settle()
        assert bench.health.faults == ()
        assert await noted(bench) == ["begun", "over"]
        task.cancel()


async def test_what_the_arm_says_is_heard(open_gate):
    async with open_gate(people=[Person(0.5)]) as bench:
        wiring = wiring_of(bench)
        await wiring.begin("page")
        await wiring.pulse(Direction.ENTRY, "page")
        await bench.later(1)
        assert [one.word for one in wiring.heard] == ["passed"]


async def test_the_page_tests_and_tells_and_only_a_supervisor_may(open_gate):
    async with open_gate() as bench:
        desk = GateDesk("A", wiring=wiring_of(bench, frozenset({Direction.ENTRY})))
        async with visiting(pages_of(bench.clock, desk)) as visitor:
            await visitor.log_in(PageRole.STEWARD)
            await visitor.get("/gate/wiring")
            assert visitor.status == 403
            await visitor.post("/gate/wiring/begin")
            assert bench.health.faults == ()
            await visitor.get("/gate/")
            await visitor.post("/gate/logout")
            await visitor.log_in()
            await visitor.get("/gate/wiring")
            await visitor.post("/gate/wiring/begin")
            assert "closed to the public. 10 min left" in visitor.body
            assert bench.health.faults == ("GT-TST",)
            await visitor.post("/gate/wiring/pulse", direction="entry")
            assert releases(bench) == [Direction.ENTRY]
            await visitor.post("/gate/wiring/pulse", direction="exit")
            assert "no relay for that way" in visitor.body
            await visitor.post("/gate/wiring/pulse", direction="up")
            await visitor.post("/gate/wiring/screen", screen="refused")
            await visitor.post("/gate/wiring/end")
            assert "Close the gate and begin" in visitor.body
            assert bench.health.faults == ()
