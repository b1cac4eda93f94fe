"""`portillon care boot-display`: what people read while no daemon runs, and then ends.

The picture stays on an OLED until the daemon opens it. A gate whose display is a page has none
without its daemon.
"""

import argparse
import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from appliance.clock import SystemClock
from appliance.config import Config, load_config
from appliance.drivers import Drivers
from appliance.errors import ApplianceError
from appliance.fault_codes import CONFIG_FAULT
from appliance.page_config import PageConfig
from appliance.ports import Look, Screen
from caretaker.errors import CareError
from caretaker.machine_file import told
from caretaker.places import Places

SAYINGS: Final = {"starting": Look.STARTING, "failed": Look.OUT_OF_SERVICE}
NOT_SET_UP: Final = "not-set-up"
FILE: Final = "gate.toml"
# A machine that nobody told what it is: the usual panel is tried (docs/operations/first-boot.md).
_UNTOLD: Final = """\
data = "/var/lib/portillon-gate"
language = "{language}"

[[readers]]
kind = "folder"
folder = "/run/portillon-gate"

[display]
kind = "oled"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments."""
    parser.add_argument(
        "--say",
        choices=(*SAYINGS, NOT_SET_UP),
        default="starting",
        help="what is shown; default starting",
    )
    parser.set_defaults(places=Places())


def run(arguments: argparse.Namespace) -> int:
    """Run the action.

    Raises:
        CareError: if there is no display, or it does not answer.
    """
    try:
        if arguments.say == NOT_SET_UP:
            asyncio.run(_show_not_set_up(arguments.places))
        else:
            config = load_config(arguments.places.config)
            asyncio.run(show(config, Screen(SAYINGS[arguments.say])))
    except ApplianceError as exc:
        raise CareError(str(exc)) from exc
    return 0


async def _show_not_set_up(places: Places) -> None:
    """Say that the machine waits for its file, or what is wrong with the one that came."""
    said = told(places).get("provision")
    said = said if isinstance(said, dict) else {}
    lines = said.get("lines") if said.get("outcome") == "refused" else []
    language = "en" if said.get("language") == "en" else "fr"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        path.write_text(_UNTOLD.format(language=language), "utf-8")
        config = load_config(path)
    first = str(lines[0]) if isinstance(lines, list) and lines else f"{FILE} ?"
    await show(config, Screen(Look.OUT_OF_SERVICE, fault=CONFIG_FAULT, detail=first))


async def show(config: Config, screen: Screen) -> None:
    """Draw a screen and leave it there; nothing on a gate without an OLED.

    Raises:
        ConfigError: if the display cannot be as it is configured.
        DisplayLostError: if it does not answer.
    """
    if config.display.kind != "oled":
        return
    async with AsyncExitStack() as stack:
        drivers = Drivers(replace(config, page=PageConfig()), SystemClock(None), stack)
        drivers.display_stays = True
        for display in await drivers.open_displays():
            await display.show(replace(screen, direction=config.readers[0].direction))
