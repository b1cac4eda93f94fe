"""The reader of scanners that type: grabbed, unplugged, busy, of a wrong layout; nothing leaks."""

import asyncio
import builtins
import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from admission.scan import Direction
from appliance.errors import ConfigError
from appliance.ports import Payload
from appliance.readers import hid
from appliance.readers.hid import REOPEN_S, HidKeyboard, HidReader, evdev_devices
from appliance.readers.usb_names import UsbName
from appliance.simulator.virtual_clock import VirtualClock, settle
from typed_keys import FakeBus, pressed, typed_as

PATH = "/dev/input/event3"
F1 = 59


class Bench:
    def __init__(self, bus: FakeBus, keyboard: HidKeyboard) -> None:
        self.bus, self.clock = bus, VirtualClock()
        self.reader = HidReader("typed", Direction.ENTRY, keyboard, self.clock, bus.open)
        self.got: list[Payload] = []

    async def collect(self) -> None:
        async for payload in self.reader.payloads():
            self.got.append(payload)

    @property
    def data(self) -> list[bytes]:
        return [payload.data for payload in self.got]

    async def type(self, events) -> None:
        """Type, and wait until the reader has taken every event."""
        before = self.reader.counts["events"]
        self.bus.type(events)
        await until(lambda: self.reader.counts["events"] == before + len(events))

    async def unplug(self) -> None:
        self.bus.unplug(PATH)
        await until(lambda: not self.reader.is_alive())

    async def plug(self) -> None:
        self.bus.plugged.add(PATH)
        await self.clock.run(REOPEN_S)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if holds():
            await settle()
            return
        await asyncio.sleep(0.0005)
    raise AssertionError("it never came to hold")


@asynccontextmanager
async def bench(keyboard: HidKeyboard | None = None, *plugged: str) -> AsyncIterator[Bench]:
    made = Bench(FakeBus(*(plugged or (PATH,))), keyboard or HidKeyboard(PATH))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.collect())
        await until(made.reader.is_alive)
        yield made
        task.cancel()
    assert made.bus.open_devices == []


async def test_a_scan_comes_out_with_its_time():
    async with bench() as b:
        await b.clock.run(2.0)
        await b.type(typed_as("Ticket-1 "))
    assert b.got == [Payload("typed", Direction.ENTRY, b"Ticket-1 ", "", 2_000_000_000)]


async def test_the_layout_is_the_scanners():
    async with bench(HidKeyboard(PATH, layout="fr")) as b:
        await b.type(typed_as("AZ@12é", "fr"))
    assert b.data == ["AZ@12é".encode()]


async def test_a_code_without_an_end_is_handed_on_after_silence():
    async with bench() as b:
        await b.type(typed_as("TICKET", end=None))
        await b.clock.run(0.099)
        assert b.data == []
        await b.clock.run(0.002)
    assert b.data == [b"TICKET"]


async def test_a_scanner_that_repeats_itself_is_one_scan():
    async with bench() as b:
        for _ in range(10):
            await b.type(typed_as("STILL THERE"))
            await b.clock.run(0.5)
        await b.clock.run(1.1)
        await b.type(typed_as("STILL THERE"))
    assert b.data == [b"STILL THERE"] * 2


async def test_a_jammed_scanner_is_cut_to_twenty_a_second():
    async with bench() as b:
        await b.type([event for n in range(50) for event in typed_as(f"JAM {n}")])
    assert len(b.got) == 20
    assert b.reader.counts["flooded"] == 30


async def test_a_wrong_layout_is_told_of_once_and_yields_no_half_code(caplog):
    async with bench() as b:
        for n in range(5):
            await b.type(typed_as(f"{n}", end=None) + pressed(F1) + typed_as("SECRET"))
        assert b.reader.trouble == (
            "it types keys that layout us has not; set layout as the scanner has it"
        )
        await b.type(typed_as("WHOLE"))
        assert b.reader.trouble == ""
    assert b.data == [b"WHOLE"]
    assert b.reader.counts["aborted"] == 5
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in warnings] == [
        "reader typed keys that its layout has not: probably another layout"
    ]
    assert not any("SECRET" in str(record.__dict__) for record in caplog.records)


async def test_the_device_is_had_alone_and_let_go():
    async with bench() as b:
        (device,) = b.bus.open_devices
        assert device.is_grabbed
        with pytest.raises(OSError, match="busy"):
            device.grab()


async def test_a_device_that_another_has_grabbed_is_told_and_waited_for():
    made = Bench(FakeBus(PATH), HidKeyboard(PATH))
    made.bus.grabbed_by_others.add(PATH)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.collect())
        await made.clock.run(60)
        assert not made.reader.is_alive()
        assert made.reader.trouble == (
            "/dev/input/event3: another program has grabbed it; end that program"
        )
        made.bus.grabbed_by_others.clear()
        await made.clock.run(REOPEN_S)
        assert made.reader.is_alive()
        assert made.reader.trouble == ""
        task.cancel()


async def test_half_a_code_before_the_unplugging_does_not_spoil_the_next():
    async with bench() as b:
        await b.type(typed_as("HALF", end=None))
        await b.unplug()
        assert "plug it in again" in b.reader.trouble
        await b.plug()
        await b.type(typed_as("whole"))
    assert b.data == [b"whole"]


async def test_a_loose_plug_for_hours_leaks_nothing_and_is_told_of_once_a_time(caplog):
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with bench() as b:
        open_before, tasks_before = open_files(), len(asyncio.all_tasks())
        for n in range(50):
            await b.unplug()
            await b.clock.run(60)
            await b.plug()
            await b.type(typed_as(f"TICKET-{n}"))
        assert (open_files(), len(asyncio.all_tasks())) == (open_before, tasks_before)
    assert len(b.got) == 50
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 50


@pytest.mark.slow
async def test_a_scanner_that_is_away_for_ten_hours_costs_nothing_and_is_found_again():
    async with bench() as b:
        await b.unplug()
        await b.clock.run(60)
        before = (len(gc.get_objects()), len(asyncio.all_tasks()))
        await b.clock.run(10 * 3600)
        gc.collect()
        objects, tasks = len(gc.get_objects()), len(asyncio.all_tasks())
        assert objects - before[0] < 200
        assert tasks == before[1]
        await b.plug()
        await b.type(typed_as("HERE AGAIN"))
    assert b.data == [b"HERE AGAIN"]


async def test_a_device_that_is_no_keyboard_is_told():
    made = Bench(FakeBus(PATH), HidKeyboard(PATH))
    made.bus.keys = [113, 114, 115]  # the volume keys that many scanners have beside
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.collect())
        await made.clock.run(1)
        assert "is no keyboard; name the one that ends in -event-kbd" in made.reader.trouble
        assert made.bus.open_devices == []
        task.cancel()


async def test_a_scanner_is_found_by_its_usb_name_whatever_its_number(monkeypatch):
    numbers = iter([["/dev/input/event3"], ["/dev/input/event17", "/dev/input/event18"]])
    monkeypatch.setattr(hid, "find_event_files", lambda name: next(numbers))
    async with bench(HidKeyboard(usb=UsbName("0c2e", "0b81"))) as b:
        b.bus.plugged.add("/dev/input/event17")
        await b.unplug()
        await b.clock.run(REOPEN_S)
        await b.type(typed_as("HERE AGAIN"))
    assert b.data == [b"HERE AGAIN"]


async def test_what_nobody_takes_waits_in_the_kernel():
    """The loop is not woken for it again and again, and nothing of it is kept here."""
    made = Bench(FakeBus(PATH), HidKeyboard(PATH))
    payloads = made.reader.payloads()

    async def first() -> Payload:
        return await anext(payloads)

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(first())
        await until(made.reader.is_alive)
        made.bus.type(typed_as("ONE"))
        await until(reading.done)
    made.bus.type(typed_as("TWO"))
    await settle()
    assert len(made.bus.open_devices[0]._events) > 0
    assert (await anext(payloads)).data == b"TWO"
    await payloads.aclose()


def test_without_evdev_it_is_said_what_to_install(monkeypatch):
    import_module = builtins.__import__

    def without_evdev(name, *arguments, **named):
        if name == "evdev":
            raise ImportError(name)
        return import_module(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without_evdev)
    with pytest.raises(ConfigError, match="apt install python3-evdev"):
        evdev_devices()


def test_with_evdev_its_own_device_is_opened():
    evdev = pytest.importorskip("evdev", reason="python-evdev is not installed")
    assert evdev_devices() is evdev.InputDevice


async def test_evdevs_own_device_on_a_file_that_is_none_is_a_lost_reader(tmp_path: Path):
    pytest.importorskip("evdev", reason="python-evdev is not installed")
    path = tmp_path / "event0"
    path.write_bytes(b"")
    clock = VirtualClock()
    reader = HidReader("typed", Direction.ENTRY, HidKeyboard(str(path)), clock, evdev_devices())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(anext(reader.payloads()))
        await clock.run(1)
        assert not reader.is_alive()
        assert str(path) in reader.trouble
        task.cancel()


@pytest.mark.parametrize(
    "wrong", [{}, {"port": PATH, "usb": UsbName("a", "b")}, {"port": PATH, "layout": "es"}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="one of"):
        HidKeyboard(**wrong)
