"""The key ceremony: drafting roots, signing them, and the first root of a server by itself.

Called by `main` at the set-up and by `portillon trust`. Drafts and signatures need no server and no
network: they are files that people carry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from admission.errors import AdmissionError
from admission.trust.envelope import (
    ROOT_TYPE,
    add_signature,
    seal_envelope,
    signers_of,
    unverified_body,
)
from admission.trust.keys import key_id
from admission.trust.root import Role, Root, decode_root, encode_root, make_root, signers
from sync_server.errors import ConflictError, InvalidError

ROOT_LIFE: Final = timedelta(days=730)
RENEW_BEFORE: Final = timedelta(days=180)  # a root that the server can sign itself never runs out


@dataclass(frozen=True, slots=True)
class RootChange:
    """What the next root says otherwise than the one before.

    Attributes:
        keys: all public keys that a role has from now on, by role; others keep theirs.
        thresholds: likewise.
    """

    keys: Mapping[Role, tuple[bytes, ...]] = field(default_factory=dict)
    thresholds: Mapping[Role, int] = field(default_factory=dict)


def draft_first(organization: str, keys: Mapping[Role, bytes], now: datetime) -> bytes:
    """Draft the first root of a server: one key for each role. Unsigned."""
    root = make_root(
        version=1,
        organization=organization,
        issued_at=now,
        expires_at=now + ROOT_LIFE,
        keys={role: (key,) for role, key in keys.items()},
        thresholds={},
    )
    return seal_envelope(ROOT_TYPE, encode_root(root), [])


def draft_next(current: Root, change: RootChange, now: datetime, life: timedelta) -> bytes:
    """Draft the root that follows. Unsigned.

    Args:
        current: the newest root.
        change: what is other.
        now: aware.
        life: how long it is good.

    Raises:
        InvalidError: if it would contradict itself: a threshold over its keys, say.
    """
    try:
        root = make_root(
            version=current.version + 1,
            organization=current.organization,
            issued_at=now,
            expires_at=now + life,
            keys={role: change.keys.get(role, signers(current, role).keys) for role in Role},
            thresholds={
                role: change.thresholds.get(role, current.roles[role].threshold) for role in Role
            },
        )
    except AdmissionError as exc:
        raise InvalidError("root", str(exc)) from exc
    return seal_envelope(ROOT_TYPE, encode_root(root), [])


def read_draft(raw: bytes) -> Root:
    """Give what a root says, without believing it.

    Raises:
        InvalidError: if the bytes are no root.
    """
    try:
        return decode_root(unverified_body(raw, ROOT_TYPE))
    except AdmissionError as exc:
        raise InvalidError("root", str(exc)) from exc


def sign_draft(raw: bytes, private_key: bytes, public: bytes, current: Root | None) -> bytes:
    """Add a signature to a root.

    Args:
        raw: the draft, with the signatures that it has.
        private_key: of a root role.
        public: its public half.
        current: the root before, where it is at hand: its root keys must sign, too.

    Raises:
        ConflictError: if neither root names the key for the role root.
        InvalidError: if the bytes are no root.
    """
    wanted = signers(read_draft(raw), Role.ROOT).keys
    if current is not None:
        wanted += signers(current, Role.ROOT).keys
    if public not in wanted:
        raise ConflictError(
            "foreign_key", f"key {key_id(public)[:12]} is no root key, of this root or the one"
            " before; sign with one of those that `portillon trust show` lists"
        )  # fmt: skip
    try:
        return add_signature(raw, ROOT_TYPE, private_key)
    except AdmissionError as exc:
        raise ConflictError("too_many_signatures", str(exc)) from exc


@dataclass(frozen=True, slots=True)
class Missing:
    """What a draft still lacks.

    Attributes:
        by_itself: signatures of its own root keys.
        by_the_one_before: signatures of the former root's keys; 0 for a first root.
    """

    by_itself: int
    by_the_one_before: int

    def __bool__(self) -> bool:
        return self.by_itself > 0 or self.by_the_one_before > 0


def missing_signatures(raw: bytes, current: Root | None) -> Missing:
    """Tell how many signatures a root still needs before it is taken.

    Raises:
        InvalidError: if the bytes are no root.
    """
    own = signers(read_draft(raw), Role.ROOT)
    by_itself = own.threshold - len(signers_of(raw, ROOT_TYPE, own.keys))
    before = 0
    if current is not None:
        old = signers(current, Role.ROOT)
        before = old.threshold - len(signers_of(raw, ROOT_TYPE, old.keys))
    return Missing(max(0, by_itself), max(0, before))
