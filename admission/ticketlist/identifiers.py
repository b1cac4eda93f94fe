"""What stands for a ticket number outside the server: HMAC-SHA256 under the list key, cut short.

Called by the publisher for every number, and by the gate for every scan.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from admission.limits import IDENTIFIER_BYTES

_BLOCK_BYTES: Final = 64  # of SHA-256


def identify(list_key: bytes, number: str) -> bytes:
    """Give the identifier of a ticket number.

    Args:
        list_key: the performance's key, `limits.LIST_KEY_BYTES` long, never changed.
        number: as `scan.normalise` gives it.
    """
    message = number.encode("utf-8", "surrogatepass")
    return hmac.digest(list_key, message, "sha256")[:IDENTIFIER_BYTES]


def identifier_maker(list_key: bytes) -> Callable[[str], bytes]:
    """Give `identify` for one list key: the same answers, in less than half the time.

    The key's part of both hashes (RFC 2104) is computed once, for the million numbers of an
    import.

    Args:
        list_key: the performance's key, at most one block of SHA-256 long.
    """
    block = list_key.ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def make(number: str) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(number.encode("utf-8", "surrogatepass"))
        second.update(first.digest())
        return second.digest()[:IDENTIFIER_BYTES]

    return make
