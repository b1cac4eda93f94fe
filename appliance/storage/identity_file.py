"""The gate's identity on disk: its keys, and whom it trusts. One JSON file, 0600, written whole.

Made at enrolment, read at every start. The private keys never leave it.
"""

from pathlib import Path
from typing import Final

import msgspec

from appliance.errors import StorageError
from appliance.storage.lasting_file import write_lasting
from appliance.storage.stored_signer import StoredSigner

IDENTITY_FILE: Final = "identity.json"  # in the gate's data folder


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who the gate is.

    Attributes:
        gate: id given by the server.
        gate_name: for people.
        server: address it was enrolled at.
        private_key: Ed25519, 32 bytes: signs requests.
        agreement_key: X25519, 32 bytes: opens what is sealed for this gate.
        root: envelope of the root document that its trust begins with.
        root_digest: what was pinned of it.
        pins: SHA-256 of each certificate that the server may show; without any, one that the
            machine's own store vouches for.
        certificate: envelope of its newest device certificate, b"" before the first.
        next_private_key: takes the place of `private_key` once it is certified; b"" is none.
        next_agreement_key: likewise.
        revoked: whether a signed status has said that this gate is revoked.
        sealed_with: kind of the device secret that the private keys are sealed under; "" where
            they stand in clear.
        box: the private keys, where they are sealed.
    """

    gate: str
    gate_name: str
    server: str
    private_key: bytes
    agreement_key: bytes
    root: bytes
    root_digest: str
    pins: tuple[bytes, ...] = ()
    certificate: bytes = b""
    next_private_key: bytes = b""
    next_agreement_key: bytes = b""
    revoked: bool = False
    sealed_with: str = ""
    box: bytes = b""

    @property
    def signer(self) -> StoredSigner:
        """Signs as this gate."""
        return StoredSigner(self.private_key)


def read_identity(path: Path) -> Identity | None:
    """Read the identity, None if the gate was never enrolled.

    Raises:
        StorageError: if the file is there but cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Identity)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise StorageError(f"{path}: identity cannot be read: {exc}; enrol the gate anew") from exc


def write_identity(path: Path, identity: Identity) -> None:
    """Write the identity so that a power cut leaves the old file or the new one.

    Raises:
        StorageError: if it cannot be written; then no copy of the keys is left behind.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_lasting(path, msgspec.json.encode(identity))
    except OSError as exc:
        raise StorageError(f"{path}: identity cannot be written: {exc.strerror}") from exc
