"""The `[machine]` of a `gate.toml`: what is asked of the machine, checked key by key.

Everything that is wrong is found in one go: whoever mends the file carries a card up and down a
ladder for each time. The rest of the file is the gate's own configuration, which the gate checks.
"""

import base64
import binascii
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface
from typing import Any, Final

from admission.errors import ProtocolError
from admission.sync.enrolment_link import HEAD, EnrolmentLink, read_link
from caretaker.complaints import Complaint
from caretaker.machine_settings import ANY_RTC, NO_RTC, Settings, Wifi

MACHINE: Final = "machine"
SECRETS: Final = (
    "machine.wifi.passphrase",
    "machine.enrol",
    "machine.supervisor_pin",
    "machine.steward_pin",
)
ROLES: Final = ("supervisor", "steward")
RTCS: Final = (ANY_RTC, NO_RTC, "ds1307", "ds3231", "pcf8523", "pcf85063a", "rv3028")
GPIO_MAX: Final = 27
LIST_MAX: Final = 8
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)
_PASSPHRASE: Final = re.compile(r"[ -~]{8,63}|[0-9A-Fa-f]{64}", re.ASCII)
_SSID_BYTES_MAX: Final = 32
_PUBLIC_KEY: Final = re.compile(
    r"(?P<kind>ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|"
    r"sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) (?P<key>[A-Za-z0-9+/]{40,2000}={0,2})"
    r"(?: [!-~][ -~]{0,200})?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked.

    Attributes:
        settings: of the machine; a passphrase of "" with `keeps_passphrase` is the one before.
        enrol: the link, or the code alone; "" is none.
        pins: of the gate's page, by role; only those that are to be changed.
        keeps_passphrase: whether the wireless network's was taken off the file before.
    """

    settings: Settings = field(default_factory=Settings)
    enrol: str = field(default="", repr=False)
    pins: Mapping[str, str] = field(default_factory=dict, repr=False)
    keeps_passphrase: bool = False


def read_wishes(raw: object) -> tuple[Wishes, list[Complaint]]:
    """Read the table; give what is asked, and what is wrong with it, by key and not yet by line."""
    table = _Table(MACHINE, raw)
    wifi, keeps = _wifi(table)
    network = table.table("network")
    address, gateway = _addresses(network)
    settings = Settings(
        name=table.text("name", _NAME, "name"),
        wifi=wifi,
        address=address,
        gateway=gateway,
        dns=network.texts("dns", _is_ip, "ip"),
        time_servers=table.texts("time_servers", _is_host, "host"),
        rtc=table.choice("rtc", RTCS, ANY_RTC),
        ssh_keys=table.texts("ssh_keys", _is_public_key, "ssh_key"),
        reset_pin=table.number("reset_pin", GPIO_MAX),
    )
    network.finish()
    enrol = table.text("enrol")
    if enrol and (problem := _link_problem(enrol)):
        table.complain("enrol", "enrol", what=problem)
    pins = {role: pin for role in ROLES if (pin := table.text(f"{role}_pin"))}
    table.finish()
    return Wishes(settings, enrol, pins, keeps), table.complaints


def _wifi(table: "_Table") -> tuple[Wifi | None, bool]:
    if not table.has("wifi"):
        return None, False
    wifi = table.table("wifi")
    country = wifi.text("country", _COUNTRY, "country", is_needed=True)
    ssid = wifi.text("ssid", is_needed=True)
    if ssid and (len(ssid.encode()) > _SSID_BYTES_MAX or not ssid.isprintable()):
        wifi.complain("ssid", "ssid")
    is_open, hidden = wifi.flag("open"), wifi.flag("hidden")
    passphrase = wifi.text("passphrase", _PASSPHRASE, "passphrase")
    if is_open and passphrase:
        wifi.complain("open", "open_and_secret")
    if not is_open and not wifi.has("passphrase"):
        wifi.complain("passphrase", "missing")
    wifi.finish()
    return Wifi(country, ssid, passphrase, hidden), not is_open and not passphrase


def _addresses(network: "_Table") -> tuple[str, str]:
    address, gateway = network.text("address"), network.text("gateway")
    if not address:
        if gateway:
            network.complain("gateway", "gateway_alone")
        return "", ""
    try:
        own = ip_interface(address)
    except ValueError:
        own = None
    if own is None or "/" not in address or own.network.prefixlen in (0, own.max_prefixlen):
        network.complain("address", "address")
        return "", ""
    if gateway and not (_is_ip(gateway) and ip_address(gateway) in own.network):
        network.complain("gateway", "gateway", address=address)
    return address, gateway


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_host(text: str) -> bool:
    return _is_ip(text) or _HOST.fullmatch(text) is not None


def _is_public_key(text: str) -> bool:
    """Tell whether it is one public key: a name in it that is its own kind, and no options."""
    found = _PUBLIC_KEY.fullmatch(text)
    if found is None:
        return False
    try:
        blob = base64.b64decode(found["key"], validate=True)
    except binascii.Error:
        return False
    kind = found["kind"].encode()
    return blob.startswith(len(kind).to_bytes(4, "big") + kind)


def _link_problem(text: str) -> str:
    """Give what is wrong with a link, or with a code."""
    try:
        if text.startswith(HEAD):
            read_link(text)
        else:
            EnrolmentLink(("https://server.invalid",), "-".join(text.upper().split()))
    except (ProtocolError, ValueError) as exc:
        return str(exc)
    return ""


class _Table:
    """One table of the file; remembers which keys were asked for, and what was wrong."""

    def __init__(self, name: str, raw: object, complaints: list[Complaint] | None = None) -> None:
        self.name, self.complaints = name, [] if complaints is None else complaints
        self._raw: dict[str, Any] = raw if isinstance(raw, dict) else {}
        self._known: set[str] = set()
        if not isinstance(raw, dict):
            self.complaints.append(Complaint("table", values={"at": name, "key": name}))

    def complain(self, key: str, problem: str, **values: str) -> None:
        """Note what is wrong with a key; its line is found later, by "at"."""
        named = {"at": f"{self.name}.{key}", "key": key} | values
        self.complaints.append(Complaint(problem, values=named))

    def has(self, key: str) -> bool:
        """Tell whether a key is there."""
        self._known.add(key)
        return key in self._raw

    def text(
        self,
        key: str,
        form: re.Pattern[str] | None = None,
        problem: str = "",
        *,
        is_needed: bool = False,
    ) -> str:
        """Give a text, "" where there is none, or a wrong one."""
        value = self._raw.get(key, "") if self.has(key) else ""
        if not isinstance(value, str):
            self.complain(key, "text")
            return ""
        if is_needed and not value:
            self.complain(key, "missing")
        elif value and form is not None and not form.fullmatch(value):
            self.complain(key, problem)
            return ""
        return value

    def texts(self, key: str, is_good: Any, problem: str) -> tuple[str, ...]:
        """Give a list of texts."""
        value = self._raw.get(key, []) if self.has(key) else []
        is_list = isinstance(value, list) and all(isinstance(one, str) for one in value)
        if not is_list or len(value) > LIST_MAX:
            self.complain(key, "texts", most=str(LIST_MAX))
            return ()
        wrong = [one for one in value if not is_good(one)]
        if wrong:
            self.complain(key, problem, value=wrong[0][:60])
        return tuple(value) if not wrong else ()

    def choice(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        """Give one of some texts."""
        value = self.text(key) or default
        if value not in allowed:
            self.complain(key, "choice", allowed=", ".join(allowed))
            return default
        return value

    def flag(self, key: str) -> bool:
        """Give true or false; false where it is left out."""
        value = self._raw.get(key, False) if self.has(key) else False
        if not isinstance(value, bool):
            self.complain(key, "flag")
        return value is True

    def number(self, key: str, most: int) -> int | None:
        """Give a whole number; None where it is left out, or wrong."""
        if not self.has(key):
            return None
        value = self._raw[key]
        if type(value) is not int or not 0 <= value <= most:
            self.complain(key, "number", most=str(most))
            return None
        return value

    def table(self, key: str) -> "_Table":
        """Give a table, empty where it is left out."""
        value = self._raw.get(key, {}) if self.has(key) else {}
        return _Table(f"{self.name}.{key}", value, self.complaints)

    def finish(self) -> None:
        """Note keys that nobody asked for: a misspelt one must not be silently nothing."""
        for key in self._raw.keys() - self._known:
            close = difflib.get_close_matches(key, self._known, 1)
            if close:
                self.complain(key, "unknown_close", close=close[0])
            else:
                self.complain(key, "unknown")
