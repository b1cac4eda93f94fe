"""A USB serial scanner: found by its id, read, pulled out, put back under another number."""

import asyncio
import os
from pathlib import Path
from typing import Final

from steps import Listener, gate_devices, prove, start_udev, step, wait_until
from usb_gadget import Gadget, load_usb

BY_ID: Final = Path("/dev/serial/by-id/usb-Honeywell_Emulated_scanner_S123-if00")
CONFIG: Final = f"""
[[readers]]
kind = "serial"
name = "outside"
port = "{BY_ID}"
aim_identifier = true
"""
BINARY: Final = bytes(range(0x80, 0xA0)) + b"\x1d\x00"  # what a keyboard could never type


async def serial_proof() -> None:
    """Prove it."""
    load_usb()
    start_udev()
    scanner = Gadget("scanner", serial="S123")
    scanner.add_serial_line("scan")
    neighbour = Gadget("neighbour", port=1, serial="N9", words=("Acme", "Modem"))
    neighbour.add_serial_line("modem")
    async with gate_devices(CONFIG) as devices, asyncio.TaskGroup() as tasks:
        (reader,) = devices.open_readers()
        listener = Listener(reader)
        listening = tasks.create_task(listener.listen())
        step("nothing", is_alive=reader.is_alive())
        await _read_a_code_and_a_binary_one(scanner, listener)
        await _pull_it_out(scanner, listener)
        neighbour.plug()
        await wait_until(Path("/dev/ttyACM0").exists, "the neighbour's line")
        await _put_it_back(scanner, listener)
        listening.cancel()


async def _read_a_code_and_a_binary_one(scanner: Gadget, listener: Listener) -> None:
    scanner.plug()
    there_s = await listener.there()
    line = scanner.serial_side("scan")
    line.send(b"]Q1TKT-a1B2-99X\r\n")
    await listener.until(1)
    line.send(b"]d1" + BINARY + b"\r\n")
    payloads = await listener.until(2)
    step(
        "read",
        there_s=there_s,
        device=os.path.realpath(BY_ID),
        codes=[payload.data.hex() for payload in payloads],
        symbologies=[payload.symbology for payload in payloads],
    )
    line.close()


async def _pull_it_out(scanner: Gadget, listener: Listener) -> None:
    scanner.unplug()
    gone_s = await listener.gone()
    await wait_until(lambda: not BY_ID.is_symlink(), "the end of the scanner's name")
    step("unplugged", gone_s=gone_s, names=[path.name for path in Path("/dev").glob("ttyACM*")])


async def _put_it_back(scanner: Gadget, listener: Listener) -> None:
    scanner.plug()
    there_s = await listener.there()
    line = scanner.serial_side("scan")
    line.send(b"]Q1TKT-AGAIN\r")
    payloads = await listener.until(3)
    step(
        "replugged",
        there_s=there_s,
        device=os.path.realpath(BY_ID),
        code=payloads[-1].data.decode(),
        codes=len(payloads),
    )
    line.close()


if __name__ == "__main__":
    prove(serial_proof)
