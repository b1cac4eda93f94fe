"""The pins of a gate, as its example configuration has them, and the picture of the header.

Called by wiring_diagrams. What may be left out has the value that the example shows there.
"""

import re
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from wiring_drawing import Drawing, Terminal, width_of  # noqa: E402

from appliance.config import load_config  # noqa: E402

EXAMPLE: Final = ROOT / "docs/examples/gate.toml"
# Which pin of the Raspberry Pi's header a GPIO stands on; the same on every board with 40 pins.
HEADER: Final = {
    2: 3, 3: 5, 4: 7, 14: 8, 15: 10, 17: 11, 18: 12, 27: 13, 22: 15, 23: 16, 24: 18, 10: 19, 9: 21,
    25: 22, 11: 23, 8: 24, 7: 26, 0: 27, 1: 28, 5: 29, 6: 31, 12: 32, 13: 33, 19: 35, 16: 36,
    26: 37, 20: 38, 21: 40,
}  # fmt: skip
SUPPLIES: Final = {1: "3.3 V", 2: "5 V", 4: "5 V", 17: "3.3 V"}
GROUNDS: Final = (6, 9, 14, 20, 25, 30, 34, 39)
TOP: Final = 64  # below the title


@cache
def shown(table: str, key: str) -> int:
    """Give the number that the example shows for a setting, commented out or not."""
    text = EXAMPLE.read_text("utf-8").partition(f"\n[{table}]\n")[2].partition("\n[")[0]
    found = re.search(rf"^#?{key} = (\d+)$", text, re.MULTILINE)
    if found is None:
        raise KeyError(f"{EXAMPLE.name} shows no {table}.{key}")
    return int(found[1])


def pins_in_use() -> dict[int, str]:
    """Give each GPIO of the example and what it is: as it is set, or as it may be set."""
    config = load_config(EXAMPLE)
    over_spi = replace(config.display, wire="spi", bus=0)
    own = [*config.turnstile.pins(), *config.signals.pins()]
    used = {pin: key for _, key, pin in own if pin is not None}
    for key in ("exit_pin", "fire_pin", "staff_open_pin", "staff_hold_pin", "staff_lock_pin"):
        used.setdefault(shown("turnstile", key), f"turnstile.{key}")
    for (_, _, pin), name in zip(config.display.pins(), ("SDA", "SCL"), strict=True):
        used[pin or 0] = f"display, {name}"
    names = ("MOSI", "SCLK", "DC", "RST")
    for (_, _, pin), name in zip(over_spi.pins(), names, strict=True):
        used.setdefault(pin or 0, f"display, {name}")
    used.setdefault(8, "display, CE0")
    return used


def gpio(number: int, more: str = "") -> Terminal:
    """Give the terminal of a GPIO."""
    return Terminal(f"GPIO {number}", f"pin {HEADER[number]}{f', {more}' if more else ''}")


def ground(pin: int) -> Terminal:
    """Give a terminal of a ground of the header."""
    assert pin in GROUNDS  # noqa: S101 (this file's own words)
    return Terminal("GND", f"pin {pin}")


def supply(pin: int) -> Terminal:
    """Give a terminal of a supply of the header."""
    return Terminal(SUPPLIES[pin], f"pin {pin}")


def begun(title: str, about: str, width: int, height: int) -> Drawing:
    """Begin a picture, with its title on top."""
    drawing = Drawing(title, about, width, height)
    drawing.text(28, 40, title, 21, room=width - 56, style="bold")
    return drawing


def header() -> Drawing:
    """Draw the header with all that the example uses."""
    rows, step = 20, 30
    drawing = begun(
        "The header of the Raspberry Pi",
        "Forty pins in two columns, pin 1 at the top left, seen from above. Beside each that a gate"
        " can use stands its GPIO and the setting. "
        + ". ".join(
            f"Pin {HEADER[pin]}: GPIO {pin}, {key}" for pin, key in sorted(
                pins_in_use().items(), key=lambda one: HEADER[one[0]])
        )
        + ".",
        860, TOP + rows * step + 118,
    )  # fmt: skip
    used = pins_in_use()
    by_pin = {pin: number for number, pin in HEADER.items()}
    middle = drawing.width // 2
    for pin in range(1, 2 * rows + 1):
        is_left = pin % 2 == 1
        x = middle + (-20 if is_left else 20)
        y = TOP + 24 + (pin - 1) // 2 * step
        number = by_pin.get(pin)
        words, kind = f"GPIO {number}", None
        if pin in SUPPLIES:
            words, kind = SUPPLIES[pin], "power"
        elif pin in GROUNDS:
            words, kind = "GND", "ground"
        elif number in used:
            key = used[number]
            is_output = key.startswith("signals") or key.endswith(("entry_pin", "exit_pin"))
            kind = "signal" if is_output else "contact"
            kind = "alarm" if "fire" in key else kind
            words = f"{words} · {key}"
        far, anchor = (x - 46, "end") if is_left else (x + 46, "start")
        near, other = (x - 16, "end") if is_left else (x + 16, "start")
        drawing.text(near, y + 4, str(pin), 11, room=24, style="soft", anchor=other)
        style = "soft" if kind is None else "bold" if number in used else ""
        drawing.text(far, y + 5, words, 14, room=middle - 90, style=style, anchor=anchor)
        if kind is None:
            drawing.ring(x, y)
        elif pin == 1:
            drawing.square(x, y, kind)
        else:
            drawing.dot(x, y, kind)
    y = TOP + rows * step + 42
    marks = (("power", "supply"), ("ground", "ground"), ("signal", "the gate drives it"),
             ("contact", "contacts and display"), ("alarm", "the alarm's loop"))  # fmt: skip
    x = 40
    for kind, words in marks:
        drawing.dot(x, y - 5, kind)
        drawing.text(x + 16, y, words, 13, room=200)
        x += 16 + round(width_of(words, 13)) + 34
    drawing.note(
        28, y + 34, drawing.width - 56,
        "Pin 1 is square, at the end away from the USB sockets. Bold: what the example file uses"
        " or shows. Every pin can be set to another one, each is used once.",
    )  # fmt: skip
    return drawing
