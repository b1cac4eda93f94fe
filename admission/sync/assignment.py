"""What a gate is told to do: its checkpoint and the lists it holds. Signed like a list."""

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from admission.errors import ForeignListError, ListFormatError, RollbackError
from admission.rules import ClockPolicy, ExitPolicy
from admission.ticket import Checkpoint
from admission.trust.envelope import ASSIGNMENT_TYPE, open_envelope
from admission.trust.root import Signers

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
JOURNALS_NAMED_MAX: Final = 64  # of one checkpoint, the latest; older ones are told without a name
ALTERNATIVES_MAX: Final = 16  # a steward picks one with a cold thumb
GATE_NAME_CHARACTERS_MAX: Final = 40  # as much as a screen shows; what is over stays behind


class CheckpointRow(msgspec.Struct, frozen=True, kw_only=True):
    """The checkpoint that the gate serves; the fields of `ticket.Checkpoint`."""

    id: Name
    name: str
    performances: tuple[Name, ...]
    allowed_categories: tuple[str, ...] | None = None
    capacity: int | None = None


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One gate's duty.

    Attributes:
        gate: its id.
        gate_name: for people.
        version: rises with every change.
        checkpoint: where it works.
        held: performances whose lists it holds without controlling them, so that it can say
            where a ticket belongs.
        exit_policy: for which refused numbers its exits open.
        clock_policy: what rules with a time in them do while it has no trusted time.
        strict: whether it claims a ticket at the server before it opens, while there is a link.
        gate_names: of the checkpoint's gates, by the ids of their journals, to say where a ticket
            was used first; older servers send none.
        alternatives: checkpoints of the same venue that a supervisor at the gate may move it to;
            the gate has the lists of all of them. Older servers send none.
    """

    gate: Name
    gate_name: str
    version: int
    checkpoint: CheckpointRow
    held: tuple[Name, ...] = ()
    exit_policy: ExitPolicy = ExitPolicy.LISTED
    clock_policy: ClockPolicy = ClockPolicy.ADMIT
    strict: bool = False
    gate_names: Annotated[dict[Name, str], msgspec.Meta(max_length=JOURNALS_NAMED_MAX)] = {}
    alternatives: Annotated[
        tuple[CheckpointRow, ...], msgspec.Meta(max_length=ALTERNATIVES_MAX)
    ] = ()

    @property
    def performances(self) -> tuple[str, ...]:
        """Every performance whose list the gate needs, the controlled ones first."""
        own = self.checkpoint.performances
        return own + tuple(name for name in self.held if name not in own)


def numbered(assignment: Assignment, version: int) -> Assignment:
    """Give an assignment with its version."""
    return msgspec.structs.replace(assignment, version=version)


@dataclass(frozen=True, slots=True)
class Move:
    """What a supervisor chose at the gate; in force while both stand in the assignment.

    Attributes:
        own: the checkpoint that the gate was assigned to at that time.
        chosen: the one that it works at in its place.
    """

    own: str
    chosen: str


def row_in_force(assignment: Assignment, move: Move | None) -> CheckpointRow:
    """Give the checkpoint that a gate works at.

    A gate that its operators assign anew goes where they say, whatever was chosen before.
    """
    own = assignment.checkpoint
    if move is None or move.own != own.id:
        return own
    return next((row for row in assignment.alternatives if row.id == move.chosen), own)


_decoder: Final = msgspec.json.Decoder(Assignment)


def encode_assignment(assignment: Assignment) -> bytes:
    """Write an assignment as JSON."""
    return msgspec.json.encode(assignment)


def accept_assignment(
    raw: bytes, *, gate: str, trusted: Signers, version_installed: int
) -> Assignment:
    """Check a signed assignment.

    Raises:
        ListFormatError: if it is no assignment.
        SignatureError: if no trusted key signed it.
        ForeignListError: if it is another gate's.
        RollbackError: if it is older than the one in force.
    """
    body = open_envelope(raw, ASSIGNMENT_TYPE, trusted.keys, trusted.threshold)
    assignment = decode_assignment(body, gate)
    if assignment.version < version_installed:
        raise RollbackError(f"assignment went back: {version_installed} -> {assignment.version}")
    return assignment


def decode_assignment(body: bytes, gate: str) -> Assignment:
    """Read an assignment whose envelope was checked.

    Raises:
        ListFormatError: if it is no assignment.
        ForeignListError: if it is another gate's.
    """
    try:
        assignment = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ListFormatError(f"assignment: {exc}") from exc
    if assignment.gate != gate:
        raise ForeignListError(f"the assignment is for gate {assignment.gate[:80]}, not for {gate}")
    return assignment


def checkpoint_of(row: CheckpointRow) -> Checkpoint:
    """Give the checkpoint that an assignment describes."""
    allowed = row.allowed_categories
    return Checkpoint(
        id=row.id,
        performances=row.performances,
        allowed_categories=None if allowed is None else frozenset(allowed),
        capacity=row.capacity,
        name=row.name,
    )
