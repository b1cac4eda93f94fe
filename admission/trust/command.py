"""The operator's signed command: it works where no network does, once, and not for long.

Carried by the live connection, a stick, or a code held before a reader. Its counter is its key's
own: two operators with a key each need not know of each other.
"""

from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Annotated, Final

import msgspec

from admission.errors import ForeignListError, ListExpiredError, ListFormatError, RollbackError
from admission.limits import IDENTIFIER_BYTES
from admission.scan import Direction
from admission.trust.envelope import COMMAND_TYPE, open_envelope
from admission.trust.keys import key_id
from admission.trust.reading import Digest, Name, Text, Version, read_document
from admission.trust.root import Signers

GATES_MAX: Final = 200
LIFE_MAX: Final = timedelta(hours=24)  # a shift; a command that is found later must do nothing


@unique
class Action(StrEnum):
    """What an operator may command.

    `lock`: nobody enters until `unlock`; who is inside may leave. `open`: let one person through.
    `admit`: let the holder of one ticket through, whatever the rules say.
    """

    LOCK = "lock"
    UNLOCK = "unlock"
    OPEN = "open"
    ADMIT = "admit"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One command.

    Attributes:
        key: id of the operator's key that signed it.
        counter: rises with every command of that key.
        action: what to do.
        gates: ids of the gates it is for; () is every gate.
        operator: who, for the journal.
        reason: why, for the journal.
        issued_at: aware.
        not_after: aware; afterwards it does nothing.
        direction: for `open` and `admit`.
        performance: for `admit`.
        identifier: for `admit`: the ticket's, never its number.
    """

    key: Digest
    counter: Version
    action: Action
    gates: Annotated[tuple[Name, ...], msgspec.Meta(max_length=GATES_MAX)] = ()
    operator: Name
    reason: Name
    issued_at: datetime
    not_after: datetime
    direction: Direction = Direction.ENTRY
    performance: Text = ""
    identifier: Annotated[bytes, msgspec.Meta(max_length=IDENTIFIER_BYTES)] = b""


def encode_command(command: Command) -> bytes:
    """Write a command as JSON."""
    return msgspec.json.encode(command)


def accept_command(
    raw: bytes, *, trusted: Signers, gate: str, counters: dict[str, int], now: datetime
) -> Command:
    """Check a signed command.

    Args:
        raw: the envelope.
        trusted: who may sign for the operator role.
        gate: id of the gate that is asked to obey.
        counters: greatest counter obeyed so far, by key id.
        now: aware trusted time: it never goes back, so what has expired stays so.

    Raises:
        ListFormatError: if it is no command, or one for longer than a shift.
        SignatureError: if too few trusted keys signed it, or not the one it names.
        ForeignListError: if it is for other gates.
        RollbackError: if it, or a later one of that key, was obeyed before.
        ListExpiredError: if its time is over.
    """
    body = open_envelope(raw, COMMAND_TYPE, trusted.keys, trusted.threshold)
    command = read_document("command", body, Command)
    named = [key for key in trusted.keys if key_id(key) == command.key]
    open_envelope(raw, COMMAND_TYPE, named, 1)  # the counter is this key's: it must have signed
    if command.gates and gate not in command.gates:
        raise ForeignListError("the command is for other gates")
    if not timedelta(0) < command.not_after - command.issued_at <= LIFE_MAX:
        raise ListFormatError("command: not_after must follow issued_at, by a day at the most")
    if command.action is Action.ADMIT and (
        not command.performance or len(command.identifier) != IDENTIFIER_BYTES
    ):
        raise ListFormatError("command: admit needs a performance and an identifier")
    if command.counter <= counters.get(command.key, 0):
        raise RollbackError(f"command {command.counter} was given before, or a later one was")
    if now >= command.not_after:
        raise ListExpiredError(f"command expired at {command.not_after.isoformat()}")
    return command
