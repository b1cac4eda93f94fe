"""The server's signed word that a gate may run another version, and when: one gate's, not for long.

It says who may run what; whether the bundle itself is genuine says its own signature, which the
machine's caretaker checks against another authority. A gate that gets no offer any more installs
nothing, whatever it has fetched before.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec

from admission.errors import ForeignListError, ListExpiredError, ListFormatError
from admission.software_version import VERSION_CHARACTERS_MAX, read_version
from admission.trust.envelope import OFFER_TYPE, open_envelope
from admission.trust.reading import Digest, Name, read_document
from admission.trust.root import Signers

BUNDLE_BYTES_MAX: Final = 2 << 30  # four times the slot that it is written to
LIFE_MAX: Final = timedelta(hours=24)


class UpdateOffer(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle for one gate.

    Attributes:
        gate: its id.
        version: that it would run.
        compatible: machines that the bundle is for.
        size: of the bundle, bytes.
        sha256: of all its bytes.
        issued_at: aware; when it was signed.
        not_after: aware; first instant at which it means nothing.
        install_from: aware; not to be installed before,
        install_until: aware; nor from then on.
        is_downgrade: whether an operator wants it although it is older than what runs.
    """

    gate: Name
    version: Annotated[str, msgspec.Meta(min_length=1, max_length=VERSION_CHARACTERS_MAX)]
    compatible: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    size: Annotated[int, msgspec.Meta(ge=1, le=BUNDLE_BYTES_MAX)]
    sha256: Digest
    issued_at: datetime
    not_after: datetime
    install_from: datetime
    install_until: datetime
    is_downgrade: bool = False


def encode_offer(offer: UpdateOffer) -> bytes:
    """Write an offer as JSON."""
    return msgspec.json.encode(offer)


def accept_offer(raw: bytes, *, trusted: Signers, gate: str, now: datetime) -> UpdateOffer:
    """Check a signed offer.

    Args:
        raw: the envelope.
        trusted: who may sign for the status role.
        gate: id of the gate that it was handed to.
        now: aware trusted time.

    Raises:
        ListFormatError: if it is no offer.
        SignatureError: if too few trusted keys signed it.
        ForeignListError: if it is another gate's.
        ListExpiredError: if its time is over.
    """
    body = open_envelope(raw, OFFER_TYPE, trusted.keys, trusted.threshold)
    offer = read_document("offer", body, UpdateOffer)
    if offer.gate != gate:
        raise ForeignListError(f"the offer is for gate {offer.gate[:80]}, not for {gate}")
    if read_version(offer.version) is None:
        raise ListFormatError("offer: version must be MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH+BUILD")
    if not timedelta(0) < offer.not_after - offer.issued_at <= LIFE_MAX:
        raise ListFormatError("offer: not_after must follow issued_at, by a day at the most")
    if now >= offer.not_after:
        raise ListExpiredError(f"offer expired at {offer.not_after.isoformat()}")
    return offer
