"""How inputs are altered: bytes at random, and the fields of JSON and msgpack documents.

Random bytes seldom stay a document: so every other alteration of one changes a field of it.
Without atheris this is all there is. The same inputs for the same seed.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

_EDGES: Final = (b"\0", b"\xff", b"\x7f\xff", b"\x80\0", b"\xff" * 8, b"\0" * 8, b"9" * 30, b'"')
LENGTH_MAX: Final = 8_192
JSON: Final = frozenset({"manifest", "root", "status", "certificate", "command", "assignment"})
MSGPACK: Final = frozenset({"protocol", "record"})
_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    1 << 62,
    (1 << 63) - 1,
    -(1 << 63),
    (1 << 64) - 1,
    1e308,
    "",
    "x" * 201,
    "\u202e\0\x1b[0m",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "2026-06-01T18:00:00",
    "../../etc/passwd",
    "UTC",
    "%s{0}",
    "f" * 64,
    [],
    {},
    [[[[[[]]]]]],
)


def mutations(corpus: Sequence[bytes], target: str, chance: random.Random) -> Iterator[bytes]:
    """Give altered inputs without end.

    Args:
        corpus: at least one input.
        target: whose it is.
        chance: seeded by the caller.
    """
    while True:
        data = chance.choice(corpus)
        for _ in range(1 << chance.randrange(4)):
            data = mutated(data, corpus, target, chance)
        yield data[:LENGTH_MAX]


def mutated(data: bytes, corpus: Sequence[bytes], target: str, chance: random.Random) -> bytes:
    """Alter an input in one place."""
    if target in JSON | MSGPACK and chance.random() < 0.5:
        head, form = (data[:1], data[1:]) if target == "protocol" else (b"", data)
        codec: Any = msgspec.json if target in JSON else msgspec.msgpack
        try:
            return head + codec.encode(_refilled(codec.decode(form), chance))
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, TypeError):
            pass  # no document any more: bytes will do
    return bytes(_altered(bytearray(data), corpus, chance))


def _refilled(document: Any, chance: random.Random) -> Any:
    """Give a document with one of its fields changed, doubled or gone, somewhere inside."""
    if isinstance(document, dict) and document and chance.random() < 0.9:
        key = chance.choice(sorted(document, key=repr))
        changed = dict(document)
        if chance.random() < 0.15:
            del changed[key]
        else:
            changed[key] = _refilled(document[key], chance)
        return changed
    if isinstance(document, list) and document and chance.random() < 0.9:
        place = chance.randrange(len(document))
        changed = list(document)
        if chance.random() < 0.3:
            changed[place:place] = [document[place]] * chance.choice((1, 2, 70))
        else:
            changed[place] = _refilled(document[place], chance)
        return changed
    if isinstance(document, int) and not isinstance(document, bool) and chance.random() < 0.5:
        return document + chance.choice((-1, 1, 2, 256))
    return chance.choice(_VALUES)


def _altered(data: bytearray, corpus: Sequence[bytes], chance: random.Random) -> bytearray:
    at = chance.randrange(len(data) + 1)
    length = chance.randrange(1, 17)
    match chance.randrange(7):
        case 0 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 1 if at < len(data):
            data[at] = chance.randrange(256)
        case 2:
            del data[at : at + length]
        case 3:
            data[at:at] = data[at : at + length] * chance.randrange(1, 4)
        case 4:
            data[at : at + length] = chance.choice(_EDGES)
        case 5:
            data[at:at] = chance.randbytes(length)
        case _:
            other = chance.choice(corpus)
            data[at:] = other[chance.randrange(len(other) + 1) :]
    return data
