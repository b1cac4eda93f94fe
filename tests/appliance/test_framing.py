"""Where a scanner's codes begin and end, however the line cuts them; what is garbage."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.readers.engines import ENGINES
from appliance.readers.framing import Code, Framer, Framing
from appliance.readers.noise import RUNS_MIN, NoiseGate, is_garbled

MS = 1_000_000
SILENCE_NS = 80 * MS
GM65_ANSWER = bytes.fromhex("02 00 00 01 00 33 31")
GM65 = Framing(answers=ENGINES["gm65"].answers)


def codes(framer: Framer, *chunks: bytes, now_ns: int = 0) -> list[bytes]:
    return [code.data for chunk in chunks for code in framer.feed(chunk, now_ns)]


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\n\r"])
def test_a_code_ends_with_cr_or_lf_or_both(end: bytes):
    assert codes(Framer(Framing()), b"ONE" + end + b"TWO" + end) == [b"ONE", b"TWO"]


def test_a_code_without_an_end_is_ended_by_silence():
    framer = Framer(Framing())
    assert framer.feed(b"TICKET", 5 * MS) == []
    assert framer.silence_at_ns == 85 * MS
    assert framer.tick(85 * MS - 1) == []
    assert framer.tick(85 * MS) == [Code(b"TICKET", "", 5 * MS)]
    assert framer.silence_at_ns is None


def test_silence_is_also_noticed_when_the_next_code_comes():
    framer = Framer(Framing())
    framer.feed(b"ONE", 0)
    assert [code.data for code in framer.feed(b"TWO\r", SILENCE_NS)] == [b"ONE", b"TWO"]


def test_every_byte_puts_the_silence_off():
    framer = Framer(Framing())
    for n in range(10):
        assert framer.feed(b"X", n * 79 * MS) == []
    assert [code.data for code in framer.tick(9 * 79 * MS + SILENCE_NS)] == [b"X" * 10]


def test_an_end_that_comes_after_the_silence_is_no_empty_code():
    framer = Framer(Framing())
    framer.feed(b"TICKET", 0)
    framer.tick(SILENCE_NS)
    assert framer.feed(b"\r\n", SILENCE_NS + 1) == []


def test_group_separators_and_other_bytes_stay_in_the_code():
    data = b"\x1d01040\x1d99" + bytes(range(0x80, 0xA0)) + b"\x00"
    assert codes(Framer(Framing()), data + b"\r") == [data]


def test_a_code_of_the_greatest_length_is_a_code():
    assert codes(Framer(Framing()), b"x" * 4096 + b"\r") == [b"x" * 4096]


@pytest.mark.parametrize("length", [4097, 4103, 4104])
def test_a_code_just_over_the_greatest_length_is_dropped(length: int):
    framer = Framer(Framing())
    assert codes(framer, b"x" * length + b"\r") == []
    assert framer.overruns == 1


def test_a_longer_run_is_dropped_whole_and_counted_and_the_next_code_is_read():
    framer = Framer(Framing())
    assert codes(framer, b"x" * 4104, b"y" * 9000, b"z\rNEXT\r") == [b"NEXT"]
    assert framer.overruns == 1


def test_a_longer_run_ends_with_silence_too():
    framer = Framer(Framing())
    framer.feed(b"x" * 5000, 0)
    assert framer.silence_at_ns == SILENCE_NS
    assert framer.tick(SILENCE_NS) == []
    assert codes(framer, b"NEXT\r", now_ns=2 * SILENCE_NS) == [b"NEXT"]
    assert framer.overruns == 1


def test_the_answer_to_a_trigger_command_is_taken_off():
    framer = Framer(GM65)
    assert codes(framer, GM65_ANSWER + b"TICKET\r", GM65_ANSWER + b"\r") == [b"TICKET"]


def test_a_scanner_that_is_sent_no_commands_answers_none():
    data = GM65_ANSWER + b"TICKET"
    assert codes(Framer(Framing()), data + b"\r") == [data]


def test_answers_are_taken_off_before_the_prefix():
    framer = Framer(Framing(prefix=b"<<", answers=GM65.answers))
    assert codes(framer, GM65_ANSWER * 2 + b"<<TICKET\r") == [b"TICKET"]
    assert framer.unframed == 0


def test_prefix_and_suffix_are_taken_off():
    framer = Framer(Framing(prefix=b"<<", suffix=b">>"))
    assert codes(framer, b"<<TICKET>>\r", b"<<<<>>\r") == [b"TICKET", b"<<"]
    assert framer.unframed == 0


@pytest.mark.parametrize("raw", [b"TICKET", b"<<TICKET", b"TICKET>>", b"<", b"<<>"])
def test_a_code_without_its_prefix_or_suffix_is_handed_on_as_it_is(raw: bytes):
    framer = Framer(Framing(prefix=b"<<", suffix=b">>"))
    assert codes(framer, raw + b"\r") == [raw]
    assert framer.unframed == 1


def test_prefix_and_suffix_do_not_share_bytes():
    framer = Framer(Framing(prefix=b"##", suffix=b"##"))
    assert codes(framer, b"###\r", b"#####\r") == [b"###", b"#"]


@pytest.mark.parametrize(
    ("aim", "symbology"),
    [
        (b"]Q1", "QRCode"),
        (b"]Q3", "QRCode"),
        (b"]z0", "Aztec"),
        (b"]d2", "DataMatrix"),
        (b"]L0", "PDF417"),
        (b"]C1", "Code128"),
        (b"]A0", "Code39"),
        (b"]I1", "ITF"),
        (b"]E0", "EAN13"),
        (b"]E4", "EAN8"),
        (b"]?0", ""),
    ],
)
def test_the_aim_identifier_names_the_kind_of_code(aim: bytes, symbology: str):
    framer = Framer(Framing(prefix=b"~", has_aim=True))
    assert framer.feed(b"~" + aim + b"TICKET\r", 3) == [Code(b"TICKET", symbology, 3)]


def test_an_aim_identifier_that_is_missing_is_not_guessed():
    framer = Framer(Framing(has_aim=True))
    assert codes(framer, b"TICKET\r", b"]Q\r") == [b"TICKET", b"]Q"]
    assert framer.unframed == 2


def test_an_aim_identifier_that_is_not_configured_belongs_to_the_code():
    assert codes(Framer(Framing()), b"]Q1TICKET\r") == [b"]Q1TICKET"]


@pytest.mark.parametrize(
    "wrong", [{"prefix": b"a\r"}, {"suffix": b"\n"}, {"silence_s": 0}, {"bytes_max": 4097}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=r"must be|go without"):
        Framing(**wrong)  # type: ignore[arg-type]


STREAMS = st.lists(
    st.one_of(
        st.sampled_from([b"\r", b"\n", b"\r\n", GM65_ANSWER, b"<<", b">>", b"]Q1"]),
        st.binary(min_size=1, max_size=12),
    ),
    max_size=20,
).map(b"".join)
FRAMINGS = st.sampled_from(
    [
        Framing(),
        Framing(prefix=b"<<", suffix=b">>"),
        Framing(has_aim=True),
        Framing(prefix=b"<<", has_aim=True, bytes_max=8),
        Framing(bytes_max=5),
        GM65,
    ]
)


@given(stream=STREAMS, framing=FRAMINGS, cuts=st.lists(st.integers(0, 200), max_size=30))
def test_any_cutting_of_the_line_gives_the_same_codes(
    stream: bytes, framing: Framing, cuts: list[int]
):
    whole, cut = Framer(framing), Framer(framing)
    places = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(places)]
    expected = codes(whole, stream, b"\r")
    assert codes(cut, *pieces, b"\r") == expected
    assert (cut.overruns, cut.unframed) == (whole.overruns, whole.unframed)


@given(st.lists(st.binary(min_size=1, max_size=30).filter(lambda b: not set(b) & {10, 13})))
def test_whatever_a_scanner_sends_in_lines_comes_out_byte_for_byte(lines: list[bytes]):
    assert codes(Framer(Framing()), b"".join(line + b"\r\n" for line in lines)) == lines


@given(st.lists(st.tuples(st.binary(max_size=6000), st.integers(0, 200)), max_size=8))
def test_no_code_is_ever_longer_than_the_bound(chunks: list[tuple[bytes, int]]):
    framer, now_ms = Framer(Framing(bytes_max=100)), 0
    for data, wait_ms in chunks:
        now_ms += wait_ms
        assert all(0 < len(code.data) <= 100 for code in framer.feed(data, now_ms * MS))
        assert len(framer._pending) <= 107


# --- noise -------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"\xff\xfe", b"A\x00B", b"\x80", b"\x07"])
def test_bytes_that_no_ticket_holds_are_garbled(data: bytes):
    assert is_garbled(data)


@pytest.mark.parametrize("data", [b"TICKET-1", "caf\u00e9".encode(), b"\x1d0104\x1d", b"a\tb"])
def test_text_is_not_garbled(data: bytes):
    assert not is_garbled(data)


def test_garbage_in_a_row_makes_a_line_noisy_until_it_is_clean_again():
    gate = NoiseGate()
    for _ in range(RUNS_MIN - 1):
        gate.admit(b"\xff", 0)
        assert not gate.is_noisy
    gate.admit(b"\xff", 0)
    assert gate.is_noisy
    assert gate.admit(b"CLEAN", 0)
    assert not gate.is_noisy
    assert gate.garbled == RUNS_MIN


def test_a_noisy_line_is_judged_now_and_then_only():
    gate = NoiseGate()
    admitted = [second for second in range(60) if gate.admit(b"\xff", second * 1_000 * MS)]
    assert admitted == [0, 1, 11, 21, 31, 41, 51]


def test_codes_come_through_a_noisy_line_at_once():
    gate = NoiseGate()
    for _ in range(10):
        gate.admit(b"\xff", 0)
    assert gate.admit(b"TICKET", 1)
    assert gate.admit(b"\xff", 2)  # one that is garbled after a clean one is answered, too


def test_runs_without_an_end_are_garbage_too():
    gate = NoiseGate()
    gate.see_overruns(0)
    assert not gate.is_noisy
    gate.see_overruns(RUNS_MIN)
    assert gate.is_noisy
