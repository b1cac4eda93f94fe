"""What the gate and its decoder's process say to each other. Called by both ends.

A frame's pixels lie in memory that both see; over the line goes what the frame is, and back comes
what was read. Nothing that comes from the process can do more than be a wrong list of reads.
"""

import socket
import struct
from dataclasses import dataclass
from typing import Final

import msgspec

from appliance.readers.decoding import Decoding, Read

ANSWER_BYTES_MAX: Final = 1 << 20  # 250 of the longest codes
_LENGTH: Final = struct.Struct("<I")
_ASK: Final = struct.Struct("<QIIQd")


@dataclass(frozen=True, slots=True)
class Ask:
    """One frame to decode.

    Attributes:
        memory_bytes: how large the shared memory is; it only ever grows.
        width, height: of the frame, whose rows lie one after another from the memory's start.
        received_ns: of the frame.
        s_max: how long its decoding may take.
    """

    memory_bytes: int
    width: int
    height: int
    received_ns: int
    s_max: float

    def to_bytes(self) -> bytes:
        """Write it for the line."""
        return _ASK.pack(self.memory_bytes, self.width, self.height, self.received_ns, self.s_max)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Ask":
        """Read it from the line."""
        return cls(*_ASK.unpack(raw))


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found on a frame.

    Attributes:
        reads: the codes read.
        unread: those seen that could not be read; their data is empty.
    """

    reads: list[Read]
    unread: list[Read]


def send(line: socket.socket, content: bytes) -> None:
    """Say something, behind its length.

    Raises:
        OSError: if nobody listens any more, or for too long.
    """
    line.sendall(_LENGTH.pack(len(content)) + content)


def receive(line: socket.socket) -> bytes:
    """Wait for what the other end says.

    Raises:
        EOFError: if the other end is gone.
        TimeoutError: if it says nothing within the line's timeout.
        OSError: if the line is broken.
        ValueError: if it is longer than any answer may be.
    """
    (length,) = _LENGTH.unpack(_receive_exactly(line, _LENGTH.size))
    if length > ANSWER_BYTES_MAX:
        raise ValueError(f"{length} bytes are no answer")
    return _receive_exactly(line, length)


def pack_decoding(decoding: Decoding) -> bytes:
    """Write what to look for."""
    return msgspec.msgpack.encode(decoding)


def unpack_decoding(raw: bytes) -> Decoding:
    """Read what to look for."""
    return msgspec.msgpack.decode(raw, type=Decoding)


def pack_answer(answer: Answer) -> bytes:
    """Write what was found."""
    return msgspec.msgpack.encode(answer)


def unpack_answer(raw: bytes) -> Answer:
    """Read what was found.

    Raises:
        ValueError: if it is no answer.
    """
    return msgspec.msgpack.decode(raw, type=Answer)  # its errors are ValueErrors


def _receive_exactly(line: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        piece = line.recv(count - len(received))
        if not piece:
            raise EOFError
        received += piece
    return bytes(received)
