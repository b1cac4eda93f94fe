"""What a gate's configuration says of its local network. Called by `config`."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from appliance.config_section import Section

PEERS_PORT: Final = 7678  # P-O-R-T on a telephone


@dataclass(frozen=True, slots=True)
class PeersConfig:
    """The other gates of the local network.

    Attributes:
        enabled: whether this gate speaks with them at all.
        listen: address of the interface where it can be asked; "" is every one.
        port: of TCP and of UDP alike; 0 takes any that is free.
        discovery: whether gates find each other by multicast DNS.
        interfaces: addresses of those that it is used on; none is every one.
        addresses: host and port of gates that are not found by themselves.
    """

    enabled: bool = True
    listen: str = ""
    port: int = PEERS_PORT
    discovery: bool = True
    interfaces: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


def read_peers(section: Section) -> PeersConfig:
    """Read the table of the local network.

    Raises:
        ConfigError: naming file, key and remedy.
    """
    port = section.integer("port", PEERS_PORT, 0, 65_535)
    config = PeersConfig(
        enabled=section.flag("enabled", True),
        listen=_ip(section, "listen", text) if (text := section.text("listen", "")) else "",
        port=port,
        discovery=section.flag("discovery", True),
        interfaces=tuple(_ip(section, "interfaces", one) for one in section.texts("interfaces")),
        addresses=tuple(_peer(section, one, port) for one in section.texts("addresses")),
    )
    section.finish()
    return config


def _ip(section: Section, key: str, text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise section.error(key, f"{text!r} is no IP address; write one like 192.0.2.7") from None


def _peer(section: Section, text: str, port: int) -> str:
    """Read IP, IP:PORT or [IP]:PORT of another gate."""
    host, colon, number = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, number = text, str(port or PEERS_PORT)
    host = _ip(section, "addresses", host.removeprefix("[").removesuffix("]"))
    if not number.isascii() or not number.isdecimal() or not 0 < int(number) <= 65_535:
        raise section.error("addresses", f"{text!r} has no port from 1 to 65535 behind its colon")
    return f"[{host}]:{int(number)}" if ":" in host else f"{host}:{int(number)}"
