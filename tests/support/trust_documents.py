"""Keys and documents of a chain of trust, for tests: every key is made of one small number."""

from datetime import UTC, datetime, timedelta

from admission.trust.envelope import ROOT_TYPE, add_signature, seal_envelope
from admission.trust.keys import public_key
from admission.trust.root import Role, encode_root, make_root

NOW = datetime(2026, 11, 25, 19, 30, tzinfo=UTC)
YEAR = timedelta(days=365)


def private(number):
    """Give the private key that a number stands for."""
    return number.to_bytes(32, "big")


def public(number):
    """Give the public half of it."""
    return public_key(private(number))


ORDINARY = {Role.ROOT: (1, 2, 3), Role.LIST: (10,), Role.STATUS: (20,), Role.ENROL: (30,),
            Role.OPERATOR: (40,)}  # fmt: skip


def draft_root(version=1, keys=None, thresholds=None, expires_at=NOW + YEAR):
    """Draft a root; keys are named by their numbers."""
    named = ORDINARY | (keys or {})
    return make_root(
        version=version,
        organization="Théâtre du Port",
        issued_at=NOW - timedelta(days=1),
        expires_at=expires_at,
        keys={role: tuple(map(public, numbers)) for role, numbers in named.items()},
        thresholds=thresholds or {},
    )


def signed_root(root, *numbers):
    """Sign a root with some keys."""
    raw = seal_envelope(ROOT_TYPE, encode_root(root), [])
    for number in numbers:
        raw = add_signature(raw, ROOT_TYPE, private(number))
    return raw
