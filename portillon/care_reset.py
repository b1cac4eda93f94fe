"""`portillon care factory-reset`: hands the caretaker the pins that the gate knows how to read."""

import argparse
import time
from collections.abc import Callable
from typing import Any, Final

from appliance.config import load_config
from appliance.errors import ApplianceError
from caretaker.factory_reset import ask, demand, reset
from caretaker.places import Places

_LOOK_S: Final = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the action's arguments."""
    parser.add_argument(
        "--ask", action="store_true", help="have the next start do it; else do it if it was asked"
    )
    parser.add_argument(
        "--keep-identity", action="store_true", help="with --ask: stay the server's gate"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the action."""
    places = Places()
    if arguments.ask:
        ask(places, keeps_identity=arguments.keep_identity)
        print("Asked for: start the machine anew, and nothing of this gate is left on it.")
        return 0
    wanted = demand(places, lambda pin, seconds: is_held(_open(places), pin, seconds, time.sleep))
    if wanted is not None:
        reset(places, wanted)
        print(f"reset, asked for by {wanted.by}")
    return 0


def is_held(opening: Any, number: int, seconds: float, wait: Callable[[float], None]) -> bool:
    """Tell whether a button to ground stays closed; one that is open ends it at once.

    Args:
        opening: context of the open pin library.
        number: GPIO of the button.
        seconds: how long.
        wait: waits so many seconds.
    """
    try:
        with opening as pins:
            pin = pins.pin(number)
            pin.input_with_pull("up")
            for _ in range(round(seconds / _LOOK_S)):
                if pin.state:
                    return False
                wait(_LOOK_S)
            return not pin.state
    except ApplianceError as exc:  # no pins: a start must not hang on a button
        print(f"the reset button cannot be read: {exc}")
        return False


def _open(places: Places) -> Any:
    from appliance.turnstiles.pins import PinLibrary, open_pins

    try:
        name = load_config(places.config).turnstile.pin_factory
    except ApplianceError:
        name = PinLibrary.LGPIO
    return open_pins(PinLibrary(name))
