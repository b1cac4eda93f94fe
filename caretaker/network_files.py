"""What is written below `/run` at each start, from what was provisioned: text out of settings.

systemd-networkd reads `/run/systemd/network`, wpa_supplicant a file that only root may read, sshd
the keys that may log in. So `/etc` stays read-only, and a reset leaves nothing behind.
"""

from dataclasses import dataclass
from typing import Final

from caretaker.machine_settings import Settings, Wifi

CABLE_FILE: Final = "run/systemd/network/30-portillon-cable.network"
RADIO_FILE: Final = "run/systemd/network/30-portillon-radio.network"
WIFI_FILE: Final = "run/portillon-wifi/wpa_supplicant.conf"
KEYS_FILE: Final = "run/portillon-care/authorized_keys"
_HEAD: Final = (
    "# Written at each start from gate.toml by portillon care provision; changes are lost.\n"
)
_HEX_KEY_CHARACTERS: Final = 64
_CABLE_METRIC: Final = 100
_RADIO_METRIC: Final = 600  # where both lead out, the cable is taken


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file to be there.

    Attributes:
        path: below the root.
        content: all of it.
        mode: who may read it.
        folder_mode: of its folder, if that is made.
    """

    path: str
    content: str
    mode: int = 0o644
    folder_mode: int = 0o755


def made_files(settings: Settings) -> list[MadeFile]:
    """Give the files; what of ALL_FILES is not among them must not be there."""
    is_radio = settings.wifi is not None
    files = [
        MadeFile(CABLE_FILE, _network("ether", settings, _CABLE_METRIC, has_address=not is_radio))
    ]
    if settings.wifi is not None:
        files.append(MadeFile(RADIO_FILE, _network("wlan", settings, _RADIO_METRIC)))
        files.append(MadeFile(WIFI_FILE, _wpa(settings.wifi), 0o600, 0o700))
    if settings.ssh_keys:
        files.append(MadeFile(KEYS_FILE, "".join(f"{key}\n" for key in settings.ssh_keys)))
    return files


ALL_FILES: Final = (CABLE_FILE, RADIO_FILE, WIFI_FILE, KEYS_FILE)


def _network(kind: str, settings: Settings, metric: int, *, has_address: bool = True) -> str:
    lines = ["[Match]", f"Type={kind}", "Kind=!*", "", "[Link]", "RequiredForOnline=no", ""]
    lines += ["[Network]"]
    if settings.address and has_address:
        lines += ["DHCP=no", f"Address={settings.address}"]
        lines += [f"Gateway={settings.gateway}"] if settings.gateway else []
    else:
        lines += ["DHCP=yes"]
    lines += [f"DNS={one}" for one in settings.dns]
    lines += [f"NTP={one}" for one in settings.time_servers]
    lines += ["", "[DHCPv4]", f"RouteMetric={metric}"]
    lines += ["", "[IPv6AcceptRA]", f"RouteMetric={metric}"]
    return _HEAD + "\n".join(lines) + "\n"


def _wpa(wifi: Wifi) -> str:
    lines = [f"country={wifi.country}", "update_config=0", "p2p_disabled=1", "network={"]
    lines += [f"  ssid={wifi.ssid.encode().hex()}"]  # as bytes: nothing in it has to be quoted
    lines += ["  scan_ssid=1"] if wifi.hidden else []
    if not wifi.passphrase:
        lines += ["  key_mgmt=NONE"]
    elif len(wifi.passphrase) == _HEX_KEY_CHARACTERS:
        lines += ["  key_mgmt=WPA-PSK WPA-PSK-SHA256", f"  psk={wifi.passphrase}"]
    else:  # printable ASCII by the check; the last quote of the line ends it, whatever is before
        lines += ["  key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE", f'  psk="{wifi.passphrase}"']
    lines += [] if not wifi.passphrase else ["  ieee80211w=1"]
    return _HEAD + "\n".join([*lines, "}"]) + "\n"
