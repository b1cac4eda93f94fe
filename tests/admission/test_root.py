"""The root and its succession: TUF's rules, with `tuf` itself as the judge."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata
from tuf.api.metadata import Root as TufRoot
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from admission.errors import (
    AdmissionError,
    DigestError,
    ListExpiredError,
    ListFormatError,
    RollbackError,
    SignatureError,
)
from admission.trust.envelope import ROOT_TYPE, seal_envelope
from admission.trust.root import (
    Role,
    decode_root,
    encode_root,
    first_root,
    is_replaced,
    next_root,
    require_in_force,
    root_digest,
    signers,
)
from trust_documents import NOW, YEAR, draft_root, private, public, signed_root

half = settings(max_examples=settings.default.max_examples // 2, deadline=None)
TWO_OF_THREE = {Role.ROOT: 2}
FIRST = draft_root(thresholds=TWO_OF_THREE)


# --- where trust begins -----------------------------------------------------------------------


def test_trust_begins_with_the_root_that_was_pinned_and_that_its_own_threshold_signed():
    raw = signed_root(FIRST, 1, 3)
    assert first_root(raw, root_digest(raw)) == FIRST


def test_another_root_than_the_pinned_one_is_refused():
    other = signed_root(draft_root(keys={Role.ROOT: (7,)}), 7)
    with pytest.raises(DigestError):
        first_root(other, root_digest(signed_root(FIRST, 1, 2)))


def test_a_first_root_below_its_own_threshold_is_refused():
    with pytest.raises(SignatureError, match="1 of the 2"):
        first_root(signed_root(FIRST, 1), None)


def test_the_digest_is_the_same_whoever_has_signed_so_far():
    assert root_digest(signed_root(FIRST, 1, 2)) == root_digest(signed_root(FIRST, 3))


def test_one_key_that_signs_twice_counts_once():
    body = encode_root(FIRST)
    doubled = seal_envelope(ROOT_TYPE, body, [private(1), private(1)])
    with pytest.raises(SignatureError):
        first_root(doubled, None)


# --- how one follows another ------------------------------------------------------------------


def test_the_next_root_is_signed_by_the_old_threshold_and_by_its_own():
    second = draft_root(2, {Role.ROOT: (4, 5)}, TWO_OF_THREE)
    assert next_root(FIRST, signed_root(second, 1, 2, 4, 5)) == second


@pytest.mark.parametrize("by", [(4, 5), (1, 4, 5), (1, 2, 4), (1, 2), ()])
def test_a_next_root_that_either_threshold_did_not_sign_is_refused(by):
    second = draft_root(2, {Role.ROOT: (4, 5)}, TWO_OF_THREE)
    with pytest.raises(SignatureError):
        next_root(FIRST, signed_root(second, *by))


@pytest.mark.parametrize("version", [1, 3, 9])
def test_no_version_of_the_root_is_left_out_or_comes_again(version):
    with pytest.raises(RollbackError):
        next_root(FIRST, signed_root(draft_root(version, thresholds=TWO_OF_THREE), 1, 2))


def test_an_expired_root_in_between_is_passed_through_and_the_last_one_is_judged():
    second = draft_root(2, thresholds=TWO_OF_THREE, expires_at=NOW - timedelta(days=400))
    third = draft_root(3, thresholds=TWO_OF_THREE)
    passed = next_root(FIRST, signed_root(second, 1, 2))
    with pytest.raises(ListExpiredError):
        require_in_force(passed, NOW)
    require_in_force(next_root(passed, signed_root(third, 1, 2)), NOW)


def test_a_root_expires_at_its_instant_not_after_it():
    require_in_force(FIRST, FIRST.expires_at - timedelta(microseconds=1))
    with pytest.raises(ListExpiredError):
        require_in_force(FIRST, FIRST.expires_at)


# --- a document that contradicts itself -------------------------------------------------------


def altered(**fields):
    return json.dumps(json.loads(encode_root(FIRST)) | fields).encode()


def roles(**changed):
    return json.loads(encode_root(FIRST))["roles"] | changed


NAMES = [name for name, key in FIRST.keys.items() if key == public(1)]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{}", "required"),
        (b"[]", "root: "),
        (b"\xff", "root: "),
        (altered(version=0), "version"),
        (altered(expires_at="2027-01-01T00:00:00"), "expires_at has no offset"),
        (altered(roles={k: v for k, v in roles().items() if k != "list"}), "list is missing"),
        (altered(roles=roles(janitor={"keys": NAMES, "threshold": 1})), "janitor"),
        (altered(roles=roles(list={"keys": NAMES, "threshold": 1})), "must not sign for list"),
        (altered(roles=roles(root={"keys": NAMES, "threshold": 2})), "needs 2 of 1"),
        (altered(roles=roles(root={"keys": NAMES * 2, "threshold": 1})), "names a key twice"),
        (altered(roles=roles(list={"keys": ["0" * 64], "threshold": 1})), "is not there"),
        (altered(roles=roles(list={"keys": [], "threshold": 1})), "keys"),
        (altered(keys=json.loads(encode_root(FIRST))["keys"] | {"0" * 64: "A" * 43 + "="}),
         "another key than its id says"),
    ],
)  # fmt: skip
def test_a_root_that_contradicts_itself_is_refused_with_the_place_named(body, says):
    with pytest.raises(ListFormatError, match=says):
        decode_root(body)


# --- fast-forward, and what a rotation makes of what was -------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "threshold", "expected"),
    [
        ((10,), (10,), 1, False),
        ((10,), (11,), 1, True),
        ((10,), (10, 11), 1, False),  # the old key still signs: its versions still count
        ((10,), (10, 11), 2, True),  # by itself it cannot any more
        ((10, 11), (11, 12), 1, False),
        ((10, 11), (11, 12), 2, True),
    ],
)
def test_versions_are_forgotten_only_when_the_old_keys_cannot_sign_any_more(
    before, after, threshold, expected
):
    old = draft_root(keys={Role.LIST: before})
    new = draft_root(2, {Role.LIST: after}, {Role.LIST: threshold})
    assert is_replaced(old, new, Role.LIST) is expected
    assert is_replaced(old, new, Role.STATUS) is False


def test_every_role_has_its_own_signers():
    assert signers(FIRST, Role.LIST).keys == (public(10),)
    assert signers(FIRST, Role.ROOT).threshold == 2


# --- tuf as the judge -------------------------------------------------------------------------

# the roles of tuf that ours stand for; enrol and operator have no like there
_TUF = {Role.ROOT: "root", Role.LIST: "targets", Role.STATUS: "timestamp"}


def as_tuf(root, *numbers):
    """Write the same root as tuf does, and sign it with the same keys."""
    made = TufRoot(version=root.version, expires=root.expires_at.replace(tzinfo=UTC, microsecond=0))
    made.consistent_snapshot = True
    known = {public(number): tuf_signer(number) for number in range(1, 50)}
    for role, name in _TUF.items():
        entry = signers(root, role)
        for key in entry.keys:
            made.add_key(known[key].public_key, name)
        made.roles[name].threshold = entry.threshold
    for key in signers(root, Role.LIST).keys:  # manifests play tuf's snapshot
        made.add_key(known[key].public_key, "snapshot")
    metadata = Metadata(made)
    for number in numbers:
        metadata.sign(tuf_signer(number), append=True)
    return metadata.to_bytes()


_made = {}


def tuf_signer(number):
    if number not in _made:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        _made[number] = CryptoSigner(Ed25519PrivateKey.from_private_bytes(private(number)))
    return _made[number]


def tuf_takes(first, second):
    try:
        trusted = TrustedMetadataSet(first, EnvelopeType.METADATA)
        trusted.update_root(second)
    except (RepositoryError, ValueError):
        return False
    return True


def we_take(first, second):
    try:
        next_root(first_root(first, None), second)
    except AdmissionError:
        return False
    return True


some_keys = st.sets(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


@half
@given(data=st.data())
def test_tuf_takes_a_succession_of_roots_exactly_when_we_do(data):
    old, new = data.draw(some_keys), data.draw(some_keys)
    old_threshold = data.draw(st.integers(1, len(old)))
    new_threshold = data.draw(st.integers(1, len(new)))
    version = data.draw(st.sampled_from([1, 2, 2, 2, 3]))
    by_old = data.draw(st.just(old) | some_keys)
    by_new = data.draw(st.just(tuple({*old, *new})) | some_keys)  # often enough to be taken
    first = draft_root(1, {Role.ROOT: old}, {Role.ROOT: old_threshold})
    second = draft_root(version, {Role.ROOT: new}, {Role.ROOT: new_threshold})
    theirs = tuf_takes(as_tuf(first, *by_old), as_tuf(second, *by_new))
    assert we_take(signed_root(first, *by_old), signed_root(second, *by_new)) is theirs


def test_tuf_takes_an_ordinary_rotation_as_we_do():
    first, second = FIRST, draft_root(2, {Role.ROOT: (4, 5), Role.LIST: (11,)}, TWO_OF_THREE)
    assert tuf_takes(as_tuf(first, 1, 2), as_tuf(second, 1, 2, 4, 5))
    assert we_take(signed_root(first, 1, 2), signed_root(second, 1, 2, 4, 5))


def test_tuf_judges_expiry_of_the_last_root_as_we_do():
    past = datetime(2020, 1, 1, tzinfo=UTC)
    expired = draft_root(2, thresholds=TWO_OF_THREE, expires_at=past)
    trusted = TrustedMetadataSet(as_tuf(FIRST, 1, 2), EnvelopeType.METADATA)
    trusted.update_root(as_tuf(expired, 1, 2))  # taken on the way, like ours
    assert next_root(FIRST, signed_root(expired, 1, 2)) == expired
    assert trusted.root.is_expired(NOW)
    with pytest.raises(ListExpiredError):
        require_in_force(expired, NOW + YEAR)
