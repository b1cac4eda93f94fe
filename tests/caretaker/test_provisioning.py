"""A card's `gate.toml` becomes a gate, whole or not at all, and says what became of it."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.config import load_config
from appliance.page_ports import PageRole
from appliance.storage.pin_file import PinFile
from caretaker import provisioning
from caretaker.errors import CareError, FileError
from caretaker.machine_settings import kept
from caretaker.places import Places
from caretaker.provisioning import Provisioning
from caretaker.provisioning_result import RESULT_BYTES
from portillon.care_provision import GateFiles

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "docs/examples/first-boot/gate.toml"
LINK = "portillon:enrol?v=1&server=https://10.0.0.5:8080&code=ABCD-EFGH-JKMN-PQRS"
READER = '[[readers]]\nkind = "folder"\nfolder = "/pictures"\n'
FULL = f"""language = "en"
timezone = "Europe/Paris"
{READER}
[machine]
name = "porte-1"
enrol = "{LINK}"
supervisor_pin = "730519"
time_servers = ["10.0.0.1", "ntp.example.org"]
ssh_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g me"]
[machine.network]
address = "192.168.1.20/24"
gateway = "192.168.1.1"
dns = ["192.168.1.1"]
[machine.wifi]
country = "FR"
ssid = "Café d'en \\"face\\""
passphrase = "hunter2 22"
"""


class House:
    """A machine's folders, and its caretaker."""

    def __init__(self, root: Path) -> None:
        self.places = Places(root)
        for folder in ("etc/portillon", "boot/cfg", "var/lib/portillon-gate", "stick"):
            (root / folder).mkdir(parents=True)
        for folder in (self.places.care, self.places.care_run, root / "data/config"):
            folder.mkdir(parents=True)
        self.names: list[str] = []
        self.now_ms = 1_780_000_000_000

    @property
    def card(self) -> Path:
        return self.places.boot_partition / "gate.toml"

    def run(self, text: str | bytes | None = None, stick: Path | None = None) -> list[str]:
        """Run once, with another file if there is one; give the outcome and its lines."""
        folder = stick or self.places.boot_partition
        if text is not None:
            raw = text if isinstance(text, bytes) else text.encode()
            (folder / "gate.toml").write_bytes(raw)
        care = Provisioning(self.places, GateFiles(), lambda: self.now_ms, self.names.append)
        result = care.run(stick)
        return [result.outcome, *result.lines("en")]

    def told(self) -> dict:
        return json.loads((self.places.care_run / "machine.json").read_text())["provision"]

    def result(self, folder: Path | None = None) -> str:
        raw = ((folder or self.places.boot_partition) / "gate-result.txt").read_bytes()
        assert len(raw) == RESULT_BYTES
        return raw.decode("utf-8-sig")

    def text(self, path: str) -> str:
        return (self.places.root / path).read_text()

    def reboot(self) -> None:
        """Lose what lies below /run."""
        for path in sorted((self.places.root / "run").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def files_of(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_file_is_applied_whole(house: House):
    outcome, *lines = house.run(FULL)
    assert outcome == "applied"
    assert lines == [
        "Name of the machine: porte-1",
        'Wi-Fi “Café d\'en "face"”, country FR',
        "Fixed address 192.168.1.20/24",
        "The supervisor's PIN is chosen",
        "The gate joins its server as soon as it reaches it",
        "SSH is open for the keys of the file",
        "Readers: 1",
    ]
    config = load_config(house.places.config)
    assert config.data == house.places.state
    assert config.device_secret == house.places.device_secret
    assert str(config.timezone) == "Europe/Paris"
    assert (house.places.state / "enrol.link").read_text() == LINK
    assert house.names == ["porte-1"]
    assert house.told() == {
        "outcome": "applied",
        "lines": lines,
        "language": "en",
        "at_ms": house.now_ms,
    }
    assert house.text("run/portillon-care/authorized_keys").endswith(" me\n")


async def test_the_pins_of_the_file_open_the_gates_page(tmp_path: Path):
    import asyncio

    house = House(tmp_path)
    await asyncio.to_thread(house.run, FULL)
    pins = PinFile(house.places.state)
    assert await pins.is_right(PageRole.SUPERVISOR, "730519")
    assert not await pins.is_right(PageRole.STEWARD, "730519")
    assert stat.S_IMODE((house.places.state / "page-pins.json").stat().st_mode) == 0o600


def test_the_network_is_set_up_and_its_secret_is_roots_alone(house: House):
    house.run(FULL)
    wifi = house.places.root / "run/portillon-wifi/wpa_supplicant.conf"
    assert stat.S_IMODE(wifi.stat().st_mode) == 0o600
    assert stat.S_IMODE(wifi.parent.stat().st_mode) == 0o700
    assert wifi.read_text().splitlines()[1:] == [
        "country=FR", "update_config=0", "p2p_disabled=1", "network={",
        "  ssid=" + "Café d'en \"face\"".encode().hex(),
        "  key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE", '  psk="hunter2 22"', "  ieee80211w=1", "}",
    ]  # fmt: skip
    radio = house.text("run/systemd/network/30-portillon-radio.network").splitlines()
    assert {"Type=wlan", "DHCP=no", "Address=192.168.1.20/24", "Gateway=192.168.1.1"} <= set(radio)
    assert {"DNS=192.168.1.1", "NTP=10.0.0.1", "NTP=ntp.example.org"} <= set(radio)
    cable = house.text("run/systemd/network/30-portillon-cable.network").splitlines()
    assert {"Type=ether", "DHCP=yes"} <= set(cable)
    assert stat.S_IMODE((house.places.care / "provisioned.json").stat().st_mode) == 0o600


def test_no_secret_stays_on_the_card_nor_in_what_is_told(house: House):
    house.run(FULL)
    told = house.card.read_text() + house.result() + json.dumps(house.told())
    for secret in ("hunter2 22", "730519", "ABCD-EFGH"):
        assert secret not in told
        assert secret not in house.text("etc/portillon/gate.toml")
    assert len(house.card.read_bytes()) == len(FULL.encode())
    assert "730519" not in "".join(map(repr, files_of(house.places.root).values()))


def test_a_file_that_was_applied_is_applied_once_and_its_network_at_every_start(house: House):
    house.run(FULL)
    network = files_of(house.places.root / "run/systemd")
    (house.places.state / "enrol.link").unlink()
    house.reboot()
    house.names.clear()
    assert house.run() == ["none"]
    assert files_of(house.places.root / "run/systemd") == network
    assert house.names == ["porte-1"]
    assert not (house.places.state / "enrol.link").exists()


def test_another_change_of_the_cleaned_file_is_taken_and_the_passphrase_stays(house: House):
    house.run(FULL)
    house.run(house.card.read_text().replace("porte-1", "porte-2"))
    assert house.names[-1] == "porte-2"
    assert '  psk="hunter2 22"' in house.text("run/portillon-wifi/wpa_supplicant.conf")
    for _ in range(2):
        house.run(house.card.read_text().replace('country = "FR"', 'country = "BE"'))
    wifi = house.text("run/portillon-wifi/wpa_supplicant.conf")
    assert "country=BE" in wifi
    assert '  psk="hunter2 22"' in wifi


def test_a_passphrase_is_kept_for_its_own_network_alone(house: House):
    house.run(FULL)
    outcome, line = house.run(house.card.read_text().replace("Café d'en", "Other"))
    assert outcome == "refused"
    assert line.startswith("Line 20: “passphrase” is empty, and this gate keeps none")


@pytest.mark.parametrize(
    ("change", "line", "told"),
    [
        (("country", "contry"), 17, "“country” is missing"),
        (("country", "contry"), 18, "“contry” is not a setting; did you mean “country”?"),
        (('"FR"', '"fr"'), 18, "“country” must be the country's code"),
        (("hunter2 22", "short"), 20, "“passphrase”: 8 to 63 characters"),
        (("hunter2 22", "clé à molette"), 20, "“passphrase”: 8 to 63 characters"),
        (("porte-1", "Porte 1"), 8, "“name”: small letters"),
        ((LINK, LINK + "&x=1"), 9, "“enrol” is neither a link nor a code"),
        ((LINK, "ABCD-EFGH"), 9, "a code alone goes with a server"),
        (("730519", "000000"), 10, "“supervisor_pin” is too short, too long or too plain"),
        (("ntp.example.org", "ntp example"), 11, "“ntp example” is neither a host's name"),
        (("ssh-ed25519 AAAAC3", "ssh-ed25519 BBBBC3"), 12, "is no public SSH key"),
        (('"ssh-ed25519', '"command=\\"sh\\" ssh-ed25519'), 12, "is no public SSH key"),
        (("192.168.1.20/24", "192.168.1.20"), 14, "“address” must be an address with its prefix"),
        (('way = "192.168.1.1"', 'way = "10.0.0.1"'), 15, "“gateway” must be an address of the"),
        (('dns = ["192.168.1.1"]', 'dns = ["dns"]'), 16, "“dns” is no IP address"),
        (('kind = "folder"', 'kind = "floder"'), 4, "readers[1].kind 'floder' is unknown"),
        (("timezone", "data = 'x'\ntimezone"), 2, "“data” is the machine's own matter"),
        (('language = "en"', 'language = "xx"'), 1, "language"),
        (("timezone =", "timezome ="), 2, "timezome is not a setting here"),
        (("[machine.wifi]", "[machine.wifi]\nopen = true"), 18, "an open network has no"),
        (("[machine.network]", "[machine.netwrok]"), 13, "“netwrok” is not a setting"),
        (('name = "porte-1"', "name = 1"), 8, "“name” must be a text in quotes"),
        (('["10.0.0.1", ', '[1, '), 11, "“time_servers” must be a list"),
        (("country", "hidden = 1\ncountry"), 18, "“hidden” must be true or false"),
        (("country", 'hidden = "é"\ncountry'), 18, "“hidden” must be true or false"),
        (("[machine]\n", "[machine]\nreset_pin = 28\n"), 8, "“reset_pin” must be a whole number"),
        (("[machine]\n", "[machine]\nrtc = \"ds\"\n"), 8, "“rtc” must be one of"),
        (("[machine]\n", "[[machine]]\n"), 0, "[machine] must be a table"),
        (("timezone", "at = 2026-01-01\ntimezone"), 0, "date is no setting"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_line_and_nothing_is_done(
    house: House, change: tuple[str, str], line: int, told: str
):
    house.run(FULL)
    before = files_of(house.places.root)
    text = FULL.replace(*change)
    assert text != FULL
    outcome, *lines = house.run(text)
    assert outcome == "refused"
    place = f"Line {line}: " if line else ""
    assert any(one.startswith(place) and told in one for one in lines), lines
    assert "hunter2" not in " ".join(lines)
    after = files_of(house.places.root)
    changed = {name for name in after if after[name] != before.get(name)}
    own = {"boot/cfg/gate.toml", "boot/cfg/gate-result.txt", "run/portillon-care/machine.json"}
    assert changed <= own
    assert house.card.read_text() == text
    assert house.told()["outcome"] == "refused"
    assert all(one in house.result() for one in lines)


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_lines(house: House):
    text = FULL.replace('"FR"', '"France"').replace("porte-1", "é").replace("730519", "1")
    _, *lines = house.run(text)
    assert [one.partition(":")[0] for one in lines] == ["Line 8", "Line 10", "Line 18"]


def test_the_result_is_told_in_both_languages_and_in_the_gates_own_on_its_display(house: House):
    house.run(FULL.replace('"en"', '"fr"').replace('"FR"', '"France"'))
    result = house.result()
    assert "Le fichier gate.toml n'a PAS été pris" in result
    assert "The file gate.toml was NOT taken" in result
    assert house.told()["lines"][0].startswith("Ligne 18 : « country » doit être le code du pays")


def test_without_a_file_nothing_is_done_but_a_cable_is_asked_for_its_network(house: House):
    assert house.run() == ["none"]
    assert "DHCP=yes" in house.text("run/systemd/network/30-portillon-cable.network")
    assert not (house.places.boot_partition / "gate-result.txt").exists()
    assert not house.places.config.exists()


def test_the_example_of_the_documents_is_taken_and_so_are_the_lines_that_it_shows(house: House):
    assert house.run(EXAMPLE.read_bytes())[0] == "applied"
    shown = "\n".join(
        line[1:] if line.startswith("#") and ("= " in line or line.startswith("#[")) else line
        for line in EXAMPLE.read_text().splitlines()
    )
    shown = shown.replace("AAAA… somebody", FULL.partition("ssh-ed25519 ")[2].partition('"')[0])
    shown = shown.replace("open = true", "").replace('passphrase = "…"', 'passphrase = "12345678"')
    shown = shown.replace('pin = "…"', 'pin = "730519"')
    assert house.run(shown)[0] == "applied"


# --- links, strangers and damage ------------------------------------------------------------------


def test_a_link_on_the_card_is_not_followed(house: House):
    secret = house.places.root / "secret"
    secret.write_text(FULL)
    house.card.symlink_to(secret)
    (house.places.boot_partition / "gate-result.txt").symlink_to(house.places.root / "elsewhere")
    outcome, line = house.run()
    assert outcome == "refused"
    assert "is a link" in line
    assert not (house.places.root / "elsewhere").exists()
    assert secret.read_text() == FULL


def test_what_is_no_file_or_no_small_one_is_refused(house: House):
    os.mkfifo(house.card)
    assert "no plain file" in house.run()[1]
    house.card.unlink()
    assert "shorten it" in house.run(b"#" * 40_000)[1]


def test_a_stick_sets_up_a_gate_that_is_nobodys_and_stays_as_it_is_for_the_next(house: House):
    stick = house.places.root / "stick"
    assert house.run(FULL, stick)[0] == "applied"
    assert (stick / "gate.toml").read_text() == FULL
    assert "was taken" in house.result(stick)
    assert house.run(stick=stick) == ["none"]


def test_a_stick_changes_nothing_of_a_gate_that_is_somebodys(house: House):
    house.run(FULL)
    (house.places.state / "identity.json").write_text("{}")
    before = files_of(house.places.root)
    stick = house.places.root / "stick"
    outcome, line = house.run(FULL.replace("porte-1", "mine"), stick)
    assert (outcome, "takes no stick" in line) == ("refused", True)
    after = files_of(house.places.root)
    assert {name for name in after if after[name] != before.get(name)} == {
        "stick/gate.toml", "stick/gate-result.txt", "run/portillon-care/machine.json",
    }  # fmt: skip
    assert house.run(house.card.read_text().replace("porte-1", "porte-9"))[0] == "applied"


def test_a_link_of_a_gate_that_is_somebodys_already_is_left_and_told(house: House):
    (house.places.state / "identity.json").write_text("{}")
    assert "The link was not used: the gate belongs to a server already" in house.run(FULL)
    assert not (house.places.state / "enrol.link").exists()


def test_an_images_link_to_its_data_is_followed_once(house: House):
    house.places.config.symlink_to("/data/config/gate.toml")
    house.run(FULL)
    assert "timezone" in house.text("data/config/gate.toml")
    assert house.places.config.is_symlink()


def test_damaged_settings_are_made_anew_from_the_card(house: House):
    house.run(FULL)
    (house.places.care / "provisioned.json").write_text("{")
    assert house.run(FULL)[0] == "applied"
    assert kept(house.places).settings.name == "porte-1"


def test_a_name_that_may_not_be_set_is_told(house: House):
    def refused(_: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    house.card.write_text(FULL)
    with pytest.raises(CareError, match="the machine's name cannot be set"):
        Provisioning(house.places, GateFiles(), lambda: 0, refused).run()


# --- cuts -----------------------------------------------------------------------------------------


class CutError(Exception):
    """The supply went."""


def test_a_cut_at_any_write_ends_in_the_file_applied_and_its_secrets_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole, in_place = provisioning.write_whole, provisioning.write_in_place
    keeps = provisioning.keep
    left = 0

    def counted(write: Callable[..., None]) -> Callable[..., None]:
        def cut(*given: object, **named: object) -> None:
            nonlocal left
            if left == 0:
                raise CutError
            left -= 1
            write(*given, **named)

        return cut

    def half(path: Path, content: bytes) -> None:
        nonlocal left
        if left == 0:
            old = path.read_bytes() if path.exists() else b"\0" * len(content)
            in_place(path, content[:400] + old[400:])
            raise CutError
        left -= 1
        in_place(path, content)

    monkeypatch.setattr(provisioning, "write_whole", counted(whole))
    monkeypatch.setattr(provisioning, "keep", counted(keeps))
    monkeypatch.setattr(provisioning, "write_in_place", half)
    cuts = 0
    for at in range(40):
        house = House(tmp_path / str(at))
        left = at
        try:
            house.run(FULL)
        except CutError:
            cuts += 1
        left = 1000
        house.reboot()
        house.run()
        house.run()
        assert load_config(house.places.config).timezone.key == "Europe/Paris"
        assert (house.places.state / "enrol.link").read_text() == LINK
        assert '"hunter2 22"' in house.text("run/portillon-wifi/wpa_supplicant.conf")
        assert "hunter2" not in house.card.read_text()
        assert kept(house.places).is_cleaned
    assert 8 < cuts < 20


def test_a_card_that_is_full_is_told_and_the_gate_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    from caretaker import provisioning_result

    def full(path: Path, content: bytes) -> None:
        raise FileError(f"{path}: cannot be written: No space left on device")

    monkeypatch.setattr(provisioning_result, "write_in_place", full)
    assert house.run(FULL)[0] == "applied"
    assert house.told()["outcome"] == "applied"
