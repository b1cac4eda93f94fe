"""Argon2id through argon2-cffi. Bound by `main` to `account_ports.PasswordHash`."""

import argon2
from argon2.exceptions import InvalidHashError, VerificationError


class Argon2id:
    """RFC 9106's second recommended option: 64 MiB, three passes, four lanes.

    Args:
        memory_kib: memory of one hash; smaller only in tests.
        passes: how often the memory is gone over.
    """

    def __init__(self, memory_kib: int = 65_536, passes: int = 3) -> None:
        self._hasher = argon2.PasswordHasher(
            time_cost=passes, memory_cost=memory_kib, parallelism=4, type=argon2.Type.ID
        )

    def make(self, password: str) -> str:
        """Hash a password under the parameters given."""
        return self._hasher.hash(password)

    def verify(self, password_hash: str, password: str) -> bool:
        """Tell whether a password belongs to a hash; an unreadable hash belongs to none."""
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash was made under other parameters than those given."""
        return self._hasher.check_needs_rehash(password_hash)
