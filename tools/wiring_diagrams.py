"""Draws the pictures of docs/operations/wiring.md: `python tools/wiring_diagrams.py [FOLDER]`.

Every pin comes from the gate's own configuration: docs/examples/gate.toml as the gate reads it, and
for what may be left out the value that the file shows there. A test holds the pictures to it.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import wiring_pins
from wiring_drawing import HEAD, Box, Drawing, Terminal
from wiring_pins import ROOT, TOP, begun, gpio, ground, header, shown, supply

from appliance.config import load_config

FOLDER: Final = ROOT / "docs/pictures"


def arm() -> Drawing:
    """Draw relay board and turnstile."""
    config = load_config(wiring_pins.EXAMPLE).turnstile
    sensor = config.sensor_pin or 0
    entry, leave = config.entry_pin, shown("turnstile", "exit_pin")
    drawing = begun(
        "The arm: relay board, unlock inputs, passage contact",
        f"GPIO {entry} switches the relay for entries, GPIO {leave} the one for exits"
        f" where there is"
        " one. Each relay's contact closes the turnstile's unlock input to its common terminal. A"
        " resistor of 10 kilohms from each relay input to ground keeps the relay off from power-on."
        f" The turnstile's passage contact closes GPIO {sensor} to ground.",
        1040, 566,
    )  # fmt: skip
    pi = drawing.box(
        Box(28, TOP, 232, "Raspberry Pi", "40-pin header", right=(
            supply(2), gpio(leave, "exit"), gpio(entry, "entry"), ground(9), None,
            gpio(sensor, "passage"), ground(14)))
    )  # fmt: skip
    relay = drawing.box(
        Box(450, TOP, 244, "Relay board", "5 V coils, switched by 3.3 V", left=(
            Terminal("VCC"), Terminal("IN 2"), Terminal("IN 1"), Terminal("GND")), right=(
            Terminal("NO 2"), Terminal("COM 2"), Terminal("NO 1"), Terminal("COM 1")))
    )  # fmt: skip
    gate = drawing.box(
        Box(800, TOP, 212, "Turnstile", "its own supply", left=(
            Terminal("unlock exit"), Terminal("common"), Terminal("unlock entry"),
            Terminal("common"), None, Terminal("passage"), Terminal("common")))
    )  # fmt: skip
    for row, kind in enumerate(("power", "signal", "signal", "ground")):
        style = "dashed" if row == 1 else ""
        drawing.wire(pi.at("right", row), relay.at("left", row), kind, style=style)
    for row in range(4):
        style = "dashed" if row < 2 else ""
        drawing.wire(relay.at("right", row), gate.at("left", row), "contact", style=style)
    drawing.wire(pi.at("right", 5), gate.at("left", 5), "contact")
    drawing.wire(pi.at("right", 6), gate.at("left", 6), "ground")
    drawing.resistor(
        300, pi.at("right", 2)[1], pi.at("right", 3)[1], ("10 kΩ to ground,", "one at each input")
    )
    drawing.note(
        28, 476, 984,
        "Between the gate and the turnstile there are contacts only: no voltage of one reaches the"
        " other. Dashed: where the arm opens for exits, too. Take a board that"
        " switches on at a high"
        " level of 3.3 V; its coils have their own diodes, its inputs are best behind optocouplers."
        " A lock or a motor's coil that the relay switches itself wants a diode or a"
        " varistor of its"
        " own across it.",
    )  # fmt: skip
    return drawing


def fire() -> Drawing:
    """Draw the alarm: to the turnstile, and beside it to the gate."""
    pin = shown("turnstile", "fire_pin")
    drawing = begun(
        "The fire alarm frees the arm without the gate",
        "The alarm panel has two contacts, both closed while there is no alarm. The first goes by"
        " its own wire to the turnstile's fire alarm input and frees the arm. The second goes to"
        f" GPIO {pin} and ground of the Raspberry Pi, which only reads it. Nothing leads from the"
        " Raspberry Pi to the turnstile's fire alarm input.",
        1040, 566,
    )  # fmt: skip
    panel = drawing.box(
        Box(28, TOP + 46, 300, "Fire alarm panel", "contacts without voltage", right=(
            Terminal("contact 1", "closed at rest"), Terminal("contact 1"), None, None,
            Terminal("contact 2", "closed at rest"), Terminal("contact 2")))
    )  # fmt: skip
    arm_box = drawing.box(
        Box(720, TOP + 46, 292, "Turnstile", "frees its arm by itself", left=(
            Terminal("fire alarm input", "normally closed"), Terminal("common")))
    )  # fmt: skip
    top = panel.at("right", 4)[1] - HEAD - 18
    pi = drawing.box(
        Box(720, top, 292, "Raspberry Pi", "only reads the loop", left=(
            gpio(pin, "turnstile.fire_pin"), ground(34)))
    )  # fmt: skip
    for row in (0, 1):
        drawing.wire(panel.at("right", row), arm_box.at("left", row), "alarm", style="thick")
        drawing.wire(panel.at("right", row + 4), pi.at("left", row),
                     ("contact", "ground")[row])  # fmt: skip
    drawing.text(524, panel.at("right", 0)[1] - 14, "opens the way out", 14, room=300,
                 style="bold", anchor="middle")  # fmt: skip
    drawing.text(524, panel.at("right", 4)[1] - 14, "tells the gate of it", 14, room=300,
                 anchor="middle")  # fmt: skip
    drawing.note(
        28, 500, 984,
        "An open loop is an alarm, and so is a broken wire. Programs end, cards"
        " fail, power goes: the"
        " way out must not hang on any of them. Have whoever is in charge of fire"
        " safety on the site"
        " look at these wires.",
    )  # fmt: skip
    return drawing


def display() -> Drawing:
    """Draw an OLED on either bus."""
    config = load_config(wiring_pins.EXAMPLE).display
    data, clock = (pin or 0 for _, _, pin in config.pins())
    out, beat, command, reset = (
        pin or 0 for _, _, pin in replace(config, wire="spi", bus=0).pins()
    )
    drawing = begun(
        "The OLED: by I²C, or by SPI",
        f"By I²C four wires: 3.3 volts, ground, GPIO {data} to SDA and GPIO {clock} to SCL. By SPI"
        f" seven: 3.3 volts, ground, GPIO {out} to MOSI, GPIO {beat} to SCLK, GPIO 8"
        f" to chip select,"
        f" GPIO {command} to DC and GPIO {reset} to RST. One of the two is enough.",
        960, 796,
    )  # fmt: skip
    bus_1 = drawing.box(
        Box(28, TOP, 330, "Raspberry Pi", "dtparam=i2c_arm=on", right=(
            supply(1), gpio(data, "SDA"), gpio(clock, "SCL"), ground(6)))
    )  # fmt: skip
    panel = drawing.box(
        Box(602, TOP, 330, "OLED with I²C",
            f"SSD1306, SH1106, SSD1309; 0x{config.address:02X}", left=(
            Terminal("VCC"), Terminal("SDA"), Terminal("SCL"), Terminal("GND")))
    )  # fmt: skip
    top = TOP + bus_1.height + 28
    spi = drawing.box(
        Box(28, top, 330, "Raspberry Pi", "dtparam=spi=on", right=(
            supply(17), gpio(out, "MOSI"), gpio(beat, "SCLK"), gpio(8, "CE0"),
            gpio(command, "display.dc_pin"), gpio(reset, "display.reset_pin"), ground(20)))
    )  # fmt: skip
    wide = drawing.box(
        Box(602, top, 330, "OLED with SPI, SSD1322 too", "the 256×64 has SPI alone", left=(
            Terminal("VCC"), Terminal("DIN", "or MOSI, SDA"), Terminal("CLK", "or SCLK, SCL"),
            Terminal("CS"), Terminal("DC"), Terminal("RST"), Terminal("GND")))
    )  # fmt: skip
    kinds = ("power", *["signal"] * 5, "ground")
    for row, kind in enumerate(("power", "signal", "signal", "ground")):
        drawing.wire(bus_1.at("right", row), panel.at("left", row), kind)
    for row, kind in enumerate(kinds):
        drawing.wire(spi.at("right", row), wide.at("left", row), kind)
    return drawing


def signals() -> Drawing:
    """Draw lamp and buzzer behind their transistors."""
    config = load_config(wiring_pins.EXAMPLE).signals
    buzzer = config.buzzer_pin or 0
    lamps = ((config.red_pin, "red"), (config.green_pin, "green"), (config.blue_pin, "blue"))
    drawing = begun(
        "Light and buzzer, behind transistors",
        "A pin of the header gives some milliamperes and no more. "
        + "; ".join(f"GPIO {pin} switches {name}" for pin, name in lamps)
        + f"; GPIO {buzzer} switches the buzzer: each by a transistor or a channel of a driver"
        " board. Lamp and buzzer have their supply from outside; the grounds are one.",
        1040, 480,
    )  # fmt: skip
    pi = drawing.box(
        Box(28, TOP, 260, "Raspberry Pi", right=(
            *(gpio(pin, name) for pin, name in lamps), gpio(buzzer, "buzzer"), ground(39)))
    )  # fmt: skip
    driver = drawing.box(
        Box(400, TOP, 250, "Driver board", "MOSFETs or a ULN2803", left=(
            *(Terminal(f"IN {n}") for n in range(1, 5)), Terminal("GND")),
            right=(*(Terminal(f"OUT {n}") for n in range(1, 5)), Terminal("GND")))
    )  # fmt: skip
    lamp = drawing.box(
        Box(790, TOP, 222, "Lamp", "common anode", left=(
            Terminal("red −"), Terminal("green −"), Terminal("blue −")))
    )  # fmt: skip
    row_4 = driver.at("right", 3)[1]
    horn = drawing.box(Box(790, lamp.y + lamp.height + 12, 222, "Buzzer and supply", "", left=(
        Terminal("buzzer −"), Terminal("supply −", "+ to lamp and buzzer"))))  # fmt: skip
    for row in range(3):
        drawing.wire(pi.at("right", row), driver.at("left", row), "signal")
        drawing.wire(driver.at("right", row), lamp.at("left", row), "signal")
    drawing.wire(pi.at("right", 3), driver.at("left", 3), "signal")
    drawing.wire(pi.at("right", 4), driver.at("left", 4), "ground")
    drawing.wire((650, row_4), horn.at("left", 0), "signal", lane=740)
    drawing.wire(driver.at("right", 4), horn.at("left", 1), "ground", lane=700)
    drawing.note(
        28, 396, 640,
        "Three lamps that are on or off do as well: lamp_dims = false. A lamp that a"
        " low pin lights:"
        " lamp_active_high = false. A passive buzzer plays the pitches, an active one has a tone of"
        " its own.",
    )  # fmt: skip
    return drawing


def supply_and_readers() -> Drawing:
    """Draw what is plugged in: supply, scanner, camera, network, clock."""
    drawing = begun(
        "Supply, scanner, camera, network, clock",
        "The Raspberry Pi has its own supply of 5 volts at its power socket. A"
        " scanner goes to USB, a"
        " camera to the camera connector or to USB, the network to its socket. A"
        " clock with a battery"
        " hangs on I2C beside the display. The turnstile has a supply of its own.",
        960, 566,
    )  # fmt: skip
    names = (
        ("Supply, 5 V", "for this board, on a short cable", "power socket", "power", "5 V"),
        ("Scanner", "set to serial (CDC-ACM)", "USB", "signal", "USB"),
        ("Camera", "ribbon, or USB", "CAMERA, or USB", "signal", "ribbon"),
        ("Network", "or the board's radio", "Ethernet", "signal", "cable"),
    )
    pi = drawing.box(
        Box(560, TOP, 372, "Raspberry Pi", "in its housing, with a heat sink", left=(
            *(one for *_, socket, _, _ in names for one in (Terminal(socket), None)),
            Terminal("SDA, SCL, 3.3 V, GND", "pins 3, 5, 1, 6: with the OLED")))
    )  # fmt: skip
    for row, (title, more, _, kind, cable) in enumerate(names):
        y = pi.at("left", 2 * row)[1]
        box = Box(28, y - 34, 320, title, more)
        drawing.box(box)
        drawing.wire((348, y), pi.at("left", 2 * row), kind, style="thick" if row == 0 else "")
        drawing.text(454, y - 10, cable, 13, room=180, style="soft", anchor="middle")
    y = pi.at("left", 8)[1]
    drawing.box(Box(28, y - 34, 320, "Clock with a battery", "DS3231; a Pi 5 has its own"))
    drawing.wire((348, y), pi.at("left", 8), "signal", style="dashed")
    drawing.text(454, y - 10, "I²C, four wires", 13, room=180, style="soft", anchor="middle")
    return drawing


PICTURES: Final[dict[str, Callable[[], Drawing]]] = {
    "wiring-header.svg": header,
    "wiring-arm.svg": arm,
    "wiring-fire.svg": fire,
    "wiring-display.svg": display,
    "wiring-signals.svg": signals,
    "wiring-supply.svg": supply_and_readers,
}


def main(folder: Path = FOLDER) -> None:
    """Write all of them."""
    for name, draw in PICTURES.items():
        (folder / name).write_text(draw().svg(), "utf-8")
        print(folder / name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
