"""A scanner is found by what it says of itself, in a kernel's tree of devices laid out by hand."""

from pathlib import Path

import pytest

from appliance.errors import ReaderLostError
from appliance.readers.usb_names import UsbName, find_event_files, find_serial_line

NAME = UsbName("0c2e", "0b61")


class Tree:
    """As much of /sys as is looked at."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for kind in ("tty", "input"):
            (root / "class" / kind).mkdir(parents=True)
        (root / "class" / "tty" / "tty").mkdir()  # the console: it has no device

    def usb_device(self, socket: str, vendor: str, product: str, serial: str = "") -> Path:
        device = self.root / "devices" / "usb1" / socket
        device.mkdir(parents=True, exist_ok=True)
        (device / "idVendor").write_text(vendor + "\n")
        (device / "idProduct").write_text(product + "\n")
        if serial:
            (device / "serial").write_text(serial + "\n")
        return device

    def serial_line(self, name: str, device: Path, interface: str = "1.0") -> None:
        line = device / f"{device.name}:{interface}" / "tty" / name
        line.mkdir(parents=True)
        (line / "device").symlink_to(device / f"{device.name}:{interface}")
        (self.root / "class" / "tty" / name).symlink_to(line)

    def event_file(
        self, name: str, vendor: str, product: str, uniq: str = "", phys: str = ""
    ) -> None:
        device = self.root / "class" / "input" / name / "device"
        (device / "id").mkdir(parents=True)
        (device / "id" / "vendor").write_text(vendor + "\n")
        (device / "id" / "product").write_text(product + "\n")
        (device / "uniq").write_text(uniq + "\n")
        (device / "phys").write_text(phys + "\n")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.mark.parametrize("text", ["0c2e:0b61", "0c2e:0b61:A:1 b"])
def test_a_name_reads_as_it_is_written(text: str):
    assert str(UsbName.read(text)) == text


def test_a_serial_line_is_found_among_others(tree: Tree):
    tree.serial_line("ttyACM0", tree.usb_device("1-1", "1eab", "0c06"))
    tree.serial_line("ttyACM1", tree.usb_device("1-2", "0c2e", "0b61"))
    tree.serial_line("ttyUSB0", tree.usb_device("1-3", "0403", "6001"))
    assert find_serial_line(NAME, tree.root) == "/dev/ttyACM1"


def test_two_scanners_are_told_apart_by_their_serial_numbers(tree: Tree):
    tree.serial_line("ttyACM0", tree.usb_device("1-1", "0c2e", "0b61", "A"))
    tree.serial_line("ttyACM1", tree.usb_device("1-2", "0c2e", "0b61", "B"))
    assert find_serial_line(UsbName("0c2e", "0b61", "B"), tree.root) == "/dev/ttyACM1"
    with pytest.raises(ReaderLostError, match="several devices are 0c2e:0b61; name this one by"):
        find_serial_line(NAME, tree.root)


def test_a_scanner_with_two_lines_is_one_scanner(tree: Tree):
    device = tree.usb_device("1-1", "0c2e", "0b61")
    tree.serial_line("ttyACM0", device)
    tree.serial_line("ttyACM1", device, "1.2")
    assert find_serial_line(NAME, tree.root) == "/dev/ttyACM0"


def test_one_that_is_not_plugged_in_is_told(tree: Tree):
    with pytest.raises(ReaderLostError, match="no device 0c2e:0b61 is plugged in"):
        find_serial_line(NAME, tree.root)
    with pytest.raises(ReaderLostError, match="no device 0c2e:0b61:X is plugged in"):
        find_event_files(UsbName("0c2e", "0b61", "X"), tree.root)


def test_the_event_files_of_one_scanner_are_found_in_their_order(tree: Tree):
    tree.event_file("event10", "0c2e", "0b61", phys="usb-1/input1")
    tree.event_file("event2", "0c2e", "0b61", phys="usb-1/input0")
    tree.event_file("event1", "046d", "c31c", phys="usb-2/input0")
    assert find_event_files(NAME, tree.root) == ["/dev/input/event2", "/dev/input/event10"]


def test_two_keyboards_of_one_name_are_told(tree: Tree):
    tree.event_file("event1", "0c2e", "0b61", uniq="A", phys="usb-1/input0")
    tree.event_file("event2", "0c2e", "0b61", uniq="B", phys="usb-2/input0")
    with pytest.raises(ReaderLostError, match="several devices"):
        find_event_files(NAME, tree.root)
    assert find_event_files(UsbName("0c2e", "0b61", "B"), tree.root) == ["/dev/input/event2"]


def test_devices_of_the_program_itself_have_no_place_and_are_told_apart(tree: Tree):
    tree.event_file("event1", "0c2e", "0b61")
    assert find_event_files(NAME, tree.root) == ["/dev/input/event1"]
    tree.event_file("event2", "0c2e", "0b61")
    with pytest.raises(ReaderLostError, match="several devices"):
        find_event_files(NAME, tree.root)
