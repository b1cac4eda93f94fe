"""The levels of contacts at one moment, for whoever looks at a gate's wiring.

Called by the hardware report while the daemon is stopped. Claims inputs with their pull resistors,
and no output.
"""

from collections.abc import Mapping
from contextlib import ExitStack

import gpiozero  # type: ignore[import-untyped]

from appliance.errors import TurnstileFaultError
from appliance.turnstiles.pins import Pins


def read_levels(contacts: Mapping[str, tuple[int, bool]], pins: Pins) -> dict[str, str]:
    """Read some pins once.

    Args:
        contacts: by name, the GPIO number and whether the contact pulls it to ground.
        pins: the open library.

    Returns:
        `high` or `low` by name.

    Raises:
        TurnstileFaultError: if a pin cannot be claimed.
    """
    with ExitStack() as stack:
        try:
            devices = {
                name: stack.enter_context(
                    gpiozero.DigitalInputDevice(pin, pull_up=pull_up, pin_factory=pins.factory)
                )
                for name, (pin, pull_up) in contacts.items()
            }
            return {name: "high" if one.pin.state else "low" for name, one in devices.items()}
        except pins.errors as exc:
            raise TurnstileFaultError(f"a pin cannot be read: {exc}") from exc
