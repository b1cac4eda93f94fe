"""What gates say to each other on a local network, and its bytes: msgpack, bounded before reading.

Nothing here is believed by itself: `peer_proof` says who speaks, `peer` what of it is proven. Every
struct is extended by appending fields with defaults.
"""

from typing import Annotated, Final, TypeVar

import msgspec

from admission.errors import RemoteProtocolError
from admission.limits import ENVELOPE_BYTES_MAX
from admission.sync.messages import Batch, Chain, Cursor, Hint, Sequence, Text

CONTENT_TYPE: Final = "application/vnd.portillon.peer.v1+msgpack"
PIECE_RECORDS_MAX: Final = 250  # some 50 kB; a gate hashes them between two scans unnoticed
JOURNALS_MAX: Final = 500  # of one telling: twice the gates of the largest venue, with former ones
PEER_MESSAGE_BYTES_MAX: Final = 1_250_000  # a piece of full records, with its certificate
DATAGRAM_BYTES_MAX: Final = 1_200  # fits every link in one frame

Envelope = Annotated[bytes, msgspec.Meta(max_length=ENVELOPE_BYTES_MAX)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Nonce = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Who is there? Proves nothing yet.

    Attributes:
        certificate: envelope of the asker's device certificate.
        nonce: never used before.
    """

    certificate: Envelope
    nonce: Nonce


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """It is me.

    Attributes:
        certificate: envelope of the answerer's device certificate.
        nonce: the answerer's, since its start; what it is asked is signed under it.
        counter: greatest counter of the asker that it has seen under it.
        proof: signature over both gates and both nonces.
    """

    certificate: Envelope
    nonce: Nonce
    counter: Cursor
    proof: Signature


class Said(msgspec.Struct, frozen=True, tag="said"):
    """A question or an answer, and who says it.

    Attributes:
        gate: id of the gate that speaks.
        nonce: of the gate that is asked.
        counter: of the question, in it and in its answer.
        body: the message.
        signature: by the speaker's device key.
    """

    gate: Text
    nonce: Nonce
    counter: Sequence
    body: bytes
    signature: Signature


class Stranger(msgspec.Struct, frozen=True, tag="stranger"):
    """I do not know you (any more): say hello first."""


class JournalHead(msgspec.Struct, frozen=True, array_like=True):
    """How far somebody has a journal.

    Attributes:
        journal: its id.
        gate: id of the gate that writes it.
        head: greatest sequence, sealed.
        chain: chain value there.
        acknowledged: greatest sequence that the server has, by the teller's knowledge.
    """

    journal: Text
    gate: Text
    head: Sequence
    chain: Chain
    acknowledged: Cursor = 0


class Heads(msgspec.Struct, frozen=True, tag="heads"):
    """What I have; as a question: and what have you?

    Attributes:
        heads: of the own journal and of those that are carried.
        port: where the teller can be asked in its turn, 0 for nowhere.
    """

    heads: Annotated[list[JournalHead], msgspec.Meta(max_length=JOURNALS_MAX)]
    port: Port = 0


class Wanted(msgspec.Struct, frozen=True, tag="wanted"):
    """What follows in a journal?

    Attributes:
        journal: its id.
        after: what is held already.
    """

    journal: Text
    after: Cursor


class Piece(msgspec.Struct, frozen=True, tag="piece"):
    """This.

    Attributes:
        batch: records up to one that its gate has sealed; None for nothing.
        certificate: envelope of the certificate whose key made the seal.
    """

    batch: Batch | None = None
    certificate: Envelope = b""


class Grown(msgspec.Struct, frozen=True, tag="grown"):
    """By datagram: my journal has grown.

    Attributes:
        journal: its id.
        head: greatest sequence now.
    """

    journal: Text
    head: Sequence


class Shout(msgspec.Struct, frozen=True, array_like=True):
    """A datagram.

    Attributes:
        gate: id of the gate that sends it.
        body: the message.
        signature: by its device key.
    """

    gate: Text
    body: Annotated[bytes, msgspec.Meta(max_length=DATAGRAM_BYTES_MAX)]
    signature: Signature


Spoken = Hello | Welcome | Said | Stranger
Told = Heads | Wanted | Piece
Shouted = Hint | Grown

_encoder: Final = msgspec.msgpack.Encoder()
_spoken: Final[msgspec.msgpack.Decoder[Spoken]] = msgspec.msgpack.Decoder(Spoken)
_told: Final[msgspec.msgpack.Decoder[Told]] = msgspec.msgpack.Decoder(Told)
_shout: Final[msgspec.msgpack.Decoder[Shout]] = msgspec.msgpack.Decoder(Shout)
_shouted: Final[msgspec.msgpack.Decoder[Shouted]] = msgspec.msgpack.Decoder(Shouted)
M = TypeVar("M")


def encode(message: Spoken | Told | Shout | Shouted) -> bytes:
    """Write a message."""
    return _encoder.encode(message)


def decode_spoken(raw: bytes) -> Spoken:
    """Read what comes over the network.

    Raises:
        RemoteProtocolError: if it is too large, or no such message.
    """
    return _read(_spoken, raw, PEER_MESSAGE_BYTES_MAX)


def decode_told(raw: bytes) -> Told:
    """Read what somebody said.

    Raises:
        RemoteProtocolError: if it is too large, or no such message.
    """
    return _read(_told, raw, PEER_MESSAGE_BYTES_MAX)


def decode_shout(raw: bytes) -> Shout:
    """Read a datagram.

    Raises:
        RemoteProtocolError: if it is too large, or none.
    """
    return _read(_shout, raw, DATAGRAM_BYTES_MAX)


def decode_shouted(raw: bytes) -> Shouted:
    """Read what a datagram says.

    Raises:
        RemoteProtocolError: if it is no such message.
    """
    return _read(_shouted, raw, DATAGRAM_BYTES_MAX)


def _read(decoder: msgspec.msgpack.Decoder[M], raw: bytes, bytes_max: int) -> M:
    if len(raw) > bytes_max:
        raise RemoteProtocolError(f"peer message of {len(raw)} bytes is over {bytes_max}")
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise RemoteProtocolError(f"not a peer's message: {exc}") from exc
