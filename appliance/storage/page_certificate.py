"""The certificate of the gate's own page: made by the gate itself where none is configured.

Nobody vouches for it: a browser asks once, and whoever sits there compares the fingerprint with
the one that the gate's log and `portillon gate pin` tell. Key and certificate are one file, 0600.
"""

import hashlib
import ssl
from collections.abc import Collection
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

from appliance.errors import ConfigError
from appliance.storage.lasting_file import write_lasting

CERTIFICATE_FILE: Final = "page-tls.pem"
_LIFE: Final = timedelta(days=20 * 365)  # a gate's clock may be years off before it is set
_BACK: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class PageCertificate:
    """What is shown to browsers.

    Attributes:
        context: to serve with.
        fingerprint: SHA-256 of the certificate, in pairs of hexadecimal digits.
    """

    context: ssl.SSLContext
    fingerprint: str


def load_certificate(certificate: Path, key: Path | None) -> PageCertificate:
    """Load a certificate and its key.

    Raises:
        ConfigError: if they cannot be read or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        fingerprint = fingerprint_of(certificate)
    except (OSError, ValueError) as exc:  # an SSLError is an OSError
        raise ConfigError(
            f"page.certificate: {certificate} or its key cannot be used ({exc}); "
            "give a PEM file of each, or leave both out to have one made"
        ) from exc
    return PageCertificate(context, fingerprint)


def ensure_certificate(data: Path, names: Collection[str], now: datetime) -> Path:
    """Make the gate's own certificate where there is none yet; give its file.

    Args:
        data: the gate's data folder.
        names: under which it is asked for: host names and addresses.
        now: aware, UTC.

    Raises:
        ConfigError: if it cannot be written.
    """
    path = data / CERTIFICATE_FILE
    if path.exists():
        return path
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_lasting(path, _made(names, now))
    except OSError as exc:
        raise ConfigError(
            f"page: {path} cannot be written ({exc.strerror}); "
            "name a data folder that this user may write to"
        ) from exc
    return path


def fingerprint_of(certificate: Path) -> str:
    """Give the fingerprint of the first certificate of a PEM file.

    Raises:
        OSError: if it cannot be read.
        ValueError: if there is none in it.
    """
    found = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    digest = hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest().upper()
    return ":".join(digest[place : place + 2] for place in range(0, len(digest), 2))


def _made(names: Collection[str], now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    title = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Portillon gate")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(title)
        .issuer_name(title)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACK)
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
