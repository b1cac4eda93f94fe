"""Versions of a gate's software: `MAJOR.MINOR.PATCH`, and `+build` for an image; numbers, not text.

Called by gate and server, who must agree on what is newer: as texts, "0.10.0" comes before "0.9.0".
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

VERSION_CHARACTERS_MAX: Final = 40
_FORM: Final = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:\+(\d{1,9}))?", re.ASCII)


class SoftwareVersion(NamedTuple):
    """One version; a later one is greater.

    Attributes:
        major: as the three that follow, from 0 on.
        minor: see there.
        patch: see there.
        build: of the image with this software; 0 where none is named.
    """

    major: int
    minor: int
    patch: int
    build: int = 0

    def __str__(self) -> str:
        """Give it as people write it."""
        build = f"+{self.build}" if self.build else ""
        return f"{self.major}.{self.minor}.{self.patch}{build}"


@lru_cache(maxsize=256)  # a fleet says the same few again and again
def read_version(text: str) -> SoftwareVersion | None:
    """Read a version; None where the text is none."""
    found = _FORM.fullmatch(text) if len(text) <= VERSION_CHARACTERS_MAX else None
    if found is None:
        return None
    return SoftwareVersion(*(int(part or 0) for part in found.groups()))
