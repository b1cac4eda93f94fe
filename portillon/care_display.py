"""`portillon care boot-display`: what people read while no daemon runs, and then ends.

The picture stays on an OLED until the daemon opens it. A gate whose display is a page has none
without its daemon.
"""

import argparse
import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from appliance.clock import SystemClock
from appliance.config import Config, load_config
from appliance.drivers import Drivers
from appliance.errors import ApplianceError
from appliance.page_config import PageConfig
from appliance.ports import Look, Screen
from caretaker.errors import CareError
from caretaker.places import Places

SAYINGS: Final = {"starting": Look.STARTING, "failed": Look.OUT_OF_SERVICE}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments."""
    parser.add_argument(
        "--say", choices=tuple(SAYINGS), default="starting", help="what is shown; default starting"
    )
    parser.set_defaults(places=Places())


def run(arguments: argparse.Namespace) -> int:
    """Run the action.

    Raises:
        CareError: if there is no display, or it does not answer.
    """
    try:
        asyncio.run(show(load_config(arguments.places.config), SAYINGS[arguments.say]))
    except ApplianceError as exc:
        raise CareError(str(exc)) from exc
    return 0


async def show(config: Config, look: Look) -> None:
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
            await display.show(Screen(look, config.readers[0].direction))
