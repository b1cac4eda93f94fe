"""A person's file without its secrets: as long as before, every other byte where it was.

On FAT a file is only ever written over where it lies, at its own size. A cut in between leaves some
sectors of the one and some of the other; that is found again by `is_half_cleaned`.
"""

import re
from copy import deepcopy
from typing import Any

from caretaker.complaints import Complaint, ComplaintError
from caretaker.provisioning_text import PersonsFile, read_text
from caretaker.wishes import SECRETS


def cleaned(file: PersonsFile) -> bytes:
    """Give the file's bytes with each secret's text empty.

    Raises:
        ComplaintError: if a secret shares its line with something, and cannot be taken out of it.
    """
    parts = re.split(r"(\r\n|\r|\n)", file.raw[len(file.mark) :].decode(file.encoding))
    expected = deepcopy(file.document)
    found: list[tuple[str, int]] = []
    for secret in SECRETS:
        if not _empty(expected, secret):
            continue
        line = file.key_line(secret)
        found.append((secret, line or file.line_of(secret)))
        if line:
            parts[2 * (line - 1)] = _emptied(secret, file.lines[line - 1], file.encoding)
    raw = file.mark + "".join(parts).encode(file.encoding)
    if found:
        try:
            is_right = len(raw) == len(file.raw) and read_text(raw).document == expected
        except ComplaintError:
            is_right = False
        if not is_right:
            raise ComplaintError(
                *(Complaint("own_line", line, values={"key": key}) for key, line in found)
            )
    return raw


def is_half_cleaned(raw: bytes, clean: bytes) -> bool:
    """Tell whether a file is what a cut left of the one being made the other."""
    if len(raw) != len(clean):
        return False
    file = read_text(clean)
    secret_lines = {file.key_line(secret) for secret in SECRETS}
    at = len(file.mark)
    for number, part in enumerate(
        re.split(r"(\r\n|\r|\n)", clean[at:].decode(file.encoding)), start=2
    ):
        size = len(part.encode(file.encoding))
        is_secret = number % 2 == 0 and number // 2 in secret_lines
        if not is_secret and raw[at : at + size] != clean[at : at + size]:
            return False
        at += size
    return raw[: len(file.mark)] == file.mark


def _emptied(secret: str, line: str, encoding: str) -> str:
    key = secret.rpartition(".")[2]
    made = f'{key}=""'
    space = len(" ".encode(encoding))
    missing = len(line.encode(encoding)) - len(made.encode(encoding))
    return made + " " * (missing // space)


def _empty(document: dict[str, Any], secret: str) -> bool:
    """Empty a secret of a document; tell whether there was one."""
    *tables, key = secret.split(".")
    here: object = document
    for table in tables:
        here = here.get(table) if isinstance(here, dict) else None
    if not isinstance(here, dict) or not here.get(key):
        return False
    here[key] = ""
    return True
