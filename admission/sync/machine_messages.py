"""What a gate says of the machine that it runs on, beside its status: version, slot, update.

A struct of its own, so that `messages` stays a list of what is said and not of what machines are.
It is extended as all of them are: by appending fields with defaults.
"""

from typing import Annotated

import msgspec

BLOCKED_MAX = 32  # versions that a machine refuses; it has come back from each of them
Word = Annotated[str, msgspec.Meta(max_length=40)]
Words = Annotated[str, msgspec.Meta(max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class Fetching(msgspec.Struct, frozen=True, array_like=True):
    """How far a gate has come with the bundle that it was offered.

    Attributes:
        version: of the bundle; "" where none is offered.
        state: `none`, `fetching`, `waiting`, `no_room`, `damaged`, `whole` or `asked`.
        have: bytes that are on the gate's card.
        size: bytes that the bundle has.
    """

    version: Word = ""
    state: Word = "none"
    have: Count = 0
    size: Count = 0


class Machine(msgspec.Struct, frozen=True):
    """What a gate's machine runs, by its caretaker's word. "" and 0 stand for what nobody said.

    Attributes:
        version: of the image in the slot that runs.
        slot: which of its two halves that is.
        compatible: which bundles are for it.
        update: state of the last update: `idle`, `installing`, `armed`, `trying`, `committed`,
            `rolled_back`, `abandoned` or `refused`.
        update_version: of that update.
        update_reason: why it is so, for people.
        update_since_ms: since when, by the machine's clock, milliseconds since 1970.
        blocked: versions that this machine has come back from, and takes no more.
        fetching: how far it has come with the bundle that it was offered.
        provision: what became of the last `gate.toml`: `applied` or `refused`.
        provision_reason: of one that was refused, the first thing that is wrong.
        firmware_s: when the board's boot loader was built, seconds since 1970.
    """

    version: Word = ""
    slot: Word = ""
    compatible: Annotated[str, msgspec.Meta(max_length=100)] = ""
    update: Word = ""
    update_version: Word = ""
    update_reason: Words = ""
    update_since_ms: Count = 0
    blocked: Annotated[list[Word], msgspec.Meta(max_length=BLOCKED_MAX)] = []
    fetching: Fetching = Fetching()
    provision: Word = ""
    provision_reason: Words = ""
    firmware_s: Count = 0
