"""An operator's signed command at a whole gate: it works offline, once, and not for long."""

from zoneinfo import ZoneInfo

import pytest

from admission import journal
from admission.errors import ListFormatError
from admission.journal import Flag, Kind
from admission.reconcile import ListedTicket, reconcile
from admission.sync.command_code import PREFIX, is_code, read_code, write_code
from admission.sync.messages import Ordered
from admission.ticket import Performance, Single
from admission.trust.command import Action
from admission.trust.envelope import COMMAND_TYPE, unverified_body
from admission.trust.keys import key_id
from admission.trust.root import Role
from admission.verdict import Answer
from appliance.commanding import WAITING_MAX, Source
from appliance.ports import Look
from appliance.simulator.box_office import BoxOffice
from appliance.simulator.virtual_turnstile import Motion
from gate_answers import EXIT, GREEN, INSIDE_OUT, NOBODY, answers, red
from linked_gate import linked, live
from signed_server import GATE

OFFICE = BoxOffice()


def code(action, counter, **fields):
    return write_code(OFFICE.command(action, counter, **fields))


def released(gate):
    return gate.turnstile.count(Motion.RELEASED)


async def details(gate):
    return [record.detail for record in await gate.records() if record.kind == Kind.COMMAND]


# --- open and admit -------------------------------------------------------------------------------


async def test_a_code_held_before_a_reader_opens_for_one_person_and_says_who_ordered_it(open_gate):
    async with open_gate() as gate:
        assert answers(await gate.scan(code(Action.OPEN, 1))) == GREEN
        assert released(gate) == 1
        await gate.later(2)
        assert await gate.kinds() == ["COMMAND", "GRANTED", "PASSED"]
        ordered, granted, passed = await gate.records()
        assert ordered.detail["operator"] == "Anna"
        assert (ordered.detail["why"], ordered.detail["counter"]) == ("a wheelchair", 1)
        assert ordered.detail["source"] == "code"
        assert granted.flags & Flag.OVERRIDE
        assert passed.flags & Flag.OVERRIDE
        assert (passed.performance, passed.identifier) == ("", b"")
        assert gate.inside == 1


async def test_what_the_gate_opened_for_by_command_is_no_anomaly_and_counts_in_occupancy(open_gate):
    async with open_gate() as gate:
        await gate.scan("T1")
        await gate.later(5)
        identifier = gate.holdings.identify("show", "T1")
        admit = code(Action.ADMIT, 1, performance="show", identifier=identifier)
        await gate.scan(admit)  # used already: no rule would let it in
        await gate.later(5)
        await gate.scan(code(Action.OPEN, 2))
        await gate.later(5)
        facts = [journal.fact_of("journal-a", record) for record in await gate.records()]
        report = reconcile(
            {"show": Performance("show", ZoneInfo("UTC"))},
            ["checkpoint"],
            {("show", identifier): ListedTicket(Single())},
            [fact for fact in facts if fact is not None],
        )
        assert report.anomalies == ()
        assert report.occupancy == {"checkpoint": 3}
        assert report.attendance == {"show": 1}


async def test_admitting_a_number_uses_its_ticket_up(open_gate):
    async with open_gate() as gate:
        identifier = gate.holdings.identify("show", "T1")
        await gate.scan(code(Action.ADMIT, 1, performance="show", identifier=identifier))
        await gate.later(5)
        assert answers(await gate.scan("T1")) == red(Answer.ALREADY_USED)
        *_, passed, _ = await gate.records()
        assert passed.ticket_class == ("standard", "single", None, None)


async def test_nobody_went_through_and_nothing_is_used_up(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan(code(Action.OPEN, 1))
        await gate.later(7)
        assert await gate.kinds() == ["COMMAND", "GRANTED", "NOT_PASSED"]
        assert gate.inside == 0


async def test_the_grant_of_a_command_is_on_the_disk_before_the_arm_moves(open_gate):
    async with open_gate() as gate:
        gate.disk.fill()
        before = len(await gate.records())
        await gate.scan(code(Action.OPEN, 1))
        assert released(gate) == 0
        assert len(await gate.records()) == before


async def test_a_command_waits_while_somebody_goes_through(open_gate):
    async with open_gate(people=[NOBODY, NOBODY]) as gate:
        await gate.scan("T1")
        await gate.scan(code(Action.OPEN, 1))
        assert released(gate) == 1
        await gate.later(7)
        assert released(gate) == 2


# --- once, and not for long -----------------------------------------------------------------------


async def test_a_code_that_stays_before_the_reader_opens_once(open_gate):
    async with open_gate() as gate:
        shown = code(Action.OPEN, 1)
        for _ in range(5):
            await gate.scan(shown)
            await gate.later(10)
        assert released(gate) == 1
        assert len(await details(gate)) == 1


async def test_a_command_is_obeyed_once_also_over_a_restart(open_gate):
    shown = code(Action.OPEN, 7)
    async with open_gate() as gate:
        await gate.scan(shown)
        await gate.later(10)
    async with open_gate() as gate:
        assert answers(await gate.scan(shown)) == red(Answer.UNKNOWN_TICKET)
        assert released(gate) == 0
        assert [detail["refused"] for detail in await details(gate)] == ["RollbackError"]
        await gate.scan(code(Action.OPEN, 6))
        assert released(gate) == 0


async def test_a_command_that_was_spent_before_a_power_cut_is_not_obeyed_after_it(open_gate):
    async with open_gate() as gate:
        own = key_id(OFFICE.signers(Role.OPERATOR).keys[0])
        await gate.commanding._memory.spend(own, 3, "open")
    async with open_gate() as gate:
        await gate.scan(code(Action.OPEN, 3))
        assert released(gate) == 0


async def test_a_command_for_another_gate_does_nothing(open_gate):
    async with open_gate() as gate:
        await gate.scan(code(Action.OPEN, 1, gates=("gate-b",)))
        assert released(gate) == 0
        assert [detail["refused"] for detail in await details(gate)] == ["ForeignListError"]


async def test_a_command_that_is_found_later_does_nothing(open_gate):
    async with open_gate() as gate:
        shown = code(Action.OPEN, 1)
        await gate.later(24 * 3600)
        await gate.scan(shown)
        assert released(gate) == 0
        assert [detail["refused"] for detail in await details(gate)] == ["ListExpiredError"]


async def test_nobody_elses_key_commands_a_gate(open_gate):
    thief = BoxOffice("thief")
    async with open_gate() as gate:
        await gate.scan(write_code(thief.command(Action.OPEN, 1)))
        await gate.scan(write_code(thief.command(Action.LOCK, 2)))
        assert released(gate) == 0
        assert not gate.health.is_ordered_locked
        assert [one["refused"] for one in await details(gate)] == ["SignatureError"] * 2


@pytest.mark.parametrize("text", [PREFIX, PREFIX + "A", PREFIX + "x" * 4000, PREFIX + "00" * 30])
async def test_a_garbled_code_is_a_refused_command_and_no_ticket(open_gate, text):
    async with open_gate() as gate:
        assert answers(await gate.scan(text)) == red(Answer.UNKNOWN_TICKET)
        assert [one["refused"] for one in await details(gate)] == ["ListFormatError"]
        assert "DENIED" not in await gate.kinds()


async def test_no_more_commands_wait_than_a_hand_gives(open_gate):
    async with open_gate(people=[NOBODY]) as gate:
        await gate.scan("T1")
        for counter in range(100):
            gate.commanding.give(b"%d" % counter, Source.LIVE)
        await gate.later(10)
        assert len(await details(gate)) == WAITING_MAX


async def test_a_revoked_gate_obeys_nobody(open_gate):
    async with open_gate() as gate:
        gate.health.lock("GT-REV")
        await gate.scan(code(Action.OPEN, 1))
        assert released(gate) == 0


# --- lock and unlock ------------------------------------------------------------------------------


async def test_a_locked_gate_lets_nobody_in_until_it_is_unlocked(open_gate):
    async with open_gate() as gate:
        await gate.scan(code(Action.LOCK, 1))
        await gate.later(5)
        assert (gate.display.last.look, gate.display.last.fault) == (Look.OUT_OF_SERVICE, "GT-LCK")
        assert answers(await gate.scan("T1")) == red(Answer.GATE_LOCKED)
        await gate.later(5)
        await gate.scan(code(Action.UNLOCK, 2))
        assert answers(await gate.scan("T1")) == GREEN


async def test_a_locked_gate_holds_nobody_in(open_gate):
    async with open_gate(INSIDE_OUT) as gate:
        await gate.scan("T1")
        await gate.later(5)
        await gate.scan(code(Action.LOCK, 1))
        assert answers(await gate.scan("T1", EXIT)) == GREEN


async def test_a_lock_stays_over_a_restart(open_gate):
    async with open_gate() as gate:
        await gate.scan(code(Action.LOCK, 1))
    async with open_gate() as gate:
        assert answers(await gate.scan("T1")) == red(Answer.GATE_LOCKED)
        await gate.later(5)
        await gate.scan(code(Action.UNLOCK, 2))
    async with open_gate() as gate:
        assert answers(await gate.scan("T1")) == GREEN


async def test_an_operator_opens_a_locked_gate_for_one_person(open_gate):
    async with open_gate() as gate:
        await gate.scan(code(Action.LOCK, 1))
        await gate.scan(code(Action.OPEN, 2))
        assert released(gate) == 1
        assert gate.health.is_ordered_locked


# --- over the live connection ---------------------------------------------------------------------


async def test_a_command_comes_over_the_live_connection_and_the_server_is_told_of_a_lock(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        (connection,) = gate.server.connections
        raw = OFFICE.command(Action.LOCK, 1, gates=(GATE,))
        connection.deliver(Ordered(raw))
        connection.deliver(Ordered(raw))
        await gate.later(10)
        assert [detail["action"] for detail in await details(gate)] == ["lock"]
        assert "GT-LCK" in gate.server.statuses[GATE].faults


async def test_a_command_that_comes_again_after_a_restart_is_no_news(open_gate):
    raw = OFFICE.command(Action.LOCK, 1)
    async with open_gate() as gate:
        gate.commanding.give(raw, Source.LIVE)
        await gate.settle()
    async with open_gate() as gate:
        gate.commanding.give(raw, Source.LIVE)
        await gate.settle()
        assert await details(gate) == []
        assert gate.health.is_ordered_locked


# --- the code -------------------------------------------------------------------------------------


def test_a_code_stands_for_its_command():
    raw = OFFICE.command(Action.OPEN, 1)
    text = write_code(raw)
    assert is_code(text.encode())
    read = read_code(f" {text}\r\n".encode())
    assert unverified_body(read, COMMAND_TYPE) == unverified_body(raw, COMMAND_TYPE)
    assert len(text) < 1200  # a QR code that a camera reads off a telephone


@pytest.mark.parametrize("data", [b"", b"portillon", b"PORTILLON:CMD:", b"\xff" * 50])
def test_what_is_no_code_is_said_to_be_none(data):
    with pytest.raises(ListFormatError):
        read_code(data)
