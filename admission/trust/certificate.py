"""The device certificate: the enrolment's word that a key is a gate's. A heart document, JSON.

Given to a gate when it enrols, shown by it to whoever must know it without asking the server:
other gates on the local network, say.
"""

from datetime import datetime

import msgspec

from admission.errors import ForeignListError, ListExpiredError
from admission.trust.envelope import CERTIFICATE_TYPE, open_envelope
from admission.trust.reading import Key, Name, Text, Version, read_document
from admission.trust.root import Signers


class DeviceCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """Whose key this is.

    Attributes:
        gate: its id.
        gate_name: for people.
        device_key: Ed25519 public key: signs requests.
        agreement_key: X25519 public key: what is sealed for the gate is sealed for it.
        serial: rises with every certificate of the gate.
        issued_at: aware.
        not_after: aware; afterwards it proves nothing.
    """

    gate: Name
    gate_name: Text
    device_key: Key
    agreement_key: Key
    serial: Version
    issued_at: datetime
    not_after: datetime


def encode_certificate(certificate: DeviceCertificate) -> bytes:
    """Write a certificate as JSON."""
    return msgspec.json.encode(certificate)


def accept_certificate(
    raw: bytes, *, trusted: Signers, gate: str | None, now: datetime | None
) -> DeviceCertificate:
    """Check a signed certificate.

    Args:
        raw: the envelope.
        trusted: who may sign for the enrol role.
        gate: whose it must be; None is anybody's.
        now: aware trusted time; None where it is not known.

    Raises:
        ListFormatError: if it is no certificate.
        SignatureError: if no trusted key signed it.
        ForeignListError: if it is another gate's.
        ListExpiredError: if its time is over.
    """
    body = open_envelope(raw, CERTIFICATE_TYPE, trusted.keys, trusted.threshold)
    certificate = read_document("certificate", body, DeviceCertificate)
    if gate is not None and certificate.gate != gate:
        raise ForeignListError(f"the certificate is gate {certificate.gate}'s, not {gate}'s")
    if now is not None and now >= certificate.not_after:
        raise ListExpiredError(f"certificate expired at {certificate.not_after.isoformat()}")
    return certificate
