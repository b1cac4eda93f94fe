"""Sealing: a small secret for one receiver, and what a ticket says for whoever presents it.

A secret: X25519, HKDF-SHA256, ChaCha20-Poly1305. The server seals a list key for a gate's agreement
key, so that the key is never in clear on the way, whatever the transport. Layout: ephemeral public
key (32 bytes) | ciphertext and tag.

A record: HKDF-SHA256 over list key and ticket number, ChaCha20-Poly1305. The nonce is made of the
record itself, so that the same record is the same bytes each time it is sealed, and another record
under the same key has another nonce. Layout: nonce (12 bytes) | ciphertext and tag.

A box: what a device closes for itself, with a key of its own. Layout: nonce | ciphertext and tag.
"""

import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from admission.errors import SignatureError

AGREEMENT_KEY_BYTES: Final = 32
RECORD_OVERHEAD_BYTES: Final = 28
_NONCE_BYTES: Final = 12
_RECORD_SALT: Final = b"portillon-record-1"
BOX_NONCE_BYTES: Final = 12
_NONCE: Final = bytes(12)  # every key is used once: the ephemeral half is new each time


def agreement_public_key(private_key: bytes) -> bytes:
    """Give the 32-byte public key of an X25519 private key."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def seal(secret: bytes, receiver: bytes, context: bytes, ephemeral: bytes) -> bytes:
    """Seal a secret.

    Args:
        secret: what only the receiver may read.
        receiver: its X25519 public key.
        context: what the secret is for; the same bytes open it.
        ephemeral: 32 fresh random bytes, used for this call only.
    """
    own = X25519PrivateKey.from_private_bytes(ephemeral)
    shared = own.exchange(X25519PublicKey.from_public_bytes(receiver))
    mine = own.public_key().public_bytes_raw()
    key = _derive(shared, mine + receiver)
    return mine + ChaCha20Poly1305(key).encrypt(_NONCE, secret, context)


def unseal(sealed: bytes, private_key: bytes, context: bytes) -> bytes:
    """Open what was sealed for this key.

    Raises:
        SignatureError: if it was sealed for another key or another context, or was altered.
    """
    own = X25519PrivateKey.from_private_bytes(private_key)
    sender = sealed[:AGREEMENT_KEY_BYTES]
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(sender))
        key = _derive(shared, sender + own.public_key().public_bytes_raw())
        return ChaCha20Poly1305(key).decrypt(_NONCE, sealed[AGREEMENT_KEY_BYTES:], context)
    except (InvalidTag, ValueError) as exc:
        raise SignatureError("sealed for another key or context, or altered") from exc


def close_box(secret: bytes, key: bytes, context: bytes, nonce: bytes) -> bytes:
    """Put a secret into a box that only the same key opens: for what a device keeps for itself.

    Layout: nonce | ciphertext and tag.

    Args:
        secret: what nobody else may read.
        key: secret bytes of the device, of any length from 16 on.
        context: what the secret is for; the same bytes open it.
        nonce: `BOX_NONCE_BYTES` fresh random bytes.
    """
    return nonce + ChaCha20Poly1305(_box_key(key)).encrypt(nonce, secret, context)


def open_box(box: bytes, key: bytes, context: bytes) -> bytes:
    """Open a box.

    Raises:
        SignatureError: if it was closed with another key or for another context, or was altered.
    """
    nonce, content = box[:BOX_NONCE_BYTES], box[BOX_NONCE_BYTES:]
    try:
        return ChaCha20Poly1305(_box_key(key)).decrypt(nonce, content, context)
    except (InvalidTag, ValueError) as exc:
        raise SignatureError("closed with another key or for another context, or altered") from exc


def _box_key(key: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, b"portillon-box-1").derive(key)


def _derive(shared: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, b"portillon-seal-1").derive(shared)


def seal_record(record: bytes, list_key: bytes, number: str) -> bytes:
    """Seal what a ticket says, so that only its own number opens it.

    Args:
        record: as long as others are, so that its length says nothing.
        list_key: the performance's, 32 bytes.
        number: the ticket's.
    """
    key, nonce_key = _record_keys(list_key, number)
    nonce = hmac.digest(nonce_key, record, "sha256")[:_NONCE_BYTES]
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, record, None)


def open_record(sealed: bytes, list_key: bytes, number: str) -> bytes:
    """Open what was sealed under a ticket's number.

    Raises:
        SignatureError: if it was sealed under another number or list key, or was altered.
    """
    key, _ = _record_keys(list_key, number)
    nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, text, None)
    except (InvalidTag, ValueError) as exc:
        raise SignatureError("sealed under another number or list key, or altered") from exc


def _record_keys(list_key: bytes, number: str) -> tuple[bytes, bytes]:
    """Derive a record's two keys; the identifier, keyed alike, gives nothing of them away."""
    secret = list_key + number.encode("utf-8", "surrogatepass")
    derived = HKDF(SHA256(), 64, _RECORD_SALT, b"").derive(secret)
    return derived[:32], derived[32:]
