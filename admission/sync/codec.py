"""Messages to bytes and back: msgpack, bounded before anything is read."""

from typing import Final, TypeVar

import msgspec

from admission.errors import RemoteProtocolError
from admission.limits import MESSAGE_BYTES_MAX
from admission.sync.messages import Live, Message
from admission.sync.site_messages import SiteLive, SiteMessage

CONTENT_TYPE: Final = "application/vnd.portillon.v1+msgpack"

_encoder: Final = msgspec.msgpack.Encoder()
_live_decoder: Final = msgspec.msgpack.Decoder(Live)
_site_decoder: Final = msgspec.msgpack.Decoder(SiteLive)
M = TypeVar("M", bound=Message | SiteMessage)


def encode(message: Message | SiteMessage) -> bytes:
    """Write a message."""
    return _encoder.encode(message)


def decode(raw: bytes, kind: type[M]) -> M:
    """Read a message of one kind.

    Raises:
        RemoteProtocolError: if it is too large, or no such message.
    """
    _bound(raw)
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise RemoteProtocolError(f"expected {kind.__name__}: {exc}") from exc


def decode_live(raw: bytes) -> Live:
    """Read a message of a live connection.

    Raises:
        RemoteProtocolError: if it is too large, or none.
    """
    _bound(raw)
    try:
        message: Live = _live_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise RemoteProtocolError(f"not a live message: {exc}") from exc
    return message


def decode_site_live(raw: bytes) -> SiteLive:
    """Read a message of a live connection between a site server and its upstream.

    Raises:
        RemoteProtocolError: if it is too large, or none.
    """
    _bound(raw)
    try:
        message: SiteLive = _site_decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise RemoteProtocolError(f"not a live message of a site: {exc}") from exc
    return message


def _bound(raw: bytes) -> None:
    if len(raw) > MESSAGE_BYTES_MAX:
        raise RemoteProtocolError(f"message of {len(raw)} bytes is over {MESSAGE_BYTES_MAX}")
