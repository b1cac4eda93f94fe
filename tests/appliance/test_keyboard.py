"""What a scanner types comes out as it read it, whatever its layout, or not at all."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admission.limits import SCAN_PAYLOAD_BYTES_MAX
from appliance.readers import keyboard_layouts as keys
from appliance.readers.keyboard import EV_KEY, EV_SYN, SYN_DROPPED, Typed, Typing
from appliance.readers.keyboard_layouts import ALT, ALT_GR, ENTER, KEYPAD_DIGITS, LAYOUTS
from typed_keys import PRESSES, SHIFT, Event, pressed, typed_as

MS = 1_000_000
CTRL, F1 = 29, 59
EVERY = pytest.mark.parametrize("layout", LAYOUTS)
KEYPAD = {digit: key for key, digit in KEYPAD_DIGITS.items()}


def read(events: list[Event], layout: str = "us", typing: Typing | None = None) -> list[str]:
    typing = typing or Typing(LAYOUTS[layout])
    return [code.data.decode() for event in events for code in typing.feed(*event, now_ns=0)]


def by_number(digits: str) -> list[Event]:
    """Alt held, digits on the key-pad."""
    keypad = [event for digit in digits for event in pressed(KEYPAD[int(digit)])]
    return [Event(EV_KEY, ALT, 1), *keypad, Event(EV_KEY, ALT, 0)]


@EVERY
@given(data=st.data())
def test_any_text_that_a_layout_has_comes_back_as_it_was(layout: str, data: st.DataObject):
    texts = st.lists(
        st.text(st.sampled_from(sorted(PRESSES[layout])), min_size=1, max_size=30), max_size=4
    )
    sent = data.draw(texts)
    assert read([event for text in sent for event in typed_as(text, layout)], layout) == sent


@EVERY
def test_every_layout_has_every_printable_character_of_ascii(layout: str):
    printable = set(string.printable) - set("\t\n\r\x0b\x0c")
    assert printable <= set(PRESSES[layout])


@pytest.mark.parametrize(
    ("layout", "text"),
    [("us", "~`|\\"), ("fr", "éèçàùâêîôûëïü€§µ£²°~`^¨"), ("de", "äöüÄÖÜßâéàêÂÉÀ€§µ²³°^´`")],
)
def test_a_layout_has_its_own_signs(layout: str, text: str):
    assert read(typed_as(text, layout), layout) == [text]


@pytest.mark.parametrize(
    ("key", "held", "us", "fr", "de"),
    [
        (2, (), "1", "&", "1"),
        (2, (SHIFT,), "!", "1", "!"),
        (16, (), "q", "a", "q"),
        (21, (), "y", "y", "z"),
        (12, (), "-", ")", "ß"),
        (3, (SHIFT,), "@", "2", '"'),
        (8, (SHIFT,), "&", "7", "/"),
        (50, (), "m", ",", "m"),
        (39, (), ";", "m", "ö"),
        (11, (ALT_GR,), None, "@", "}"),
        (86, (), None, "<", "<"),
        (86, (ALT_GR,), None, None, "|"),
        (98, (), "/", "/", "/"),
        (83, (), ".", ".", ","),
    ],
)
def test_a_key_types_what_stands_on_it(key: int, held, us, fr, de):
    """By hand from pictures of the keyboards, beside the tables."""
    for layout, sign in {"us": us, "fr": fr, "de": de}.items():
        events = [*pressed(key, *held), *pressed(ENTER)]
        assert read(events, layout) == ([] if sign is None else [sign])


def test_the_wrong_layout_is_another_text_and_never_a_shorter_one():
    assert read(typed_as("AZERTY-1", "fr"), "us") == ["QWERTY6!"]


@pytest.mark.parametrize("end", [ENTER, keys.KEYPAD_ENTER, keys.TAB])
def test_a_code_ends_with_enter_or_tab(end: int):
    assert read(typed_as("ONE", end=end) + typed_as("TWO", end=end)) == ["ONE", "TWO"]


def test_an_end_alone_is_no_code():
    assert read(pressed(ENTER) * 3) == []


def test_a_code_without_an_end_is_ended_by_silence():
    typing = Typing(LAYOUTS["us"])
    for event in typed_as("TICKET", end=None):
        assert typing.feed(*event, now_ns=5 * MS) == []
    assert typing.silence_at_ns == 105 * MS
    assert typing.tick(105 * MS - 1) == []
    assert typing.tick(105 * MS) == [Typed(b"TICKET", 5 * MS)]
    assert typing.silence_at_ns is None


def test_the_silence_is_also_noticed_when_the_next_code_comes():
    typing = Typing(LAYOUTS["us"])
    read(typed_as("ONE", end=None), typing=typing)
    assert [code.data for code in typing.feed(EV_KEY, 3, 1, now_ns=100 * MS)] == [b"ONE"]


def test_keys_that_are_held_repeat_nothing():
    down = Event(EV_KEY, 30, 1)
    repeats = [Event(EV_KEY, 30, 2)] * 5
    assert read([down, *repeats, Event(EV_KEY, 30, 0), *pressed(ENTER)]) == ["a"]


@pytest.mark.parametrize("shift", sorted(keys.SHIFTS))
def test_either_shift_is_shift(shift: int):
    assert read([*pressed(30, shift), *pressed(ENTER)]) == ["A"]


def test_one_shift_let_go_is_not_both():
    left, right = sorted(keys.SHIFTS)
    held = [Event(EV_KEY, left, 1), Event(EV_KEY, right, 1), Event(EV_KEY, left, 0)]
    assert read([*held, *pressed(30), Event(EV_KEY, right, 0), *pressed(ENTER)]) == ["A"]


def test_ctrl_and_alt_together_are_alt_gr():
    held = [Event(EV_KEY, CTRL, 1), Event(EV_KEY, ALT, 1)]
    gone = [Event(EV_KEY, ALT, 0), Event(EV_KEY, CTRL, 0)]
    assert read([*held, *pressed(16), *gone, *pressed(ENTER)], "de") == ["@"]


@pytest.mark.parametrize(
    ("layout", "key", "off", "on"),
    [("us", 30, "a", "A"), ("us", 2, "1", "1"), ("de", 39, "ö", "Ö"), ("de", 2, "1", "1"),
     ("fr", 16, "a", "A"), ("fr", 2, "&", "1")],
)  # fmt: skip
def test_caps_lock_is_shift_where_the_layout_has_it_so(layout: str, key: int, off: str, on: str):
    lock = pressed(keys.CAPS_LOCK)
    events = [*pressed(key), *lock, *pressed(key), *pressed(key, SHIFT), *lock, *pressed(key)]
    shifted = off if on != off else LAYOUTS[layout].typed[key, True, False]
    assert read(events + pressed(ENTER), layout) == [off + on + shifted + off]


def test_the_key_pad_types_digits_and_num_lock_nothing():
    events = [event for digit in range(10) for event in pressed(KEYPAD[digit])]
    assert read([*pressed(keys.NUM_LOCK), *events, *pressed(keys.KEYPAD_ENTER)]) == ["0123456789"]


# --- control characters ---------------------------------------------------------------------------


@pytest.mark.parametrize("digits", ["29", "029", "0029"])
def test_alt_and_a_number_types_a_control_character(digits: str):
    events = typed_as("01", end=None) + by_number(digits) + typed_as("99")
    assert read(events) == ["01\x1d99"]


def test_alt_and_a_number_types_a_character_of_the_windows_page_where_it_is_told():
    assert read(by_number("0233") + pressed(ENTER)) == ["é"]


@pytest.mark.parametrize("digits", ["130", "0300", "0129", "99999"])
def test_a_number_that_depends_on_a_code_page_aborts_the_code(digits: str):
    typing = Typing(LAYOUTS["us"])
    assert read([*typed_as("A", end=None), *by_number(digits), *typed_as("B")], typing=typing) == []
    assert typing.aborted == 1


def test_a_number_whose_alt_is_never_let_go_aborts_the_code():
    typing = Typing(LAYOUTS["us"])
    events = [Event(EV_KEY, ALT, 1), *pressed(KEYPAD[2]), *pressed(ENTER)]
    assert read(events, typing=typing) == []
    assert typing.aborted == 1


@EVERY
@pytest.mark.parametrize(("key", "typed"), [(27, "\x1d"), (26, "\x1b"), (43, "\x1c"), (12, "\x1f")])
def test_ctrl_makes_a_control_character_by_place(layout: str, key: int, typed: str):
    assert read([*pressed(30), *pressed(key, CTRL), *pressed(ENTER)], layout)[0][1:] == typed


def test_ctrl_and_a_letter_go_by_the_layout():
    assert read([*pressed(16, CTRL), *pressed(ENTER)], "us") == ["\x11"]
    assert read([*pressed(16, CTRL), *pressed(ENTER)], "fr") == ["\x01"]


def test_an_enter_that_is_typed_by_ctrl_or_number_is_an_enter():
    assert read(typed_as("ONE", end=None) + pressed(50, CTRL)) == ["ONE"]
    assert read(typed_as("TWO", end=None) + by_number("13")) == ["TWO"]


# --- what cannot be told --------------------------------------------------------------------------


@pytest.mark.parametrize("hole", [pressed(F1), pressed(103), pressed(16, ALT), pressed(86)])
def test_a_key_that_types_nothing_drops_the_code_whole(hole: list[Event]):
    typing = Typing(LAYOUTS["us"])
    events = typed_as("12", end=None) + hole + typed_as("34") + typed_as("NEXT")
    assert read(events, typing=typing) == ["NEXT"]
    assert typing.aborted == 1


def test_keys_that_the_kernel_lost_drop_the_code_whole():
    typing = Typing(LAYOUTS["us"])
    lost = [Event(EV_SYN, SYN_DROPPED, 0)]
    events = [Event(EV_KEY, SHIFT, 1), *typed_as("12", end=None), *lost, *typed_as("34")]
    assert read([*events, *typed_as("next")], typing=typing) == ["next"]


def test_a_code_that_is_too_long_is_dropped_whole():
    typing = Typing(LAYOUTS["us"])
    assert read(typed_as("x" * SCAN_PAYLOAD_BYTES_MAX), typing=typing) == ["x" * 4096]
    assert read(typed_as("x" * (SCAN_PAYLOAD_BYTES_MAX + 1)), typing=typing) == []
    assert read(typed_as("x" * 20_000 + "y"), typing=typing) == []
    assert typing.aborted == 2


def test_a_keyboard_that_went_away_holds_no_key():
    typing = Typing(LAYOUTS["us"])
    read([*pressed(keys.CAPS_LOCK), Event(EV_KEY, SHIFT, 1), *pressed(30)], typing=typing)
    typing.reset()
    assert read(typed_as("abc"), typing=typing) == ["abc"]


EVENTS = st.tuples(st.integers(0, 4), st.integers(0, 255), st.integers(-1, 3))


@EVERY
@given(events=st.lists(EVENTS, max_size=60))
def test_whatever_keys_come_the_next_code_is_read(layout: str, events: list[tuple[int, int, int]]):
    typing = Typing(LAYOUTS[layout])
    for event in events:
        for code in typing.feed(*event, now_ns=0):
            assert 0 < len(code.data) <= SCAN_PAYLOAD_BYTES_MAX
    typing.tick(100 * MS)
    let_go = [Event(EV_KEY, key, 0) for key in range(256)]
    caps = pressed(keys.CAPS_LOCK) if typing._has_caps else []
    for event in [*let_go, *caps]:
        typing.feed(*event, now_ns=100 * MS)
    typing.tick(300 * MS)
    assert [
        code.data.decode()
        for event in typed_as("Ticket-1", layout)
        for code in typing.feed(*event, now_ns=300 * MS)
    ] == ["Ticket-1"]


def test_the_numbers_are_the_kernels():
    """Against python-evdev's own table, which is made from the kernel's header."""
    ecodes = pytest.importorskip("evdev.ecodes", reason="python-evdev is not installed")
    names = {
        "KEY_ENTER": ENTER, "KEY_KPENTER": keys.KEYPAD_ENTER, "KEY_TAB": keys.TAB,
        "KEY_SPACE": keys.SPACE, "KEY_CAPSLOCK": keys.CAPS_LOCK, "KEY_NUMLOCK": keys.NUM_LOCK,
        "KEY_LEFTALT": ALT, "KEY_RIGHTALT": ALT_GR, "KEY_GRAVE": 41, "KEY_EQUAL": 13, "KEY_Q": 16,
        "KEY_RIGHTBRACE": 27, "KEY_A": 30, "KEY_APOSTROPHE": 40, "KEY_BACKSLASH": 43,
        "KEY_102ND": 86, "KEY_Z": 44, "KEY_SLASH": 53, "KEY_KPSLASH": 98, "KEY_KPASTERISK": 55,
        "KEY_KPMINUS": 74, "KEY_KPPLUS": 78, "KEY_KPDOT": 83, "EV_KEY": EV_KEY, "EV_SYN": EV_SYN,
        "SYN_DROPPED": SYN_DROPPED,
    }  # fmt: skip
    assert {name: getattr(ecodes, name) for name in names} == names
    assert {ecodes.KEY_LEFTSHIFT, ecodes.KEY_RIGHTSHIFT} == keys.SHIFTS
    assert {ecodes.KEY_LEFTCTRL, ecodes.KEY_RIGHTCTRL} == keys.CTRLS
    assert {getattr(ecodes, f"KEY_KP{n}"): n for n in range(10)} == KEYPAD_DIGITS
    assert {getattr(ecodes, f"KEY_{n}"): n for n in range(10)} == keys.ROW_DIGITS
