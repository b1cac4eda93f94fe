"""`portillon pictures [FOLDER]`: draws the pictures of the README from the program itself."""

import argparse
import sys
from pathlib import Path
from typing import Final

from appliance.errors import ApplianceError

DISPLAYS_FILE: Final = "displays.png"
_FOLDER: Final = Path("docs/pictures")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "folder", nargs="?", type=Path, default=_FOLDER, help=f"where to write (default {_FOLDER})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Draw and write every picture, and name the files."""
    try:
        print(write_display_pictures(arguments.folder))
    except (ApplianceError, OSError) as exc:
        print(f"portillon pictures: {exc}", file=sys.stderr)
        return 1
    return 0


def write_display_pictures(folder: Path) -> Path:
    """Draw what the gate's displays show and write it as one picture.

    Args:
        folder: where to; made if it is not there.

    Returns:
        The file written.

    Raises:
        ConfigError: if the displays' typeface is not installed.
        OSError: if the file cannot be written.
    """
    from appliance.displays.contact_sheet import draw_contact_sheet

    sheet = draw_contact_sheet()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / DISPLAYS_FILE
    sheet.save(file, optimize=True)
    return file
