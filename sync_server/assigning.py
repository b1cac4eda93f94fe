"""What a gate is told to do, made of what is set up. Called by publishing. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from admission.sync.assignment import (
    ALTERNATIVES_MAX,
    GATE_NAME_CHARACTERS_MAX,
    Assignment,
    CheckpointRow,
    encode_assignment,
)
from sync_server.entities import Checkpoint, Gate, Performance

HELD_MAX: Final = 20  # lists a gate holds only to say where a ticket belongs


def duty(
    gate: Gate,
    checkpoint: Checkpoint,
    published: Sequence[Performance],
    names: Mapping[str, str],
    places: Sequence[Checkpoint],
) -> Assignment:
    """Give a gate's duty, version 0.

    Args:
        gate: whose.
        checkpoint: where it works.
        published: performances of its venue that are published and not over, by start.
        names: of the checkpoint's gates, by the ids of their journals.
        places: the venue's checkpoints. A supervisor may move the gate to those whose lists it
            holds all the same; for any other it would have no list.
    """
    known = {performance.id for performance in published}
    row = _row(checkpoint, known)
    others = [performance.id for performance in published if performance.id not in row.performances]
    held = tuple(others[:HELD_MAX])
    has = {*row.performances, *held}
    rows = [_row(place, known) for place in places if place.id != checkpoint.id]
    alternatives = [one for one in rows if one.performances and has.issuperset(one.performances)]
    return Assignment(
        gate=gate.id,
        gate_name=gate.name,
        version=0,
        checkpoint=row,
        held=held,
        exit_policy=gate.exit_policy,
        clock_policy=gate.clock_policy,
        strict=gate.strict,
        gate_names={journal: name[:GATE_NAME_CHARACTERS_MAX] for journal, name in names.items()},
        alternatives=tuple(alternatives[:ALTERNATIVES_MAX]),
    )


def content_of(bare: Assignment) -> bytes:
    """Give what changes when a duty says something else: SHA-256 of its version 0."""
    return hashlib.sha256(encode_assignment(bare)).digest()


def _row(checkpoint: Checkpoint, known: set[str]) -> CheckpointRow:
    return CheckpointRow(
        id=checkpoint.id,
        name=checkpoint.name,
        performances=tuple(one for one in checkpoint.performances if one in known),
        allowed_categories=checkpoint.allowed_categories,
        capacity=checkpoint.capacity,
    )
