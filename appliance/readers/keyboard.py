"""From the keys that a scanner presses to the codes that it read. Called by the HID reader.

Pure: events of the kernel with their time in, codes out. A code ends with Enter, Tab or silence.
One that holds a key that types nothing is dropped whole and counted: with a hole in it, it could be
another ticket's.
"""

from dataclasses import dataclass
from typing import Final

from admission.limits import SCAN_PAYLOAD_BYTES_MAX
from appliance.readers.keyboard_layouts import (
    ALT,
    ALT_GR,
    CAPS_LOCK,
    CTRL_PLACES,
    CTRLS,
    ENTER,
    KEYPAD_DIGITS,
    KEYPAD_ENTER,
    NUM_LOCK,
    ROW_DIGITS,
    SHIFTS,
    TAB,
    Layout,
    compose,
)

SILENCE_S: Final = 0.1  # a slow scanner presses a key every 30 ms
EV_SYN: Final = 0
EV_KEY: Final = 1
SYN_DROPPED: Final = 3  # the kernel's buffer was full: keys are missing
_UP, _DOWN = 0, 1  # 2 is the keyboard's own repeating, which no scanner means
_ENDS: Final = frozenset({ENTER, KEYPAD_ENTER, TAB})
_END_SIGNS: Final = frozenset("\t\r\n")  # with Ctrl or by number they are Tab and Enter, too
_MODIFIERS: Final = SHIFTS | CTRLS | {ALT, ALT_GR}
_NS_PER_S: Final = 1_000_000_000
_ASCII_MAX: Final = 0x7F
_ALT_DIGITS_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Typed:
    """One code.

    Attributes:
        data: what was typed, as UTF-8.
        received_ns: when its last key was pressed.
    """

    data: bytes
    received_ns: int


class Typing:
    """Follows one keyboard.

    Args:
        layout: what its keys type.
        silence_s: seconds without a key that end a code.

    Attributes:
        aborted: codes that held what could not be told, dropped whole.
    """

    def __init__(self, layout: Layout, silence_s: float = SILENCE_S) -> None:
        """Know of no key that is held."""
        self._layout = layout
        self._silence_ns = round(silence_s * _NS_PER_S)
        self._held: set[int] = set()
        self._has_caps = False
        self._text: list[str] = []
        self._accent = ""
        self._by_number = ""
        self._bytes = 0
        self._is_broken = False
        self._last_ns = 0
        self.aborted = 0

    @property
    def silence_at_ns(self) -> int | None:
        """When `tick` will end the code that has begun, or None if none has."""
        return self._last_ns + self._silence_ns if self._has_begun else None

    def feed(self, kind: int, key: int, value: int, now_ns: int) -> list[Typed]:
        """Take in one event; return the codes that ended with or before it."""
        typed = self.tick(now_ns)
        if kind == EV_SYN and key == SYN_DROPPED:
            self._held.clear()
            self._break(now_ns)
        if kind != EV_KEY:
            return typed
        if key in _MODIFIERS:
            typed += self._hold(key, value, now_ns)
        elif value == _DOWN:
            typed += self._press(key, now_ns)
        return typed

    def tick(self, now_ns: int) -> list[Typed]:
        """Return the code that silence has ended by now, if any."""
        silence_at_ns = self.silence_at_ns
        if silence_at_ns is None or now_ns < silence_at_ns:
            return []
        return self._end()

    def reset(self) -> None:
        """Forget a code that has begun, and every key that is held: the keyboard is gone."""
        self._held.clear()
        self._has_caps = False
        self._forget()

    @property
    def _has_begun(self) -> bool:
        return bool(self._text or self._accent or self._by_number or self._is_broken)

    def _hold(self, key: int, value: int, now_ns: int) -> list[Typed]:
        if value == _DOWN:
            self._held.add(key)
            self._last_ns = now_ns
        elif value == _UP:
            self._held.discard(key)
            if key == ALT and self._by_number:
                number, self._by_number = self._by_number, ""
                return self._type(_of_number(number), now_ns)
        return []

    def _press(self, key: int, now_ns: int) -> list[Typed]:
        if key in _ENDS:
            self._last_ns = now_ns
            return self._end()
        if key == CAPS_LOCK:
            self._has_caps = not self._has_caps
        elif key != NUM_LOCK:
            return self._press_sign(key, now_ns)
        return []

    def _press_sign(self, key: int, now_ns: int) -> list[Typed]:
        has_ctrl, has_alt = bool(self._held & CTRLS), ALT in self._held
        has_alt_gr = ALT_GR in self._held or (has_ctrl and has_alt)  # these two together are it
        if has_alt and not has_alt_gr:
            return self._press_with_alt(key, now_ns)
        if has_ctrl and not has_alt_gr:
            return self._type(self._with_ctrl(key), now_ns)
        has_shift = bool(self._held & SHIFTS)
        if self._has_caps and key in self._layout.caps:
            has_shift = not has_shift
        place = (key, has_shift, has_alt_gr)
        sign = self._layout.typed.get(place)
        return self._type(sign, now_ns, waits=place in self._layout.dead)

    def _press_with_alt(self, key: int, now_ns: int) -> list[Typed]:
        digit = KEYPAD_DIGITS.get(key, ROW_DIGITS.get(key))
        if digit is None or len(self._by_number) >= _ALT_DIGITS_MAX:
            return self._break(now_ns)
        self._by_number += str(digit)
        self._last_ns = now_ns
        return []

    def _with_ctrl(self, key: int) -> str | None:
        sign = self._layout.typed.get((key, False, False), "")
        if not (sign.isascii() and sign.isalpha()):
            sign = CTRL_PLACES.get(key, "")
        return chr(ord(sign) & 0x1F) if sign else None

    def _type(self, sign: str | None, now_ns: int, *, waits: bool = False) -> list[Typed]:
        """Add what was typed; None is what cannot be told."""
        if sign is None:
            return self._break(now_ns)
        self._last_ns = now_ns
        if sign in _END_SIGNS:
            return self._end()
        if self._is_broken:
            return []
        accent, self._accent = self._accent, ""
        if waits:
            sign, self._accent = "", sign
            said = accent  # two accents: the first stands alone
        else:
            said = compose(accent, sign) if accent else sign
        self._text.append(said)
        self._bytes += len(said.encode())
        return self._break(now_ns) if self._bytes > SCAN_PAYLOAD_BYTES_MAX else []

    def _break(self, now_ns: int) -> list[Typed]:
        self._last_ns = now_ns
        self._text.clear()
        self._is_broken = True
        return []

    def _end(self) -> list[Typed]:
        if self._by_number:  # its Alt was never let go
            self._is_broken = True
        text, is_broken = "".join(self._text) + self._accent, self._is_broken
        self._forget()
        if is_broken:
            self.aborted += 1
            return []
        return [Typed(text.encode(), self._last_ns)] if text else []

    def _forget(self) -> None:
        self._text.clear()
        self._accent = ""
        self._by_number = ""
        self._bytes = 0
        self._is_broken = False


def _of_number(digits: str) -> str | None:
    """Give what Alt and a number type; None where it depends on a code page that nobody knows."""
    number = int(digits)
    if number <= _ASCII_MAX:
        return chr(number)
    if not digits.startswith("0") or number > 0xFF:
        return None
    return bytes([number]).decode("cp1252", "ignore") or None
