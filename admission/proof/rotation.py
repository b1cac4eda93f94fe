"""Codes that change with time, in the pattern that Google Wallet fills in on the phone.

A performance has one pattern, such as `{number}-{totp_timestamp_seconds}-{totp_value_0}`; whoever
makes the passes puts each ticket's own number in the place of `{number}`, the phone does the rest,
by RFC 6238 with SHA-1 and without a network. The keys are derived from the list key and the
ticket's identifier, so that a gate knows them all and stores none. A code proves by itself for
which step of time it was made; whether that is now is for the rules to judge.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from admission.limits import NUMBER_CODE_POINTS_MAX

KEY_BYTES: Final = 20  # what RFC 6238 asks of SHA-1
PERIOD_MS_MIN: Final = 1_000
PERIOD_MS_MAX: Final = 24 * 3600 * 1000
PATTERN_CHARACTERS_MAX: Final = 200
DIGITS_MAX: Final = 8  # of one value
DIGITS_IN_ALL_MIN: Final = 6  # fewer could be guessed at the gate
VALUES_MAX: Final = 4
STEPS_OF_GRACE: Final = 1  # phones' clocks are good, but people walk on with a code in view
_ROTATION_LABEL: Final = b"portillon-rotation-1"
_NUMBER: Final = "number"
_MILLIS: Final = "totp_timestamp_millis"
_SECONDS: Final = "totp_timestamp_seconds"
_WIDTHS: Final = {_MILLIS: 13, _SECONDS: 10}  # digits, from 2001 to 2286
_PLACEHOLDER: Final = re.compile(r"\{([a-z0-9_]*)\}")
_VALUE: Final = re.compile(r"totp_value_([0-9])")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RotatingCode:
    """What was read by a pattern; nothing of it is proven yet.

    Attributes:
        number: that it names.
        at_ms: first millisecond that its timestamp may mean.
        last_ms: last one.
        values: the values, in the order of their indexes.
    """

    number: str
    at_ms: int
    last_ms: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rotation:
    """A performance's pattern, as parts: literal text, and placeholders with their width.

    Attributes:
        pattern: the whole of it.
        period_ms: how long a value stands.
        lengths: digits of each value.
        allows_static: whether the number alone is accepted at an entry as well.
    """

    pattern: str
    period_ms: int
    lengths: tuple[int, ...]
    allows_static: bool = False

    def __post_init__(self) -> None:
        if not PERIOD_MS_MIN <= self.period_ms <= PERIOD_MS_MAX:
            raise ValueError(f"period_ms must be {PERIOD_MS_MIN} to {PERIOD_MS_MAX}")
        if not 1 <= len(self.lengths) <= VALUES_MAX:
            raise ValueError(f"1 to {VALUES_MAX} values are needed")
        if any(not 1 <= length <= DIGITS_MAX for length in self.lengths):
            raise ValueError(f"a value has 1 to {DIGITS_MAX} digits")
        if sum(self.lengths) < DIGITS_IN_ALL_MIN:
            raise ValueError(f"the values have at least {DIGITS_IN_ALL_MIN} digits in all")
        _check_pattern(self.pattern, len(self.lengths))

    def read(self, text: str) -> RotatingCode | None:
        """Read a text by the pattern; None where it does not have its form."""
        before, after = self.pattern.split("{" + _NUMBER + "}")
        found: dict[str, str] = {}
        rest = self._take(before, text, found)
        if rest is None:
            return None
        width = sum(len(literal) + width for literal, _, width in _parts(after, self.lengths))
        number, tail = rest[: len(rest) - width], rest[len(rest) - width :]
        if not 0 < len(number) <= NUMBER_CODE_POINTS_MAX or self._take(after, tail, found) != "":
            return None
        is_exact = _MILLIS in found
        at_ms = int(found[_MILLIS]) if is_exact else 1000 * int(found[_SECONDS])
        values = tuple(found[f"totp_value_{place}"] for place in range(len(self.lengths)))
        return RotatingCode(number, at_ms, at_ms if is_exact else at_ms + 999, values)

    def fill(self, number: str) -> str:
        """Give the pattern of one ticket: what the phone's wallet is handed.

        Raises:
            ValueError: if the number would be taken for a placeholder.
        """
        if "{" in number or "}" in number:
            raise ValueError("a number with braces cannot stand in a pattern")
        return self.pattern.replace("{" + _NUMBER + "}", number)

    def proven_step(self, code: RotatingCode, keys: Sequence[bytes]) -> int | None:
        """Give the step of time that a code's values are those of, or None where they are none.

        Args:
            code: as read by this pattern.
            keys: one for each value.
        """
        for step in range(code.at_ms // self.period_ms, code.last_ms // self.period_ms + 1):
            if all(
                hmac.compare_digest(value, totp(key, step, len(value)))
                for key, value in zip(keys, code.values, strict=True)
            ):
                return step
        return None

    def window(self, step: int) -> tuple[datetime, datetime]:
        """Give from when until when a step's code is taken: a period around its own."""
        first = (step - STEPS_OF_GRACE) * self.period_ms
        last = (step + 1 + STEPS_OF_GRACE) * self.period_ms
        return _EPOCH + timedelta(milliseconds=first), _EPOCH + timedelta(milliseconds=last)

    def _take(self, pattern: str, text: str, found: dict[str, str]) -> str | None:
        """Take a part of the pattern off a text's front; give what is left."""
        for literal, name, width in _parts(pattern, self.lengths):
            if not text.startswith(literal):
                return None
            digits, text = text[len(literal) :][:width], text[len(literal) + width :]
            if len(digits) != width or (width and not (digits.isascii() and digits.isdigit())):
                return None
            if name:
                found[name] = digits
        return text


@lru_cache(maxsize=256)
def _parts(pattern: str, lengths: tuple[int, ...]) -> tuple[tuple[str, str, int], ...]:
    """Give literal text, and the placeholder behind it with its width ("", 0 at the end)."""
    pieces = _PLACEHOLDER.split(pattern)
    names = [*pieces[1::2], ""]
    return tuple(
        (literal, name, _width(name, lengths))
        for literal, name in zip(pieces[::2], names, strict=True)
    )


def _width(name: str, lengths: tuple[int, ...]) -> int:
    value = _VALUE.fullmatch(name)
    return lengths[int(value[1])] if value else _WIDTHS.get(name, 0)


def rotation_keys(list_key: bytes, identifier: bytes, count: int) -> tuple[bytes, ...]:
    """Give the keys of one ticket's values, KEY_BYTES each.

    The rotation key is HKDF-SHA256 (RFC 5869) of the list key, without salt, under a label of its
    own; a ticket's first key is HMAC-SHA256 of it over the identifier, cut, and each further one
    that over the identifier and its index.
    """
    extracted = hmac.digest(bytes(32), list_key, "sha256")
    rotation_key = hmac.digest(extracted, _ROTATION_LABEL + b"\x01", "sha256")
    inputs = (identifier, *(identifier + bytes([place]) for place in range(1, count)))
    return tuple(hmac.digest(rotation_key, one, "sha256")[:KEY_BYTES] for one in inputs)


def totp(key: bytes, step: int, digits: int) -> str:
    """Give the value of a step of time: RFC 6238 over RFC 4226, SHA-1."""
    digest = hmac.digest(key, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def _check_pattern(pattern: str, values: int) -> None:
    if len(pattern) > PATTERN_CHARACTERS_MAX or not pattern.isprintable():
        raise ValueError(f"a pattern is at most {PATTERN_CHARACTERS_MAX} printable characters")
    if pattern != pattern.strip():
        raise ValueError("a pattern neither begins nor ends with a space")
    names = _PLACEHOLDER.findall(pattern)
    if "{" in _PLACEHOLDER.sub("", pattern) or "}" in _PLACEHOLDER.sub("", pattern):
        raise ValueError("a pattern has no braces but those of its placeholders")
    if names.count(_NUMBER) != 1:
        raise ValueError("a pattern has {number} once")
    if names.count(_MILLIS) + names.count(_SECONDS) != 1:
        raise ValueError("a pattern has one of {totp_timestamp_millis}, {totp_timestamp_seconds}")
    wanted = {f"totp_value_{place}" for place in range(values)}
    others = [name for name in names if name not in (_NUMBER, _MILLIS, _SECONDS)]
    if len(others) != values or set(others) != wanted:
        raise ValueError(f"a pattern has {{totp_value_0}} to {{totp_value_{values - 1}}} once each")
