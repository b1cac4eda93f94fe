"""The signed envelope: DSSE to the letter, and nothing but a refusal for anything else."""

import base64
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from admission.errors import ListFormatError, SignatureError
from admission.limits import ENVELOPE_BYTES_MAX
from admission.trust.envelope import (
    ASSIGNMENT_TYPE,
    MANIFEST_TYPE,
    open_envelope,
    pre_authentication_encoding,
    seal_envelope,
)
from admission.trust.keys import key_id, public_key, sign, verify

half = settings(max_examples=settings.default.max_examples // 2)  # of what the profile says

KEYS = [bytes([number] * 32) for number in range(1, 5)]
PUBLIC = [public_key(key) for key in KEYS]
BODY = b'{"list":"of tickets"}'
RAW = seal_envelope(MANIFEST_TYPE, BODY, KEYS[:1])


def opened(raw, trusted=tuple(PUBLIC[:1]), threshold=1):
    return open_envelope(raw, MANIFEST_TYPE, trusted, threshold)


def with_fields(**fields):
    return json.dumps(json.loads(RAW) | fields).encode()


# --- the specification ------------------------------------------------------------------------


def test_the_encoding_is_that_of_the_specifications_example():
    assert pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_are_counted_in_bytes():
    assert pre_authentication_encoding("é", "œuf".encode()) == b"DSSEv1 2 \xc3\xa9 4 \xc5\x93uf"
    assert pre_authentication_encoding("", b"") == b"DSSEv1 0  0 "


@half
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.binary(max_size=60))
def test_the_encoding_is_that_of_securesystemslib(kind, body):
    assert pre_authentication_encoding(kind, body) == Envelope(body, kind, {}).pae()


def test_an_envelope_of_ours_is_verified_by_securesystemslib():
    raw = seal_envelope(MANIFEST_TYPE, BODY, KEYS[:2])
    theirs = Envelope.from_dict(json.loads(raw))
    keys = [
        SSlibKey(key_id(public), "ed25519", "ed25519", {"public": public.hex()})
        for public in PUBLIC[:2]
    ]
    assert theirs.payload == BODY
    assert set(theirs.verify(keys, threshold=2)) == {key.keyid for key in keys}


def test_an_envelope_of_securesystemslib_is_opened():
    theirs = Envelope(BODY, MANIFEST_TYPE, {})
    document = theirs.to_dict()
    signature = base64.b64encode(sign(KEYS[0], theirs.pae())).decode()
    document["signatures"] = [{"keyid": "whatever", "sig": signature}]
    assert opened(json.dumps(document, indent=2).encode()) == BODY


def test_signatures_are_those_of_rfc_8032():
    private = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert public_key(private) == public
    assert sign(private, b"\x72") == signature
    verify(public, signature, b"\x72")


# --- what is signed ---------------------------------------------------------------------------


def test_what_was_sealed_is_opened():
    assert opened(RAW) == BODY


def test_one_kind_of_document_is_never_taken_for_another():
    with pytest.raises(ListFormatError, match=r"expected a .*assignment.* got .*manifest"):
        open_envelope(RAW, ASSIGNMENT_TYPE, PUBLIC[:1])
    renamed = with_fields(payloadType=ASSIGNMENT_TYPE)
    with pytest.raises(SignatureError):
        open_envelope(renamed, ASSIGNMENT_TYPE, PUBLIC[:1])


def test_another_body_under_the_same_signature_is_refused():
    with pytest.raises(SignatureError):
        opened(with_fields(payload=base64.b64encode(BODY + b" ").decode()))


def test_the_name_of_a_key_is_only_a_hint():
    signature = json.loads(RAW)["signatures"][0]["sig"]
    for name in ({}, {"keyid": ""}, {"keyid": "another"}):
        assert opened(with_fields(signatures=[{"sig": signature, **name}])) == BODY
    stranger = json.loads(seal_envelope(MANIFEST_TYPE, BODY, KEYS[1:2]))["signatures"][0]["sig"]
    with pytest.raises(SignatureError):
        opened(with_fields(signatures=[{"sig": stranger, "keyid": key_id(PUBLIC[0])}]))


def test_the_threshold_counts_different_trusted_keys():
    two = seal_envelope(MANIFEST_TYPE, BODY, [KEYS[0], KEYS[1]])
    assert opened(two, PUBLIC[:3], 2) == BODY
    with pytest.raises(SignatureError, match="by 2 of the 3"):
        opened(two, PUBLIC[:3], 3)
    twice = seal_envelope(MANIFEST_TYPE, BODY, [KEYS[0], KEYS[0]])
    with pytest.raises(SignatureError, match="by 1 of the 2"):
        opened(twice, [*PUBLIC[:3], *PUBLIC[:3]], 2)


def test_a_trusted_signature_counts_among_those_of_strangers():
    raw = seal_envelope(MANIFEST_TYPE, BODY, [KEYS[2], KEYS[3], KEYS[0]])
    assert opened(raw) == BODY


def test_an_envelope_without_signatures_is_signed_by_nobody():
    with pytest.raises(SignatureError):
        opened(with_fields(signatures=[]))


def test_a_trusted_key_that_is_no_key_verifies_nothing():
    with pytest.raises(SignatureError):
        opened(RAW, [b"", b"short", bytes(32)])


# --- caps and hostile bytes -------------------------------------------------------------------


def test_an_envelope_is_capped_before_it_is_parsed():
    room = b" " * (ENVELOPE_BYTES_MAX - len(RAW))
    assert opened(RAW + room) == BODY
    with pytest.raises(ListFormatError, match="is over"):
        opened(RAW + room + b" ")


def test_signatures_are_capped():
    signature = {"sig": base64.b64encode(bytes(64)).decode(), "keyid": ""}
    with pytest.raises(ListFormatError, match="9 signatures are too many"):
        opened(with_fields(signatures=[signature] * 9))


def test_nothing_over_the_caps_is_sealed():
    with pytest.raises(ValueError, match="too large"):
        seal_envelope(MANIFEST_TYPE, bytes(ENVELOPE_BYTES_MAX), KEYS[:1])
    with pytest.raises(ValueError, match="9 signatures"):
        seal_envelope(MANIFEST_TYPE, BODY, [KEYS[0]] * 9)


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("payload", "payloadType", "signatures", "sig", "keyid")),
            inner,
            max_size=5,
        )
    ),
    max_leaves=8,
).map(lambda document: json.dumps(document).encode())


@half
@given(st.binary(max_size=100) | documents)
@example(b"")
@example(b"\xff\xfe")
@example(b'{"payload":"","payloadType":"\xff\xff","signatures":[]}')
@example(b'{"payload":"","payloadType":"\\ud800","signatures":[]}')
@example(b"[" * 60_000)
@example(b'{"a":' + b"[" * 60_000)
@example(b'{"payload":' * 5_000)
@example(b'{"payload":"YQ=","payloadType":"x","signatures":[]}')
def test_hostile_bytes_are_no_envelope(raw):
    with pytest.raises((ListFormatError, SignatureError)):
        opened(raw)


@pytest.mark.parametrize("signature", ["", "!!!!", "YQ==", base64.b64encode(bytes(65)).decode()])
def test_what_is_no_signature_does_not_fit(signature):
    with pytest.raises((ListFormatError, SignatureError)):
        opened(with_fields(signatures=[{"sig": signature}]))
