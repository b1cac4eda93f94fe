"""Base 45 (RFC 9285): bytes as the characters that a QR code packs tightest, 5.5 bits each.

Strict: every text of the alphabet stands for one sequence of bytes or for none, and every sequence
has one text. No such text ends in a space, so that stripping a scan never harms it.
"""

from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_BASE: Final = len(ALPHABET)
_VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}


def encode(data: bytes) -> str:
    """Write bytes as text: three characters for two bytes, two for a last single one."""
    parts = []
    for place in range(0, len(data) - 1, 2):
        high, low = divmod(data[place] << 8 | data[place + 1], _BASE * _BASE)
        parts.append(ALPHABET[low % _BASE] + ALPHABET[low // _BASE] + ALPHABET[high])
    if len(data) % 2:
        parts.append(ALPHABET[data[-1] % _BASE] + ALPHABET[data[-1] // _BASE])
    return "".join(parts)


def decode(text: str) -> bytes | None:
    """Read what `encode` writes; None for any other text."""
    if len(text) % 3 == 1:
        return None
    try:
        values = [_VALUES[character] for character in text]
    except KeyError:
        return None
    decoded = bytearray()
    whole = len(values) - len(values) % 3
    for place in range(0, whole, 3):
        pair = values[place] + _BASE * (values[place + 1] + _BASE * values[place + 2])
        if pair > 0xFFFF:
            return None
        decoded += pair.to_bytes(2, "big")
    if whole < len(values):
        single = values[whole] + _BASE * values[whole + 1]
        if single > 0xFF:
            return None
        decoded.append(single)
    return bytes(decoded)
