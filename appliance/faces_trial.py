"""Shows all that a display, a light and a sound can tell, one after the other, without a gate.

Called by `portillon gate try-display` while a lane is wired. Admits nobody, opens nothing, writes
nothing down; the daemon must not run meanwhile, whose pins these are.
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from admission.scan import Direction
from admission.verdict import Answer
from appliance.config import Config
from appliance.displays.words import spoken
from appliance.drivers import Drivers
from appliance.errors import DeviceError
from appliance.page_config import PageConfig
from appliance.ports import Clock, Look, Screen

_EXIT: Final = Direction.EXIT
SCREENS: Final = (
    Screen(Look.IDLE, title="Portillon", occupancy=1203),
    Screen(Look.GRANTED),
    Screen(Look.GRANTED, _EXIT),
    Screen(Look.GRANTED, attention=("!",)),
    Screen(Look.PLEASE_PASS),
    Screen(Look.NOT_PASSED),
    Screen(Look.HOLD_STILL),
    Screen(Look.DENIED, answer=Answer.ALREADY_USED, detail="19:02", gate=""),
    Screen(Look.DENIED, answer=Answer.WRONG_CHECKPOINT),
    Screen(Look.DENIED, answer=Answer.UNKNOWN_TICKET),
    Screen(Look.DENIED, answer=Answer.INCOMPLETE),
    Screen(Look.DENIED, answer=Answer.GATE_LOCKED),
    Screen(Look.OUT_OF_SERVICE, fault="GT-RLY"),
    Screen(Look.LOCKED_DOWN),
    Screen(Look.FREE_PASSAGE, _EXIT),
)


async def try_faces(
    config: Config, clock: Clock, seconds: float, tell: Callable[[str], None]
) -> bool:
    """Show every kind of screen, with its light and sound, in every language.

    Args:
        config: which devices there are.
        clock: counts the time of each.
        seconds: how long each is shown.
        tell: is told what should be seen now, and which device failed.

    Returns:
        Whether every device took everything.

    Raises:
        ConfigError: if a device cannot be as it is configured.
        DeviceError: if the signals' pins cannot be had.

    Cancel: leaves everything dark and silent.
    """
    async with AsyncExitStack() as stack:
        drivers = Drivers(replace(config, page=PageConfig()), clock, stack)
        displays, signals = await drivers.open_displays(), await drivers.open_signals()
        shows = [*(one.show for one in displays), *(one.signal for one in signals)]
        if not shows:
            tell("there is no display and no light: see [display] and [signals]")
        is_well = bool(shows)
        for tongue, language in enumerate(config.languages):
            for screen in SCREENS:
                shown = replace(screen, tongue=tongue)
                tell(f"{screen.look}: {spoken(shown, language)}")
                for show in shows:
                    is_well &= await _took(show(shown), tell)
                await clock.sleep(seconds)
        return is_well


async def _took(showing: Awaitable[None], tell: Callable[[str], None]) -> bool:
    try:
        await showing
    except DeviceError as exc:
        tell(f"  {exc}")
        return False
    return True
