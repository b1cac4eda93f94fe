"""TLS to a server whose certificate was pinned at enrolment: that certificate, and no other.

The digest of the whole certificate is the authority. Nothing in it is read, so no second parser
can disagree with the TLS library about what it says; its names and its end do not matter, and a
gate whose clock is wrong still finds its server. The check is part of the handshake: not one byte
of a request goes to anybody else. Several pins may be good at once, so that a server can change
its certificate.
"""

import hashlib
import hmac
import ssl
from collections.abc import Iterable


class PinnedContext(ssl.SSLContext):
    """Carries the pins to each connection; they may be others for the next one."""

    pins: tuple[bytes, ...] = ()


class _PinnedObject(ssl.SSLObject):
    """A connection that ends where the certificate is not a pinned one."""

    def do_handshake(self) -> None:
        super().do_handshake()
        context = self.context
        seen = hashlib.sha256(self.getpeercert(binary_form=True) or b"").digest()
        pins = context.pins if isinstance(context, PinnedContext) else ()
        if not any(hmac.compare_digest(seen, pin) for pin in pins):
            raise ssl.SSLCertVerificationError(
                "the server's certificate is not the one that was pinned when this gate was"
                " enrolled: another server answers, or somebody is in between"
            )


def pinned_context(pins: Iterable[bytes]) -> PinnedContext:
    """Make what a client needs to talk to a pinned server only.

    Args:
        pins: SHA-256 of each certificate that is good.
    """
    context = PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3  # our own server; nothing older is out there
    context.check_hostname = False  # the pin says more than a name and an authority could
    context.verify_mode = ssl.CERT_NONE
    context.pins = tuple(pins)
    context.sslobject_class = _PinnedObject
    return context
