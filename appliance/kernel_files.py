"""Small files of the kernel, read for a report: what is missing is "", what fails says so.

Called by the facts about a board and its devices. Nothing that does not print comes through.
"""

from pathlib import Path
from typing import Final

TEXT_MAX: Final = 200
LONG_MAX: Final = 1 << 16
CELL_BYTES: Final = 4  # a cell of the device tree: big-endian, 32 bits
NOT_TOLD: Final = "not told"
NOT_UNDERSTOOD: Final = "not understood"

Facts = dict[str, str]


def read_text(path: Path, bytes_max: int = TEXT_MAX) -> str:
    """Read a text; "" where there is none, and the reason where it is there and does not answer."""
    try:
        said = _bytes(path, bytes_max).decode("utf-8", "replace").rstrip("\0\n ")
    except OSError as exc:
        return f"cannot be read: {exc.strerror}"
    return "".join(c if c.isprintable() or c in "\n\0\t" else " " for c in said).strip()


def read_line(path: Path) -> str:
    """Read a text's first line, all of it printable."""
    return " ".join(read_text(path).replace("\0", " ").partition("\n")[0].split())


def read_cell(path: Path) -> str:
    """Read a number of the device tree; "" where there is none."""
    try:
        raw = _bytes(path, CELL_BYTES + 1)
    except OSError as exc:
        return f"cannot be read: {exc.strerror}"
    if not raw:
        return ""
    return str(int.from_bytes(raw, "big")) if len(raw) == CELL_BYTES else NOT_UNDERSTOOD


def read_pairs(path: Path, mark: str) -> Facts:
    """Read a file of names and values; of a name that comes more than once, the last value."""
    found = {}
    for line in read_text(path, LONG_MAX).splitlines():
        name, between, value = line.partition(mark)
        if between:
            said = " ".join(value.replace("\0", " ").split())
            found[name.strip()] = said.strip('"')[:TEXT_MAX]
    return found


def told(**facts: str) -> Facts:
    """Name facts for people; one that nothing tells is there, and says that."""
    return {name.replace("_", " "): said or NOT_TOLD for name, said in facts.items()}


def _bytes(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(bytes_max)
    except (FileNotFoundError, NotADirectoryError):
        return b""
