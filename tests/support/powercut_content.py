"""What is written while the power fails, so that who looks afterwards knows what it was."""

from typing import Final

from admission.journal import Kind, Record
from caretaker.autoboot import AUTOBOOT_FILE, document

JOURNAL: Final = "journal.sqlite"
CHOICE_WAYS: Final = ("truncate", "rename", "rename2", "inplace", "commit")
CHOICES: Final = 8
CHOICE_BYTES: Final = 512  # a sector: the most that the board's firmware reads
SECRETS: Final = (b"hunter2 22", b"730519", b"ABCD-EFGH-JKMN-PQRS")
CARD: Final = (
    b"""language = "en"
[[readers]]
kind = "folder"
folder = "/pictures"
[machine]
name = "porte-1"
enrol = "portillon:enrol?v=1&server=https://10.0.0.5:8080&code=ABCD-EFGH-JKMN-PQRS"
supervisor_pin = "730519"
[machine.wifi]
country = "FR"
ssid = "Portes"
passphrase = "hunter2 22"
# what somebody wrote here stays theirs, line by line, and makes the file longer than a sector:
"""
    + b"# every gate of the north side has a sheet of paper with this text in its box\n" * 12
)
_SAVED_MS: Final = 1_800_000_000_000


def choice_of(number: int) -> bytes:
    """Give the file that the firmware reads, always as long; each differs from the one before."""
    usual, trial = (2, 3) if number % 2 else (3, 2)
    text = f"[all]\ntryboot_a_b=1\nboot_partition={usual}\n[tryboot]\nboot_partition={trial}\n"
    return f"{text}# {number}\n".encode().ljust(CHOICE_BYTES - 1, b"#") + b"\n"


def choice_file(way: str) -> str:
    """Give the name of the file that is replaced in this way; `commit` is how updates do it."""
    return AUTOBOOT_FILE if way == "commit" else f"{way}.txt"


def choices_of(way: str) -> list[bytes]:
    """Give what the file holds after each replacement, the first what it holds before any."""
    if way == "commit":
        return [document(slot_of(number)) for number in range(CHOICES + 1)]
    return [choice_of(number) for number in range(CHOICES + 1)]


def slot_of(number: int) -> str:
    """Give the slot that a commit names."""
    return "ab"[number % 2]


def draft(sequence: int) -> Record:
    """Give the record of a place in the journal."""
    return Record(
        kind=int(Kind.DENIED), sequence=0, wall_ms=_SAVED_MS + sequence, boot_ms=sequence,
        boot_id=bytes(16), identifier=sequence.to_bytes(16, "big"), direction=1, checkpoint="door",
        detail={"filler": "x" * (sequence * 37 % 900)},
    )  # fmt: skip


def kept_of(number: int) -> bytes:
    """Give the content of a small file that is written as a whole."""
    return b"%06d " % number * (50 + number * 40) + b"end\n"


def saved_of(number: int) -> int:
    """Give the time that is saved, milliseconds since 1970."""
    return _SAVED_MS + number * 60_000
