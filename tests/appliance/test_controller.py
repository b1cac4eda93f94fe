"""The turnstile behind a controller: whatever the line does, nobody is lost or let in twice."""

import asyncio
import os
import random
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from admission.journal import Flag, Kind
from admission.scan import Direction
from appliance.errors import TurnstileFaultError, TurnstileUnsureError
from appliance.ports import LaneEvent
from appliance.simulator.model_controller import ModelController, ModelLine
from appliance.simulator.virtual_clock import VirtualClock, settle
from appliance.turnstiles.controller import ControllerTurnstile, open_controller
from appliance.turnstiles.frame import (
    ANSWER,
    BODY_BYTES_MAX,
    DATA_BYTES_MAX,
    Command,
    Deframer,
    Frame,
    FrameError,
    State,
    Status,
    crc16,
    encode,
    unpack_status,
)
from appliance.turnstiles.serial_line import SerialLine
from gate_answers import GREEN, answers

ENTRY, EXIT = Direction.ENTRY, Direction.EXIT
IN, OUT = LaneEvent.PASSED_ENTRY, LaneEvent.PASSED_EXIT
PASSED = {IN, OUT}


# --- frames ---------------------------------------------------------------------------------------


def test_the_frames_of_the_manual_are_what_is_sent():
    assert crc16(b"123456789") == 0x29B1
    assert encode(Frame(1, 5, Command.OPEN_ENTRY)).hex(" ") == "7e 01 05 03 34 3a 7e"
    assert encode(Frame(1, 0x7E, Command.POLL)).hex(" ") == "7e 01 7d 5e 02 f0 b8 7e"
    status = Status(7, 1200, 34, State.OPEN_ENTRY, 5)
    answer = encode(Frame(1, 5, Command.OPEN_ENTRY | ANSWER, status.pack()))
    assert answer.hex(" ") == "7e 01 05 83 00 07 04 b0 00 22 01 05 e6 29 7e"


def test_what_is_written_is_read_whatever_its_bytes_and_however_it_is_cut():
    chance = random.Random(5)
    frames = [
        Frame(chance.randrange(256), chance.randrange(256), chance.randrange(256), data)
        for data in (chance.randbytes(chance.randrange(DATA_BYTES_MAX + 1)) for _ in range(60))
    ]
    sent = b"".join(encode(frame) for frame in frames)
    deframer, read = Deframer(), []
    while sent:
        cut = chance.randrange(1, 9)
        read += deframer.feed(sent[:cut])
        sent = sent[cut:]
    assert (read, deframer.damaged) == (frames, 0)


def test_a_frame_with_any_bit_turned_is_none():
    whole = encode(Frame(1, 9, Command.OPEN_EXIT, b"\x7e\x00"))
    for place in range(1, len(whole) - 1):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            assert Frame(1, 9, Command.OPEN_EXIT, b"\x7e\x00") not in Deframer().feed(damaged)


def test_after_noise_without_end_the_next_frame_is_read():
    deframer = Deframer()
    noise = bytes(byte for byte in random.Random(1).randbytes(100_000) if byte != 0x7E)
    assert deframer.feed(noise) == []
    assert len(deframer._body) <= BODY_BYTES_MAX + 1
    assert deframer.feed(encode(Frame(1, 1, Command.POLL))) == [Frame(1, 1, Command.POLL)]


def test_what_is_no_frame_or_status_is_refused():
    with pytest.raises(FrameError, match="holds 16"):
        encode(Frame(1, 1, 1, bytes(17)))
    with pytest.raises(FrameError, match="status has 8"):
        unpack_status(b"1234567")
    assert unpack_status(Status(1, 2, 3, State(0), 4).pack() + b"later") == Status(
        1, 2, 3, State(0), 4
    )


# --- a controller ---------------------------------------------------------------------------------


class Bench:
    """A turnstile that is polled, the model behind it, and what was heard."""

    def __init__(self, there: Callable[[bytes], bytes], back: Callable[[bytes], bytes]) -> None:
        self.clock = VirtualClock()
        self.model = ModelController(self.clock)
        self.line = ModelLine(self.model, there, back)
        self.turnstile = ControllerTurnstile(lambda: self.line, 1, self.clock)
        self.heard: list[LaneEvent] = []

    async def collect(self) -> None:
        async for event in self.turnstile.events():
            self.heard.append(event)


@asynccontextmanager
async def bench(
    there: Callable[[bytes], bytes] = bytes, back: Callable[[bytes], bytes] = bytes
) -> AsyncIterator[Bench]:
    made = Bench(there, back)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.collect())
        await made.clock.run(0.5)
        yield made
        task.cancel()


async def test_who_goes_through_on_a_release_is_told_once_with_their_way():
    async with bench() as b:
        await b.turnstile.release(ENTRY)
        assert b.model.is_open
        b.model.walk()
        await b.clock.run(2)
        await b.turnstile.release(EXIT)
        b.model.walk(is_exit=True)
        await b.clock.run(2)
        assert b.heard == [IN, OUT]
        assert b.model.openings == 2


async def test_an_arm_that_closes_behind_nobody_is_told():
    async with bench() as b:
        await b.turnstile.release(ENTRY)
        await b.clock.run(6)
        assert b.heard == [LaneEvent.NOT_PASSED]


async def test_a_grant_that_ended_without_the_controller_is_taken_back():
    async with bench() as b:
        await b.turnstile.release(ENTRY)
        b.turnstile.close()
        await b.clock.run(0.2)
        assert not b.model.is_open
        assert b.heard == []


async def test_bits_that_come_and_go_are_told():
    async with bench() as b:
        for bit in (State.FIRE, State.TURNING, State.STUCK):
            b.model.set_state(bit, is_set=True)
            await b.clock.run(0.3)
            b.model.set_state(bit, is_set=False)
            await b.clock.run(0.3)
        assert b.heard == [
            LaneEvent.FIRE,
            LaneEvent.FIRE_OVER,
            LaneEvent.TURNING,
            LaneEvent.TURNED_BACK,
            LaneEvent.SENSOR_STUCK,
            LaneEvent.SENSOR_FREE,
        ]


async def test_counts_go_over_their_end():
    async with bench() as b:
        b.model._entries = 65_535
        b.turnstile._known = None  # as at the first status
        await b.clock.run(0.3)
        b.model._entries = 1
        await b.clock.run(0.3)
        assert b.heard == [IN, IN]


async def test_held_free_it_stays_so_also_when_it_is_started_anew():
    async with bench() as b:
        await b.turnstile.hold(True)
        await b.clock.run(60)
        assert b.model.is_open
        b.model.restart()
        await b.clock.run(1)
        assert b.model.is_open
        await b.turnstile.hold(False)
        assert not b.model.is_open
        assert b.heard == [LaneEvent.DEVICE_LOST, LaneEvent.DEVICE_BACK]


# --- the line fails -------------------------------------------------------------------------------


class Trouble:
    """Does to frames, in turn, what a list says, then nothing."""

    def __init__(self, *deeds: Callable[[bytes], bytes]) -> None:
        self.deeds = list(deeds)

    def __call__(self, data: bytes) -> bytes:
        return self.deeds.pop(0)(data) if self.deeds and data else data


def lost(data: bytes) -> bytes:
    return b""


def doubled(data: bytes) -> bytes:
    return data + data


def damaged(data: bytes) -> bytes:
    return data[:3] + bytes((data[3] ^ 0x10,)) + data[4:]


def cut_off(data: bytes) -> bytes:
    return data[: len(data) // 2]


def noisy(data: bytes) -> bytes:
    return b"\x00\xff\x7d" + data + b"\x55\xaa"


DEEDS = [lost, doubled, damaged, cut_off, noisy]


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("is_answer", [False, True])
async def test_a_request_or_an_answer_that_suffers_opens_once_all_the_same(
    deed: Callable[[bytes], bytes], is_answer: bool
):
    there, back = Trouble(), Trouble()
    async with bench(there, back) as b:
        (back if is_answer else there).deeds = [deed]
        async with asyncio.TaskGroup() as group:
            group.create_task(b.turnstile.release(ENTRY))
            await b.clock.run(0.2)
        b.model.walk()
        await b.clock.run(6)
        assert b.model.openings == 1
        assert b.heard == [IN]


async def test_an_old_request_that_comes_again_opens_nothing():
    async with bench() as b:
        await b.turnstile.release(ENTRY)
        old = encode(Frame(1, b.turnstile._sequence, Command.OPEN_ENTRY))
        b.model.walk()
        for _ in range(5):
            await b.clock.run(0.5)
            b.model.receive(old)
            assert not b.model.is_open
        assert b.model.openings == 1


async def test_a_controller_that_does_not_answer_a_release_leaves_it_unsure():
    there, back = Trouble(), Trouble()
    async with bench(there, back) as b:
        back.deeds = [lost] * 3
        async with asyncio.TaskGroup() as group:
            releasing = group.create_task(unsure(b.turnstile))
            await b.clock.run(1)
        assert releasing.result()
        assert b.heard == [LaneEvent.DEVICE_LOST, LaneEvent.DEVICE_BACK]
        assert not b.model.is_open  # greeted again, it rests


async def unsure(turnstile: ControllerTurnstile) -> bool:
    with pytest.raises(TurnstileUnsureError, match="does not answer"):
        await turnstile.release(ENTRY)
    return True


async def test_people_who_go_while_answers_are_lost_are_counted_when_they_come_again():
    deaf = Trouble()
    async with bench(back=deaf) as b:
        deaf.deeds = [lost] * 12
        b.model.walk()
        b.model.walk(is_exit=True)
        await b.clock.run(5)
        assert [event for event in b.heard if event in PASSED] == [IN, OUT]


async def test_a_cut_line_is_lost_after_a_second_and_found_again():
    async with bench() as b:
        b.line.is_cut = True
        await b.clock.run(0.9)
        assert b.heard == []
        await b.clock.run(1)
        assert b.heard == [LaneEvent.DEVICE_LOST]
        with pytest.raises(TurnstileFaultError, match="does not answer"):
            await b.turnstile.release(ENTRY)
        b.model.walk()
        b.line.is_cut = False
        await b.clock.run(2)
        assert b.heard == [LaneEvent.DEVICE_LOST, IN, LaneEvent.DEVICE_BACK]


async def test_a_controller_that_nobody_asks_any_more_rests_by_itself():
    async with bench() as b:
        await b.turnstile.hold(True)
        b.line.is_cut = True  # the gate is dead, or its wire
        await b.clock.run(1.5)
        assert b.model.is_open
        await b.clock.run(1)
        assert not b.model.is_open


async def test_a_controller_that_was_started_anew_is_asked_again_before_it_opens():
    async with bench() as b:
        await b.turnstile.release(ENTRY)
        b.model.restart()
        b.model.walk()
        await b.clock.run(1)
        assert b.heard == [LaneEvent.DEVICE_LOST, IN, LaneEvent.DEVICE_BACK]
        for _ in range(3):
            await b.turnstile.release(ENTRY)
            assert b.model.is_open
            b.model.walk()
            await b.clock.run(1)
        assert b.model.openings == 4


async def test_over_a_line_where_everything_goes_wrong_nobody_is_lost_and_nothing_opens_twice():
    chance = random.Random(26)

    def suffer(data: bytes) -> bytes:
        return chance.choice([bytes, bytes, bytes, *DEEDS])(data) if data else data

    async with bench(suffer, suffer) as b:
        released = unsures = 0
        for number in range(60):
            async with asyncio.TaskGroup() as group:
                releasing = group.create_task(outcome(b.turnstile))
                await b.clock.run(0.5)
            result = releasing.result()
            released += result == "open"
            unsures += result == "unsure"
            if number % 3:
                b.model.walk(is_exit=number % 2 == 0)
            await b.clock.run(1.5)
        await b.clock.run(5)
        walked = b.model._entries + b.model._exits
        assert sum(event in PASSED for event in b.heard) == walked
        assert released <= b.model.orders <= released + unsures
        assert released > 40


async def outcome(turnstile: ControllerTurnstile) -> str:
    try:
        await turnstile.release(ENTRY)
    except TurnstileUnsureError:
        return "unsure"
    except TurnstileFaultError:
        return "not"
    return "open"


# --- the whole gate, and a real port --------------------------------------------------------------


async def test_the_gate_writes_down_what_the_controller_counts(open_gate):
    made: list[ModelController] = []

    def controlled(gate):
        made.append(ModelController(gate.clock))
        return ControllerTurnstile(lambda: ModelLine(made[0]), 1, gate.clock)

    async with open_gate(turnstile=controlled) as gate:
        (model,) = made
        await gate.later(0.5)
        assert answers(await gate.scan("T1"))[0] == GREEN[0]
        model.walk()
        await gate.later(0.3)
        assert await gate.kinds() == ["GRANTED", "PASSED"]
        await gate.later(3)
        await gate.scan("T2")
        model.restart()
        await gate.later(1)
        unresolved = (await gate.records())[3]
        assert (unresolved.kind, unresolved.flags & Flag.UNRESOLVED) == (
            Kind.PASSED,
            Flag.UNRESOLVED,
        )
        assert gate.inside == 2


async def test_over_a_serial_port_the_controller_is_asked_opens_and_is_lost_when_unplugged():
    clock = VirtualClock()
    model = ModelController(clock)
    master, slave = os.openpty()
    tty.setraw(slave)
    name, loop = os.ttyname(slave), asyncio.get_running_loop()
    loop.add_reader(master, lambda: os.write(master, model.receive(os.read(master, 256))))
    try:
        with open_controller(lambda: SerialLine(name, 19_200), 1, clock) as turnstile:
            heard: list[LaneEvent] = []

            async def collect() -> None:
                async for event in turnstile.events():
                    heard.append(event)  # noqa: PERF401 (it never ends)

            async with asyncio.TaskGroup() as group:
                task = group.create_task(collect())
                await answered(lambda: turnstile._known is not None)
                await turnstile.release(ENTRY)
                assert model.is_open
                model.walk()
                clock.advance(0.1)
                await answered(lambda: heard == [IN])
                with pytest.raises(TurnstileFaultError):
                    SerialLine(name, 19_200)  # it is ours alone
                loop.remove_reader(master)
                os.close(master)
                master = -1
                for _ in range(4):
                    await clock.run(0.5)
                assert heard[1:] == [LaneEvent.DEVICE_LOST]
                task.cancel()
    finally:
        if master >= 0:
            loop.remove_reader(master)
            os.close(master)
        os.close(slave)


async def answered(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        await settle()
        if holds():
            return
    raise AssertionError("it did not happen")


async def test_a_port_that_is_not_there_is_a_fault_of_the_turnstile():
    with pytest.raises(TurnstileFaultError, match="/nowhere"):
        SerialLine("/nowhere", 9600)
