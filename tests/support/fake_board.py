"""A Raspberry Pi's own files in a folder, as its kernel shows them, with what is nobody's business.

`SECRETS` are the words in it that no report may hold.
"""

import json
from pathlib import Path
from typing import Final

SERIAL: Final = "10000000deadbeef"
ADDRESS: Final = "d8:3a:dd:12:34:56"
SECRETS: Final = (SERIAL, "deadbeef", ADDRESS, "d83add123456", "0xcafe0123", "FRONTDOOR-77")
_BOOT: Final = "proc/device-tree/chosen/bootloader"
_CARD: Final = "sys/block/mmcblk0"
FILES: Final[dict[str, bytes]] = {
    "proc/device-tree/model": b"Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/device-tree/serial-number": SERIAL.encode() + b"\0",
    "proc/device-tree/system/linux,revision": bytes.fromhex("00b03114"),
    f"{_BOOT}/build-timestamp": (1_733_916_000).to_bytes(4, "big"),
    f"{_BOOT}/update-timestamp": bytes(4),
    f"{_BOOT}/version": b"a1b2c3d4e5f6\0",
    f"{_BOOT}/boot-mode": (1).to_bytes(4, "big"),
    f"{_BOOT}/partition": (3).to_bytes(4, "big"),
    f"{_BOOT}/tryboot": (1).to_bytes(4, "big"),
    "proc/cpuinfo": (
        "processor\t: 0\nprocessor\t: 1\nprocessor\t: 2\nprocessor\t: 3\n"
        f"Revision\t: b03114\nSerial\t\t: {SERIAL}\n"
    ).encode(),
    "proc/cmdline": f"smsc95xx.macaddr={ADDRESS} root=/dev/x portillon.partition=2\n".encode(),
    "proc/sys/kernel/arch": b"aarch64\n",
    "proc/sys/kernel/osrelease": b"6.12.0-arm64\n",
    "proc/uptime": b"731.20 2700.11\n",
    "proc/meminfo": b"MemTotal: 1900000 kB\nMemAvailable: 1500000 kB\n",
    "proc/mounts": (
        b"/dev/mmcblk0p4 / squashfs ro,relatime,errors=continue 0 0\n"
        b"/dev/mmcblk0p6 /data ext4 rw,noatime,commit=5,errors=remount-ro,user=FRONTDOOR-77 0 0\n"
        b"short\n"
    ),
    "etc/portillon-release": (
        b"PORTILLON_VERSION=0.2.0+1\nPORTILLON_COMPATIBLE=portillon-gate-debian-arm64\n"
        b"PORTILLON_FLAVOUR=debian\nPORTILLON_EXPERIMENTAL=no\n"
        b'PORTILLON_BOARDS="Raspberry Pi 3, Raspberry Pi 4"\n'
    ),
    "etc/os-release": b'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nIMAGE_VERSION=0.2.0+1\n',
    "run/portillon-care/machine.json": json.dumps(
        {"format": 1, "slot": "b", "update": {"state": "trying", "version": "0.2.0+1"}}
    ).encode(),
    "sys/class/rtc/rtc0/name": b"rtc-ds1307 1-0068\n",
    "sys/class/rtc/rtc0/hctosys": b"1\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": b"arch_sys_counter\n",
    "sys/class/watchdog/watchdog0/identity": b"Broadcom BCM2835 Watchdog timer\n",
    "sys/class/watchdog/watchdog0/state": b"active\n",
    "sys/class/watchdog/watchdog0/timeout": b"15\n",
    "sys/devices/platform/soc/fe200000.gpio/gpiochip0/dev": b"254:0\n",
    "sys/devices/platform/soc/fe200000.gpio/of_node/compatible": b"brcm,bcm2711-gpio\0",
    "sys/bus/i2c/devices/i2c-1/name": b"bcm2835 (i2c@7e804000)\n",
    "sys/bus/i2c/devices/1-0068/name": b"ds3231\n",
    "sys/bus/spi/devices/spi0.0/modalias": b"spi:spidev\n",
    "sys/class/video4linux/video0/name": b"unicam-image\n",
    "sys/bus/media/devices/media0/model": b"unicam\n",
    "sys/bus/usb/devices/1-1/idVendor": b"0c2e\n",
    "sys/bus/usb/devices/1-1/idProduct": b"0b61\n",
    "sys/bus/usb/devices/1-1/serial": b"FRONTDOOR-77\n",
    "sys/bus/usb/devices/1-1:1.0/bInterfaceClass": b"03\n",
    "sys/bus/usb/devices/1-1:1.1/bInterfaceClass": b"02\n",
    "dev/ttyACM0": b"",
    "sys/class/net/eth0/device/uevent": b"",
    "sys/class/net/eth0/address": f"{ADDRESS}\n".encode(),
    "sys/class/net/eth0/carrier": b"1\n",
    "sys/class/net/wlxd83add123456/device/uevent": b"",
    "sys/class/net/wlxd83add123456/wireless/status": b"",
    "sys/class/net/lo/carrier": b"1\n",
    f"{_CARD}/device/type": b"SD\n",
    f"{_CARD}/device/manfid": b"0x000003\n",
    f"{_CARD}/device/oemid": b"0x5344\n",
    f"{_CARD}/device/name": b"SN32G\n",
    f"{_CARD}/device/date": b"05/2024\n",
    f"{_CARD}/device/serial": b"0xcafe0123\n",
    f"{_CARD}/device/hwrev": b"0x8\n",
    f"{_CARD}/device/fwrev": b"0x0\n",
    f"{_CARD}/size": b"62333952\n",
    "sys/class/thermal/thermal_zone0/temp": b"51234\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": b"50005\n",
}


def make_board(root: Path) -> Path:
    """Write it all below a folder."""
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    chip = root / "sys/bus/gpio/devices/gpiochip0"
    chip.parent.mkdir(parents=True)
    chip.symlink_to("../../../devices/platform/soc/fe200000.gpio/gpiochip0")
    driver = root / "sys/bus/platform/drivers/pinctrl-bcm2711"
    driver.mkdir(parents=True)
    link = root / "sys/devices/platform/soc/fe200000.gpio/driver"
    link.symlink_to("../../../../bus/platform/drivers/pinctrl-bcm2711")
    return root
