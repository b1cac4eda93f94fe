"""The gate's signing key from its identity file. Implements `ports.Signer`.

A TPM or a secure element would be another implementation, whose key no program can read and no
copied card holds. There is none yet: nothing here could be verified without such a part.
"""

from dataclasses import dataclass, field

from admission.trust.keys import public_key, sign


@dataclass(frozen=True, slots=True)
class StoredSigner:
    """Signs with a key that this process holds.

    Attributes:
        private_key: Ed25519, 32 bytes.
    """

    private_key: bytes = field(repr=False)

    @property
    def public_key(self) -> bytes:
        """The public half, 32 bytes."""
        return public_key(self.private_key)

    def sign(self, message: bytes) -> bytes:
        """Sign with Ed25519: 64 bytes."""
        return sign(self.private_key, message)
