"""The table of scan engines: its bytes against what makers print, and what it can never touch."""

import re
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from admission.scan import is_well_formed
from appliance.readers.decoding import Decoding, Frame, Symbology
from appliance.readers.engines import ENGINES, Engine, TriggerMode, opening
from appliance.readers.framing import Framer, Framing
from appliance.readers.profiles import serial_port
from appliance.readers.setup_codes import is_setup_code
from appliance.readers.zxing import ZxingDecoder
from appliance.scanners_config import BEEPERS, DATA_FORMATS, TRIGGERS, SerialConfig
from appliance.scanners_config import ENGINES as NAMES

MANUAL = Path(__file__).parents[2] / "docs" / "operations" / "scanners.md"
EVERY = pytest.mark.parametrize("name", ENGINES)


def crc(data: bytes) -> bytes:
    """The checksum that GROW and Newland print in their manuals: CRC-CCITT, beginning with 0."""
    rest = 0
    for byte in data:
        rest ^= byte << 8
        for _ in range(8):
            rest = (rest << 1) ^ (0x1021 if rest & 0x8000 else 0)
        rest &= 0xFFFF
    return rest.to_bytes(2, "big")


def test_the_configuration_knows_the_engines_of_the_table():
    assert set(NAMES) == set(ENGINES)
    assert set(TRIGGERS) == set(TriggerMode)


@pytest.mark.parametrize(
    ("name", "start", "stop"),
    [
        ("honeywell", "16 54 0d", "16 55 0d"),
        ("zebra", "04 e4 04 00 ff 14", "04 e5 04 00 ff 13"),
        ("gm65", "7e 00 08 01 00 02 01 ab cd", "7e 00 08 01 00 02 00 ab cd"),
        ("newland", "01 54 04", "01 50 04"),
        ("datalogic", "54", "58"),
        ("de2120", "5e 5f 5e 53 43 41 4e 2e", "5e 5f 5e 53 4c 45 45 50 2e"),
    ],
)
def test_an_engine_is_triggered_by_the_bytes_of_its_manual(name: str, start: str, stop: str):
    port = serial_port(SerialConfig(port="p", engine=name, trigger="host"))
    assert (port.start.hex(" "), port.stop.hex(" ")) == (start, stop)


def test_a_gm65_is_told_to_read_no_setup_codes_and_then_its_mode():
    def sent(**said: str) -> str:
        return serial_port(SerialConfig(port="p", engine="gm65", **said)).opening.hex()

    closed = "7e000801000302abcd"
    assert sent() == closed + "7e0008010000d7abcd"
    assert sent(trigger="host") == closed + "7e0008010000d5abcd"
    assert sent(beeper="off") == closed + "7e000801000097abcd"
    assert sent(trigger="host", beeper="off") == closed + "7e000801000095abcd"


@EVERY
def test_nothing_is_sent_that_an_engine_writes_to_its_flash(name: str):
    for sent in ENGINES[name].openings.values():
        assert not sent.startswith(b"~\x010000@")  # Newland's lasting settings
        assert not re.search(rb"\x16M\r[^\x16]*\.", sent)  # Honeywell's
        assert bytes.fromhex("7e 00 09 01 00 00 00") not in sent  # GROW's


@EVERY
def test_a_scanner_that_looks_by_itself_is_sent_no_triggers(name: str):
    port = serial_port(SerialConfig(port="p", engine=name))
    assert (port.start, port.stop) == (b"", b"")


@EVERY
def test_what_the_file_says_comes_before_what_the_engine_has(name: str):
    said = SerialConfig(
        port="p", engine=name, baud=300, data_format="7E1", trigger="host", beeper="off",
        opening=b"o", trigger_start=b"s", trigger_stop=b"t",
    )  # fmt: skip
    port = serial_port(said)
    assert (port.baudrate, port.data_format) == (300, "7E1")
    assert (port.opening, port.start, port.stop) == (b"o", b"s", b"t")


def test_a_scanner_without_commands_cannot_be_triggered():
    with pytest.raises(ValueError, match="'plain'; write trigger_start, or name another engine"):
        serial_port(SerialConfig(port="p", trigger="host"))
    port = serial_port(SerialConfig(port="p", trigger="host", trigger_start=b"GO"))
    assert port.start == b"GO"


def test_a_beep_that_only_a_setup_code_turns_off_is_not_said_to_be_off():
    with pytest.raises(ValueError, match="'zebra': it is turned off by a setup code alone"):
        serial_port(SerialConfig(port="p", engine="zebra", beeper="off"))


@EVERY
@pytest.mark.parametrize("mode", TriggerMode)
@pytest.mark.parametrize("beeper", BEEPERS)
def test_an_opening_is_given_or_refused(name: str, mode: TriggerMode, beeper: str):
    engine = ENGINES[name]
    is_quiet = beeper == "off"
    if is_quiet and not engine.openings.get((mode, True)):
        with pytest.raises(ValueError, match="setup code"):
            opening(engine, mode, is_quiet=True)
    else:
        assert opening(engine, mode, is_quiet=is_quiet) == engine.openings.get(
            (mode, is_quiet), b""
        )


@EVERY
def test_its_data_format_can_be_written_in_a_file(name: str):
    assert ENGINES[name].data_format in DATA_FORMATS


# --- answers ------------------------------------------------------------------------------------


def answers(name: str) -> list[bytes]:
    return {
        "honeywell": [b"BEPBEP0\x06!", b"TRGMOD9\x05!", b"DLYRRD99999\x15!", b"\x06", b"\x15"],
        "zebra": [
            bytes.fromhex("04 d0 00 00 ff 2c"),
            bytes.fromhex("04 d0 00 01 ff 2b"),
            bytes.fromhex("05 d1 00 00 02 ff 28"),
        ],
        "newland": [
            b"\x02\x010000#GRBENA0\x06;\x03",
            b"\x02\x010000@DFMADD069990020010F141\x15;\x03",
            b"\x06",
            bytes.fromhex("02 00 00 01 00 33 31"),
        ],
        "gm65": [
            b"\x02\x00" + bytes([kind, 1, 0]) + crc(bytes([kind, 1, 0])) for kind in (0, 1, 3)
        ],
        "de2120": [b"\x06", b"\x15"],
    }.get(name, [])


@EVERY
def test_what_an_engine_answers_is_no_part_of_the_code_behind_it(name: str):
    framing = Framing(answers=ENGINES[name].answers)
    for answer in answers(name):
        for said in (answer, answer * 2):
            framer = Framer(framing)
            (code,) = framer.feed(said + b"TICKET-1\r", 0)
            assert code.data == b"TICKET-1"
            assert framer.feed(said + b"\r", 0) == []


@EVERY
def test_an_engine_that_is_sent_commands_and_answers_has_its_answers_here(name: str):
    assert bool(answers(name)) == (ENGINES[name].answers is not None)


def test_the_gm65s_answers_carry_their_checksums():
    assert [answer.hex(" ") for answer in answers("gm65")] == [
        "02 00 00 01 00 33 31",
        "02 00 01 01 00 04 01",
        "02 00 03 01 00 6a 61",
    ]


NUMBERS = st.text(min_size=1, max_size=40).filter(is_well_formed)


@EVERY
@given(number=st.one_of(NUMBERS, st.from_regex(r"[A-Z0-9@#{}^.$!;]{1,20}", fullmatch=True)))
def test_no_engines_answers_take_anything_off_a_ticket_number(name: str, number: str):
    """An answer holds a control character where it begins; a number may hold none at all."""
    engine: Engine = ENGINES[name]
    assert engine.answers is None or engine.answers.match(number.encode()) is None


# --- setup codes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [b"@SETUPE1", b"#GRBENA0;", b"{CF10/1}", b"^_^POR232.", b"$S", b"$CBPVO01", b"232BAD9.",
     b"\x16M\rPAPHHF!", b" @SETUPE1\r\n"],
)  # fmt: skip
def test_what_makers_print_under_their_setup_codes_is_known(code: bytes):
    assert is_setup_code(code)


@pytest.mark.parametrize(
    "code", [b"", b"TICKET-1", b"3010123456789", b"PORTILLON:CMD:ABC", b"@alice", b"{}", b"232BAD9"]
)
def test_other_texts_are_not(code: bytes):
    assert not is_setup_code(code)


def test_a_camera_hands_on_a_code_that_is_marked_for_setting_up_readers():
    """It has no settings that such a code could change; so the gate judges it like any other."""
    barcode = zxingcpp.create_barcode("B3F1", zxingcpp.BarcodeFormat.Code128, reader_init=True)
    pixels = np.pad(np.array(barcode.to_image(scale=3)), 40, constant_values=255)
    (marked,) = zxingcpp.read_barcodes(pixels)
    assert marked.extra == {"ReaderInit": True}
    decoder = ZxingDecoder(Decoding(frozenset({Symbology.CODE_128})))
    (read,) = decoder.decode(Frame(pixels, 0))
    assert read.data == b"B3F1"


# --- the manual -----------------------------------------------------------------------------------


@EVERY
def test_the_manual_says_of_each_engine_what_it_rests_on(name: str):
    rows = [
        line for line in MANUAL.read_text("utf-8").splitlines() if line.startswith(f"| `{name}`")
    ]
    (row,) = rows
    engine = ENGINES[name]
    assert f"{engine.baud} {engine.data_format}" in row
    assert engine.remark in row
    assert f"| {engine.source.value} |" in row
