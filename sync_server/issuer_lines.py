"""What operators write of an issuer: lines that say what its codes mean. Called by `issuing`."""

import re
from collections.abc import Sequence
from typing import Final

from admission.errors import JournalError
from admission.journal import class_of
from admission.proof.compact import CLASS_CODE_MAX
from admission.proof.proving import ClassCode, IssuerFormat
from admission.ticket import TicketClass
from sync_server.errors import InvalidError

CLASSES_MAX: Final = 200  # of one issuer; all of them travel in one small document
SUBEVENTS_MAX: Final = 200
_CATEGORY_CHARACTERS_MAX: Final = 100
_CODE: Final = re.compile(r"([0-9]{1,18})(?:/([0-9]{1,18}))?")
_LIMIT: Final = re.compile(r"[0-9]{0,9}")


def read_classes(lines: Sequence[str], ticket_format: IssuerFormat) -> dict[ClassCode, TicketClass]:
    """Read lines `code[/variation];category;rule[;total[;per day]]`.

    Raises:
        InvalidError: for a line that cannot be.
    """
    table: dict[ClassCode, TicketClass] = {}
    for place, line in enumerate([line for line in lines if line.strip()], 1):
        cells = [cell.strip() for cell in line.split(";")]
        code = _CODE.fullmatch(cells[0])
        limits = [*cells[3:], "", ""][:2]
        if code is None or not 3 <= len(cells) <= 5 or not all(map(_LIMIT.fullmatch, limits)):
            raise InvalidError("classes", f"line {place} is not code;category;rule")
        if not cells[1] or len(cells[1]) > _CATEGORY_CHARACTERS_MAX or not cells[1].isprintable():
            raise InvalidError("classes", f"line {place} has no category that can be one")
        total, per_day = [int(limit) if limit else None for limit in limits]
        try:
            ticket_class = class_of((cells[1], cells[2], total, per_day))
        except JournalError:
            message = f"line {place}: the rule is one of single, entry_exit, multi"
            raise InvalidError("classes", message) from None
        known = _class_code(code[1], code[2], ticket_format, place)
        if known in table:
            raise InvalidError("classes", f"line {place} gives a code a second time")
        table[known] = ticket_class
    if not 1 <= len(table) <= CLASSES_MAX:
        raise InvalidError("classes", f"1 to {CLASSES_MAX} classes are needed")
    return table


def _class_code(
    code: str, variation: str | None, ticket_format: IssuerFormat, place: int
) -> ClassCode:
    known = ClassCode(int(code), None if variation is None else int(variation))
    is_compact = ticket_format is IssuerFormat.COMPACT
    if is_compact and (known.variation is not None or known.code > CLASS_CODE_MAX):
        raise InvalidError("classes", f"line {place}: a class code is 0 to {CLASS_CODE_MAX}")
    return known


def read_subevents(texts: Sequence[str]) -> frozenset[int]:
    """Read ids of pretix's dates.

    Raises:
        InvalidError: for one that cannot be.
    """
    texts = [text.strip() for text in texts]
    if len(texts) > SUBEVENTS_MAX:
        raise InvalidError("subevents", f"at most {SUBEVENTS_MAX} dates")
    if not all(re.fullmatch("[0-9]{1,18}", text) for text in texts):
        raise InvalidError("subevents", "dates are pretix's whole numbers")
    return frozenset(map(int, texts))
