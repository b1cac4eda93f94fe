"""The camera's path never lags: however slow the decoder, it looks at the newest picture."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from admission.scan import Direction
from appliance.ports import Payload
from appliance.readers.camera import CameraReader
from appliance.readers.decoding import Frame, Read, Symbology
from appliance.readers.frames import FrameSlot
from appliance.simulator.virtual_clock import VirtualClock, settle

FRAME_S = 1 / 30
MS = 1_000_000


class SlowWorker(Executor):
    """An executor whose work takes its time on a virtual clock."""

    def __init__(self, clock: VirtualClock, work_s: float) -> None:
        self._clock = clock
        self.work_s = work_s

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._clock.after(self.work_s, lambda: future.set_result(fn(*args, **kwargs)))
        return future


class Night:
    """A camera with a picture every thirtieth of a second, and a decoder that notes their age."""

    def __init__(self, decode_s: float) -> None:
        self.clock = VirtualClock()
        self.slot = FrameSlot(self.clock)
        self.taken = 0
        self.ages_ns: list[int] = []
        self.shown_from: int | None = None
        self.got: list[Payload] = []
        self.decode_s = decode_s
        self.unread: list[Read] = []
        worker = SlowWorker(self.clock, decode_s)
        self.reader = CameraReader("cam", Direction.ENTRY, self.open, self, worker, self.clock)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[FrameSlot]:
        self.take()
        yield self.slot

    def take(self) -> None:
        level = np.uint8(self.taken % 2 * 200)  # something always moves: nothing is idle
        pixels = np.full((16, 16), level, np.uint8)
        self.taken += 1
        self.slot.put(Frame(pixels, self.clock.monotonic_ns()))
        self.clock.after(FRAME_S, self.take)

    def decode(self, frame: Frame) -> list[Read]:
        began_ns = self.clock.monotonic_ns() - round(self.decode_s * 1e9)
        self.ages_ns.append(began_ns - frame.received_ns)
        is_shown = self.shown_from is not None and frame.received_ns >= self.shown_from
        return [Read(Symbology.QR_CODE, b"T1")] if is_shown else []


@asynccontextmanager
async def night(decode_s: float) -> AsyncIterator[Night]:
    made = Night(decode_s)

    async def collect() -> None:
        async for payload in made.reader.payloads():
            made.got.append(payload)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(collect())
        await settle()
        yield made
        task.cancel()


@pytest.mark.parametrize("decode_s", [0.001, 0.03, 0.05, 0.1, 0.4, 1.5])
async def test_a_picture_is_never_older_than_one_interval_when_its_decoding_begins(decode_s: float):
    async with night(decode_s) as n:
        await n.clock.run(20)
    assert len(n.ages_ns) >= min(30, 1 / decode_s) * 20 * 0.6
    assert max(n.ages_ns) <= FRAME_S * 1e9 + MS


@pytest.mark.parametrize("decode_s", [0.02, 0.1, 0.4])
async def test_a_ticket_is_read_within_one_picture_and_two_decodings(decode_s: float):
    async with night(decode_s) as n:
        await n.clock.run(10.017)
        n.shown_from = n.clock.monotonic_ns()
        await n.clock.run(2 * decode_s + 2 * FRAME_S + 0.01)
        assert n.got[0].is_tentative
        await n.clock.run(decode_s + 2 * FRAME_S + 0.01)
        assert not n.got[1].is_tentative
    assert n.slot.overtaken > 0 or decode_s < FRAME_S
