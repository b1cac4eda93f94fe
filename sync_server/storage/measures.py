"""How guessable numbers are, as it stands in a JSON column. Called by this room's stores."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from admission.ticketlist.guessability import Guessability, Reason


def document_of(measured: Guessability | None) -> dict[str, Any] | None:
    """Write a measure."""
    if measured is None:
        return None
    return asdict(measured) | {"reasons": [reason.value for reason in measured.reasons]}


def measured_of(document: Mapping[str, Any] | None) -> Guessability | None:
    """Read a measure; a reason of a newer program is left out."""
    if document is None:
        return None
    known = {reason.value: reason for reason in Reason}
    reasons = tuple(known[word] for word in document["reasons"] if word in known)
    return Guessability(**dict(document) | {"reasons": reasons})
