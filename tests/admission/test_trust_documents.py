"""Status, device certificate and command: each is taken once, from its role, in its time."""

from dataclasses import replace as _replace
from datetime import timedelta

import msgspec
import pytest

from admission.errors import (
    ForeignListError,
    ListExpiredError,
    ListFormatError,
    RollbackError,
    SignatureError,
)
from admission.trust.certificate import (
    DeviceCertificate,
    accept_certificate,
    encode_certificate,
)
from admission.trust.command import Action, Command, accept_command, encode_command
from admission.trust.envelope import (
    CERTIFICATE_TYPE,
    COMMAND_TYPE,
    STATUS_TYPE,
    seal_envelope,
)
from admission.trust.keys import key_id
from admission.trust.root import Role, Signers, signers
from admission.trust.status import ListLine, ServerStatus, accept_status, encode_status
from trust_documents import NOW, draft_root, private, public

ROOT = draft_root()
HOUR = timedelta(hours=1)
replaced = msgspec.structs.replace

STATUS = ServerStatus(
    version=7,
    time=NOW,
    expires_at=NOW + 24 * HOUR,
    nonce="ours",
    root_version=1,
    lists={"p1": ListLine(version=3, sha256="0" * 64)},
)
CERTIFICATE = DeviceCertificate(
    gate="g1",
    gate_name="Porte A",
    device_key=public(90),
    agreement_key=bytes(32),
    serial=1,
    issued_at=NOW,
    not_after=NOW + 365 * 24 * HOUR,
)
COMMAND = Command(
    key=key_id(public(40)),
    counter=5,
    action=Action.LOCK,
    operator="régie",
    reason="foule",
    issued_at=NOW,
    not_after=NOW + HOUR,
)


def status(by=20, kind=STATUS_TYPE, **fields):
    return seal_envelope(kind, encode_status(replaced(STATUS, **fields)), [private(by)])


def take_status(raw, **fields):
    asked = {"nonce": "ours", "version_installed": 7, "root_version": 1, "now": None} | fields
    return accept_status(raw, trusted=signers(ROOT, Role.STATUS), **asked)


def test_a_status_that_answers_our_question_is_taken():
    assert take_status(status()) == STATUS


@pytest.mark.parametrize("by", [10, 30, 40, 1])
def test_no_other_role_may_sign_a_status(by):
    with pytest.raises(SignatureError):
        take_status(status(by=by))


def test_an_answer_to_an_earlier_question_is_refused():
    with pytest.raises(ForeignListError, match="another question"):
        take_status(status(nonce="of before"))
    with pytest.raises(ForeignListError):
        take_status(status(nonce=""))


def test_a_status_never_goes_back():
    with pytest.raises(RollbackError, match="8 -> 7"):
        take_status(status(), version_installed=8)
    with pytest.raises(RollbackError, match="root 1, not of 2"):
        take_status(status(), root_version=2)


def test_a_status_that_nobody_asked_for_must_be_of_now():
    assert take_status(status(nonce=""), nonce="", now=NOW + 23 * HOUR)
    with pytest.raises(ListExpiredError):
        take_status(status(nonce=""), nonce="", now=NOW + 24 * HOUR)


@pytest.mark.parametrize("expires_at", [NOW, NOW - HOUR, NOW + timedelta(days=8)])
def test_a_status_is_a_heartbeat_not_a_charter(expires_at):
    with pytest.raises(ListFormatError, match="expires_at"):
        take_status(status(expires_at=expires_at))


def test_a_status_cannot_be_passed_off_as_another_document():
    with pytest.raises(ListFormatError, match="expected a"):
        take_status(status(kind=COMMAND_TYPE))


def test_a_status_with_a_wrong_field_names_it():
    raw = seal_envelope(STATUS_TYPE, b'{"version": "seven"}', [private(20)])
    with pytest.raises(ListFormatError, match=r"status: .*version"):
        take_status(raw)


# --- the device certificate -------------------------------------------------------------------


def certificate(by=30, **fields):
    body = encode_certificate(replaced(CERTIFICATE, **fields))
    return seal_envelope(CERTIFICATE_TYPE, body, [private(by)])


def take_certificate(raw, gate="g1", now=NOW):
    return accept_certificate(raw, trusted=signers(ROOT, Role.ENROL), gate=gate, now=now)


def test_a_certificate_says_whose_key_it_is():
    assert take_certificate(certificate()) == CERTIFICATE
    assert take_certificate(certificate(), gate=None, now=None) == CERTIFICATE


def test_only_the_enrol_role_makes_gates():
    with pytest.raises(SignatureError):
        take_certificate(certificate(by=20))


def test_another_gates_certificate_is_refused():
    with pytest.raises(ForeignListError, match="gate g2's"):
        take_certificate(certificate(gate="g2"))


def test_an_expired_certificate_proves_nothing():
    with pytest.raises(ListExpiredError):
        take_certificate(certificate(), now=CERTIFICATE.not_after)


# --- the operator's command -------------------------------------------------------------------


def command(*by, **fields):
    body = encode_command(replaced(COMMAND, **fields))
    return seal_envelope(COMMAND_TYPE, body, [private(number) for number in by or (40,)])


def obey(raw, *, counters=None, now=NOW, gate="g1", trusted=None):
    return accept_command(
        raw,
        trusted=trusted or signers(ROOT, Role.OPERATOR),
        gate=gate,
        counters={} if counters is None else counters,
        now=now,
    )


def test_an_operators_command_is_obeyed_once():
    assert obey(command()) == COMMAND
    for seen in (5, 6):
        with pytest.raises(RollbackError):
            obey(command(), counters={COMMAND.key: seen})
    assert obey(command(), counters={COMMAND.key: 4, "another key": 99})


def test_a_command_does_nothing_after_its_time():
    with pytest.raises(ListExpiredError):
        obey(command(), now=NOW + HOUR)


def test_a_command_for_other_gates_is_not_ours():
    with pytest.raises(ForeignListError):
        obey(command(gates=("g2", "g3")))
    assert obey(command(gates=("g2", "g1")))


@pytest.mark.parametrize("by", [(20,), (10,), (30,), (1,), (41,)])
def test_nobody_else_commands_a_gate(by):
    with pytest.raises(SignatureError):
        obey(command(*by))


def test_the_key_that_a_command_counts_by_must_have_signed_it():
    both = _replace(signers(ROOT, Role.OPERATOR), keys=(public(40), public(41)))
    with pytest.raises(SignatureError):
        obey(command(41), trusted=both)  # signed by an operator, but counted as another's
    assert obey(command(41, key=key_id(public(41))), trusted=both)


def test_two_operators_can_be_needed():
    two = Signers((public(40), public(41)), 2)
    with pytest.raises(SignatureError, match="1 of the 2"):
        obey(command(40), trusted=two)
    assert obey(command(40, 41), trusted=two)


@pytest.mark.parametrize("not_after", [NOW, NOW - HOUR, NOW + timedelta(days=2)])
def test_a_command_lasts_a_shift_at_the_most(not_after):
    with pytest.raises(ListFormatError, match="not_after"):
        obey(command(not_after=not_after), now=NOW - 2 * HOUR)


@pytest.mark.parametrize("fields", [{}, {"performance": "p1"}, {"identifier": bytes(16)}])
def test_admitting_needs_a_ticket(fields):
    with pytest.raises(ListFormatError, match="admit needs"):
        obey(command(action=Action.ADMIT, **fields))
    assert obey(command(action=Action.ADMIT, performance="p1", identifier=bytes(16)))
