"""An issuer's public key, in whatever of the usual forms it is handed over."""

import base64
import binascii
import re
from typing import Final

_CHARACTERS_MAX: Final = 1_000
_KEY_BYTES: Final = 32
_SPKI_HEAD: Final = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: Ed25519, nothing else
_PEM: Final = re.compile("-----BEGIN PUBLIC KEY-----(.*)-----END PUBLIC KEY-----", re.DOTALL)


def read_public_key(text: str) -> bytes:
    """Read an Ed25519 public key.

    Args:
        text: PEM, base 64 of PEM (as pretix gives it in `valid_keys`), base 64 of the DER form or
            of the bare key, or the bare key in hexadecimal.

    Raises:
        ValueError: if it is none of them.
    """
    inner = text.strip()
    if len(inner) > _CHARACTERS_MAX:
        raise ValueError(f"a public key of over {_CHARACTERS_MAX} characters")
    if re.fullmatch("[0-9a-fA-F]{64}", inner):
        return bytes.fromhex(inner)
    pem = _PEM.fullmatch(inner)
    if pem is None:
        pem = _PEM.fullmatch(_decoded(inner).decode("utf-8", "replace").strip())
    key = _decoded(inner if pem is None else pem[1])
    if key.startswith(_SPKI_HEAD):
        key = key[len(_SPKI_HEAD) :]
    if len(key) != _KEY_BYTES:
        raise ValueError("this is no Ed25519 public key")
    return key


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("this is no Ed25519 public key") from None
