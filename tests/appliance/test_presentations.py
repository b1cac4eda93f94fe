"""One presentation of a ticket is one scan: two looks of a camera, two readers of one gate."""

import asyncio
from collections import deque

import pytest

from admission.scan import Direction
from admission.sync.command_code import PREFIX as COMMAND_PREFIX
from admission.verdict import Answer
from appliance.ports import Look, Payload
from appliance.presenting import AT_ONCE_NS, Presentations, waiting_with
from appliance.simulator.scripted_reader import ScriptedReader
from appliance.simulator.virtual_turnstile import Motion
from gate_answers import EXIT, GREEN, answers, red

ENTRY = Direction.ENTRY


def look(reader="camera", at_ns=0, *, first=False, data=b"T1", direction=ENTRY):
    return Payload(reader, direction, data, "QRCode", at_ns, is_tentative=first)


# --- what is remembered ---------------------------------------------------------------------------


def test_a_second_look_is_of_the_presentation_whose_first_look_was_answered():
    presentations = Presentations()
    presentations.answered(look(first=True), b"T1")
    assert presentations.is_again(look(at_ns=10**10), b"T1")
    assert not presentations.is_again(look(data=b"T2"), b"T2")


def test_a_first_look_begins_a_new_presentation_whose_second_look_is_answered():
    presentations = Presentations()
    presentations.answered(look(first=True), b"T1")
    again = look(at_ns=10**10, first=True)
    assert not presentations.is_again(again, b"T1")
    presentations.undecided(again, b"T1")
    assert not presentations.is_again(look(at_ns=10**10), b"T1")


def test_what_is_read_for_certain_is_new_each_time_its_own_reader_yields_it():
    presentations = Presentations()
    presentations.answered(look("serial"), b"T1")
    assert not presentations.is_again(look("serial", 1), b"T1")


@pytest.mark.parametrize("apart_ns", [0, 1, AT_ONCE_NS - 1, 1 - AT_ONCE_NS])
def test_what_another_reader_sees_at_once_is_the_same_presentation(apart_ns):
    presentations = Presentations()
    presentations.answered(look("serial", AT_ONCE_NS), b"T1")
    assert presentations.is_again(look("camera", AT_ONCE_NS + apart_ns), b"T1")
    assert presentations.is_again(look("camera", AT_ONCE_NS + apart_ns, first=True), b"T1")


def test_what_another_reader_sees_later_is_another_presentation():
    presentations = Presentations()
    presentations.answered(look("serial"), b"T1")
    assert not presentations.is_again(look("camera", AT_ONCE_NS), b"T1")


def test_what_is_shown_on_the_other_side_is_another_presentation():
    presentations = Presentations()
    presentations.answered(look("inside", direction=EXIT), b"T1")
    assert not presentations.is_again(look("outside"), b"T1")


def test_what_is_remembered_is_bounded():
    presentations = Presentations()
    for number in range(1_000):
        presentations.answered(look(first=True), b"%d" % number)
    assert not presentations.is_again(look(), b"0")
    assert presentations.is_again(look(), b"999")


def test_a_second_look_takes_the_place_of_its_first_in_the_queue():
    waiting = deque([look(first=True), look(data=b"T2", first=True)], maxlen=2)
    waiting = waiting_with(waiting, look())
    assert list(waiting) == [look(), look(data=b"T2", first=True)]
    waiting = waiting_with(waiting, look("other"))
    assert [one.reader for one in waiting] == ["camera", "other"]


# --- at the gate ----------------------------------------------------------------------------------


async def sees(gate, number, *, first):
    gate.entry.present(number.encode(), is_tentative=first)
    await gate.settle()
    return gate.display.last


async def test_a_first_look_admits_and_the_second_changes_nothing(open_gate):
    async with open_gate(has_sensor=False) as gate:
        assert answers(await sees(gate, "T1", first=True)) == GREEN
        assert answers(await sees(gate, "T1", first=False)) == GREEN
        assert await gate.kinds() == ["GRANTED", "PASSED"]
        assert gate.turnstile.count(Motion.RELEASED) == 1


async def test_a_first_look_never_refuses_and_the_second_does_once(open_gate):
    async with open_gate() as gate:
        screen = await sees(gate, "nobody's", first=True)
        assert (screen.look, await gate.kinds()) == (Look.IDLE, [])
        assert answers(await sees(gate, "nobody's", first=False)) == red(Answer.UNKNOWN_TICKET)
        assert await gate.kinds() == ["DENIED"]


async def test_a_misread_first_look_leaves_no_trace_on_the_way_to_the_right_one(open_gate):
    async with open_gate() as gate:
        await sees(gate, "T1x", first=True)
        assert answers(await sees(gate, "T1", first=True)) == GREEN
        assert Look.DENIED not in gate.display.looks
        assert await gate.kinds() == ["GRANTED"]


async def test_a_used_ticket_that_comes_again_is_refused_by_its_second_look(open_gate):
    async with open_gate(has_sensor=False) as gate:
        await sees(gate, "T1", first=True)
        await sees(gate, "T1", first=False)
        await gate.later(10)
        await sees(gate, "T1", first=True)
        assert answers(await sees(gate, "T1", first=False)) == red(Answer.ALREADY_USED)
        assert await gate.kinds() == ["GRANTED", "PASSED", "DENIED"]


async def test_one_ticket_before_two_readers_of_one_side_is_one_scan(open_gate):
    async with open_gate(has_sensor=False) as gate:
        twin = ScriptedReader("twin", ENTRY, gate.clock)
        async with asyncio.TaskGroup() as group:
            pumping = group.create_task(gate.gate._pump(twin))
            gate.entry.present(b"T1")
            twin.present(b"T1", after_s=0.1)
            twin.present(b"T1", after_s=5)
            await gate.later(1)
            assert await gate.kinds() == ["GRANTED", "PASSED"]
            await gate.later(5)
            assert await gate.kinds() == ["GRANTED", "PASSED", "DENIED"]
            pumping.cancel()


async def test_a_ticket_shown_on_both_sides_is_a_scan_on_each(open_gate):
    async with open_gate(has_sensor=False) as gate:
        await gate.scan("T1")
        assert answers(await gate.scan("T1", EXIT))[1] is Answer.EXIT_NOT_ALLOWED


async def test_a_command_shown_to_a_camera_waits_for_the_second_look(open_gate, caplog):
    async with open_gate() as gate:
        command = COMMAND_PREFIX.encode() + b"garbled"
        await sees(gate, command.decode(), first=True)
        assert "command" not in caplog.text
        await sees(gate, command.decode(), first=False)
        assert "command" in caplog.text
