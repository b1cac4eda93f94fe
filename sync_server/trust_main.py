"""Binds the key ceremony together, as `main` binds the server. Called by `portillon trust`.

What needs the server's folder is here; drafting and signing by themselves need none (`ceremony`).
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from admission.trust.keys import public_key
from admission.trust.root import Role, Root, signers
from sync_server.ceremony import (
    ROOT_LIFE,
    RootChange,
    draft_next,
    missing_signatures,
    read_draft,
    sign_draft,
)
from sync_server.entities import instant
from sync_server.errors import ConfigError
from sync_server.keys import KEY_BYTES, KeyFolder, make_key, read_key
from sync_server.ledger import Ledger
from sync_server.main import DATABASE, KEYS, SystemClock
from sync_server.storage.database import open_database
from sync_server.trusting import Trust


@dataclass(frozen=True, slots=True)
class Standing:
    """How a server's trust stands.

    Attributes:
        root: the newest root.
        raw: its envelope.
        digest: what gates pin of it.
        here: how many of each role's keys are on the server.
        unused: files of keys that the root does not name.
    """

    root: Root
    raw: bytes
    digest: str
    here: dict[Role, int]
    unused: tuple[Path, ...]


@asynccontextmanager
async def _opened(data: Path) -> AsyncIterator[Trust]:
    if not (data / DATABASE).is_file():
        raise ConfigError(f"{data}: is no server's folder; run `portillon server init`")
    async with open_database(data / DATABASE) as database:
        trust = Trust(database, Ledger(SystemClock(), os.urandom), KeyFolder(data / KEYS))
        await trust.refresh()
        yield trust


async def standing(data: Path) -> Standing:
    """Tell how a server's trust stands.

    Raises:
        ConfigError: if the folder is no server's.
    """
    async with _opened(data) as trust:
        root = trust.root
        unused = [
            path
            for path in sorted((data / KEYS).glob("*.key"))
            if public_key(read_key(path)) not in root.keys.values()
        ]
        here = {role: trust.keys_here(role) for role in Role}
        return Standing(root, trust.raw, trust.digest, here, tuple(unused))


async def draft(data: Path, change: RootChange, life: timedelta = ROOT_LIFE) -> bytes:
    """Draft the root that follows a server's newest; nothing is changed.

    Raises:
        ConfigError: if the folder is no server's.
        InvalidError: if the change contradicts itself.
    """
    async with _opened(data) as trust:
        return draft_next(trust.root, change, instant(SystemClock().now_us()), life)


async def install(data: Path, raw: bytes) -> Root:
    """Take a signed root; gates fetch it within minutes, a running server notices by itself.

    Raises:
        ConfigError: if the folder is no server's.
        ConflictError: if the root does not follow the newest, or lacks signatures.
    """
    async with _opened(data) as trust:
        return await trust.install(raw, None)


async def rotate(data: Path, role: Role) -> tuple[bytes, bool]:
    """Give a role a new key on the server, in the place of all it had.

    Returns:
        The root that says so, and whether it was installed: where the root's keys are on the
        server it is signed at once, else it is a draft that their holders must sign.

    Raises:
        ConfigError: if the folder is no server's.
    """
    async with _opened(data) as trust:
        secret = os.urandom(KEY_BYTES)
        KeyFolder(data / KEYS).add(role.value, public_key(secret), secret)
        change = RootChange(keys={role: (public_key(secret),)}, thresholds={role: 1})
        raw = draft_next(trust.root, change, instant(SystemClock().now_us()), ROOT_LIFE)
        own = {public_key(key): key for key in KeyFolder(data / KEYS).private_keys()}
        wanted = signers(trust.root, Role.ROOT).keys
        for public in {*wanted, public_key(secret)} if role is Role.ROOT else wanted:
            if public in own:
                raw = sign_draft(raw, own[public], public, trust.root)
        if missing_signatures(raw, trust.root):
            return raw, False
        await trust.install(raw, None)
        return raw, True


def new_key(path: Path) -> bytes:
    """Make a private key in a file of its own, and its public half beside it; give that.

    Raises:
        ConfigError: if either file is there already, or cannot be written.
    """
    secret = os.urandom(KEY_BYTES)
    public = public_key(secret)
    try:
        make_key(path, secret)
        with path.with_suffix(".pub").open("x", encoding="ascii") as file:
            file.write(public.hex() + "\n")
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be written ({exc.strerror})") from exc
    return public


def read_public(path: Path) -> bytes:
    """Read a public key as `new_key` writes it.

    Raises:
        ConfigError: if the file holds none.
    """
    try:
        public = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: no public key can be read: {exc}") from exc
    if len(public) != KEY_BYTES:
        raise ConfigError(f"{path}: {len(public)} bytes are no public key; name a .pub file")
    return public


def sign_file(path: Path, key: Path, before: Path | None) -> str:
    """Add a signature to a root in a file; give who may still have to sign, in words.

    Args:
        path: the root; written anew.
        key: private key, as `new_key` makes it.
        before: file of the root before, whose keys must sign, too; None for a first root.

    Raises:
        ConfigError: if a file cannot be read or written.
        ConflictError: if the key is none that may sign it.
        InvalidError: if a file holds no root.
    """
    secret = read_key(key)
    former = None if before is None else _root_in(before)
    raw = sign_draft(_bytes_of(path), secret, public_key(secret), former)
    write_root(path, raw)
    missing = missing_signatures(raw, former)
    if not missing:
        return "It has every signature that it needs" + ("." if before else ", of its own keys.")
    return (
        f"It still needs {missing.by_itself} of its own root keys"
        f" and {missing.by_the_one_before} of the root's before."
    )


def write_root(path: Path, raw: bytes) -> None:
    """Write a root into a file.

    Raises:
        ConfigError: if it cannot be written.
    """
    try:
        path.write_bytes(raw)
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be written ({exc.strerror})") from exc


def _root_in(path: Path) -> Root:
    return read_draft(_bytes_of(path))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror})") from exc


def root_in(path: Path) -> tuple[Root, bytes]:
    """Read a root from a file, without believing it.

    Raises:
        ConfigError: if the file cannot be read.
        InvalidError: if it holds no root.
    """
    return _root_in(path), _bytes_of(path)
