"""What a USB stick carries between server and gates: where it lies.

No name on a stick comes from its content: folders are named by digests of ids, pieces by their own
digest, so that nothing on it can lead elsewhere. Nothing is believed for lying there: what a gate
takes is verified as if the server had sent it, what the server takes as if the gate had.
"""

import hashlib
from typing import Final

from admission.limits import MESSAGE_BYTES_MAX
from admission.sync import codec
from admission.sync.messages import Carried

FOLDER: Final = "portillon"
JOURNALS: Final = (FOLDER, "journals")
CARRIED_BYTES_MAX: Final = MESSAGE_BYTES_MAX
BATCH_SUFFIX: Final = ".batch"
_NAME_DIGITS: Final = 32

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


def decode_carried(raw: bytes) -> Carried:
    """Read a part of a journal; who sealed it is not looked at.

    Raises:
        RemoteProtocolError: if it is too large, or none.
    """
    return codec.decode(raw, Carried)
