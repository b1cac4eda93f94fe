"""Codes that change with time: the pattern's form, the values of RFC 6238, the keys."""

import hmac
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from admission.proof.rotation import Rotation, rotation_keys, totp

SECONDS = Rotation("{number}-{totp_timestamp_seconds}-{totp_value_0}", 30_000, (8,))
MILLIS = Rotation("T:{totp_value_1}{totp_timestamp_millis}/{number}:{totp_value_0}", 3_000, (6, 4))
RFC_KEY = b"12345678901234567890"


@pytest.mark.parametrize(  # appendix B of RFC 6238
    ("at", "value"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_values_are_those_of_the_rfc(at, value):
    assert totp(RFC_KEY, at // 30, 8) == value


@pytest.mark.parametrize(  # appendix D of RFC 4226
    ("count", "value"), [(0, "755224"), (1, "287082"), (5, "254676"), (9, "520489")]
)
def test_six_digits_are_those_of_the_rfc(count, value):
    assert totp(RFC_KEY, count, 6) == value


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
def test_keys_are_derived_from_the_list_key_and_differ_by_value(list_key, identifier):
    root = HKDF(SHA256(), 32, None, b"portillon-rotation-1").derive(list_key)
    first, second = rotation_keys(list_key, identifier, 2)
    assert first == hmac.digest(root, identifier, "sha256")[:20]
    assert second == hmac.digest(root, identifier + b"\x01", "sha256")[:20]


def test_a_code_is_read_by_its_pattern():
    code = SECONDS.read("ABC-12-1784000000-12345678")
    assert (code.number, code.values) == ("ABC-12", ("12345678",))
    assert (code.at_ms, code.last_ms) == (1784000000000, 1784000000999)


def test_a_code_with_two_values_and_milliseconds_is_read_by_its_pattern():
    code = MILLIS.read("T:43211784000000123/A/B:1:123456")
    assert (code.number, code.values) == ("A/B:1", ("123456", "4321"))
    assert code.at_ms == code.last_ms == 1784000000123


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_whatever_number_is_filled_in_is_read_again(number):
    if "{" in number or "}" in number:
        with pytest.raises(ValueError, match="braces"):
            SECONDS.fill(number)
        return
    filled = MILLIS.fill(number)
    shown = (
        filled.replace("{totp_timestamp_millis}", "1784000000123")
        .replace("{totp_value_0}", "000001")
        .replace("{totp_value_1}", "0002")
    )
    assert MILLIS.read(shown).number == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ABC",
        "-1784000000-12345678",
        "ABC-178400000-12345678",
        "ABC-1784000000-1234567",
        "ABC-1784000000-123456789x",
        "ABC-1784000000-1234567x",
        "ABC-17840000٣٣-12345678",
        "ABC_1784000000-12345678",
        "A" * 600 + "-1784000000-12345678",
    ],
)
def test_what_does_not_have_the_patterns_form_is_none(text):
    assert SECONDS.read(text) is None


@given(st.text(max_size=300))
def test_any_text_is_a_code_or_none(text):
    SECONDS.read(text)
    MILLIS.read(text)


def _shown(rotation, keys, at_ms):
    step = at_ms // rotation.period_ms
    shown = rotation.fill("N1").replace("{totp_timestamp_seconds}", str(at_ms // 1000))
    shown = shown.replace("{totp_timestamp_millis}", str(at_ms))
    for place, (key, digits) in enumerate(zip(keys, rotation.lengths, strict=True)):
        shown = shown.replace(f"{{totp_value_{place}}}", totp(key, step, digits))
    return rotation.read(shown)


@given(st.integers(1_000_000_000_000, 9_000_000_000_000), st.integers(1_000, 90_000))
def test_a_code_of_any_moment_and_period_proves_its_step(at_ms, period_ms):
    keys = rotation_keys(bytes(32), bytes(16), 2)
    for pattern, lengths in ((SECONDS.pattern, (8,)), (MILLIS.pattern, (6, 4))):
        rotation = Rotation(pattern, period_ms, lengths)
        step = rotation.proven_step(
            _shown(rotation, keys[: len(lengths)], at_ms), keys[: len(lengths)]
        )
        assert step == at_ms // period_ms


def test_a_wrong_value_proves_nothing():
    keys = rotation_keys(bytes(32), bytes(16), 1)
    others = rotation_keys(bytes(32), bytes([1] * 16), 1)
    code = _shown(SECONDS, keys, 1_784_000_000_000)
    assert SECONDS.proven_step(code, keys) == 1_784_000_000_000 // 30_000
    assert SECONDS.proven_step(code, others) is None


def test_each_of_several_values_has_to_fit():
    keys = rotation_keys(bytes(32), bytes(16), 2)
    code = _shown(MILLIS, keys, 1_784_000_000_000)
    assert MILLIS.proven_step(code, keys) is not None
    assert MILLIS.proven_step(code, (keys[0], bytes(20))) is None
    assert MILLIS.proven_step(code, (bytes(20), keys[1])) is None


def test_a_step_counts_for_a_period_before_and_after_its_own():
    start, end = SECONDS.window(100)
    assert start == datetime.fromtimestamp(99 * 30, UTC)
    assert end - start == timedelta(seconds=90)


@pytest.mark.parametrize(
    ("pattern", "lengths", "period_ms", "problem"),
    [
        ("{totp_timestamp_seconds}{totp_value_0}", (8,), 30_000, "number"),
        ("{number}{number}{totp_timestamp_seconds}{totp_value_0}", (8,), 30_000, "number"),
        ("{number}{totp_value_0}", (8,), 30_000, "timestamp"),
        (
            "{number}{totp_timestamp_seconds}{totp_timestamp_millis}{totp_value_0}",
            (8,),
            30_000,
            "one of",
        ),
        ("{number}{totp_timestamp_seconds}", (8,), 30_000, "totp_value_0"),
        ("{number}{totp_timestamp_seconds}{totp_value_1}", (8,), 30_000, "totp_value_0"),
        ("{number}{totp_timestamp_seconds}{totp_value_0}{x}", (8,), 30_000, "totp_value_0"),
        ("{number}{totp_timestamp_seconds}{totp_value_0}{", (8,), 30_000, "braces"),
        (" {number}{totp_timestamp_seconds}{totp_value_0}", (8,), 30_000, "space"),
        ("{number}\n{totp_timestamp_seconds}{totp_value_0}", (8,), 30_000, "printable"),
        ("{number}{totp_timestamp_seconds}{totp_value_0}" + "x" * 200, (8,), 30_000, "printable"),
        (SECONDS.pattern, (5,), 30_000, "in all"),
        (SECONDS.pattern, (9,), 30_000, "1 to 8"),
        (SECONDS.pattern, (), 30_000, "1 to 4"),
        (SECONDS.pattern, (8,), 999, "period_ms"),
        (SECONDS.pattern, (8,), 10**9, "period_ms"),
    ],
)
def test_a_pattern_that_could_not_be_read_is_refused(pattern, lengths, period_ms, problem):
    with pytest.raises(ValueError, match=problem):
        Rotation(pattern, period_ms, lengths)
