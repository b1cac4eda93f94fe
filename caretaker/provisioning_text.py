"""A `gate.toml` as people's editors leave it: made into TOML, or named by line and character.

Windows' editors write UTF-16 or a byte order mark, and carriage returns; word processors and phones
write curly quotes and spaces that do not break. Where what is meant is plain, it is taken for that:
outside of quotes, and as quotes. Inside of straight quotes nothing is ever changed: a passphrase is
what it is.
"""

import codecs
import re
import tomllib
from dataclasses import dataclass, field
from typing import Any, Final

from caretaker.complaints import Complaint, ComplaintError

FILE_BYTES_MAX: Final = 32 * 1024
_UTF16_LOOKED_AT: Final = 64  # bytes; without a mark every other one of ASCII text is zero
_ODD_SPACES: Final = "\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_INVISIBLE: Final = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_CURLY: Final = dict.fromkeys("“”„‟″«»", '"') | dict.fromkeys("‘’‚‛′", "'")
_GUILLEMETS: Final = "«»"
_WHERE: Final = re.compile(r"(?P<what>.*) \(at line (?P<line>\d+), column (?P<column>\d+)\)")
_HEADER: Final = re.compile(r"\s*\[(?P<twice>\[)?\s*(?P<name>[\w.\s\"'-]+?)\s*\]")
_KEY: Final = re.compile(r"\s*(?P<key>[A-Za-z0-9_-]+)\s*=")


@dataclass(frozen=True, slots=True)
class PersonsFile:
    """A file as it was written.

    Attributes:
        raw: its bytes.
        encoding: that they are in, its mark apart.
        mark: of the byte order, or b"".
        lines: its text, as it was written, without the ends of lines.
        document: what it says.
    """

    raw: bytes = field(repr=False)
    encoding: str
    mark: bytes
    lines: tuple[str, ...] = field(repr=False)
    document: dict[str, Any] = field(repr=False)

    def line_of(self, key: str) -> int:
        """Give the line of a key as complaints name it, "readers[2].port"; 0 where there is none.

        A key that is missing is looked for where its table begins.
        """
        own, table = self._lines_of(key)
        return own or table

    def key_line(self, key: str) -> int:
        """Give the line that a key stands on; 0 where it has none of its own."""
        return self._lines_of(key)[0]

    def _lines_of(self, key: str) -> tuple[int, int]:
        table, _, name = key.rpartition(".")
        beginning, current, seen = 0, "", dict[str, int]()
        for number, line in enumerate(self.lines, 1):
            if header := _HEADER.match(_plain(line)):
                current = re.sub(r"\s", "", header["name"])
                if header["twice"]:
                    seen[current] = seen.get(current, 0) + 1
                    current = f"{current}[{seen[current]}]"
                if current == key or (table and current == table and not beginning):
                    beginning = number
            elif current == table and (found := _KEY.match(_plain(line))) and found["key"] == name:
                return number, beginning
        return 0, beginning


def read_text(raw: bytes) -> PersonsFile:
    """Read a file.

    Raises:
        ComplaintError: naming line and character, if it is not what it has to be.
    """
    encoding, mark = _encoding_of(raw)
    body = raw[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as exc:
        before = body[: exc.start].decode(encoding, "replace")
        key = "not_utf16" if encoding.startswith("utf-16") else "not_utf8"
        raise ComplaintError(Complaint(key, *_place(before))) from None
    lines = tuple(re.split(r"\r\n|\r|\n", text))
    mended = "".join(f"{_mend(line, number)}\n" for number, line in enumerate(lines, 1))
    try:
        document = tomllib.loads(mended)
    except tomllib.TOMLDecodeError as exc:
        raise ComplaintError(_toml_complaint(str(exc), lines)) from None
    except RecursionError:
        raise ComplaintError(Complaint("not_toml", values={"what": "too deep"})) from None
    return PersonsFile(raw, encoding, mark, lines, document)


def _encoding_of(raw: bytes) -> tuple[str, bytes]:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if raw.startswith(mark):
            return encoding, mark
    head = raw[:_UTF16_LOOKED_AT]
    if len(head) > 1 and len(raw) % 2 == 0:
        low, high = head[1::2].count(0), head[::2].count(0)
        if low > len(head) // 4 and not high:
            return "utf-16-le", b""
        if high > len(head) // 4 and not low:
            return "utf-16-be", b""
    return "utf-8", b""


def _mend(line: str, number: int) -> str:
    """Make one line plain outside of its straight quotes.

    Raises:
        ComplaintError: if a quote is opened straight and closed curly, or the other way round.
    """
    made: list[str] = []
    at = 0
    while at < len(line):
        one = line[at]
        if one == "#":
            made.append(line[at:])
            break
        if one in "\"'":
            if line.startswith(one * 3, at):
                raise ComplaintError(Complaint("many_lines", number, at + 1))
            end = _straight_end(line, at)
            if end < 0:
                curly = next((p for p in range(at + 1, len(line)) if line[p] in _CURLY), at)
                raise ComplaintError(Complaint("quote_open", number, curly + 1, {"quote": one}))
            made.append(line[at : end + 1])
            at = end + 1
        elif one in _CURLY:
            text, at = _curly(line, at, number)
            made.append(text)
        else:
            made.append(" " if one in _ODD_SPACES else "" if one in _INVISIBLE else one)
            at += 1
    return "".join(made)


def _straight_end(line: str, start: int) -> int:
    """Give where a text in straight quotes ends; below 0 where it does not."""
    quote, at = line[start], start + 1
    while at < len(line):
        if line[at] == "\\" and quote == '"':
            at += 2
        elif line[at] == quote:
            return at
        else:
            at += 1
    return -1


def _curly(line: str, start: int, number: int) -> tuple[str, int]:
    """Give a text in curly quotes in straight ones, and where it ends."""
    straight = _CURLY[line[start]]
    for at in range(start + 1, len(line)):
        if line[at] == straight:
            raise ComplaintError(Complaint("quote_mixed", number, at + 1, {"quote": straight}))
        if _CURLY.get(line[at]) == straight:
            inner = line[start + 1 : at]
            if line[start] in _GUILLEMETS:
                inner = inner.strip(" " + _ODD_SPACES)  # French typography puts them there
            return straight + inner + straight, at + 1
    raise ComplaintError(Complaint("quote_open", number, start + 1, {"quote": straight}))


def _plain(line: str) -> str:
    """Give a line whose key or header can be looked for."""
    return "".join(" " if one in _ODD_SPACES else one for one in line if one not in _INVISIBLE)


def _toml_complaint(said: str, lines: tuple[str, ...]) -> Complaint:
    where = _WHERE.fullmatch(said)
    if where is None:  # "(at end of document)"
        return Complaint("not_toml", max(1, len(lines)), values={"what": said.partition(" (at")[0]})
    place = int(where["line"]), int(where["column"])
    return Complaint("not_toml", *place, {"what": where["what"]})


def _place(before: str) -> tuple[int, int]:
    lines = re.split(r"\r\n|\r|\n", before)
    return len(lines), len(lines[-1]) + 1
