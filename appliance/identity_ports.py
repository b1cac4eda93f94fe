"""The gate's own keys, as the services see them. Implemented in `storage`."""

from dataclasses import dataclass
from typing import Protocol


class Signer(Protocol):
    """The gate's own key, wherever it is: in a file, or in a part that never gives it away.

    Behind this seam a TPM or a secure element signs; nobody but it then has the private half.
    """

    @property
    def public_key(self) -> bytes:
        """The public half: Ed25519, 32 bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Sign a message: 64 bytes.

        Raises:
            DeviceError: if the part that holds the key does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """A pair of keys as others see it, and the hand that signs with the first.

    Attributes:
        signer: Ed25519.
        agreement_key: X25519 public key.
    """

    signer: Signer
    agreement_key: bytes


class Vault(Protocol):
    """The gate's keys, present and next, and what it knows of itself; on the disk when it returns.

    It is a `Signer`, too: of the key that is in use. Every change raises StorageError where it
    cannot be written, and then nothing has changed.
    """

    @property
    def gate(self) -> str:
        """Id of the gate."""
        ...

    @property
    def certificate(self) -> bytes:
        """The newest device certificate, b"" before the first."""
        ...

    @property
    def pins(self) -> tuple[bytes, ...]:
        """The server's pins."""
        ...

    @property
    def is_revoked(self) -> bool:
        """Whether a signed status has said that this gate is revoked."""
        ...

    @property
    def public_key(self) -> bytes:
        """Public half of the key that signs requests now."""
        ...

    def present(self) -> PublicKeys:
        """Give the keys that the server certified last."""
        ...

    def following(self) -> PublicKeys | None:
        """Give the next keys, None where there are none."""
        ...

    def use_following(self, use: bool) -> None:
        """Sign requests with the next key, or with the present one again."""
        ...

    async def make_following(self) -> None:
        """Make the next keys."""
        ...

    async def certified(self, certificate: bytes, *, following: bool) -> None:
        """Keep a certificate; where it is of the next keys, they become the present ones."""
        ...

    async def keep_pins(self, pins: tuple[bytes, ...]) -> None:
        """Keep the server's pins."""
        ...

    async def keep_revoked(self) -> None:
        """Remember for good that this gate is revoked."""
        ...
