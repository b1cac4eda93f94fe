"""What became of a `gate.toml`, in plain words: beside it, on the display, at the server."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from caretaker.complaints import LANGUAGES, Complaint, text
from caretaker.errors import FileError
from caretaker.kept_files import read_small, write_in_place
from caretaker.machine_file import tell, told
from caretaker.places import Places
from caretaker.wishes import Wishes

RESULT_FILE: Final = "gate-result.txt"
RESULT_BYTES: Final = 4096  # always: on FAT a file is written over where it lies, at its own size
LINES_MAX: Final = 12  # of what the gate and its server are told
_LINE_CHARACTERS_MAX: Final = 200
_BOM: Final = b"\xef\xbb\xbf"  # by which old editors know that the accents are UTF-8
_CRLF: Final = "\r\n"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of it.

    Attributes:
        outcome: "applied", "refused" or "none".
        complaints: why it was refused.
        said: of what was applied: keys of words, and their values.
        language: of the gate, in which it is told on its display.
        at_ms: when.
    """

    outcome: str
    complaints: tuple[Complaint, ...] = ()
    said: tuple[tuple[str, dict[str, str]], ...] = ()
    language: str = LANGUAGES[0]
    at_ms: int = field(default=0, compare=False)

    @classmethod
    def refused(cls, complaints: list[Complaint], language: str = "") -> Self:
        """Make that of a file that was not taken."""
        return cls("refused", tuple(complaints), (), _known(language))

    @classmethod
    def applied(cls, wishes: Wishes, document: dict[str, Any], notes: list[str]) -> Self:
        """Make that of a file that was."""
        settings = wishes.settings
        said: list[tuple[str, dict[str, str]]] = []
        if settings.name:
            said.append(("name", {"name": settings.name}))
        if settings.wifi is not None:
            wifi = settings.wifi
            said.append(("wifi", {"ssid": wifi.ssid, "country": wifi.country}))
        else:
            said.append(("cable", {}))
        if settings.address:
            said.append(("address", {"address": settings.address}))
        said += [(f"pin.{role}", {}) for role in wishes.pins]
        said += [(f"note.{note}", {}) for note in notes]
        said.append(("ssh" if settings.ssh_keys else "no_ssh", {}))
        said.append(("readers", {"count": str(len(document.get("readers", ())))}))
        return cls("applied", (), tuple(said), _known(str(document.get("language", ""))))

    def lines(self, language: str) -> list[str]:
        """Give what there is to say, in words."""
        return [complaint.told(language) for complaint in self.complaints] + [
            text(f"applied.{key}", language, **values) for key, values in self.said
        ]

    def page(self) -> bytes:
        """Give the file for people, in both languages, always as long."""
        at = datetime.fromtimestamp(self.at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
        blocks = [
            [text(f"result.{self.outcome}", language, at=at)]
            + [f"  - {line}" for line in self.lines(language)]
            + [text(f"result.{self.outcome}.then", language)]
            for language in LANGUAGES
        ]
        written = _CRLF.join([*blocks[0], "", *blocks[1], ""]).encode()
        room = RESULT_BYTES - len(_BOM)
        if len(written) > room:
            written = written[: room - 5].decode("utf-8", "ignore").encode() + b"...\r\n"
        return _BOM + written.ljust(room)


def _known(language: str) -> str:
    return language if language in LANGUAGES else LANGUAGES[0]


NONE: Final = Result("none")


def tell_result(places: Places, folder: Path, result: Result) -> None:
    """Leave word beside the file, and for the gate. A card that takes no word stops nothing."""
    lines = [line[:_LINE_CHARACTERS_MAX] for line in result.lines(result.language)[:LINES_MAX]]
    before = told(places).get("provision")
    said = {
        "outcome": result.outcome,
        "lines": lines,
        "language": result.language,
        "at_ms": result.at_ms,
    }
    if not (isinstance(before, dict) and before.get("lines") == lines):
        tell(places, provision=said)
    path = folder / RESULT_FILE
    try:
        if (read_small(path) or b"").partition(b"\n")[2] != result.page().partition(b"\n")[2]:
            write_in_place(path, result.page())
    except FileError:  # full, worn out or write-protected: it is told by display and server
        return
