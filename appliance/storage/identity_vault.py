"""The gate's keys on the disk, the present and the next ones. Implements `ports.Vault`.

Every change is one replaced file: a power cut leaves what was before or what came after. The next
keys lie beside the present ones from before the server hears of them until it has certified them,
so that the gate can prove itself whichever of the two the server knows.
"""

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from admission.trust.sealing import agreement_public_key
from appliance.identity_ports import PublicKeys, Signer
from appliance.ports import DeviceSecret
from appliance.storage.identity_file import Identity, read_identity, write_identity
from appliance.storage.identity_sealing import Seal, find_seal, opened, sealed
from appliance.storage.stored_signer import StoredSigner

_KEY_BYTES: Final = 32


class FileVault:
    """The identity file, while the gate runs.

    Attributes:
        identity: what the file says, its private keys in clear.
    """

    def __init__(self, path: Path, identity: Identity, seal: Seal | None = None) -> None:
        """Take what was read of the file; `open_vault` reads it.

        Args:
            path: of the file.
            identity: its private keys in clear.
            seal: what they are sealed under on the disk.
        """
        self._path = path
        self._seal = seal
        self.identity = identity
        self._uses_next = False

    @property
    def gate(self) -> str:
        """Id of the gate."""
        return self.identity.gate

    @property
    def certificate(self) -> bytes:
        """The newest device certificate, b"" before the first."""
        return self.identity.certificate

    @property
    def pins(self) -> tuple[bytes, ...]:
        """The server's pins."""
        return self.identity.pins

    @property
    def is_revoked(self) -> bool:
        """Whether a signed status has said that this gate is revoked."""
        return self.identity.revoked

    @property
    def agreement_key(self) -> bytes:
        """Private key that opens what the server seals for this gate now."""
        own = self.identity
        return own.next_agreement_key if self._uses_next else own.agreement_key

    @property
    def public_key(self) -> bytes:
        """Public half of the key that signs requests now."""
        return self._signer.public_key

    def sign(self, message: bytes) -> bytes:
        """Sign a request with the key that is in use."""
        return self._signer.sign(message)

    def present(self) -> PublicKeys:
        """Give the keys that the server certified last."""
        own = self.identity
        return PublicKeys(StoredSigner(own.private_key), agreement_public_key(own.agreement_key))

    def sign_certified(self, message: bytes) -> bytes:
        """Sign with the key of the certificate, whichever signs requests now."""
        return StoredSigner(self.identity.private_key).sign(message)

    def following(self) -> PublicKeys | None:
        """Give the next keys, None where there are none."""
        own = self.identity
        if not own.next_private_key:
            return None
        signer = StoredSigner(own.next_private_key)
        return PublicKeys(signer, agreement_public_key(own.next_agreement_key))

    def use_following(self, use: bool) -> None:
        """Sign requests with the next key, or with the present one again; until the next start."""
        self._uses_next = use and bool(self.identity.next_private_key)

    async def make_following(self) -> None:
        """Make the next keys, and have them on the disk."""
        await self._keep(
            next_private_key=secrets.token_bytes(_KEY_BYTES),
            next_agreement_key=secrets.token_bytes(_KEY_BYTES),
        )

    async def certified(self, certificate: bytes, *, following: bool) -> None:
        """Keep a certificate; where it is of the next keys, they are the present ones from now on.

        Args:
            certificate: its envelope, checked.
            following: whether it is of the next keys.
        """
        own = self.identity
        if following:
            await self._keep(
                certificate=certificate,
                private_key=own.next_private_key,
                agreement_key=own.next_agreement_key,
                next_private_key=b"",
                next_agreement_key=b"",
            )
            self._uses_next = False
        else:
            await self._keep(certificate=certificate)

    async def keep_pins(self, pins: tuple[bytes, ...]) -> None:
        """Keep the server's pins."""
        await self._keep(pins=pins)

    async def keep_revoked(self) -> None:
        """Remember for good that this gate is revoked."""
        await self._keep(revoked=True)

    @property
    def _signer(self) -> Signer:
        own = self.identity
        return StoredSigner(own.next_private_key if self._uses_next else own.private_key)

    async def _keep(self, **changes: object) -> None:
        changed = msgspec.structs.replace(self.identity, **changes)
        await asyncio.to_thread(write_identity, self._path, sealed(changed, self._seal))
        self.identity = changed


async def open_vault(path: Path, secrets: Sequence[DeviceSecret]) -> FileVault | None:
    """Read the identity file, None if the gate was never enrolled.

    Keys that still stand in clear are sealed as soon as the device has a secret.

    Raises:
        StorageError: if it cannot be read, or is sealed under a secret that is not here.
    """
    kept = await asyncio.to_thread(read_identity, path)
    if kept is None:
        return None
    seal = await find_seal(secrets, kept.sealed_with)
    vault = FileVault(path, await opened(kept, secrets), seal)
    if seal is not None and not kept.sealed_with:
        await asyncio.to_thread(write_identity, path, sealed(vault.identity, seal))
    return vault


async def make_vault(path: Path, identity: Identity, secrets: Sequence[DeviceSecret]) -> FileVault:
    """Write a new identity.

    Raises:
        StorageError: if it cannot be written.
    """
    seal = await find_seal(secrets)
    await asyncio.to_thread(write_identity, path, sealed(identity, seal))
    return FileVault(path, identity, seal)
