"""What it takes to recognise tickets that prove themselves, beside one bare Ed25519 verification.

All rows in one run, interleaved round by round, the best round of each; every text is another one,
so that nothing is remembered. Junk of the right look is what a flood would bring.

Usage: python benchmarks/self_proving.py [--texts N] [--rounds N]
"""

import argparse
import base64
import platform
import time
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from admission.proof.compact import CompactTicket, number_of, write_ticket
from admission.proof.proving import ClassCode, Issuer, IssuerFormat, Proofs
from admission.proof.rotation import Rotation, rotation_keys, totp
from admission.ticket import Single, TicketClass
from admission.ticketlist.identifiers import identify

PERFORMANCE = "0198f0a0-0000-7000-8000-000000000001"
LIST_KEY = b"k" * 32
KEY = bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(KEY).public_key().public_bytes_raw()
ONCE = TicketClass("standard", Single())
ROTATION = Rotation("{number}-{totp_timestamp_millis}-{totp_value_0}", 30_000, (8,))
AT_MS = 1_784_000_000_000


def pretix_text(place: int) -> str:
    payload = b"\x0a\x09" + f"{place:09d}".encode() + b"\x10\x01\x28\x00\x30\x00"
    signature = Ed25519PrivateKey.from_private_bytes(KEY).sign(payload)
    head = b"\x01" + len(payload).to_bytes(2, "big") + b"\x00\x40"
    return base64.b64encode(head + payload + signature).decode()[::-1]


def compact_text(place: int) -> str:
    return write_ticket(KEY, PERFORMANCE, CompactTicket(number_of(place.to_bytes(10, "big")), 1))


def rotating_text(place: int) -> str:
    number = f"N{place:09d}"
    (key,) = rotation_keys(LIST_KEY, identify(LIST_KEY, number), 1)
    return f"{number}-{AT_MS}-{totp(key, AT_MS // ROTATION.period_ms, 8)}"


def spoilt(text: str) -> str:
    middle = len(text) // 2
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]


def timed(call: Callable[[str], object], texts: Sequence[str]) -> float:
    """Give microseconds for each text."""
    begun = time.perf_counter_ns()
    for text in texts:
        call(text)
    return (time.perf_counter_ns() - begun) / len(texts) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    issuers = [
        Issuer(IssuerFormat.COMPACT, PUBLIC, {ClassCode(1): ONCE}),
        Issuer(IssuerFormat.PRETIX, PUBLIC, {ClassCode(1): ONCE}),
    ]
    signed = Proofs(PERFORMANCE, issuers, None, LIST_KEY, identify)
    rotating = Proofs(PERFORMANCE, [], ROTATION, LIST_KEY, identify)
    message = b"m" * 100
    signature = Ed25519PrivateKey.from_private_bytes(KEY).sign(message)

    def bare(_: str) -> None:
        Ed25519PublicKey.from_public_bytes(PUBLIC).verify(signature, message)

    def present(proofs: Proofs) -> Callable[[str], object]:
        return lambda text: proofs.present(text, lambda _: False)

    numbers = [f"N{place:09d}" for place in range(options.texts)]
    compact = [compact_text(place) for place in range(options.texts)]
    pretix = [pretix_text(place) for place in range(options.texts)]
    rows: list[tuple[str, Callable[[str], object], Sequence[str]]] = [
        ("one bare Ed25519 verification", bare, numbers),
        ("our own ticket, proven", present(signed), compact),
        ("pretix_sig1, proven", present(signed), pretix),
        ("our own ticket, forged", present(signed), [spoilt(text) for text in compact]),
        ("pretix_sig1, forged", present(signed), [spoilt(text) for text in pretix]),
        ("junk that begins like ours", present(signed), ["PT1" + ":" * 119] * options.texts),
        ("junk that ends like pretix's", present(signed), ["!" * 122 + "QA"] * options.texts),
        ("an ordinary number", present(signed), numbers),
        (
            "a rotating code, proven",
            present(rotating),
            [rotating_text(n) for n in range(options.texts)],
        ),
        ("an ordinary number where codes rotate", present(rotating), numbers),
    ]
    measured: dict[str, list[float]] = {name: [] for name, _, _ in rows}
    for _ in range(options.rounds):
        for name, call, texts in rows:
            measured[name].append(timed(call, texts))
    print(
        f"{platform.machine()}, Python {platform.python_version()}, {options.texts} texts a round"
    )
    unit = min(measured[rows[0][0]])
    print("| what | µs | of a bare verification |\n| --- | --- | --- |")
    for name, _, _ in rows:
        best = min(measured[name])
        print(f"| {name} | {best:.1f} | {best / unit:.2f} |")


if __name__ == "__main__":
    main()
