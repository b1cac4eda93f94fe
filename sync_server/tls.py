"""The server's own key pair and certificate: HTTPS on a venue's network without an authority.

A gate trusts the certificate because its enrolment named its digest, the pin, and for no other
reason: who signed it, which names it holds and when it ends say nothing. Names are in it for
browsers. A successor is made and announced before it takes over, so that every gate knows its pin
by then. Called by `main`; the only user of `cryptography` outside the heart.
"""

import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from sync_server.entities import Gate
from sync_server.errors import ConfigError
from sync_server.keys import make_key

KEY_FILE: Final = "tls.key"  # holds the certificate too: one file is replaced in one step
NEXT_KEY_FILE: Final = "tls-next.key"
LIFE: Final = timedelta(days=20 * 365)  # whoever replaces it before does so for a reason of theirs
_BACK: Final = timedelta(days=1)  # a browser whose clock is a little slow must not refuse it


@dataclass(frozen=True, slots=True)
class Pins:
    """Digests by which gates know the server.

    Attributes:
        current: of the certificate in use, SHA-256.
        following: of the one that will take over, None while there is none.
    """

    current: bytes
    following: bytes | None = None

    @property
    def all(self) -> tuple[bytes, ...]:
        """What a gate is told."""
        return (self.current,) if self.following is None else (self.current, self.following)


def make_certificate(names: Sequence[str], now: datetime) -> bytes:
    """Make a key pair and a certificate that it signs itself.

    Args:
        names: host names and addresses under which browsers reach the server.
        now: aware, UTC.

    Returns:
        Key and certificate, as PEM, one behind the other.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    title = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Portillon sync server")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(title)
        .issuer_name(title)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACK)
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    certificate = builder.sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def ensure_certificate(data: Path, names: Sequence[str], now: datetime) -> None:
    """Make the server's certificate where there is none yet.

    Raises:
        ConfigError: if the file cannot be written.
    """
    path = data / KEY_FILE
    if not path.exists():
        make_key(path, make_certificate(names, now))


def prepare_next(data: Path, names: Sequence[str], now: datetime) -> Pins:
    """Make the certificate that will take over; one that was prepared already is kept.

    Raises:
        ConfigError: if the server has no certificate, or the next cannot be written.
    """
    read_pins(data)
    path = data / NEXT_KEY_FILE
    if not path.exists():
        make_key(path, make_certificate(names, now))
    return read_pins(data)


def switch(data: Path) -> Pins:
    """Have the prepared certificate take over; the one before is gone.

    Raises:
        ConfigError: if none is prepared.
    """
    path = data / NEXT_KEY_FILE
    if not path.exists():
        raise ConfigError(f"{path}: is missing; run `portillon server renew-tls` first")
    path.replace(data / KEY_FILE)
    return read_pins(data)


def read_pins(data: Path) -> Pins:
    """Give the pins of the certificate in use and of the next one.

    Raises:
        ConfigError: if there is no certificate, or a file holds none.
    """
    following = data / NEXT_KEY_FILE
    return Pins(_pin(data / KEY_FILE), _pin(following) if following.exists() else None)


def knows_pin(gate: Gate, pin: bytes | None) -> bool:
    """Tell whether a gate has said that it knows a pin, or needs to know none.

    A gate that is not enrolled learns all of them then; one that is revoked, never; one that says
    no pin at all trusts the certificate of a web server before this one.
    """
    if pin is None or gate.public_key is None or gate.revoked_ms is not None:
        return True
    said = (gate.last_status or {}).get("pins")
    return isinstance(said, list) and (not said or pin.hex() in said)


def server_context(data: Path) -> ssl.SSLContext:
    """Make what the listening socket needs.

    Raises:
        ConfigError: if there is no certificate, or its key is not its own.
    """
    path = data / KEY_FILE
    _pin(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(path)
    except ssl.SSLError as exc:
        raise _broken(path) from exc
    return context


def _pin(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: cannot be read; run `portillon server init`") from exc
    if mode & 0o077:
        raise ConfigError(f"{path}: others may read it; run chmod 600 {path}")
    try:
        certificate = x509.load_pem_x509_certificate(text.encode())
    except ValueError as exc:
        raise _broken(path) from exc
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()


def _broken(path: Path) -> ConfigError:
    return ConfigError(f"{path}: holds no key with its certificate; bring it back from a backup")


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
