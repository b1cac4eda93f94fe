"""The server's one configuration file: TOML, checked whole, its errors naming file, key and remedy.

Read by the command, which lets its arguments stand above it. Unknown keys are errors. Without a
file the defaults serve one machine, on loopback.
"""

import difflib
import tomllib
from dataclasses import dataclass, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from sync_server.errors import ConfigError

PORT_MAX: Final = 65_535


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How a server runs.

    Attributes:
        data: folder of database, keys and lists.
        host: address to listen on; loopback unless said otherwise.
        port: TCP port.
        tls: whether browsers and gates reach it by HTTPS only, through a web server before it.
    """

    data: Path = Path("portillon-server")
    host: str = "127.0.0.1"
    port: int = 8080
    tls: bool = False


_KINDS: Final = {
    "data": (str, 'a text in quotes, such as data = "/var/lib/p"'),
    "host": (str, 'an IP address in quotes, such as host = "127.0.0.1"'),
    "port": (int, f"a whole number from 1 to {PORT_MAX}, such as port = 8080"),
    "tls": (bool, "true or false, such as tls = true"),
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
        if type(value) is not kind:  # a bool is an int, but no port
            raise ConfigError(f"{path}: {key}: must be {remedy}; got {value!r}")
    if "data" in document:
        document["data"] = Path(document["data"])
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
    if not address.is_loopback and not config.tls:
        raise ConfigError(
            f"{where}: host: {config.host} is open to the network, where nothing may travel in"
            " clear; put a web server with TLS before it and say tls = true, or listen on"
            " 127.0.0.1"
        )
