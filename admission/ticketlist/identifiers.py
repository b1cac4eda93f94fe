"""What stands for a ticket number outside the server: HMAC-SHA256 under the list key, cut short.

Called by the publisher for every number, and by the gate for every scan.
"""

import hmac
from collections.abc import Callable

from admission.limits import IDENTIFIER_BYTES


def identify(list_key: bytes, number: str) -> bytes:
    """Give the identifier of a ticket number.

    Args:
        list_key: the performance's key, `limits.LIST_KEY_BYTES` long, never changed.
        number: as `scan.normalise` gives it.
    """
    message = number.encode("utf-8", "surrogatepass")
    return hmac.digest(list_key, message, "sha256")[:IDENTIFIER_BYTES]


def identifier_maker(list_key: bytes) -> Callable[[str], bytes]:
    """Give `identify` for one list key: the same answers, faster.

    The key's part of the HMAC is computed once, for the million numbers of an import.

    Args:
        list_key: the performance's key.
    """
    keyed = hmac.new(list_key, digestmod="sha256")

    def make(number: str) -> bytes:
        own = keyed.copy()
        own.update(number.encode("utf-8", "surrogatepass"))
        return own.digest()[:IDENTIFIER_BYTES]

    return make
