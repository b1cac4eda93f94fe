"""The signed envelope of every small document: DSSE 1.0.2 with Ed25519 signatures, as JSON.

Source: the DSSE specification (pre-authentication encoding, envelope fields). Caps are checked
before anything is parsed; the payload type is part of what is signed, so that one kind of
document can never be taken for another.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from admission.errors import ListFormatError, SignatureError
from admission.limits import ENVELOPE_BYTES_MAX, ENVELOPE_SIGNATURES_MAX
from admission.trust.keys import key_id, public_key, sign, verify

MANIFEST_TYPE: Final = "application/vnd.portillon.manifest.v1+json"
ASSIGNMENT_TYPE: Final = "application/vnd.portillon.assignment.v1+json"
ROOT_TYPE: Final = "application/vnd.portillon.root.v1+json"
STATUS_TYPE: Final = "application/vnd.portillon.status.v1+json"
CERTIFICATE_TYPE: Final = "application/vnd.portillon.device-certificate.v1+json"
COMMAND_TYPE: Final = "application/vnd.portillon.command.v1+json"
OFFER_TYPE: Final = "application/vnd.portillon.update-offer.v1+json"


class _Signature(msgspec.Struct, frozen=True):
    sig: bytes  # msgspec reads and writes bytes as base64
    keyid: str = ""


class _Envelope(msgspec.Struct, frozen=True):
    payload: bytes
    payloadType: str  # noqa: N815 (the specification's spelling)
    signatures: list[_Signature]


_decoder: Final = msgspec.json.Decoder(_Envelope)


def pre_authentication_encoding(payload_type: str, body: bytes) -> bytes:
    """Give the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def seal_envelope(payload_type: str, body: bytes, private_keys: Iterable[bytes]) -> bytes:
    """Sign a document.

    Args:
        payload_type: its kind and version.
        body: its bytes.
        private_keys: one signature each.

    Raises:
        ValueError: if the envelope would be over its caps.
    """
    message = pre_authentication_encoding(payload_type, body)
    signatures = [
        _Signature(sign(private, message), key_id(public_key(private))) for private in private_keys
    ]
    raw = msgspec.json.encode(_Envelope(body, payload_type, signatures))
    if len(raw) > ENVELOPE_BYTES_MAX or len(signatures) > ENVELOPE_SIGNATURES_MAX:
        raise ValueError(f"envelope of {len(raw)} bytes, {len(signatures)} signatures: too large")
    return raw


def add_signature(raw: bytes, payload_type: str, private_key: bytes) -> bytes:
    """Sign a document that others may have signed before; a signature of the same key is replaced.

    Args:
        raw: the envelope, with as many signatures as it has so far.
        payload_type: the only kind that is acceptable here.
        private_key: Ed25519.

    Raises:
        ListFormatError: if the bytes are no envelope of that kind, or hold too many signatures.
    """
    envelope = _decode(raw, payload_type)
    own = key_id(public_key(private_key))
    others = [one for one in envelope.signatures if one.keyid != own]
    if len(others) >= ENVELOPE_SIGNATURES_MAX:
        raise ListFormatError(f"{len(others)} signatures are there already; no more are read")
    message = pre_authentication_encoding(payload_type, envelope.payload)
    signatures = [*others, _Signature(sign(private_key, message), own)]
    return msgspec.json.encode(_Envelope(envelope.payload, payload_type, signatures))


def open_envelope(
    raw: bytes, payload_type: str, trusted_keys: Iterable[bytes], threshold: int = 1
) -> bytes:
    """Check an envelope and give the document inside.

    Args:
        raw: the envelope's bytes, as received.
        payload_type: the only kind that is acceptable here.
        trusted_keys: Ed25519 public keys of the role.
        threshold: how many different ones of them must have signed.

    Raises:
        ListFormatError: if the bytes are no envelope, too large, or of another kind.
        SignatureError: if fewer than `threshold` trusted keys signed these bytes.
    """
    envelope = _decode(raw, payload_type)
    signers = _signers(envelope, trusted_keys)
    if len(signers) < threshold:
        raise SignatureError(
            f"signed by {len(signers)} of the {threshold} trusted keys that are needed"
        )
    return envelope.payload


def signers_of(raw: bytes, payload_type: str, trusted_keys: Iterable[bytes]) -> frozenset[bytes]:
    """Give those of some keys that have signed an envelope.

    Raises:
        ListFormatError: if the bytes are no envelope, too large, or of another kind.
    """
    return _signers(_decode(raw, payload_type), trusted_keys)


def unverified_body(raw: bytes, payload_type: str) -> bytes:
    """Give the document inside without believing it: to be shown, or to name the next check.

    Raises:
        ListFormatError: if the bytes are no envelope, too large, or of another kind.
    """
    return _decode(raw, payload_type).payload


def take_apart(raw: bytes, payload_type: str) -> tuple[bytes, tuple[bytes, ...]]:
    """Give the document inside and its signatures, none of them believed.

    Raises:
        ListFormatError: if the bytes are no envelope, too large, or of another kind.
    """
    envelope = _decode(raw, payload_type)
    return envelope.payload, tuple(one.sig for one in envelope.signatures)


def put_together(payload_type: str, body: bytes, signatures: Iterable[bytes]) -> bytes:
    """Make an envelope of what `take_apart` gave; whose signatures they are is not said."""
    return msgspec.json.encode(_Envelope(body, payload_type, [_Signature(s) for s in signatures]))


def _decode(raw: bytes, payload_type: str) -> _Envelope:
    if len(raw) > ENVELOPE_BYTES_MAX:
        raise ListFormatError(f"envelope of {len(raw)} bytes is over {ENVELOPE_BYTES_MAX}")
    try:
        envelope = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ListFormatError(f"not a signed envelope: {exc}") from exc
    if envelope.payloadType != payload_type:
        raise ListFormatError(f"expected a {payload_type}, got {envelope.payloadType[:80]!r}")
    if len(envelope.signatures) > ENVELOPE_SIGNATURES_MAX:
        raise ListFormatError(f"{len(envelope.signatures)} signatures are too many")
    return envelope


def _signers(envelope: _Envelope, trusted_keys: Iterable[bytes]) -> frozenset[bytes]:
    message = pre_authentication_encoding(envelope.payloadType, envelope.payload)
    return frozenset(
        key
        for key in trusted_keys
        if any(_fits(key, signature.sig, message) for signature in envelope.signatures)
    )


def _fits(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        verify(key, signature, message)
    except SignatureError:
        return False
    return True
