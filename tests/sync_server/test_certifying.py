"""A gate's certificate names its keys; new keys end the old ones in the same moment."""

from datetime import timedelta

import pytest

from admission.errors import SignatureError
from admission.sync.messages import Enrol, Renew
from admission.sync.renewal import CERTIFICATE_LIFE, proof_text
from admission.trust.certificate import accept_certificate
from admission.trust.keys import public_key, sign
from admission.trust.root import Role, signers
from admission.trust.sealing import agreement_public_key
from sync_server.certifying import Certifying
from sync_server.enrollment import Enrollment
from sync_server.entities import instant
from sync_server.errors import ConflictError, NotFoundError

OLD, NEW = b"o" * 32, b"n" * 32
AGREEMENT, NEW_AGREEMENT = agreement_public_key(b"a" * 32), agreement_public_key(b"b" * 32)


@pytest.fixture
async def certifying(venue, ledger, trust):
    return Certifying(venue, ledger, trust)


@pytest.fixture
async def enrolled(venue, ledger, news, trust, master):
    service = Enrollment(venue, ledger, news, trust)
    code = (await service.new_code(master, "g0")).code
    return await service.enrol(Enrol(code, public_key(OLD), AGREEMENT), "")


def request(secret=NEW, agreement=NEW_AGREEMENT, *, gate="g0", present=OLD, by=None):
    text = proof_text(gate, public_key(present), public_key(secret), agreement)
    return Renew(public_key(secret), agreement, sign(by or secret, text))


async def _gate(venue, gate_id="g0"):
    async with venue.read() as transaction:
        return await transaction.gates.gate(gate_id)


def _opened(raw, trust, now=None):
    trusted = signers(trust.root, Role.ENROL)
    return accept_certificate(raw, trusted=trusted, gate="g0", now=now)


async def test_whoever_enrols_gets_a_certificate_of_the_enrol_role(enrolled, trust, clock):
    certificate = _opened(enrolled.certificate, trust)
    assert (certificate.device_key, certificate.agreement_key) == (public_key(OLD), AGREEMENT)
    assert (certificate.gate_name, certificate.serial) == ("Gate A", 1)
    assert certificate.issued_at == instant(clock.at_us)
    assert certificate.not_after - certificate.issued_at == CERTIFICATE_LIFE == timedelta(365)


async def test_new_keys_take_the_place_of_the_old_ones_with_the_next_serial(
    certifying, enrolled, venue, trust
):
    renewed = await certifying.renew("g0", request())
    certificate = _opened(renewed.certificate, trust)
    assert (certificate.device_key, certificate.serial) == (public_key(NEW), 2)
    gate = await _gate(venue)
    assert (gate.public_key, gate.agreement_key) == (public_key(NEW), NEW_AGREEMENT)
    async with venue.read() as transaction:
        assert "gate_key_changed" in [one.what for one in await transaction.audit.newest(20)]


async def test_the_same_keys_may_be_certified_again(certifying, enrolled, venue, trust):
    renewed = await certifying.renew("g0", request(OLD, AGREEMENT))
    assert _opened(renewed.certificate, trust).serial == 2
    assert (await _gate(venue)).public_key == public_key(OLD)


@pytest.mark.parametrize(
    "asked",
    [
        request(by=OLD),  # the old key speaks for a key that it may not have
        request(gate="g1"),
        request(present=NEW),  # made for another key than the one that is known
        Renew(public_key(NEW), AGREEMENT, request().proof),  # another agreement key slipped in
    ],
)
async def test_a_key_that_did_not_sign_for_itself_changes_nothing(
    certifying, enrolled, venue, asked
):
    before = await _gate(venue)
    with pytest.raises(SignatureError, match="did not sign for itself"):
        await certifying.renew("g0", asked)
    assert await _gate(venue) == before


async def test_a_key_that_is_another_gates_changes_nothing(certifying, enrolled, venue):
    async with venue.write() as transaction:
        gate = await transaction.gates.gate("g0")
        other = type(gate)("g1", "venue", "B", "c0", gate.direction, public_key=public_key(NEW))
        await transaction.gates.add_gate(other)
    with pytest.raises(ConflictError, match="another gate has this key"):
        await certifying.renew("g0", request())
    assert (await _gate(venue)).certificate_serial == 1


async def test_a_revoked_gate_is_not_certified(
    certifying, enrolled, venue, ledger, news, trust, master
):
    await Enrollment(venue, ledger, news, trust).revoke(master, "g0")
    with pytest.raises(NotFoundError):
        await certifying.renew("g0", request())
