"""What a manifest says of tickets that prove themselves: whose signatures count, which codes turn.

Rows as they travel, and what `admission.proof` makes of them.
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from admission.errors import ListFormatError
from admission.limits import CLASSES_MAX
from admission.proof.proving import ClassCode, Issuer, IssuerFormat
from admission.proof.rotation import Rotation
from admission.ticket import TicketClass

ISSUERS_MAX: Final = 16  # each costs a verification where its signature does not fit
ISSUER_CLASSES_MAX: Final = 1_000
SUBEVENTS_MAX: Final = 1_000

Code = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class IssuerClassRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an issuer's code means here.

    Attributes:
        code: class code of our format, item of pretix.
        variation: of pretix's item; None is any.
        class_index: place in the manifest's class table.
    """

    code: Code
    variation: Code | None = None
    class_index: Annotated[int, msgspec.Meta(ge=0, lt=CLASSES_MAX)]


class IssuerRow(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whose signature makes tickets.

    Attributes:
        format: how they are written.
        public_key: Ed25519, hexadecimal.
        classes: the codes that are tickets here.
        subevents: pretix's dates that are this performance; None is no restriction.
        accepted: False tells that this key is known, and no longer taken.
    """

    format: IssuerFormat
    public_key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    classes: Annotated[tuple[IssuerClassRow, ...], msgspec.Meta(max_length=ISSUER_CLASSES_MAX)]
    subevents: Annotated[tuple[Code, ...], msgspec.Meta(max_length=SUBEVENTS_MAX)] | None = None
    accepted: bool = True


class RotationRow(msgspec.Struct, frozen=True, kw_only=True):
    """The performance's rotating codes; the fields of `proof.rotation.Rotation`."""

    pattern: str
    period_ms: int
    lengths: tuple[int, ...]
    allows_static: bool = False


def issuers_of(rows: Sequence[IssuerRow], classes: Sequence[TicketClass]) -> tuple[Issuer, ...]:
    """Give the issuers whose tickets are accepted.

    Args:
        rows: of the manifest.
        classes: its class table.

    Raises:
        ListFormatError: if a row points outside the table.
    """
    try:
        return tuple(
            Issuer(
                row.format,
                bytes.fromhex(row.public_key),
                {
                    ClassCode(one.code, one.variation): classes[one.class_index]
                    for one in row.classes
                },
                None if row.subevents is None else frozenset(row.subevents),
            )
            for row in rows
            if row.accepted
        )
    except IndexError:
        raise ListFormatError("manifest: an issuer's class is not in the table") from None


def rotation_of(row: RotationRow | None) -> Rotation | None:
    """Give the rotation that a row describes.

    Raises:
        ListFormatError: if it is none.
    """
    if row is None:
        return None
    try:
        return Rotation(row.pattern, row.period_ms, row.lengths, row.allows_static)
    except ValueError as exc:
        raise ListFormatError(f"manifest: rotating: {exc}") from exc


def check_issuers(rows: Sequence[IssuerRow], rotating: RotationRow | None, classes: int) -> None:
    """Make sure that a manifest's rows say something that a gate can judge by.

    Raises:
        ListFormatError: if one does not.
    """
    if any(one.class_index >= classes for row in rows for one in row.classes):
        raise ListFormatError("manifest: an issuer's class is not in the table")
    rotation_of(rotating)


def _code(row: IssuerClassRow) -> ClassCode:
    return ClassCode(row.code, row.variation)
