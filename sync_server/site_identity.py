"""Who a site server is: its key, its upstream, and how that is known; one file, mode 0600."""

import json
import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from sync_server.errors import ConfigError

SITE_FILE: Final = "site.json"
_MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class SiteIdentity:
    """What the file says.

    Attributes:
        site: id that upstream gave it.
        name: for people.
        venue: name of its venue, for people.
        upstream: base address.
        pins: SHA-256 of the certificates that upstream may show; () where the machine's own store
            vouches for it.
        private_key: Ed25519; signs this site's requests and nothing else.
    """

    site: str
    name: str
    venue: str
    upstream: str
    pins: tuple[bytes, ...]
    private_key: bytes = field(repr=False)


class IdentityFile:
    """The file, as long as the site runs."""

    def __init__(self, path: Path, identity: SiteIdentity) -> None:
        self._path = path
        self.identity = identity

    def keep_pins(self, pins: tuple[bytes, ...]) -> None:
        """Remember by which certificates upstream is known from now on."""
        self.identity = replace(self.identity, pins=pins)
        write_identity(self._path, self.identity)


def write_identity(path: Path, identity: SiteIdentity) -> None:
    """Write the file so that it survives a power cut; the one before is there until then.

    Raises:
        ConfigError: if it cannot be written.
    """
    document = {
        "site": identity.site,
        "name": identity.name,
        "venue": identity.venue,
        "upstream": identity.upstream,
        "pins": [pin.hex() for pin in identity.pins],
        "private_key": identity.private_key.hex(),
    }
    draft = path.with_suffix(".tmp")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be written ({exc.strerror})") from exc


def read_identity(path: Path) -> SiteIdentity:
    """Read the file.

    Raises:
        ConfigError: if it cannot be read, others may read it, or it says nothing of a site.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        document: Any = json.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise ConfigError(
            f"{path}: cannot be read ({exc.strerror}); run `portillon server join`"
        ) from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: {exc}; bring it back from a backup, or join anew") from exc
    if mode & 0o077:
        raise ConfigError(f"{path}: others may read it; run chmod 600 {path}")
    try:
        return SiteIdentity(
            site=str(document["site"]),
            name=str(document["name"]),
            venue=str(document["venue"]),
            upstream=str(document["upstream"]),
            pins=tuple(bytes.fromhex(pin) for pin in document["pins"]),
            private_key=bytes.fromhex(document["private_key"]),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise ConfigError(f"{path}: is no site's file; bring it back, or join anew") from exc
