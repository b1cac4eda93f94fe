"""The frame that a turnstile controller is spoken to in: its bytes, its commands, its status.

Pure; docs/operations/turnstile-frame.md is its text. Called by the controller's driver and by the
model of a controller.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag, unique
from typing import Final

FLAG: Final = 0x7E  # stands before and behind each frame, and nowhere else
ESCAPE: Final = 0x7D  # the next byte is meant with this bit turned:
TURNED: Final = 0x20
ANSWER: Final = 0x80  # in the command of whatever a controller sends
DATA_BYTES_MAX: Final = 16
_HEAD_BYTES: Final = 3
_CRC_BYTES: Final = 2
BODY_BYTES_MAX: Final = _HEAD_BYTES + DATA_BYTES_MAX + _CRC_BYTES
_STATUS: Final = struct.Struct(">HHHBB")


@unique
class Command(IntEnum):
    """What the gate asks of a controller; each is answered by a status."""

    HELLO = 1  # come to rest; count sequences from mine
    POLL = 2  # nothing: say how you are
    OPEN_ENTRY = 3  # let one person in
    OPEN_EXIT = 4  # let one person out
    REST = 5  # let nobody through, hold nothing free
    FREE = 6  # hold the way free in both directions


@unique
class State(IntFlag):
    """What a controller says of itself."""

    OPEN_ENTRY = 1  # one person may go in
    OPEN_EXIT = 2  # one person may go out
    TURNING = 4  # the arm is not home
    FREE = 8  # held free by command
    FIRE = 16  # its own fire input is active, and has freed the arm
    STUCK = 32  # a passage contact sticks


class FrameError(ValueError):
    """Bytes that are no frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        address: of the controller, 1 to 247.
        sequence: 0 to 255; a repeated request has the one of before, an answer its request's.
        command: a `Command`, with ANSWER in an answer.
        data: at most DATA_BYTES_MAX.
    """

    address: int
    sequence: int
    command: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Status:
    """What a controller answers.

    Attributes:
        boot: another number after each of its starts.
        entries: people who went in since it started, modulo 65536.
        exits: likewise out.
        state: what it does.
        done: sequence of the last request that it carried out.
    """

    boot: int
    entries: int
    exits: int
    state: State
    done: int

    def pack(self) -> bytes:
        """Write it as an answer's data."""
        return _STATUS.pack(self.boot, self.entries, self.exits, int(self.state), self.done)


def unpack_status(data: bytes) -> Status:
    """Read an answer's data; what a later controller appends is left alone.

    Raises:
        FrameError: if it is too short.
    """
    if len(data) < _STATUS.size:
        raise FrameError(f"a status has {_STATUS.size} bytes, got {len(data)}")
    boot, entries, exits, state, done = _STATUS.unpack_from(data)
    return Status(boot, entries, exits, State(state & _KNOWN), done)


_KNOWN: Final = sum(State)


def crc16(data: bytes) -> int:
    """Give the CRC-16 of bytes: polynomial 0x1021, start 0xFFFF, nothing reflected."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (0x1021 if crc & 0x8000 else 0)
        crc &= 0xFFFF
    return crc


def encode(frame: Frame) -> bytes:
    """Write a frame.

    Raises:
        FrameError: if its data is too long.
    """
    if len(frame.data) > DATA_BYTES_MAX:
        raise FrameError(f"a frame holds {DATA_BYTES_MAX} bytes, got {len(frame.data)}")
    body = bytes((frame.address, frame.sequence, frame.command)) + frame.data
    body += crc16(body).to_bytes(_CRC_BYTES, "big")
    stuffed = bytearray((FLAG,))
    for byte in body:
        if byte in (FLAG, ESCAPE):
            stuffed += bytes((ESCAPE, byte ^ TURNED))
        else:
            stuffed.append(byte)
    stuffed.append(FLAG)
    return bytes(stuffed)


def decode_body(body: bytes) -> Frame:
    """Read what stands between two flags, taken out of its escapes.

    Raises:
        FrameError: if it is no frame.
    """
    if not _HEAD_BYTES + _CRC_BYTES <= len(body) <= BODY_BYTES_MAX:
        raise FrameError(f"no frame has {len(body)} bytes")
    content, crc = body[:-_CRC_BYTES], int.from_bytes(body[-_CRC_BYTES:], "big")
    if crc16(content) != crc:
        raise FrameError("the frame was damaged on its way")
    return Frame(content[0], content[1], content[2], content[_HEAD_BYTES:])


class Deframer:
    """Finds frames in what comes over a line, noise and all.

    Attributes:
        damaged: how many it could not read.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._body = bytearray()
        self._is_escaped = False

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes in; give the frames that are whole now."""
        frames = []
        for byte in data:
            if byte == FLAG:
                frames += self._end()
            elif len(self._body) > BODY_BYTES_MAX:
                continue  # noise: nothing more of it is kept until the next flag
            elif byte == ESCAPE and not self._is_escaped:
                self._is_escaped = True
            else:
                self._body.append(byte ^ TURNED if self._is_escaped else byte)
                self._is_escaped = False
        return frames

    def _end(self) -> list[Frame]:
        body, was_escaped = bytes(self._body), self._is_escaped
        self._body.clear()
        self._is_escaped = False
        if not body:
            return []
        try:
            return [decode_body(b"" if was_escaped else body)]  # an escape of nothing breaks off
        except FrameError:
            self.damaged += 1
            return []
