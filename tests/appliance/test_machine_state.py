"""What a machine tells of itself, read from trees of files like those of real kernels."""

import pytest

from appliance.machine_state import read_machine
from appliance.page_ports import MachineState


def put(root, path: str, content: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"


def test_a_machine_that_tells_nothing(tmp_path):
    assert read_machine(tmp_path) == MachineState()


def test_a_pi_tells_heat_memory_and_links(tmp_path):
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "48312\n")
    put(tmp_path, "proc/meminfo", "MemTotal:  3882332 kB\nMemAvailable:  2776064 kB\nX: 1\n")
    put(tmp_path, "sys/class/net/lo/carrier", "1\n")
    put(tmp_path, "sys/class/net/eth0/carrier", "1\n")
    put(tmp_path, "sys/class/net/wlan0/carrier", "0\n")
    state = read_machine(tmp_path)
    assert state.temperature_c == pytest.approx(48.312)
    assert (state.memory_free_mb, state.memory_mb) == (2711, 3791)
    assert state.networks == ("eth0",)


@pytest.mark.parametrize(
    ("word", "now", "was", "throttled"),
    [
        ("0", False, False, False),
        ("50005", True, True, True),
        ("50000", False, True, False),
        ("80008", False, False, True),
        ("20002\n", False, False, True),
    ],
)
def test_the_firmwares_word_on_supply_and_heat(tmp_path, word, now, was, throttled):
    put(tmp_path, THROTTLED, word)
    state = read_machine(tmp_path)
    told = (state.is_under_voltage, state.was_under_voltage, state.is_throttled)
    assert told == (now, was, throttled)


@pytest.mark.parametrize(("alarm", "is_low"), [("1\n", True), ("0\n", False), ("", None)])
def test_the_supplys_own_sensor_where_the_firmware_says_nothing(tmp_path, alarm, is_low):
    put(tmp_path, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    put(tmp_path, "sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    put(tmp_path, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm)
    state = read_machine(tmp_path)
    assert (state.is_under_voltage, state.is_throttled) == (is_low, None)


@pytest.mark.parametrize("text", ["", "hot", "999999", "-5000"])
def test_a_sensor_that_is_broken_tells_nothing(tmp_path, text):
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", text)
    assert read_machine(tmp_path).temperature_c is None


def test_an_interface_that_is_down_has_no_link(tmp_path):
    (tmp_path / "sys/class/net/eth0").mkdir(parents=True)
    assert read_machine(tmp_path).networks == ()


def test_this_machine_can_be_asked():
    state = read_machine()
    assert state.memory_mb is not None
    assert state.memory_mb > 0
