"""What one cell of a ticket file means: numbers, states, rules. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, NamedTuple

from admission.limits import NUMBER_CODE_POINTS_MAX
from admission.scan import is_well_formed
from admission.ticket import EntryExit, Multi, PassRule, Single, TicketClass, TicketState
from sync_server.sources.headers import fold
from sync_server.sources.invisible import find_invisible

CATEGORY_CHARACTERS_MAX: Final = 200
DEFAULT_CATEGORY: Final = "standard"

_EDGE: Final = " \t\r\n\u00a0\u202f\u200b\ufeff"  # what exports leave around a cell
_PLAIN_MAX: Final = 64
_FORMULA: Final = re.compile(r'="([^"]*)"')  # ="0123", which keeps a spreadsheet from rounding
_FLOAT: Final = re.compile(r"\d([.,]\d+)?[eE]\+\d{1,3}|\d+[.,]0+")
_GROUPED: Final = re.compile(r"\d{1,3}([\u00a0\u202f]\d{3})+")
_TOTAL: Final = re.compile(r"(sous-?|sub-?)?total\b", re.IGNORECASE)
_COUNT: Final = re.compile(r"\d{1,9}")

_STATES: Final[Mapping[str, TicketState]] = {
    word: state
    for state, words in {
        TicketState.VALID: " valid valide valable ok paye payee paid 1 true active actif vrai",
        TicketState.CANCELED: "canceled cancelled cancel annule annulee rembourse remboursee"
        " refunded void voided",
        TicketState.REISSUED: "reissued duplicated duplique dupliquee duplicata reedite reeditee"
        " remplace remplacee replaced",
        TicketState.BLOCKED: "blocked bloque bloquee opposition",
        TicketState.UNPAID: "unpaid impaye impayee pending",
        TicketState.INCOMPLETE: "incomplete incomplet",
    }.items()
    for word in words.split(" ")
} | {"en attente": TicketState.UNPAID, "en opposition": TicketState.BLOCKED}
_YES: Final = frozenset({"1", "true", "yes", "y", "oui", "o", "vrai", "x", "annule", "voided"})
_NO: Final = frozenset({"", "0", "false", "no", "n", "non", "faux"})
_RULES: Final[Mapping[str, str]] = {
    "": "single",
    "single": "single",
    "simple": "single",
    "passage simple": "single",
    "entry exit": "entry_exit",
    "entree sortie": "entry_exit",
    "multi": "multi",
    "multi passage": "multi",
    "multipassage": "multi",
    "multipassages": "multi",
}


class BadCell(NamedTuple):
    """Why a cell cannot be read.

    Attributes:
        field: which.
        code: stable word.
        message: English, with the remedy; never holds the number.
        detail: what a person needs to know besides the code: a character's name; "" is nothing.
    """

    field: str
    code: str
    message: str
    detail: str = ""


def read_number(cell: str) -> str | BadCell:
    """Read a ticket number; only what exports put around it is taken off."""
    if cell.isascii() and cell.isalnum() and len(cell) <= _PLAIN_MAX and cell[0] not in "sStT":
        return cell  # nearly all of them: nothing around it, nothing suspect in it
    number = cell.strip(_EDGE)
    formula = _FORMULA.fullmatch(number)
    if formula:
        number = formula[1].strip(_EDGE)
    elif number.startswith("'") and number[1:].isdigit():
        number = number[1:]  # a spreadsheet's mark for "this is text"
    return number if is_well_formed(number) and not _suspect(number) else _bad_number(number)


def _suspect(number: str) -> bool:
    return bool(
        _FLOAT.fullmatch(number)
        or _GROUPED.fullmatch(number)
        or _TOTAL.match(number)
        or "\ufffd" in number
        or bool(find_invisible(number))
    )


def _bad_number(number: str) -> BadCell:
    if not number:
        return BadCell("number", "number_missing", "the row has no ticket number")
    if len(number) > NUMBER_CODE_POINTS_MAX:
        message = f"the ticket number has over {NUMBER_CODE_POINTS_MAX} characters"
        return BadCell("number", "number_too_long", message)
    if _FLOAT.fullmatch(number):
        return BadCell(
            "number",
            "number_rounded",
            "a spreadsheet has turned the ticket number into a decimal number and lost digits;"
            " export again with the column formatted as text",
        )
    if _GROUPED.fullmatch(number):
        return BadCell(
            "number",
            "number_grouped",
            "a spreadsheet has put spaces between the digits; export the column as text",
        )
    if _TOTAL.match(number):
        return BadCell("number", "total_row", "this looks like a row of totals, not a ticket")
    invisible = find_invisible(number)
    if invisible:
        return BadCell(
            "number",
            "number_invisible",
            f"the ticket number holds a character that cannot be seen, {invisible}; take it out,"
            " or the number on the ticket is another",
            invisible,
        )
    return BadCell(
        "number", "number_unreadable", "the ticket number holds a character that no reader yields"
    )


def read_state(cell: str) -> TicketState | BadCell:
    """Read a state; an empty cell is valid."""
    state = _STATES.get(fold(cell))
    if state is not None:
        return state
    return BadCell(
        "status",
        "status_unknown",
        f"the status {_shown(cell)} is unknown; use valid, canceled, reissued, blocked, unpaid"
        " or incomplete",
    )


def read_canceled(cell: str) -> TicketState | BadCell:
    """Read a yes-or-no column that says whether a ticket is canceled."""
    word = fold(cell)
    if word in _NO:
        return TicketState.VALID
    if word in _YES:
        return TicketState.CANCELED
    message = f"{_shown(cell)} is neither yes nor no; use yes or no"
    return BadCell("canceled", "status_unknown", message)


def read_class(category: str, rule: str, total: str, daily: str) -> TicketClass | BadCell:
    """Read what says how often a ticket passes, and as what."""
    name = unicodedata.normalize("NFC", category.strip(_EDGE)) or DEFAULT_CATEGORY
    if len(name) > CATEGORY_CHARACTERS_MAX or not name.isprintable():
        message = f"a category has at most {CATEGORY_CHARACTERS_MAX} printable characters"
        return BadCell("category", "category_unusable", message)
    mode = _RULES.get(fold(rule))
    if mode is None:
        message = f"the rule {_shown(rule)} is unknown; use single, entry_exit or multi"
        return BadCell("rule", "rule_unknown", message)
    limits = []
    for field, cell in (("total_passes", total), ("daily_passes", daily)):
        text = cell.strip(_EDGE)
        if text and not _COUNT.fullmatch(text):
            message = f"{_shown(cell)} is no number of passages; use digits or leave it empty"
            return BadCell(field, "count_unreadable", message)
        if text and mode != "multi":
            message = f"a number of passages goes with the rule multi only, here it is {mode}"
            return BadCell(field, "count_without_multi", message)
        limits.append(int(text) if text else None)
    return TicketClass(name, _rule(mode, limits[0], limits[1]))


def _rule(mode: str, total: int | None, per_day: int | None) -> PassRule:
    if mode == "multi":
        return Multi(total, per_day)
    return Single() if mode == "single" else EntryExit()


def _shown(cell: str) -> str:
    text = "".join(c if c.isprintable() else "·" for c in cell.strip(_EDGE)[:40])
    return f"“{text}”"
