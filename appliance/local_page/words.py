"""The words of the gate's own pages, and the choice of a language for a visitor."""

from functools import lru_cache
from gettext import GNUTranslations, translation
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("en", "fr")
_CATALOGUES: Final = Path(__file__).parent / "catalogues"
_TAGS_MAX: Final = 16  # browsers send a handful


def text(key: str, language: str) -> str:
    """Give a text.

    Raises:
        KeyError: if the catalogue has no such key.
        FileNotFoundError: if there is no such catalogue.
    """
    found = _load(language).gettext(key)
    if found == key:
        raise KeyError(f"the catalogue has no {key}")
    return found


def worded(key: str, language: str, **values: str | int | float) -> str:
    """Give a text with its `{names}` filled in.

    Raises:
        KeyError: if the catalogue has no such key, or the text wants another name.
    """
    return text(key, language).format_map(values) if values else text(key, language)


def counted(key: str, language: str, count: int) -> str:
    """Give a text with a number in it, in the number's form; `{n}` stands for the number.

    Raises:
        KeyError: if the catalogue has no such key with forms for numbers.
    """
    found = _load(language).ngettext(key, key, count)
    if found == key:
        raise KeyError(f"the catalogue has no {key} for numbers")
    return found.format(n=count)


def choose_language(asked: str | None, accepted: str, default: str) -> str:
    """Choose a language: the one asked for, else the visitor's first that we speak.

    Args:
        asked: from the address, or None.
        accepted: the header Accept-Language, or "".
        default: if nothing fits.
    """
    if asked in LANGUAGES:
        return asked
    tags = [_tag_and_weight(part) for part in accepted.split(",")[:_TAGS_MAX]]
    for tag, weight in sorted(tags, key=lambda pair: -pair[1]):
        if weight > 0 and tag in LANGUAGES:
            return tag
    return default if default in LANGUAGES else LANGUAGES[0]


def _tag_and_weight(part: str) -> tuple[str, float]:
    tag, _, parameter = part.partition(";")
    primary = tag.strip().split("-")[0].lower()
    _, _, weight = parameter.partition("q=")
    try:
        return primary, float(weight) if weight else 1.0
    except ValueError:
        return primary, 0.0


@lru_cache(maxsize=len(LANGUAGES))
def _load(language: str) -> GNUTranslations:
    found = translation("local_page", localedir=_CATALOGUES, languages=[language])
    if not isinstance(found, GNUTranslations):
        raise TypeError(f"the catalogue of {language} holds no messages")
    return found
