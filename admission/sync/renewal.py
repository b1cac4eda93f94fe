"""A gate asks for a new device certificate, for its present keys or for new ones.

The request is signed by the key that the server knows (`request_signing`), and what it carries by
the key that it shall know: nobody can have a key of somebody else's certified as a gate's.
"""

from datetime import datetime, timedelta
from typing import Final

from admission.errors import SignatureError
from admission.sync.messages import Renew
from admission.trust.certificate import DeviceCertificate
from admission.trust.keys import verify

CERTIFICATE_LIFE: Final = timedelta(days=365)
_DUE_AFTER: Final = 2 / 3  # of its life: months are left in which to reach the server


def proof_text(gate: str, present_key: bytes, public_key: bytes, agreement_key: bytes) -> bytes:
    """Give what the new key signs.

    Args:
        gate: id of the gate.
        present_key: Ed25519 public key that the server knows it by.
        public_key: the one that it shall know it by; may be the same.
        agreement_key: X25519 public key that goes with it.
    """
    keys = (present_key.hex(), public_key.hex(), agreement_key.hex())
    return "\n".join(("portillon-renewal-1", gate, *keys)).encode()


def check_proof(request: Renew, gate: str, present_key: bytes) -> None:
    """Make sure that whoever asks has the key that is to be certified.

    Raises:
        SignatureError: if not.
    """
    text = proof_text(gate, present_key, request.public_key, request.agreement_key)
    try:
        verify(request.public_key, request.proof, text)
    except SignatureError:
        raise SignatureError("the new key did not sign for itself") from None


def is_due(certificate: DeviceCertificate, now: datetime) -> bool:
    """Tell whether it is time for a new certificate: two thirds of its life are over."""
    life = certificate.not_after - certificate.issued_at
    return now >= certificate.issued_at + life * _DUE_AFTER
