"""A USB scanner that types: grabbed, read, pulled out, put back under another number."""

import asyncio
import os
from pathlib import Path
from typing import Final

from evdev import InputDevice
from steps import Listener, gate_devices, prove, start_udev, step, wait_until
from usb_gadget import Gadget, load_usb

BY_ID: Final = Path("/dev/input/by-id/usb-Honeywell_Emulated_scanner_S123-event-kbd")
CONFIG: Final = f"""
[[readers]]
kind = "hid"
name = "outside"
port = "{BY_ID}"
"""


async def hid_proof() -> None:
    """Prove it."""
    load_usb()
    start_udev()
    scanner = Gadget("scanner", serial="S123")
    scanner.add_keyboard("scan")
    neighbour = Gadget("neighbour", port=1, serial="N9", words=("Acme", "Keyboard"))
    neighbour.add_keyboard("keys")
    async with gate_devices(CONFIG) as devices, asyncio.TaskGroup() as tasks:
        (reader,) = devices.open_readers()
        listener = Listener(reader)
        listening = tasks.create_task(listener.listen())
        scanner.plug()
        there_s = await listener.there()
        device = os.path.realpath(BY_ID)
        step("found", there_s=there_s, device=device)
        await _read_unseen_by_others(scanner, listener, device)
        scanner.unplug()
        step("unplugged", gone_s=await listener.gone())
        await wait_until(lambda: not BY_ID.is_symlink(), "the end of the scanner's name")
        neighbour.plug()
        await wait_until(Path(device).exists, "the neighbour's keyboard")
        await _put_it_back(scanner, listener)
        listening.cancel()


async def _read_unseen_by_others(scanner: Gadget, listener: Listener, device: str) -> None:
    bystander = InputDevice(device)  # as a console's keyboard driver would have it
    keys = scanner.keyboard_side("scan")
    await asyncio.to_thread(keys.type, "TKT-a1B2-99X\n")
    payloads = await listener.until(1)
    try:
        bystander.grab()
        refused = ""
    except OSError as exc:
        refused = os.strerror(exc.errno or 0)
    step(
        "read",
        codes=[payload.data.decode() for payload in payloads],
        second_grab=refused,
        seen_by_others=bystander.read_one() is not None,
    )
    bystander.close()
    keys.close()


async def _put_it_back(scanner: Gadget, listener: Listener) -> None:
    scanner.plug()
    there_s = await listener.there()
    keys = scanner.keyboard_side("scan")
    await asyncio.to_thread(keys.type, "tkt-AGAIN\n")
    payloads = await listener.until(2)
    step(
        "replugged",
        there_s=there_s,
        device=os.path.realpath(BY_ID),
        code=payloads[-1].data.decode(),
        codes=len(payloads),
    )
    keys.close()


if __name__ == "__main__":
    prove(hid_proof)
