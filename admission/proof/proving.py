"""What a text is in one performance: a ticket that proves itself, a rotating code, or neither.

Called by the gate's holdings for every scan. Whether a list holds the number is for the caller to
say: a list's entry alone counts where there is one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from functools import lru_cache
from typing import Final, NamedTuple

from admission.errors import SignatureError
from admission.proof import compact, pretix
from admission.proof.compact import CompactText
from admission.proof.pretix import PretixText
from admission.proof.rotation import Rotation, rotation_keys
from admission.ticket import Presented, Ticket, TicketClass, TicketState, Window
from admission.trust.keys import verify

_REMEMBERED: Final = 64  # verifications: one scan asks the same several times


@unique
class IssuerFormat(StrEnum):
    """How an issuer writes its tickets."""

    COMPACT = "portillon_1"
    PRETIX = "pretix_sig1"


class ClassCode(NamedTuple):
    """What an issuer calls a class.

    Attributes:
        code: the class code of our format, the item of pretix.
        variation: of pretix's item; None stands for any of them, and for our own format.
    """

    code: int
    variation: int | None = None


@dataclass(frozen=True, slots=True)
class Issuer:
    """Somebody whose signature makes tickets of a performance.

    Attributes:
        format: of the tickets.
        public_key: Ed25519.
        classes: what its codes mean here; a ticket of any other code is none.
        subevents: only pretix's tickets for these dates are; None is no restriction.
    """

    format: IssuerFormat
    public_key: bytes
    classes: Mapping[ClassCode, TicketClass]
    subevents: frozenset[int] | None = None

    def class_of(self, code: int, variation: int = 0) -> TicketClass | None:
        """Give the class of a ticket, or None where its code is not allowed."""
        return self.classes.get(ClassCode(code, variation)) or self.classes.get(ClassCode(code))


@dataclass(frozen=True, slots=True)
class Proof:
    """What a text claims of itself; it counts once its signature was verified.

    Attributes:
        number: what lists and journals know the ticket by.
        ticket_class: what it is here.
        valid_from: aware; None is no bound.
        valid_until: aware, first instant at which it is over; None is no bound.
    """

    number: str
    ticket_class: TicketClass
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Claim:
    proof: Proof
    message: bytes
    signature: bytes


class Proofs:
    """What proves itself in one performance."""

    def __init__(
        self,
        performance: str,
        issuers: Sequence[Issuer],
        rotation: Rotation | None,
        list_key: bytes,
        identify: Callable[[bytes, str], bytes],
    ) -> None:
        """Take what the performance's list says.

        Args:
            performance: its id.
            issuers: those that it accepts.
            rotation: its rotating codes, or None.
            list_key: of its identifiers.
            identify: gives the identifier of a number under a list key.
        """
        self._performance = performance
        self._issuers = tuple(issuers)
        self._rotation = rotation
        self._list_key = list_key
        self._identify = identify

    def present(self, text: str, holds: Callable[[bytes], bool]) -> Presented | None:
        """Give what a text is here; None for a plain number.

        Args:
            text: as presented, stripped.
            holds: whether the performance's list holds an identifier.
        """
        rotation, window, number = self._rotation, None, text
        if rotation is not None:
            number, window = self._read_rotating(text, rotation)
        is_bare = rotation is not None and window is None and not rotation.allows_static
        proof = None
        if might_prove(number) and not holds(self._identify(self._list_key, number)):
            proof = self.prove(number)
        if proof is not None:
            return self._proven(proof, window, is_bare, holds)
        return Presented(number, None, window, is_bare) if window or is_bare else None

    def named(self, text: str) -> str | None:
        """Give the number that a rotating code names, proven or not; None for any other text."""
        code = None if self._rotation is None else self._rotation.read(text)
        return None if code is None else code.number

    def prove(self, text: str) -> Proof | None:
        """Give what a text proves by its signature, or None."""
        for issuer, claim in _claims(text, self._performance, self._issuers):
            if _is_signed(issuer.public_key, claim.signature, claim.message):
                return claim.proof
        return None

    def _proven(
        self, proof: Proof, window: Window | None, is_bare: bool, holds: Callable[[bytes], bool]
    ) -> Presented:
        identifier = self._identify(self._list_key, proof.number)
        if holds(identifier):
            return Presented(proof.number, None, window, is_bare)
        own = Window(proof.valid_from, proof.valid_until)
        windows = (own,) if window is None else (own, window)
        ticket = Ticket(identifier, proof.ticket_class, TicketState.VALID, True, windows)
        return Presented(proof.number, ticket, window, is_bare)

    def _read_rotating(self, text: str, rotation: Rotation) -> tuple[str, Window | None]:
        """Give the number that a text names, and its window where it is a rotating code."""
        code = rotation.read(text)
        if code is None:
            return text, None
        identifier = self._identify(self._list_key, code.number)
        step = rotation.proven_step(
            code, rotation_keys(self._list_key, identifier, len(rotation.lengths))
        )
        if step is None:
            return text, None
        return code.number, Window(*rotation.window(step), is_reading=True)


def might_prove(text: str) -> bool:
    """Tell at a glance whether a text may be a ticket that proves itself; few others pass."""
    return text.startswith(compact.PREFIX) or text.endswith(pretix.ENDING)


def claimed_class(text: str, performance: str, issuers: Sequence[Issuer]) -> TicketClass | None:
    """Give the class that a text claims to be of, signed or not; None where it claims none."""
    return next(
        (claim.proof.ticket_class for _, claim in _claims(text, performance, issuers)), None
    )


def _claims(
    text: str, performance: str, issuers: Sequence[Issuer]
) -> Iterator[tuple[Issuer, _Claim]]:
    compact_text = compact.read_ticket(text)
    pretix_text = pretix.read_text(text) if compact_text is None else None
    for issuer in issuers:
        claim = None
        match issuer.format:
            case IssuerFormat.COMPACT if compact_text is not None:
                claim = _compact_claim(compact_text, performance, issuer)
            case IssuerFormat.PRETIX if pretix_text is not None:
                claim = _pretix_claim(text, pretix_text, issuer)
        if claim is not None:
            yield issuer, claim


def _compact_claim(text: CompactText, performance: str, issuer: Issuer) -> _Claim | None:
    ticket = text.ticket
    ticket_class = issuer.class_of(ticket.class_code)
    if ticket_class is None or text.hint != compact.hint_of(issuer.public_key, performance):
        return None
    proof = Proof(ticket.number, ticket_class, ticket.valid_from, ticket.valid_until)
    return _Claim(proof, compact.message_of(performance, text.body), text.signature)


def _pretix_claim(text: str, parts: PretixText, issuer: Issuer) -> _Claim | None:
    ticket = pretix.read_payload(parts.payload)
    if ticket is None:
        return None
    ticket_class = issuer.class_of(ticket.item, ticket.variation)
    if ticket_class is None:
        return None
    if issuer.subevents is not None and ticket.subevent not in issuer.subevents:
        return None
    proof = Proof(text, ticket_class, ticket.valid_from, ticket.valid_until)
    return _Claim(proof, parts.payload, parts.signature)


@lru_cache(maxsize=_REMEMBERED)
def _is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        verify(public_key, signature, message)
    except SignatureError:
        return False
    return True
