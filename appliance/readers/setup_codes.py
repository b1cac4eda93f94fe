"""Does a text look like a code that sets up a scan engine? Called by readers, for hints only.

Such a code is judged like any other: the list does not hold it, so it is refused, and nothing of
it is ever sent to an engine. What is told here never changes an answer, so a ticket number that
happens to look like one is admitted as it should be.
"""

import re
from typing import Final

# What the makers print under their codes. Whole texts: a number that only begins so is no hint.
_FORMS: Final = (
    rb"[@#][A-Z0-9]{3}[A-Z0-9]{3}[ -~]{0,200};?",  # Newland: @SETUPE1
    rb"\{[A-Z0-9]{2,6}[A-Za-z0-9 /,.=:]{0,200}\}",  # {CF10/1}
    rb"\^_\^[A-Z0-9]{3,8}[ -~]{0,200}\.",  # DE2120 and its kin: ^_^POR232.
    rb"\$[#%$]{0,2}[A-Z][A-Z0-9]{0,60}\$?",  # Datalogic and GROW: $S, $P, $CBPVO01
    rb"\x16[MYT]\r?[ -~]{0,200}[.!]?",  # Honeywell: a menu command as such
    rb"[A-Z0-9]{3}(?:ENA|BAD|MOD|PAR|DFT|BEP|TRG|SUF|PRE)[0-9A-F]{0,8}[.!]",  # Honeywell: 232BAD9.
)
_SETUP: Final = re.compile(b"|".join(b"(?:" + form + b")" for form in _FORMS))


def is_setup_code(data: bytes) -> bool:
    """Tell whether a code's bytes look like one that sets up an engine."""
    return _SETUP.fullmatch(data.strip(b" \t\r\n")) is not None
