"""What a USB stick carries between server and gates: where it lies, and how journals are signed.

No name on a stick comes from its content: folders are named by digests of ids, pieces by their own
digest, so that nothing on it can lead elsewhere. Nothing is believed for lying there: what a gate
takes is verified as if the server had sent it, what the server takes as if the gate had.
"""

import hashlib
from typing import Annotated, Final

import msgspec

from admission.errors import RemoteProtocolError
from admission.limits import MESSAGE_BYTES_MAX
from admission.sync import codec
from admission.sync.messages import Batch, Text
from admission.trust.envelope import pre_authentication_encoding

FOLDER: Final = "portillon"
JOURNALS: Final = (FOLDER, "journals")
CARRIED_BYTES_MAX: Final = MESSAGE_BYTES_MAX + 1024
BATCH_SUFFIX: Final = ".batch"
_NAME_DIGITS: Final = 32
_CARRIED_TYPE: Final = "application/vnd.portillon.carried-journal.v1+msgpack"

Path = tuple[str, ...]


def root_path(version: int) -> Path:
    """Say where a root lies."""
    return (FOLDER, "roots", f"{version}.json")


def piece_path(sha256: str) -> Path:
    """Say where a piece of a list lies, by its hexadecimal digest."""
    return (FOLDER, "pieces", sha256)


def gate_path(gate: str, name: str) -> Path:
    """Say where something lies that is for one gate: `status`, `assignment` or `order`."""
    return (FOLDER, "gates", _named(gate), f"{name}.json")


def list_path(gate: str, performance: str, name: str) -> Path:
    """Say where one gate's `manifest` or `key` of a performance lies."""
    return (FOLDER, "gates", _named(gate), "lists", _named(performance), name)


def batch_path(journal: str, first: int) -> Path:
    """Say where the part of a journal lies that begins with a record."""
    return (*JOURNALS, _named(journal), f"{first:020d}{BATCH_SUFFIX}")


def _named(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_NAME_DIGITS]


class Carried(msgspec.Struct, frozen=True, array_like=True):
    """Part of a journal, as a stick carries it.

    Attributes:
        gate: id of the gate that wrote it.
        batch: the upload as the live server would get it.
        signature: by the gate's device key, over `carried_text`.
    """

    gate: Text
    batch: Annotated[bytes, msgspec.Meta(max_length=MESSAGE_BYTES_MAX)]
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


_decoder: Final = msgspec.msgpack.Decoder(Carried)


def carried_text(gate: str, batch: bytes) -> bytes:
    """Give what a gate signs."""
    return pre_authentication_encoding(_CARRIED_TYPE, msgspec.msgpack.encode([gate, batch]))


def encode_carried(carried: Carried) -> bytes:
    """Write it."""
    return msgspec.msgpack.encode(carried)


def decode_carried(raw: bytes) -> tuple[Carried, Batch]:
    """Read it, and the batch in it; whose signature it is, is not looked at.

    Raises:
        RemoteProtocolError: if it is too large, or none.
    """
    if len(raw) > CARRIED_BYTES_MAX:
        raise RemoteProtocolError(f"part of a journal of {len(raw)} bytes is too large")
    try:
        carried = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise RemoteProtocolError(f"not a part of a journal: {exc}") from exc
    return carried, codec.decode(carried.batch, Batch)
