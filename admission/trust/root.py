"""The root document: which keys may speak for which role, and how one root follows another.

TUF's root role, with roles of our own (docs/adr/0008-chain-of-trust.md): `N+1` must be signed by
the threshold of root `N` and by its own, version by version; expiry is judged on the last one only.
Source: The Update Framework specification 1.0, "Update the root role".
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Annotated, Final

import msgspec

from admission.errors import (
    DigestError,
    ListExpiredError,
    ListFormatError,
    RollbackError,
)
from admission.trust.envelope import ROOT_TYPE, open_envelope, unverified_body
from admission.trust.keys import key_id
from admission.trust.reading import Digest, Key, Text, Version, read_document

KEYS_MAX: Final = 32  # of one root: five roles with a few people each
ROLE_KEYS_MAX: Final = 8  # as many as an envelope has signatures


@unique
class Role(StrEnum):
    """Who may sign what.

    `root`: the next root. `list`: manifests. `status`: the server's heartbeat, and what each gate
    is told to do. `enrol`: device certificates. `operator`: commands that work offline.
    """

    ROOT = "root"
    LIST = "list"
    STATUS = "status"
    ENROL = "enrol"
    OPERATOR = "operator"


class RoleKeys(msgspec.Struct, frozen=True, kw_only=True):
    """One role's keys.

    Attributes:
        keys: ids of its keys.
        threshold: how many different ones of them must sign.
    """

    keys: Annotated[tuple[Digest, ...], msgspec.Meta(min_length=1, max_length=ROLE_KEYS_MAX)]
    threshold: Annotated[int, msgspec.Meta(ge=1, le=ROLE_KEYS_MAX)]


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the root.

    Attributes:
        version: one more than the one before.
        organization: whose it is, for people.
        issued_at: aware; for people.
        expires_at: aware; afterwards nothing new is believed by it.
        keys: Ed25519 public keys by id.
        roles: keys and threshold of every role.
    """

    version: Version
    organization: Text
    issued_at: datetime
    expires_at: datetime
    keys: Annotated[dict[Digest, Key], msgspec.Meta(min_length=1, max_length=KEYS_MAX)]
    roles: dict[Role, RoleKeys]


@dataclass(frozen=True, slots=True)
class Signers:
    """Who may sign for a role, ready to be checked against.

    Attributes:
        keys: Ed25519 public keys.
        threshold: how many different ones of them must have signed.
    """

    keys: tuple[bytes, ...]
    threshold: int


def signers(root: Root, role: Role) -> Signers:
    """Give who may sign for a role under a root."""
    entry = root.roles[role]
    return Signers(tuple(root.keys[name] for name in entry.keys), entry.threshold)


def key_table(keys: Mapping[Role, tuple[bytes, ...]]) -> dict[str, bytes]:
    """Give the table of all keys, by id, that a root with these roles needs."""
    return {key_id(key): key for own in keys.values() for key in own}


def make_root(
    *,
    version: int,
    organization: str,
    issued_at: datetime,
    expires_at: datetime,
    keys: Mapping[Role, tuple[bytes, ...]],
    thresholds: Mapping[Role, int],
) -> Root:
    """Draft a root, unsigned.

    Args:
        version: 1 for the first.
        organization: for people.
        issued_at: aware.
        expires_at: aware.
        keys: public keys of every role.
        thresholds: of every role; 1 where left out.

    Raises:
        ListFormatError: if it would not be believed.
    """
    roles = {
        role: RoleKeys(keys=tuple(key_id(key) for key in own), threshold=thresholds.get(role, 1))
        for role, own in keys.items()
    }
    root = Root(
        version=version,
        organization=organization,
        issued_at=issued_at,
        expires_at=expires_at,
        keys=key_table(keys),
        roles=roles,
    )
    return decode_root(encode_root(root))


def encode_root(root: Root) -> bytes:
    """Write a root as JSON."""
    return msgspec.json.encode(root)


def decode_root(body: bytes) -> Root:
    """Read a root whose envelope was checked, or is about to be.

    Raises:
        ListFormatError: if a field is missing or wrong, or the document contradicts itself.
    """
    root = read_document("root", body, Root)
    for role in Role:
        if role not in root.roles:
            raise ListFormatError(f"root: role {role.value} is missing")
    for name, key in root.keys.items():
        if key_id(key) != name:
            raise ListFormatError(f"root: key {name[:12]} is another key than its id says")
    for role, entry in root.roles.items():
        _check_role(root, role, entry)
    return root


def _check_role(root: Root, role: Role, entry: RoleKeys) -> None:
    if len(set(entry.keys)) != len(entry.keys):
        raise ListFormatError(f"root: role {role.value} names a key twice")
    if entry.threshold > len(entry.keys):
        raise ListFormatError(
            f"root: role {role.value} needs {entry.threshold} of {len(entry.keys)} keys"
        )
    for name in entry.keys:
        if name not in root.keys:
            raise ListFormatError(f"root: role {role.value} names a key that is not there")
        if role is not Role.ROOT and name in root.roles[Role.ROOT].keys:
            raise ListFormatError(f"root: a key of root must not sign for {role.value}, too")


def root_digest(raw: bytes) -> str:
    """Give what people compare and links pin: the hexadecimal SHA-256 of the root's own bytes.

    Raises:
        ListFormatError: if the bytes are no signed root.
    """
    return hashlib.sha256(unverified_body(raw, ROOT_TYPE)).hexdigest()


def first_root(raw: bytes, digest: str | None) -> Root:
    """Take the root that trust begins with: signed by its own threshold, and the pinned one.

    Args:
        raw: the envelope.
        digest: what was pinned at enrolment; None believes whatever the server names.

    Raises:
        ListFormatError: if it is no root.
        DigestError: if it is another root than the one that was pinned.
        SignatureError: if its own keys did not sign it.
    """
    if digest is not None and root_digest(raw) != digest:
        raise DigestError("the root is not the one that was pinned at enrolment")
    root = decode_root(unverified_body(raw, ROOT_TYPE))
    own = signers(root, Role.ROOT)
    open_envelope(raw, ROOT_TYPE, own.keys, own.threshold)
    return root


def next_root(current: Root, raw: bytes) -> Root:
    """Take the root that follows: signed by the old threshold and by the new one.

    Raises:
        ListFormatError: if it is no root.
        SignatureError: if either threshold did not sign it.
        RollbackError: if its version is not exactly one more.
    """
    old = signers(current, Role.ROOT)
    root = decode_root(open_envelope(raw, ROOT_TYPE, old.keys, old.threshold))
    if root.version != current.version + 1:
        raise RollbackError(f"root {root.version} does not follow root {current.version}")
    new = signers(root, Role.ROOT)
    open_envelope(raw, ROOT_TYPE, new.keys, new.threshold)
    return root


def require_in_force(root: Root, now: datetime) -> None:
    """Make sure that a root may still be believed by: asked of the last one only.

    Args:
        root: the last of the chain.
        now: aware trusted time; one instant for everything that is looked at together.

    Raises:
        ListExpiredError: if its time is over.
    """
    if now >= root.expires_at:
        raise ListExpiredError(f"root {root.version} expired at {root.expires_at.isoformat()}")


def is_replaced(before: Root, after: Root, role: Role) -> bool:
    """Tell whether a role's former keys can no longer sign for it by themselves.

    What they signed, and how far they counted, means nothing from then on: that is how a version
    that a thief of a key drove up is recovered from. As long as they still reach the threshold,
    forgetting their versions would let what they once signed be played again.
    """
    kept = set(before.roles[role].keys) & set(after.roles[role].keys)
    return len(kept) < after.roles[role].threshold
