"""Signed requests: who asks, for what, once. No bearer token, no shared secret.

A request carries `Authorization: Portillon gate="…", nonce="…", counter="…", signature="…"`; the
signature covers method, path with query, body digest, gate, nonce and counter. The nonce is the
server's, new at each of its starts and handed out with a 401; within it each counter is good once,
and a gate that was started anew learns there how far it had counted.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from admission.errors import RemoteProtocolError, SignatureError
from admission.trust.keys import verify

SCHEME: Final = "Portillon"
NONCE_HEADER: Final = "Portillon-Nonce"
COUNTER_HEADER: Final = "Portillon-Counter"  # beside it: the gate's highest counter so far
_WINDOW: Final = 1024  # requests of one gate that may overtake each other
_FIELD: Final = re.compile(r'([a-z]+)="([^"\\]*)"')
_HEADER_CHARACTERS_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an Authorization header says.

    Attributes:
        gate: id of the gate that asks.
        nonce: the server's nonce it was made for.
        counter: strictly rising within the nonce.
        signature: Ed25519, 64 bytes.
    """

    gate: str
    nonce: str
    counter: int
    signature: bytes


def signed_text(
    method: str, target: str, body: bytes, gate: str, nonce: str, counter: int
) -> bytes:
    """Give the bytes that a request's signature covers.

    Args:
        method: in capitals.
        target: path with query, as on the request line.
        body: of the request, b"" if none.
        gate: id of the gate.
        nonce: the server's.
        counter: of the request.
    """
    digest = hashlib.sha256(body).hexdigest()
    lines = ("portillon-request-1", method, target, gate, nonce, str(counter), digest)
    return "\n".join(lines).encode()


def authorization(
    sign: Callable[[bytes], bytes],
    method: str,
    target: str,
    body: bytes,
    gate: str,
    nonce: str,
    counter: int,
) -> str:
    """Make the Authorization header of a request.

    Args:
        sign: signs with the gate's key, wherever that is kept.
        method: like all that follow, as `signed_text` has it.
        target: likewise.
        body: likewise.
        gate: likewise.
        nonce: likewise.
        counter: likewise.
    """
    signature = sign(signed_text(method, target, body, gate, nonce, counter))
    text = base64.b64encode(signature).decode()
    return f'{SCHEME} gate="{gate}", nonce="{nonce}", counter="{counter}", signature="{text}"'


def read_authorization(header: str) -> Credentials:
    """Read an Authorization header.

    Raises:
        RemoteProtocolError: if it is not of this scheme or a field is missing or wrong.
    """
    scheme, _, rest = header.partition(" ")
    if scheme != SCHEME or len(header) > _HEADER_CHARACTERS_MAX or not header.isascii():
        raise RemoteProtocolError(f"expected an Authorization header of scheme {SCHEME}")
    fields = dict(_FIELD.findall(rest))
    try:
        signature = base64.b64decode(fields["signature"], validate=True)
        return Credentials(fields["gate"], fields["nonce"], int(fields["counter"]), signature)
    except (KeyError, ValueError, binascii.Error) as exc:
        raise RemoteProtocolError(f"Authorization header: {exc}") from None


class ReplayWindow:
    """Which counters of one gate were seen under the present nonce."""

    def __init__(self) -> None:
        self._highest = 0
        self._seen: set[int] = set()

    @property
    def highest(self) -> int:
        """The highest counter that was used, 0 for none."""
        return self._highest

    def take(self, counter: int) -> None:
        """Use a counter up.

        Raises:
            SignatureError: if it was used before, or is too far behind to know.
        """
        if counter <= self._highest - _WINDOW or counter in self._seen or counter < 1:
            raise SignatureError(f"request counter {counter} was used before")
        self._seen.add(counter)
        if counter > self._highest:
            self._highest = counter
            self._seen = {seen for seen in self._seen if seen > counter - _WINDOW}


def check_request(
    credentials: Credentials,
    *,
    public_key: bytes,
    method: str,
    target: str,
    body: bytes,
    nonce: str,
    window: ReplayWindow,
) -> None:
    """Make sure that a request is this gate's, for this server start, and new.

    Raises:
        SignatureError: if it is not.
    """
    if credentials.nonce != nonce:
        raise SignatureError("request was signed for another nonce")
    message = signed_text(method, target, body, credentials.gate, nonce, credentials.counter)
    verify(public_key, credentials.signature, message)
    window.take(credentials.counter)
