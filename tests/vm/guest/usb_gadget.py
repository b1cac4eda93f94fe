"""USB devices that are plugged into this machine by a write to a file: dummy_hcd and configfs.

The kernel's own gadget drivers are the devices, the kernel's own host drivers find them. Nothing
between a device's bytes and the driver under test is made up.
"""

import os
import subprocess
import tty
from pathlib import Path
from string import ascii_lowercase
from typing import Final

from steps import load

GADGETS: Final = Path("/sys/kernel/config/usb_gadget")
PORTS: Final = 2  # so that another device can take a scanner's number while it is away
# A keyboard of the boot protocol: modifiers, a filler, lights out, six keys.
KEYBOARD_REPORT: Final = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810395057501"
    "050819012905910295017503910395067508150025650507190029658100c0"
)
KEYBOARD_REPORT_BYTES: Final = 8
_SHIFT: Final = 0x02
# Of the HID usage tables: from A on, and from 1 on; then Enter and the dash.
_KEYS: Final = {letter: 0x04 + place for place, letter in enumerate(ascii_lowercase)} | {
    **{digit: 0x1E + place for place, digit in enumerate("1234567890")},
    "\n": 0x28,
    "-": 0x2D,
}


def load_usb() -> None:
    """Give this machine USB ports, and the drivers that a gate's kernel has."""
    load(f"dummy_hcd num={PORTS}", "libcomposite", "usb_f_acm", "usb_f_hid")
    load("cdc-acm", "usbhid", "hid-generic", "evdev")
    if not GADGETS.exists():
        subprocess.run(["mount", "-t", "configfs", "configfs", "/sys/kernel/config"], check=True)


class Gadget:
    """One USB device, not plugged in yet.

    Args:
        name: of its own here, for messages and folders.
        port: into which of the machine's ports it goes.
        serial: its serial number; "" is none.
        vendor: as the device says it.
        product: likewise.
        words: the names of maker and product.
    """

    def __init__(
        self,
        name: str,
        port: int = 0,
        *,
        serial: str = "",
        vendor: int = 0x0C2E,
        product: int = 0x0B6A,
        words: tuple[str, str] = ("Honeywell", "Emulated scanner"),
    ) -> None:
        self._folder = GADGETS / name
        self._controller = f"dummy_udc.{port}"
        self._folder.mkdir()
        self._set("idVendor", f"{vendor:#06x}")
        self._set("idProduct", f"{product:#06x}")
        (self._folder / "strings/0x409").mkdir()
        self._set("strings/0x409/manufacturer", words[0])
        self._set("strings/0x409/product", words[1])
        self._set("strings/0x409/serialnumber", serial)
        (self._folder / "configs/c.1").mkdir()

    def add_serial_line(self, name: str) -> None:
        """Give it a serial line (CDC-ACM)."""
        self._add(f"acm.{name}")

    def add_keyboard(self, name: str) -> None:
        """Give it a keyboard (HID)."""
        function = self._folder / f"functions/hid.{name}"
        function.mkdir()
        (function / "protocol").write_text("1")
        (function / "subclass").write_text("1")
        (function / "report_length").write_text(str(KEYBOARD_REPORT_BYTES))
        (function / "report_desc").write_bytes(KEYBOARD_REPORT)
        self._add(function.name)

    def plug(self) -> None:
        """Put it into its port."""
        self._set("UDC", self._controller)

    def unplug(self) -> None:
        """Pull it out, whatever it was doing."""
        self._set("UDC", "")

    def serial_side(self, name: str) -> "SerialSide":
        """Give the device's own end of its serial line."""
        number = (self._folder / f"functions/acm.{name}/port_num").read_text().strip()
        return SerialSide(f"/dev/ttyGS{number}")

    def keyboard_side(self, name: str) -> "KeyboardSide":
        """Give the device's own end of its keyboard."""
        number = (self._folder / f"functions/hid.{name}/dev").read_text().strip()
        return KeyboardSide(f"/dev/hidg{number.partition(':')[2]}")

    def _add(self, function: str) -> None:
        folder = self._folder / "functions" / function
        folder.mkdir(exist_ok=True)
        (self._folder / "configs/c.1" / function).symlink_to(folder)

    def _set(self, key: str, value: str) -> None:
        (self._folder / key).write_text(value + "\n")


class SerialSide:
    """The scanner's end of a serial line on USB."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)

    def send(self, data: bytes) -> None:
        """Send bytes to the machine."""
        written = os.write(self._fd, data)
        if written != len(data):
            raise OSError(f"the line took {written} of {len(data)} bytes")

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)


class KeyboardSide:
    """The scanner's end of a keyboard on USB: as if the keys of a US keyboard were pressed."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR)

    def type(self, text: str) -> None:
        """Press a key for each character; waits until the machine has taken them."""
        for character in text:
            is_shifted = character.isupper()
            pressed = bytes([_SHIFT if is_shifted else 0, 0, _KEYS[character.lower()]])
            os.write(self._fd, pressed.ljust(KEYBOARD_REPORT_BYTES, b"\0"))
            os.write(self._fd, bytes(KEYBOARD_REPORT_BYTES))

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)
