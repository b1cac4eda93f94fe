"""Which column of a file is which field, by the words above it, in French and English."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from admission.limits import ATTRIBUTE_CHARACTERS_MAX, EXTRAS_MAX
from sync_server.errors import TicketFileError

# In order of preference: of two columns that may be the number, the earlier word is it.
SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "number": (
        "number",
        "ticket number",
        "barcode",
        "bar code",
        "code barre",
        "code barres",
        "codebarre",
        "codebarres",
        "numero de billet",
        "numero du billet",
        "numero billet",
        "n billet",
        "no billet",
        "num billet",
        "n de billet",
        "no de billet",
        "qr",
        "qr code",
        "qrcode",
        "secret",
        "code billet",
        "ticket code",
        "numero",
        "code",
    ),
    "status": ("status", "statut", "etat", "state"),
    "canceled": (
        "canceled",
        "cancelled",
        "annule",
        "annulee",
        "voided",
        "void",
        "disabled",
    ),
    "category": (
        "category",
        "categorie",
        "tarif",
        "tariff",
        "ticket type",
        "type de billet",
        "type",
        "product",
        "produit",
    ),
    "rule": ("rule", "regle", "regle de passage", "type de passage", "passage"),
    "total_passes": ("total passes", "total passages", "passages", "nombre de passages"),
    "daily_passes": ("daily passes", "passages par jour", "par jour", "per day"),
}
# What tickets say besides; of two columns of one kind the first counts.
ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "zone": ("zone", "bloc", "block", "tribune", "secteur"),
    "row": ("row", "rang", "rangee"),
    "seat": ("seat", "place", "siege", "seat number", "numero de place"),
    "entrance": ("entrance", "porte", "acces", "entree"),
    "attention": ("attention", "checkin attention", "vigilance"),
    "holder_last": ("holder last", "last name", "nom", "nom de famille", "surname"),
    "holder_first": ("holder first", "first name", "prenom"),
    "company": ("company", "societe", "entreprise"),
    "note": ("note", "notes", "remarque", "commentaire"),
}
_ATTRIBUTE_OF: Final = {word: name for name, words in ATTRIBUTES.items() for word in words}
_EXTRA: Final = re.compile(r"\s*extra\.(.*\S)\s*", re.IGNORECASE)
_RANKS: Final = {
    word: (field, rank) for field, words in SYNONYMS.items() for rank, word in enumerate(words)
}
_GAPS: Final = re.compile(r"[^0-9a-z]+")


def fold(text: str) -> str:
    """Give a word without accents, case and punctuation, so that spellings compare equal."""
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in apart if not unicodedata.combining(c))
    return _GAPS.sub(" ", bare.casefold()).strip()


def find_fields(cells: Sequence[str]) -> dict[str, int]:
    """Give the place of each field that a row of headers names; empty where it names none."""
    best: dict[str, tuple[int, int]] = {}
    for place, cell in enumerate(cells):
        field, rank = _RANKS.get(fold(cell), ("", 0))
        if field and (field not in best or rank < best[field][0]):
            best[field] = (rank, place)
    return {field: place for field, (_, place) in best.items()}


def find_attributes(cells: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Give the places of what tickets say: of each field, and of further texts by their names."""
    fields: dict[str, int] = {}
    extras: dict[str, int] = {}
    for place, cell in enumerate(cells):
        name = _ATTRIBUTE_OF.get(fold(cell))
        if name is not None:
            fields.setdefault(name, place)
        elif (extra := _EXTRA.fullmatch(cell)) is not None and len(extras) < EXTRAS_MAX:
            extras.setdefault(extra[1][:ATTRIBUTE_CHARACTERS_MAX], place)
    return fields, extras


def check_unambiguous(cells: Sequence[str], fields: Mapping[str, int], line: int) -> None:
    """Refuse two columns under one and the same word.

    Raises:
        TicketFileError: if a field's header stands twice.
    """
    folded = [fold(cell) for cell in cells]
    for place in fields.values():
        if folded.count(folded[place]) > 1:
            raise TicketFileError(
                "column_twice",
                f"two columns are headed {cells[place].strip()!r}; keep one of them",
                line,
            )
