"""RAUC, which checks signatures and writes slots: its program, called with words of our own.

`rauc info` checks the signature over the manifest, not the payload; `rauc install` checks every
block of the payload while it writes it (verity). So what info says may be relied on, and that a
bundle is whole is known after install alone.
"""

import configparser
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from caretaker.errors import FileError, MachineError
from caretaker.places import Places

SYSTEM_FILE: Final = "etc/rauc/system.conf"
INFO_S_MAX: Final = 120
INSTALL_S_MAX: Final = 25 * 60
_PROGRAM: Final = "/usr/bin/rauc"
_META: Final = "portillon"  # section [meta.portillon] of a manifest
_GOES_BACK: Final = "downgrade"
_LINES_KEPT: Final = 2
_WORDS_MAX: Final = 180


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle's signed manifest says.

    Attributes:
        compatible: machines that it is for.
        version: that it holds.
        may_go_back: whether it may follow a newer version.
    """

    compatible: str
    version: str
    may_go_back: bool


def inspect(bundle: Path) -> Manifest:
    """Check a bundle's signature, and give what it says.

    Raises:
        FileError: if the signature is of no key that this machine trusts now, or it is no bundle.
        MachineError: if RAUC cannot be run.
    """
    told = _run(["info", "--output-format=json-2", str(bundle)], INFO_S_MAX)
    try:
        said: dict[str, Any] = json.loads(told)
        update = said["update"]
        meta = said.get("meta") or {}
        own = meta.get(_META) or {}
        goes_back = own.get(_GOES_BACK) == "yes"
        return Manifest(str(update["compatible"]), str(update["version"]), goes_back)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise MachineError(f"rauc info cannot be understood: {exc!r}") from exc


def install(bundle: Path) -> None:
    """Write a bundle into the slots that do not run, each block checked.

    Raises:
        FileError: if it is refused, or the payload is damaged, in RAUC's words.
        MachineError: if RAUC cannot be run.
    """
    _run(["install", str(bundle)], INSTALL_S_MAX)


def mark_good() -> None:
    """Tell RAUC that the running slot is well.

    Raises:
        CareError: if it does not take it.
    """
    _run(["status", "mark-good"], INFO_S_MAX)


def compatible(places: Places) -> str:
    """Give the machines that this one is of.

    Raises:
        MachineError: if RAUC is not set up: this is not the image.
    """
    path = places.root / SYSTEM_FILE
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
        return parser["system"]["compatible"]
    except (OSError, ValueError, KeyError, configparser.Error) as exc:
        raise MachineError(f"{path}: cannot be read: {exc}; updates need the image") from exc


def _run(arguments: Sequence[str], s_max: int) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - words of this program's own, and a path of root's own
            [_PROGRAM, *arguments], capture_output=True, text=True, timeout=s_max, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise MachineError(f"rauc {arguments[0]}: {exc}") from exc
    if done.returncode:
        raise FileError(_complaint(done.stderr + done.stdout) or f"rauc {arguments[0]} failed")
    return done.stdout


def _complaint(said: str) -> str:
    """Give the last of RAUC's lines that say what is wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    wrong = [line for line in lines if "rror" in line or "ailed" in line or "nvalid" in line]
    words = "; ".join(dict.fromkeys((wrong or lines)[-_LINES_KEPT:]))
    return "".join(c if c.isprintable() else " " for c in words)[-_WORDS_MAX:]
