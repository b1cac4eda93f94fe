"""The decoder's own process, for real: it hangs, crashes, grows and lies, and the gate goes on."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest

from appliance.errors import DecoderLostError
from appliance.readers.chain import open_decoder
from appliance.readers.decoder_process import PAUSE_S, PAUSE_S_MAX, STEADY_S, ProcessDecoder
from appliance.readers.decoder_wire import unpack_answer
from appliance.readers.decoding import Decoding, Frame, Symbology
from appliance.simulator.lens import Condition, scene
from appliance.simulator.ticket_pictures import draw_code
from appliance.simulator.virtual_clock import VirtualClock
from sick_decoder import ILL, READS, WELL

SICK = Path(__file__).parents[1] / "support" / "sick_decoder.py"


def level(grey: int, width: int = 8, height: int = 4) -> Frame:
    return Frame(np.full((height, width), grey, np.uint8), 0)


class Patient:
    def __init__(self, illness: str, decode_s_max: float = 10.0) -> None:
        self.clock = VirtualClock()
        command = [sys.executable, str(SICK), illness]
        self.decoder = ProcessDecoder(Decoding(), self.clock, decode_s_max, command)

    def fall_ill(self) -> str:
        with pytest.raises(DecoderLostError) as told:
            self.decoder.decode(level(ILL))
        assert psutil.Process().children() == []  # nothing of it is left, no zombie either
        return str(told.value)

    def is_well(self) -> bool:
        return bool(self.decoder.decode(level(READS)))


@pytest.fixture
def patient() -> Iterator[Callable[..., Patient]]:
    made: list[Patient] = []

    def make(illness: str, decode_s_max: float = 10.0) -> Patient:
        made.append(Patient(illness, decode_s_max))
        return made[-1]

    yield make
    for one in made:
        one.decoder.close()
    assert psutil.Process().children() == []


def test_the_process_reads_what_the_decoder_itself_reads():
    frame = Frame(np.asarray(draw_code(b"\x00\xffbinary", "DataMatrix")), 7)
    decoder = ProcessDecoder(Decoding(), VirtualClock())
    try:
        assert decoder.decode(frame) == open_decoder(Decoding()).decode(frame) != []
        assert decoder.decode(level(255)) == []
    finally:
        decoder.close()


def test_the_process_also_tells_of_codes_that_it_sees_and_cannot_read():
    rng = np.random.default_rng(5)
    made = scene(b"HARD-TO-READ-0123456" * 6, "QRCode", Condition.GLARE, (640, 480), 0.6, rng)
    decoder, alone = ProcessDecoder(Decoding(), VirtualClock()), open_decoder(Decoding())
    try:
        seen = []
        for place in range(3):
            frame = Frame(made.pixels, place)
            assert decoder.decode(frame) == alone.decode(frame) == []
            assert decoder.unread == alone.unread
            seen += decoder.unread
        assert seen
        decoder.decode(level(255))
        assert decoder.unread == []
    finally:
        decoder.close()


def test_frames_of_changing_sizes_and_views_come_through_whole(patient):
    decoder = patient("well").decoder
    for width, height in ((8, 4), (300, 200), (5, 5), (1280, 720)):
        (read,) = decoder.decode(level(READS, width, height))
        assert read.data == b"%d x %d, \x00\xff" % (width, height)
        assert (read.symbology, read.position) == (Symbology.AZTEC, ((1, 2), (3, 4)))
    wide = Frame(np.full((20, 40), READS, np.uint8)[5:10, ::2], 0)
    assert decoder.decode(wide)[0].data.startswith(b"20 x 5")
    assert decoder.starts == 1


def test_a_decoder_that_hangs_is_killed_and_another_started(patient):
    p = patient("hangs", decode_s_max=0.3)
    assert p.decoder.decode(level(WELL)) == []
    assert "hangs" in p.fall_ill()
    p.clock.advance(PAUSE_S)
    assert p.is_well()


@pytest.mark.parametrize(
    ("illness", "status"),
    [("aborts", -signal.SIGABRT), ("raises", 1), ("babbles", -9), ("lies", -9)],
)
def test_a_decoder_that_crashes_or_lies_is_replaced(patient, illness, status):
    p = patient(illness)
    assert f"status {status}" in p.fall_ill()
    p.clock.advance(PAUSE_S)
    assert p.is_well()
    assert p.decoder.starts == 2


def test_a_decoder_that_eats_memory_is_ended_by_its_bound(patient):
    p = patient("grows")
    for _ in range(2):  # 100 MB more each
        assert p.decoder.decode(level(ILL))
    with pytest.raises(DecoderLostError, match="status 1"):
        p.decoder.decode(level(ILL))
    p.clock.advance(PAUSE_S)
    assert p.is_well()


def test_one_that_falls_again_and_again_is_started_less_and_less_often():
    clock = VirtualClock()
    dies = [sys.executable, "-S", "-c", "raise SystemExit(3)"]
    decoder = ProcessDecoder(Decoding(), clock, command=dies)
    begun_s, known = [], 0
    for _ in range(400):
        with pytest.raises(DecoderLostError):
            decoder.decode(level(WELL))
        if decoder.starts > known:
            known = decoder.starts
            begun_s.append(clock.monotonic_ns() / 1e9)
        clock.advance(0.05)
    pauses = [round(later - sooner, 2) for sooner, later in pairwise(begun_s)]
    assert pauses == [PAUSE_S, 0.5, 1.0, 2.0, 4.0, PAUSE_S_MAX, PAUSE_S_MAX]
    decoder.close()


def test_one_that_lived_for_long_is_replaced_soon_again(patient):
    p = patient("aborts")
    p.fall_ill()
    p.clock.advance(PAUSE_S)
    p.fall_ill()
    p.clock.advance(2 * PAUSE_S)
    assert p.is_well()
    p.clock.advance(STEADY_S)
    p.fall_ill()
    p.clock.advance(PAUSE_S)
    assert p.is_well()


def test_waiting_for_a_pause_starts_nothing_and_lengthens_nothing(patient):
    p = patient("aborts")
    p.fall_ill()
    for _ in range(50):
        with pytest.raises(DecoderLostError):
            p.decoder.decode(level(WELL))
    assert p.decoder.starts == 1
    p.clock.advance(PAUSE_S)
    assert p.is_well()


def test_closing_ends_a_decoder_that_hangs_without_waiting_for_it(patient):
    p = patient("hangs", decode_s_max=60)
    assert p.decoder.decode(level(WELL)) == []
    stuck = threading.Thread(target=p.fall_ill)
    stuck.start()
    begun = time.monotonic()
    while not any(c.status() == psutil.STATUS_SLEEPING for c in psutil.Process().children()):
        assert time.monotonic() - begun < 10
    p.decoder.close()
    stuck.join(10)
    assert not stuck.is_alive()
    with pytest.raises(DecoderLostError, match="not running"):
        p.decoder.decode(level(WELL))


def test_a_program_that_cannot_be_started_is_a_lost_decoder():
    decoder = ProcessDecoder(Decoding(), VirtualClock(), command=["/nowhere/python"])
    with pytest.raises(DecoderLostError, match="No such file"):
        decoder.decode(level(WELL))
    decoder.close()


GATE = """
import sys, numpy as np
from appliance.readers.decoder_process import ProcessDecoder
from appliance.readers.decoding import Decoding, Frame
from appliance.simulator.virtual_clock import VirtualClock
decoder = ProcessDecoder(Decoding(), VirtualClock(), 0.2, [sys.executable, *sys.argv[1:]])
decoder.decode(Frame(np.zeros((4, 4), np.uint8), 0))
print(decoder._child._process.pid, flush=True)
if sys.stdin.readline() == "hang\\n":
    decoder._s_max = lambda frame: 60.0
    from dataclasses import replace
    from appliance.readers import decoder_process
    true_ask = decoder_process.Ask
    decoder_process.Ask = lambda *args: replace(true_ask(*args), s_max=0.2)
    print("asked", flush=True)
    decoder.decode(Frame(np.full((4, 4), 2, np.uint8), 0))
sys.stdin.readline()
"""


@pytest.mark.parametrize("when", ["at rest", "hang"])
def test_a_killed_gate_leaves_no_decoder_behind(when):
    gate = subprocess.Popen(
        [sys.executable, "-c", GATE, str(SICK), "hangs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with gate:
        assert gate.stdin is not None
        assert gate.stdout is not None
        child = psutil.Process(int(gate.stdout.readline()))
        gate.stdin.write(f"{when}\n")
        gate.stdin.flush()
        if when == "hang":
            assert gate.stdout.readline() == "asked\n"
        os.kill(gate.pid, signal.SIGKILL)
        gate.wait(10)
        with suppress(psutil.NoSuchProcess):
            child.wait(10)
        assert not child.is_running()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc0",
        b"\x91\x01",
        b"\x81\xa1a\x01",
        b"\x91\x80",
        b"\x82\xa5reads\x90\xa6unread\x91\x01",
    ],
)
def test_what_is_no_list_of_reads_is_refused(raw):
    with pytest.raises(ValueError):  # noqa: PT011  # whatever the codec calls it
        unpack_answer(raw)
