"""The gate's configuration file: every mistake is told with file, key and remedy."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from admission.scan import Direction
from appliance import config as config_module
from appliance.config import Config, ReaderConfig, load_config
from appliance.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "gate.toml"
LEAST = """
data = "data"
server = "https://tickets.example.org"
[[readers]]
kind = "folder"
folder = "pictures"
"""
ARM = LEAST + '[turnstile]\nkind = "relay"\n'


@pytest.fixture
def load(tmp_path: Path):
    """Load a configuration of this text."""

    def load_text(text: str) -> Config:
        path = tmp_path / "gate.toml"
        path.write_text(text, encoding="utf-8")
        return load_config(path)

    return load_text


@pytest.fixture
def complaint(load, tmp_path: Path):
    """Give what is said of this text; the file is named, and taken off."""

    def load_text(text: str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(text)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / 'gate.toml'}: ")
        return message.removeprefix(f"{tmp_path / 'gate.toml'}: ")

    return load_text


def test_the_least_there_can_be_has_defaults_for_the_rest(load):
    config = load(LEAST)
    assert config.readers == (ReaderConfig("folder", "folder", Direction.ENTRY, Path("pictures")),)
    assert (config.turnstile.kind, config.display.kind, config.page.port) == ("none", "none", 0)
    assert config.language == "fr"


def test_the_example_that_is_shipped_loads():
    config = load_config(EXAMPLE)
    assert [reader.serial.port for reader in config.readers] == [
        "/dev/serial/by-id/usb-scanner-outside"
    ]
    assert (config.turnstile.entry_pin, config.turnstile.sensor_pin) == (17, 22)
    assert config.signals.buzzer_pin == 12


def test_the_example_loads_with_all_that_may_be_left_out(load):
    text = re.sub(r"(?m)^#(?=[\w\[])", "", EXAMPLE.read_text("utf-8"))
    config = load(text)
    assert {reader.kind for reader in config.readers} == set(config_module.READER_KINDS)
    assert config.turnstile.exit_pin == 27


def test_what_the_example_shows_as_a_default_is_the_default(load):
    """Some are shown by an example: their default is not to be."""
    table, plain = "", load_config(EXAMPLE)
    compared = set()
    for line in EXAMPLE.read_text("utf-8").splitlines():
        if re.match(r"#?\[", line):
            table = line.strip("#[]")
        shown = re.fullmatch(r"#(\w+) = (.*)", line)
        if (
            shown
            and shown[1] not in {"port", "person_log", "device_secret", "night", "quiet"}
            and not (table in {"turnstile", "handheld"} and shown[1].endswith("_pin"))
            and shown[1] not in {"languages", "timezone", "proxy"}
            and shown[1] not in {"listen", "interfaces", "addresses", "names", "certificate", "key"}
            and table != "readers"
        ):
            default = getattr(getattr(plain, table) if table else plain, shown[1])
            assert tomllib.loads(f"value = {shown[2]}")["value"] == default
            compared.add(f"{table}.{shown[1]}")
    assert {"turnstile.pulse_s", "display.address", "signals.red_pin", "page.address"} <= compared


@pytest.mark.parametrize(
    "table",
    [
        "ReaderConfig",
        "SerialConfig",
        "HidConfig",
        "TurnstileConfig",
        "DisplayConfig",
        "SignalsConfig",
        "PageConfig",
        "PeersConfig",
        "HandheldConfig",
    ],
)
def test_the_example_shows_every_setting(table: str):
    text = EXAMPLE.read_text("utf-8")
    names = [field.name for field in fields(getattr(config_module, table))]
    names = [
        name for name in names if name not in {"serial", "hid"}
    ]  # these are in the table itself
    assert [name for name in names if not re.search(rf"(?m)^#?{name} = ", text)] == []


def test_a_file_that_is_not_there_is_told_with_the_option_that_names_it(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read \(No such file.*--config"):
        load_config(tmp_path / "none.toml")


def test_a_file_that_is_not_utf_8_is_told_with_the_place(tmp_path: Path):
    path = tmp_path / "gate.toml"
    path.write_bytes(b'data = "caf\xe9"')
    with pytest.raises(ConfigError, match="not UTF-8 at byte 11; save it as UTF-8"):
        load_config(path)


def test_what_is_no_toml_is_told_with_the_line(complaint):
    assert re.match(r"not TOML: .*line 2, column 8.*mend that line", complaint("\ndata = \n"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ('datta = "x"\n' + LEAST, "datta: is not a setting here; did you mean 'data'?"),
        ("colour = 1\n" + LEAST, "colour: is not a setting here; remove it"),
        (LEAST + "[turnstle]\n", "turnstle: is not a setting here; did you mean 'turnstile'?"),
        (LEAST + "bawd = 1\n", "readers[1].bawd: is not a setting here; remove it"),
        (ARM + "puls_s = 1\n", "turnstile.puls_s: is not a setting here; did you mean 'pulse_s'?"),
        (
            LEAST.replace("server", "sever"),
            "sever: is not a setting here; did you mean 'server'?",
        ),
        (LEAST.replace("data =", "#"), "data: is missing; add data = …"),
        (LEAST.replace('"data"', "5"), 'data: must be a text in quotes, got 5; write data = "…"'),
        (LEAST.replace('"data"', '""'), 'data: is empty; write data = "…"'),
        (
            'language = "de"\n' + LEAST,
            "language: 'de' is unknown; choose one of fr, en",
        ),
        (
            LEAST.replace('"folder"', '"wand"'),
            (
                "readers[1].kind: 'wand' is unknown; "
                "choose one of camera, clip, folder, hid, serial, webcam"
            ),
        ),
        (
            LEAST.replace("folder =", "#"),
            "readers[1].folder: is missing; add folder = …",
        ),
        (
            LEAST + 'direction = "in"\n',
            "readers[1].direction: 'in' is unknown; choose one of entry, exit",
        ),
        (
            LEAST + 'symbologies = "QRCode"\n',
            (
                """readers[1].symbologies: must be a list of texts, got 'QRCode'; """
                'write symbologies = ["…"]'
            ),
        ),
        (
            LEAST + f'name = "{"x" * 51}"\n',
            "readers[1].name: is over 50 characters; shorten it",
        ),
        (
            LEAST + "linear_second_opinion = 1\n",
            "readers[1].linear_second_opinion: must be true or false, got 1",
        ),
        (
            LEAST.replace("[[readers]]", "[readers]"),
            "readers: must be tables; write [[readers]]",
        ),
        (
            LEAST.partition("[[")[0],
            "readers: at least one is needed; add a [[readers]] table",
        ),
        ("display = 3\n" + LEAST, "display: must be a table; write [display]"),
        (
            ARM + "entry_pin = 28\n",
            "turnstile.entry_pin: must be a whole number from 0 to 27, got 28",
        ),
        (
            ARM + "sensor_pin = true\n",
            "turnstile.sensor_pin: must be a whole number from 0 to 27, got True",
        ),
        (
            ARM + 'pulse_s = "long"\n',
            "turnstile.pulse_s: must be a number of seconds, got 'long'",
        ),
        (
            ARM + "pulse_s = 30\n",
            "turnstile.pulse_s: must be from 0.1 to 1.0 seconds, got 30",
        ),
        (
            ARM + "passage_timeout_s = nan\n",
            "turnstile.passage_timeout_s: must be from 0.1 to 60.0 seconds, got nan",
        ),
        (
            LEAST + '[page]\naddress = "gate.local"\n',
            (
                "page.address: 'gate.local' is no IP address; "
                "write 127.0.0.1, or 0.0.0.0 for everybody"
            ),
        ),
    ],
    ids=lambda value: value.split(";")[0] if "\n" not in value else "",
)
def test_what_is_wrong_is_told_with_its_key_and_its_remedy(complaint, wrong: str, told: str):
    assert complaint(wrong) == told


@pytest.mark.parametrize(
    "address",
    [
        "http://tickets.example.org",
        "http://192.168.1.10:8080",
        "http://127.0.0.1.example.org",
        "http://0.0.0.0",
    ],
)
def test_outside_this_machine_only_https_is_taken(complaint, address: str):
    told = complaint(LEAST.replace("https://tickets.example.org", address))
    assert told == f"server: {address!r} would send in clear; use https outside this machine"


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80", "https://10.0.0.1/gates/"],
)
def test_this_machine_and_https_are_taken(load, address: str):
    config = load(LEAST.replace("https://tickets.example.org", address))
    assert config.server == address.rstrip("/")


@pytest.mark.parametrize(
    "address",
    ["tickets.example.org", "ftp://example.org", "https://", "http://[::1", "https://a:99999", "-"],
)
def test_what_is_no_address_is_told(complaint, address: str):
    told = complaint(LEAST.replace("https://tickets.example.org", address))
    assert told == f"server: {address!r} is no address; write https://HOST[:PORT]"


@pytest.mark.parametrize("rest", ["?a=b", "#top"])
def test_an_address_is_nothing_but_an_address(complaint, rest: str):
    told = complaint(LEAST.replace("example.org", f"example.org{rest}"))
    assert told == "server: holds more than an address; write https://HOST[:PORT] alone"


def test_a_password_in_the_address_is_refused_and_not_repeated(complaint):
    told = complaint(LEAST.replace("https://", "https://gate:secret@"))
    assert told.startswith("server: holds more than an address")
    assert "secret" not in told


def test_two_readers_of_one_name_are_told(complaint):
    second = '[[readers]]\nkind = "serial"\nname = "folder"\nport = "/dev/ttyACM0"\n'
    assert complaint(LEAST + second) == "readers: two are called 'folder'; give each its own name"


def test_two_readers_of_one_device_are_told(complaint):
    second = '[[readers]]\nkind = "folder"\nname = "other"\nfolder = "pictures"\n'
    told = complaint(LEAST + second)
    assert told == "readers: 'folder' and 'other' read one folder; leave one out"


def test_a_reader_for_the_way_out_needs_an_arm_that_opens_that_way(complaint, load):
    text = ARM.replace("[turnstile]", 'direction = "exit"\n[turnstile]')
    told = complaint(text)
    assert told == ("turnstile.exit_pin: is missing, and reader 'folder' lets people out; add it")
    assert load(text + "exit_pin = 27\n").turnstile.exit_pin == 27


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("sensor_pin = 17\n", "turnstile.sensor_pin: pin 17 is used by turnstile.entry_pin too"),
        (
            'sensor_pin = 5\n[signals]\nkind = "gpio"\n',
            "signals.red_pin: pin 5 is used by turnstile.sensor_pin too",
        ),
        (
            '[signals]\nkind = "gpio"\nbuzzer_pin = 13\n',
            "signals.buzzer_pin: pin 13 is used by signals.blue_pin too",
        ),
        (
            'sensor_pin = 3\n[display]\nkind = "oled"\n',
            "turnstile.sensor_pin: pin 3 is used by display.bus too",
        ),
    ],
)
def test_a_pin_that_is_used_twice_is_told(complaint, settings: str, told: str):
    assert complaint(ARM + settings) == f"{told}; give each its own pin"


def test_a_simulated_arm_has_a_header_of_its_own(load, complaint):
    simulated = ARM.replace('"relay"', '"simulated"')
    light = '[signals]\nkind = "gpio"\nred_pin = 17\n'
    assert load(simulated + light).signals.red_pin == 17
    assert complaint(simulated + "sensor_pin = 17\n").startswith("turnstile.sensor_pin: pin 17")
    assert complaint(simulated + light + "green_pin = 17\n").startswith("signals.green_pin: pin 17")


def test_what_is_switched_off_uses_no_pins(load):
    config = load(LEAST + "[turnstile]\nsensor_pin = 17\n[signals]\nred_pin = 17\n")
    assert config.turnstile.kind == config.signals.kind == "none"


def test_a_buzzer_that_is_left_out_is_none(load):
    assert load(LEAST + '[signals]\nkind = "gpio"\n').signals.buzzer_pin is None


def test_the_device_secret_is_outside_what_it_seals(load):
    text = 'data = "/var/lib/portillon"\n[[readers]]\nkind = "folder"\nfolder = "p"\n'
    with pytest.raises(ConfigError, match="device_secret: lies in the data folder"):
        load('device_secret = "/var/lib/portillon/secret"\n' + text)
    assert load('device_secret = "/etc/secret"\n' + text).device_secret == Path("/etc/secret")


def test_gates_of_the_local_network_are_found_by_themselves_unless_it_is_said_otherwise(load):
    peers = load(LEAST).peers
    assert peers == config_module.PeersConfig(port=7678)
    assert peers.enabled
    assert peers.discovery


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.8", "192.0.2.8:7678"),
        ("192.0.2.8:9", "192.0.2.8:9"),
        ("fd00::7", "[fd00::7]:7678"),
        ("[fd00::7]", "[fd00::7]:7678"),
        ("[fd00::7]:9", "[fd00::7]:9"),
    ],
)
def test_another_gate_is_named_by_its_address(load, text, address):
    assert load(LEAST + f'[peers]\naddresses = ["{text}"]\n').peers.addresses == (address,)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('addresses = ["gate-2"]', "addresses"),
        ('addresses = ["192.0.2.8:0"]', "addresses"),
        ('addresses = ["192.0.2.8:99999"]', "addresses"),
        ('addresses = ["192.0.2.8:"]', "addresses"),
        ('interfaces = ["eth0"]', "interfaces"),
        ('listen = "everywhere"', "listen"),
        ("port = 70000", "port"),
        ("found = true", "found"),
    ],
)
def test_what_is_no_address_on_the_local_network_is_told(load, line, key):
    with pytest.raises(ConfigError, match=rf"peers\.{key}"):
        load(LEAST + f"[peers]\n{line}\n")


@pytest.mark.parametrize(
    "address", ["proxy", "https://p:1", "http://u:secret@p:1", "http://p/x", "http://[p", "http://"]
)
def test_a_proxy_that_is_none_or_wants_a_password_is_told(load, address):
    with pytest.raises(ConfigError, match=r"proxy: .* write http://HOST:PORT"):
        load(f'proxy = "{address}"\n' + LEAST)


def test_a_proxy_is_taken_as_an_address(load):
    assert load('proxy = "http://10.0.0.1:3128/"\n' + LEAST).proxy == "http://10.0.0.1:3128"
