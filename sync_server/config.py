"""The server's one configuration file: TOML, checked whole, its errors naming file, key and remedy.

Read by the command, which lets its arguments stand above it. Unknown keys are errors. Without a
file the defaults serve one machine, on loopback.
"""

import difflib
import tomllib
from dataclasses import dataclass, fields
from enum import StrEnum, unique
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sync_server.errors import ConfigError

PORT_MAX: Final = 65_535
ADDRESSES_MAX: Final = 4  # an enrolment link carries them all


@unique
class Tls(StrEnum):
    """How what travels is protected.

    `off`: not at all, on loopback only. `proxy`: a web server before this one does it, with a
    certificate that machines trust. `own`: this server does it, with its own certificate, which
    gates know by its pin.
    """

    OFF = "off"
    PROXY = "proxy"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How a server runs.

    Attributes:
        data: folder of database, keys and lists.
        host: address to listen on; loopback unless said otherwise.
        port: TCP port.
        tls: who protects what travels.
        addresses: under which gates reach the server, for enrolment links; without any, a link
            carries the one that the operator's browser has reached it by.
    """

    data: Path = Path("portillon-server")
    host: str = "127.0.0.1"
    port: int = 8080
    tls: Tls = Tls.OFF
    addresses: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The host names and addresses that a certificate of ours is made for."""
        own = [urlsplit(one).hostname or "" for one in self.addresses]
        if not ip_address(self.host).is_unspecified:
            own.append(self.host)
        return tuple(dict.fromkeys([*own, "localhost", "127.0.0.1"]))


_KINDS: Final = {
    "data": (str, 'a text in quotes, such as data = "/var/lib/p"'),
    "host": (str, 'an IP address in quotes, such as host = "127.0.0.1"'),
    "port": (int, f"a whole number from 1 to {PORT_MAX}, such as port = 8080"),
    "tls": (str, 'one of "off", "proxy", "own", such as tls = "own"'),
    "addresses": (list, 'a list of addresses, such as addresses = ["https://10.0.0.5:8080"]'),
}


def load_config(path: Path) -> ServerConfig:
    """Read and check a configuration file.

    Raises:
        ConfigError: naming file, key and remedy, for the first thing that is wrong.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror}); give --config FILE") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: not UTF-8 at byte {exc.start}; save it as UTF-8") from exc
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path}: not TOML: {exc}") from exc
    known = [one.name for one in fields(ServerConfig)]
    for key, value in document.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else "remove it"
            raise ConfigError(f"{path}: {key}: is not a setting; {hint}")
        kind, remedy = _KINDS[key]
        is_tls = value in list(Tls) if key == "tls" else True
        if type(value) is not kind or not is_tls:  # a bool is an int, but no port
            raise ConfigError(f"{path}: {key}: must be {remedy}; got {value!r}")
    if "data" in document:
        document["data"] = Path(document["data"])
    document["tls"] = Tls(document.get("tls", Tls.OFF))
    document["addresses"] = tuple(document.get("addresses", ()))
    config = ServerConfig(**document)
    check(config, str(path))
    return config


def check(config: ServerConfig, where: str) -> None:
    """Make sure that the values can be used.

    Args:
        config: the values.
        where: the file or the command line, for the message.

    Raises:
        ConfigError: naming key and remedy.
    """
    if not 1 <= config.port <= PORT_MAX:
        raise ConfigError(f"{where}: port: must be {_KINDS['port'][1]}; got {config.port}")
    try:
        address = ip_address(config.host)
    except ValueError:
        raise ConfigError(
            f"{where}: host: must be {_KINDS['host'][1]}; got {config.host!r}"
        ) from None
    if not address.is_loopback and config.tls is Tls.OFF:
        raise ConfigError(
            f"{where}: host: {config.host} is open to the network, where nothing may travel in"
            ' clear; say tls = "own", or put a web server with TLS before it and say'
            ' tls = "proxy", or listen on 127.0.0.1'
        )
    for one in config.addresses:
        if not _is_address(one, config.tls):
            raise ConfigError(
                f"{where}: addresses: {one!r} is no address that gates can use; write"
                " https://HOST[:PORT]"
            )
    if len(config.addresses) > ADDRESSES_MAX:
        raise ConfigError(f"{where}: addresses: more than {ADDRESSES_MAX}; keep the nearest ones")


def _is_address(text: object, tls: Tls) -> bool:
    if not isinstance(text, str) or not text.isascii():
        return False
    try:
        parts = urlsplit(text)
        scheme = "http" if tls is Tls.OFF else "https"
        bare = not (parts.path or parts.query or parts.fragment or parts.username)
        return parts.scheme == scheme and bool(parts.hostname) and parts.port != 0 and bare
    except ValueError:
        return False
