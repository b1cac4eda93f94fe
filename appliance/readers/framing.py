"""Where a code begins and ends in what a serial scanner sends. Called by the serial reader.

Pure: bytes with their time of arrival in, codes out, however the line cut them into pieces. A code
ends with CR, LF or both, or with silence, because a scanner may be shipped without a suffix.
Bytes stay bytes: what they mean is decided elsewhere.
"""

import re
from dataclasses import dataclass
from typing import Final

from admission.limits import SCAN_PAYLOAD_BYTES_MAX

SILENCE_S: Final = 0.08  # a code's bytes come closer than this at every usual speed
_NS_PER_S: Final = 1_000_000_000
_ENDS: Final = re.compile(rb"[\r\n]")
ANSWER_BYTES_MAX: Final = 300  # of an engine to one or a few commands, before a code
_AIM_BYTES: Final = 3
_AIM: Final = {
    b"A": "Code39",
    b"C": "Code128",
    b"E": "EAN13",
    b"F": "Codabar",
    b"G": "Code93",
    b"I": "ITF",
    b"L": "PDF417",
    b"Q": "QRCode",
    b"d": "DataMatrix",
    b"e": "DataBar",
    b"z": "Aztec",
}


@dataclass(frozen=True, slots=True)
class Framing:
    """How the scanner is set up.

    Attributes:
        prefix: bytes it puts before each code; taken off.
        suffix: bytes it puts after each code, before CR or LF; taken off.
        answers: what its engine says to commands; taken off at the beginning of a run.
        has_aim: whether it puts the three-character AIM identifier (`]Q1`) after the prefix.
        silence_s: seconds without a byte that end a code.
        bytes_max: longer runs are noise and are dropped whole.

    Raises:
        ValueError: if prefix or suffix hold CR or LF, or silence or bound make no sense.
    """

    prefix: bytes = b""
    suffix: bytes = b""
    answers: re.Pattern[bytes] | None = None
    has_aim: bool = False
    silence_s: float = SILENCE_S
    bytes_max: int = SCAN_PAYLOAD_BYTES_MAX

    def __post_init__(self) -> None:
        if _ENDS.search(self.prefix + self.suffix):
            raise ValueError("prefix and suffix go without CR and LF, which end every code anyway")
        if not 0.01 <= self.silence_s <= 1:
            raise ValueError(f"silence_s must be 0.01 to 1, got {self.silence_s}")
        if not 1 <= self.bytes_max <= SCAN_PAYLOAD_BYTES_MAX:
            raise ValueError(f"bytes_max must be 1 to {SCAN_PAYLOAD_BYTES_MAX}")

    @property
    def overhead_bytes(self) -> int:
        """How many bytes of a run are not the code."""
        return len(self.prefix) + len(self.suffix) + (_AIM_BYTES if self.has_aim else 0)

    def take_off(self, raw: bytes) -> tuple[bytes, str] | None:
        """Split a run into the code and its symbology, or give None if its framing is not there."""
        if len(raw) < self.overhead_bytes:
            return None
        if not raw.startswith(self.prefix) or not raw.endswith(self.suffix):
            return None
        body = raw[len(self.prefix) : len(raw) - len(self.suffix)]
        if not self.has_aim:
            return body, ""
        if not body.startswith(b"]"):
            return None
        return body[_AIM_BYTES:], _symbology_of(body[:_AIM_BYTES])


@dataclass(frozen=True, slots=True)
class Code:
    """One code, its framing taken off.

    Attributes:
        data: its exact bytes.
        symbology: what its AIM identifier says, or "" without one.
        received_ns: when its last byte arrived.
    """

    data: bytes
    symbology: str
    received_ns: int


class Framer:
    """Cuts a scanner's bytes into codes.

    Attributes:
        overruns: runs longer than the bound, dropped whole.
        unframed: codes that came without the configured prefix, suffix or AIM identifier; they are
            handed on as they came, because guessing would hide a wrong configuration.
    """

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._silence_ns = round(framing.silence_s * _NS_PER_S)
        self._pending = bytearray()
        self._last_ns = 0
        self._is_overrun = False
        self.overruns = 0
        self.unframed = 0

    @property
    def silence_at_ns(self) -> int | None:
        """When `tick` will end the code that has begun, or None if none has."""
        return self._last_ns + self._silence_ns if self._pending or self._is_overrun else None

    def feed(self, data: bytes, now_ns: int) -> list[Code]:
        """Take in bytes that arrived together; return the codes that ended with or before them."""
        codes = self.tick(now_ns)
        *ended, rest = _ENDS.split(data)
        for piece in ended:
            self._append(piece, now_ns)
            codes += self._end()
        self._append(rest, now_ns)
        return codes

    def tick(self, now_ns: int) -> list[Code]:
        """Return the code that silence has ended by now, if any."""
        silence_at_ns = self.silence_at_ns
        if silence_at_ns is None or now_ns < silence_at_ns:
            return []
        return self._end()

    def reset(self) -> None:
        """Forget a code that has begun: the line was cut."""
        self._pending.clear()
        self._is_overrun = False

    def _append(self, piece: bytes, now_ns: int) -> None:
        if not piece:
            return
        self._last_ns = now_ns
        room = self._bytes_max_with_framing() - len(self._pending)
        if self._is_overrun or len(piece) > room:
            self._is_overrun = True
            self._pending.clear()
        else:
            self._pending += piece

    def _bytes_max_with_framing(self) -> int:
        answer_bytes = ANSWER_BYTES_MAX if self._framing.answers is not None else 0
        return self._framing.bytes_max + answer_bytes + self._framing.overhead_bytes

    def _end(self) -> list[Code]:
        raw, is_overrun = bytes(self._pending), self._is_overrun
        self.reset()
        if is_overrun:
            self.overruns += 1
            return []
        code = self._without_framing(raw)
        if len(code.data) > self._framing.bytes_max:
            self.overruns += 1
            return []
        return [code] if code.data else []

    def _without_framing(self, raw: bytes) -> Code:
        if self._framing.answers is not None and (answer := self._framing.answers.match(raw)):
            raw = raw[answer.end() :]
        if not raw or self._framing.overhead_bytes == 0:
            return Code(raw, "", self._last_ns)
        taken_off = self._framing.take_off(raw)
        if taken_off is None:
            self.unframed += 1
            return Code(raw, "", self._last_ns)
        return Code(*taken_off, self._last_ns)


def _symbology_of(aim: bytes) -> str:
    return "EAN8" if aim == b"]E4" else _AIM.get(aim[1:2], "")
