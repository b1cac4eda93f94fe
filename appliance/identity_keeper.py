"""The gate's own identity while it runs: certificate, new keys, the server's pins, revocation.

Called by the uplink, once in every contact with the server, before anything else is asked for.
Nothing here can hold a person up, except a revocation that was signed.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from admission.errors import ListError
from admission.journal import Kind
from admission.sync.messages import Renew
from admission.sync.renewal import is_due, proof_text
from admission.trust.certificate import DeviceCertificate, accept_certificate
from admission.trust.root import Signers
from admission.trust.status import ServerStatus
from appliance.errors import LinkAnswerError, LinkRefusedError
from appliance.health import Health
from appliance.identity_ports import PublicKeys, Vault
from appliance.link_ports import ServerLink
from appliance.recording import Recorder

log = logging.getLogger(__name__)

REVOKED_FAULT: Final = "GT-REV"
_PIN_BYTES: Final = 32


class IdentityKeeper:
    """Keeps the gate one of its server's gates."""

    def __init__(
        self,
        *,
        vault: Vault,
        signers: Callable[[], Signers],
        now: Callable[[], datetime],
        recorder: Recorder,
        health: Health,
    ) -> None:
        """Take what the identity is kept with.

        Args:
            vault: the keys.
            signers: give who may sign device certificates now.
            now: trusted time.
            recorder: the journal's pen.
            health: locked by a revocation.
        """
        self._vault = vault
        self._signers = signers
        self._now = now
        self._recorder = recorder
        self._health = health
        if vault.is_revoked:
            health.lock(REVOKED_FAULT)

    @property
    def pins(self) -> tuple[bytes, ...]:
        """The server's pins, as the server is told that they are known."""
        return self._vault.pins

    async def settle(self, link: ServerLink) -> None:
        """Have the gate's keys certified where that is due, by new ones where they were certified.

        Whether the server knows the present key or the next one cannot be told after a power cut:
        the one is tried, then the other. Until it has certified the next one, both are kept.

        Raises:
            LinkError: if the server cannot be reached.
            StorageError: if the disk cannot be written.
        """
        vault = self._vault
        if vault.following() is None:
            held = self._held()
            if held is not None and not is_due(held, self._now()):
                return
            if held is not None:
                await vault.make_following()
        try:
            raw = await self._ask(link)
        except (LinkAnswerError, LinkRefusedError) as exc:
            log.warning("not certified", extra={"reason": str(exc)})
            return  # what the gate may still have or hand in, the next requests tell
        wanted = vault.following() or vault.present()
        try:
            self._check(raw, wanted)
        except ListError as exc:
            log.warning("certificate refused", extra={"reason": str(exc)})
            return
        await vault.certified(raw, following=vault.following() is not None)
        log.info("gate certified", extra={"gate": vault.gate})

    async def heed(self, status: ServerStatus | None, link: ServerLink) -> None:
        """Do what a signed status says of this gate and of the server's certificate.

        A revocation is for good: only a new enrolment makes the machine a gate again.

        Raises:
            StorageError: if it cannot be remembered; the gate is locked all the same.
        """
        if status is None:
            return
        if self._vault.gate in status.revoked_gates and not self._vault.is_revoked:
            log.error("this gate was revoked")
            self._health.lock(REVOKED_FAULT)
            await self._vault.keep_revoked()
            await self._recorder.note(Kind.FAULT, detail={"code": REVOKED_FAULT})
        pins = announced_pins(status.tls_pins)
        known = self._vault.pins
        if known and pins != known and set(pins) & set(known):
            await self._vault.keep_pins(pins)
            link.take_pins(pins)
            log.info("server's pins taken", extra={"pins": len(pins)})

    async def _ask(self, link: ServerLink) -> bytes:
        vault = self._vault
        following = vault.following()
        wanted = following or vault.present()
        try:
            raw = (await link.renew(self._request(vault.public_key, wanted))).certificate
        except LinkRefusedError:
            if following is None:
                raise
            vault.use_following(True)  # perhaps it is known already, and the answer was lost
            try:
                return (await link.renew(self._request(vault.public_key, wanted))).certificate
            except BaseException:
                vault.use_following(False)
                raise
        vault.use_following(True)  # whatever it certified: this is the key that it knows now
        return raw

    def _request(self, present_key: bytes, wanted: PublicKeys) -> Renew:
        own = wanted.signer.public_key
        text = proof_text(self._vault.gate, present_key, own, wanted.agreement_key)
        return Renew(own, wanted.agreement_key, wanted.signer.sign(text))

    def _held(self) -> DeviceCertificate | None:
        """Give the certificate, None where it is none of these keys, or not believed any more."""
        try:
            return self._check(self._vault.certificate, self._vault.present())
        except ListError:
            return None

    def _check(self, raw: bytes, wanted: PublicKeys) -> DeviceCertificate:
        return check_certificate(raw, self._signers(), self._vault.gate, wanted)


def check_certificate(
    raw: bytes, trusted: Signers, gate: str, wanted: PublicKeys
) -> DeviceCertificate:
    """Make sure that a certificate is this gate's, of these keys.

    Raises:
        ListError: if it is not, or nobody who may has signed it.
    """
    certificate = accept_certificate(raw, trusted=trusted, gate=gate, now=None)
    keys = (certificate.device_key, certificate.agreement_key)
    if keys != (wanted.signer.public_key, wanted.agreement_key):
        raise ListError("the certificate is of other keys than this gate's")
    return certificate


def announced_pins(texts: tuple[str, ...]) -> tuple[bytes, ...]:
    """Read the pins of a status; what is none is passed over."""
    pins = []
    for text in texts:
        try:
            pin = bytes.fromhex(text)
        except ValueError:
            continue
        if len(pin) == _PIN_BYTES:
            pins.append(pin)
    return tuple(pins)
