"""In which encoding a file is written, and whether its text has survived being exported."""

import codecs
import re
from typing import Final

from sync_server.errors import TicketFileError

_FOREIGN: Final = (  # how files that are no CSV begin
    (b"PK\x03\x04", "a spreadsheet or an archive"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a compressed file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_MARKUP: Final = {"<": "a web page or XML", "{": "JSON", "[": "JSON"}
_SNIFFED_BYTES: Final = 64

# UTF-8 that was read as CP1252 and written again: é has become Ã©
_TWICE: Final = re.compile("[ÃÂ][\u0080-\u00bf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€]|â[€‚]|\ufffd")
_TWICE_MARKS: Final = "ÃÂâ\ufffd"  # looked for first: a plain search is much faster
# CP850 or Mac Roman read as CP1252: é has become ‚ or Ž in the middle of a word
_OLD: Final = re.compile("[A-Za-z][‚ˆ‡‹…][A-Za-z]|[a-z]Ž[a-z]")


def encoding_of(data: bytes) -> str:
    """Give the name of the codec that reads a file.

    Raises:
        TicketFileError: if the file is empty, no text, cut off, or garbled by an earlier export.
    """
    _check_kind(data)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif data.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    else:
        encoding = "utf-8"
    text, encoding = _decode(data, encoding)
    if "\0" in text:
        raise TicketFileError("binary", _BINARY)
    if not text.strip("\ufeff \t\r\n"):
        raise TicketFileError("empty", "the file is empty")
    garbled = _garbled(text, encoding)
    if garbled:
        line = len(re.findall(r"\r\n|\r|\n", text[: garbled.start()])) + 1
        raise TicketFileError(
            "garbled",
            f"accented letters are garbled at line {line}: the file was written or opened in"
            " another encoding before; export it again as UTF-8",
            line,
        )
    return encoding


def _garbled(text: str, encoding: str) -> re.Match[str] | None:
    if text.isascii():
        return None
    if any(mark in text for mark in _TWICE_MARKS) and (found := _TWICE.search(text)):
        return found
    return _OLD.search(text) if encoding == "cp1252" else None


_BINARY: Final = "the file is not text; save the list as “CSV UTF-8” and send that file"


def _check_kind(data: bytes) -> None:
    for magic, kind in _FOREIGN:
        if data.startswith(magic):
            raise TicketFileError(
                "foreign", f"the file is {kind}, not CSV; save the list as “CSV UTF-8”"
            )
    start = data[:_SNIFFED_BYTES].lstrip(codecs.BOM_UTF8 + b" \t\r\n")[:1].decode("latin-1")
    kind = _MARKUP.get(start, "")
    if kind:
        raise TicketFileError(
            "foreign", f"the file looks like {kind}, not CSV; save the list as “CSV UTF-8”"
        )


def _decode(data: bytes, encoding: str) -> tuple[str, str]:
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError as exc:
        if exc.end >= len(data) and exc.reason in ("unexpected end of data", "truncated data"):
            raise TicketFileError(
                "cut_off", "the file ends in the middle of a character: it is cut off"
            ) from None
        if encoding != "utf-8":
            raise TicketFileError("undecodable", _UNDECODABLE) from None
    try:
        return data.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        pass
    if b"\0" in data:
        raise TicketFileError("binary", _BINARY)
    raise TicketFileError("undecodable", _UNDECODABLE)


_UNDECODABLE: Final = (
    "the file is in an encoding that is neither UTF-8 nor Windows-1252; export it again as UTF-8"
)
