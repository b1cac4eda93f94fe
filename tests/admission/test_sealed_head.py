"""A gate's seal on the head of its journal: it proves what the gate wrote, whoever brings it."""

from hashlib import sha512

import msgspec
import pytest

from admission import journal
from admission.errors import RemoteProtocolError, SignatureError
from admission.sync.messages import Seal
from admission.sync.sealed_head import check_seal, seal
from admission.trust.keys import public_key, sign

SECRET = bytes(range(32))
PUBLIC = public_key(SECRET)
CHAIN = journal.chain(journal.genesis("j"), b"record")


def sealed(sequence: int = 7) -> Seal:
    return seal(lambda text: sign(SECRET, text), "g", "j", sequence, CHAIN)


def test_a_seal_proves_how_the_journal_stood():
    check_seal(sealed(), gate="g", journal="j", public_key=PUBLIC)


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 8},
        {"chain": journal.genesis("j")},
        {"signature": bytes(64)},
    ],
)
def test_a_seal_that_was_altered_proves_nothing(change):
    altered = msgspec.structs.replace(sealed(), **change)
    with pytest.raises(SignatureError):
        check_seal(altered, gate="g", journal="j", public_key=PUBLIC)


def test_a_seal_of_another_key_proves_nothing():
    with pytest.raises(SignatureError):
        check_seal(sealed(), gate="g", journal="j", public_key=public_key(bytes(32)))


@pytest.mark.parametrize(("gate", "journal_id"), [("other", "j"), ("g", "other")])
def test_a_seal_of_another_gate_or_journal_is_refused_as_that(gate, journal_id):
    with pytest.raises(RemoteProtocolError, match="not of"):
        check_seal(sealed(), gate=gate, journal=journal_id, public_key=PUBLIC)


def test_fields_of_a_seal_cannot_be_shifted_into_each_other():
    one = seal(lambda text: sha512(text).digest(), "ab", "c", 1, CHAIN)
    other = seal(lambda text: sha512(text).digest(), "a", "bc", 1, CHAIN)
    assert one.signature != other.signature
