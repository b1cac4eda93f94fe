"""Which language a page is in, and its catalogue. Called by `rendering` and `sessions`.

Catalogues are gettext files made with Babel; see `catalogues/README.md`. Nothing here writes.
"""

import gettext
from functools import cache
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("fr", "en")
LANGUAGE_DEFAULT: Final = "fr"
DOMAIN: Final = "back_office"
CATALOGUES: Final = Path(__file__).parent / "catalogues"
_ACCEPTED_MAX: Final = 20  # entries of Accept-Language that are looked at


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """Give a language's messages.

    Raises:
        FileNotFoundError: if the compiled catalogue is missing from the installation.
    """
    return gettext.translation(DOMAIN, CATALOGUES, [language])


def choose(chosen: str | None, accepted: str) -> str:
    """Choose the language of a page.

    Args:
        chosen: the user's or the cookie's, or None; taken when it is one of LANGUAGES.
        accepted: the Accept-Language header, "" without one.
    """
    if chosen in LANGUAGES:
        return chosen
    ranked = sorted(
        (_weighed(part) for part in accepted.split(",")[:_ACCEPTED_MAX]),
        key=lambda weighed: -weighed[0],
    )
    for weight, language in ranked:
        if weight > 0 and language in LANGUAGES:
            return language
    return LANGUAGE_DEFAULT


def _weighed(part: str) -> tuple[float, str]:
    """Read one entry of Accept-Language; one that cannot be read weighs nothing."""
    tag, _, parameters = part.partition(";")
    weight = 1.0
    name, _, value = parameters.strip().partition("=")
    if name == "q":
        try:
            weight = float(value)
        except ValueError:
            weight = 0.0
    return weight, tag.strip().partition("-")[0].lower()
