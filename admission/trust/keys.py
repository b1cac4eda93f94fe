"""Ed25519 and X25519 in one place: the only users of `cryptography` are here and in `sealing`.

Private keys are 32 raw bytes made by the caller (the heart has no randomness of its own).
"""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from admission.errors import SignatureError


def public_key(private_key: bytes) -> bytes:
    """Give the 32-byte public key of an Ed25519 private key."""
    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def key_id(public: bytes) -> str:
    """Name a public key: hexadecimal SHA-256. Only ever a hint, never trusted."""
    return hashlib.sha256(public).hexdigest()


def sign(private_key: bytes, message: bytes) -> bytes:
    """Sign a message with Ed25519 (RFC 8032): 64 bytes."""
    return Ed25519PrivateKey.from_private_bytes(private_key).sign(message)


def verify(public: bytes, signature: bytes, message: bytes) -> None:
    """Check a signature.

    Raises:
        SignatureError: if it does not fit, or the key is no key.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as exc:
        raise SignatureError(f"signature does not fit key {key_id(public)[:12]}") from exc


def check_string(*parts: bytes) -> str:
    """Give the six digits that both ends show at enrolment, so that people can compare them.

    Args:
        parts: what both ends must have in common, in an order that both know: the gate's keys,
            the digest of the root that its trust begins with, the server's pin.
    """
    told = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    digest = hashlib.sha256(b"portillon-enrolment-2\0" + told).digest()
    return f"{int.from_bytes(digest[:8], 'big') % 1_000_000:06d}"
