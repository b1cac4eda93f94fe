"""From pictures to the journal: what a camera sees, and what the gate makes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from admission.scan import Direction
from appliance.ports import Look
from appliance.readers.camera import CameraReader
from appliance.readers.decoding import Frame, Read, Symbology
from appliance.readers.frames import FrameSlot
from appliance.simulator.inline_worker import InlineWorker

FRAME_S = 0.1


class Lens:
    """A camera before which codes are held; place by place, as a decoder finds them."""

    def __init__(self, gate: Any) -> None:
        self.gate = gate
        self.slot = FrameSlot(gate.clock)
        self.in_view: list[Read] = []
        self.unread: list[Read] = []
        self.reader = CameraReader(
            "camera",
            Direction.ENTRY,
            self.open,
            self,
            InlineWorker(),
            gate.clock,
            tell_unread=gate.announcer.unread,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FrameSlot]:
        yield self.slot

    def decode(self, frame: Frame) -> list[Read]:
        return self.in_view

    async def see(self, *numbers: str, frames: int = 1) -> None:
        self.in_view = [
            Read(Symbology.QR_CODE, number.encode(), ((x, 0), (x + 9, 0), (x + 9, 9), (x, 9)))
            for x, number in zip(range(0, 1000, 20), numbers, strict=False)
        ]
        for _ in range(frames):
            self.slot.put(Frame(np.zeros((8, 8), np.uint8), self.gate.clock.monotonic_ns()))
            await self.gate.later(FRAME_S)


@asynccontextmanager
async def lens_at(gate: Any) -> AsyncIterator[Lens]:
    lens = Lens(gate)
    async with asyncio.TaskGroup() as group:
        pumping = group.create_task(gate.gate._pump(lens.reader))
        await gate.settle()
        yield lens
        pumping.cancel()


async def test_a_ticket_held_before_the_lens_is_one_passage_however_long_it_is_held(open_gate):
    async with open_gate(has_sensor=False) as gate, lens_at(gate) as lens:
        await lens.see("T1", frames=100)
        assert await gate.kinds() == ["GRANTED", "PASSED"]
        assert Look.DENIED not in gate.display.looks


async def test_the_tickets_of_one_page_let_each_of_the_family_in(open_gate):
    async with open_gate(has_sensor=False) as gate, lens_at(gate) as lens:
        await lens.see("T1", "T2", "T3", frames=60)
        assert sorted(await gate.kinds()) == ["GRANTED"] * 3 + ["PASSED"] * 3
        assert gate.inside == 3
        assert Look.DENIED not in gate.display.looks


async def test_a_misread_picture_never_flashes_red_at_a_good_ticket(open_gate):
    async with open_gate(has_sensor=False) as gate, lens_at(gate) as lens:
        for shown in ("T1x", "T1", "T1x", "T1", "T1", "T1"):
            await lens.see(shown)
        assert await gate.kinds() == ["GRANTED", "PASSED"]
        assert Look.DENIED not in gate.display.looks


async def test_a_bad_ticket_held_before_the_lens_is_refused_once(open_gate):
    async with open_gate() as gate, lens_at(gate) as lens:
        await lens.see("nobody's", frames=1)
        assert await gate.kinds() == []
        await lens.see("nobody's", frames=60)
        assert await gate.kinds() == ["DENIED"]


async def test_a_used_ticket_that_is_shown_again_later_is_refused(open_gate):
    async with open_gate(has_sensor=False) as gate, lens_at(gate) as lens:
        await lens.see("T1", frames=5)
        await lens.see(frames=40)
        await lens.see("T1", frames=5)
        assert await gate.kinds() == ["GRANTED", "PASSED", "DENIED"]


BLURRED = Read(Symbology.QR_CODE, b"", ((0, 0), (9, 0), (9, 9), (0, 9)))


async def test_whoever_holds_a_code_that_cannot_be_read_is_told_to_hold_still(open_gate):
    async with open_gate(has_sensor=False) as gate, lens_at(gate) as lens:
        lens.unread = [BLURRED]
        await lens.see(frames=round(1.4 / FRAME_S))
        assert Look.HOLD_STILL not in gate.display.looks
        await lens.see(frames=round(0.4 / FRAME_S))
        assert gate.display.looks[-1] is Look.HOLD_STILL
        await lens.see(frames=round(5 / FRAME_S))
        assert gate.display.looks.count(Look.HOLD_STILL) == 1  # its light does not stutter
        lens.unread = []
        await lens.see(frames=round(1.1 / FRAME_S))
        assert gate.display.looks[-1] is Look.IDLE
        assert await gate.kinds() == []


async def test_once_the_code_is_read_its_answer_takes_the_place_at_once(open_gate):
    async with open_gate(has_sensor=False) as gate, lens_at(gate) as lens:
        lens.unread = [BLURRED]
        await lens.see(frames=round(2 / FRAME_S))
        lens.unread = []
        await lens.see("T1", frames=3)
        assert gate.display.looks[-2:] == [Look.HOLD_STILL, Look.GRANTED]
        assert await gate.kinds() == ["GRANTED", "PASSED"]


async def test_nobody_is_told_to_hold_still_while_a_verdict_is_shown(open_gate):
    async with open_gate(has_sensor=False) as gate, lens_at(gate) as lens:
        await lens.see("T1", frames=2)
        lens.unread = [BLURRED]
        await lens.see(frames=round(4.5 / FRAME_S))
        assert gate.display.looks[-1] is Look.GRANTED
        await lens.see(frames=round(1 / FRAME_S))
        assert gate.display.looks[-3:] == [Look.GRANTED, Look.IDLE, Look.HOLD_STILL]


async def test_nobody_is_told_to_hold_still_before_a_gate_that_is_out_of_service(open_gate):
    async with open_gate(has_sensor=False) as gate, lens_at(gate) as lens:
        gate.health.broken("GT-TST")
        await gate.settle()
        lens.unread = [BLURRED]
        await lens.see(frames=round(10 / FRAME_S))
        assert gate.display.looks[-1] is Look.OUT_OF_SERVICE
        assert Look.HOLD_STILL not in gate.display.looks


async def test_a_code_that_stays_unread_for_minutes_writes_nothing_to_the_log(open_gate, caplog):
    async with open_gate(has_sensor=False) as gate, lens_at(gate) as lens:
        lens.unread = [BLURRED]
        await lens.see()
        caplog.clear()
        for _ in range(200):
            await lens.see()
            await gate.later(0.2)
        assert caplog.records == []
        assert gate.display.looks[-1] is Look.IDLE  # no hand holds a ticket that long
