"""What is wrong with a file that a person wrote: where, and in which words. Told in two languages.

The words are in the caretaker's catalogues, by the complaint's key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from gettext import GNUTranslations, translation
from pathlib import Path
from typing import Final

from caretaker.errors import CareError

LANGUAGES: Final = ("fr", "en")
_CATALOGUES: Final = Path(__file__).parent / "catalogues"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong.

    Attributes:
        key: of its words, in the catalogue behind "complaint.".
        line: from 1; 0 where it is about the whole file.
        character: in that line, from 1; 0 where it is about all of it.
        values: that the words have places for. Never a secret.
    """

    key: str
    line: int = 0
    character: int = 0
    values: Mapping[str, str] = field(default_factory=dict)

    def told(self, language: str) -> str:
        """Give it in words, its place first."""
        words = text(f"complaint.{self.key}", language, **self.values)
        if not self.line:
            return words
        place = "place.character" if self.character else "place.line"
        where = text(place, language, line=str(self.line), character=str(self.character))
        return f"{where}{words}"


class ComplaintError(CareError):
    """A file that somebody wrote cannot be taken; says everything that was found."""

    def __init__(self, *complaints: Complaint) -> None:
        super().__init__("; ".join(one.told("en") for one in complaints))
        self.complaints: tuple[Complaint, ...] = complaints

    def told(self, language: str) -> Iterable[str]:
        """Give each in words."""
        return [one.told(language) for one in self.complaints]


def text(key: str, language: str, /, **values: str) -> str:
    """Give a text of the catalogue, its `{names}` filled in.

    Raises:
        KeyError: if the catalogue has no such key, or the text wants another name.
    """
    found = _load(language).gettext(key)
    if found == key:
        raise KeyError(f"the catalogue has no {key}")
    return found.format_map(values) if values else found


@lru_cache
def _load(language: str) -> GNUTranslations:
    found = translation("caretaker", _CATALOGUES, [language])
    if not isinstance(found, GNUTranslations):
        raise FileNotFoundError(f"{_CATALOGUES}: no compiled catalogue of {language}")
    return found
