"""What `accounts` needs of the outside: a store of users and sessions, and a password hash.

`storage` and `password_hashing` implement these; `main` binds them. Imports no outside library.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Protocol


@unique
class Role(StrEnum):
    """What somebody is within an organization and all below it."""

    MASTER = "master"
    ADMIN = "admin"
    OPERATOR = "operator"


@unique
class SessionEnd(StrEnum):
    """Why a session is over."""

    LOGOUT = "logout"
    ELSEWHERE = "elsewhere"  # the same login signed in again: the last one wins
    EXPIRED = "expired"
    DISABLED = "disabled"  # the account was


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in.

    Attributes:
        id: its identifier.
        organization_id: the branch this user works in.
        login: canonical, see `accounts.canonical_login`.
        name: for people.
        password_hash: as the password hash writes it, never a password.
        role: what this user is in the branch.
        language: `fr` or `en`.
        disabled: whether signing in is refused.
    """

    id: str
    organization_id: str
    login: str
    name: str
    password_hash: str
    role: Role
    language: str
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser or API client, as the server keeps it.

    Attributes:
        id_hash: SHA-256 of the token that the client holds; the token itself is kept nowhere.
        user_id: whose it is.
        created_ms: wall-clock milliseconds of signing in.
        seen_ms: of the last request, to within a minute.
        expires_ms: first instant at which it is over, whatever is done.
        csrf: what a form or a script of the same session must send back.
        address: the client's, as text.
        user_agent: what the client calls itself, cut short.
        ended_ms: when it ended before its time, or None while it lives.
        end: why, or None.
        end_address: for `elsewhere`, where the later sign-in came from; else "".
    """

    id_hash: bytes
    user_id: str
    created_ms: int
    seen_ms: int
    expires_ms: int
    csrf: str
    address: str
    user_agent: str
    ended_ms: int | None = None
    end: SessionEnd | None = None
    end_address: str = ""


class AccountStore(Protocol):
    """Users and sessions that last. Each call is one transaction."""

    async def user_by_login(self, login: str) -> User | None:
        """Find a user by its canonical login."""
        ...

    async def user(self, user_id: str) -> User | None:
        """Find a user by id."""
        ...

    async def add_user(self, user: User, at_ms: int) -> None:
        """Keep a new user, and an audit line of it.

        Raises:
            ConflictError: if the login is taken.
        """
        ...

    async def set_password_hash(self, user_id: str, password_hash: str) -> None:
        """Replace a password's hash (a new password, or newer parameters)."""
        ...

    async def set_language(self, user_id: str, language: str) -> None:
        """Keep which language a user reads."""
        ...

    async def open_session(self, session: Session) -> list[bytes]:
        """Keep a new session and end every live one of the same user as `elsewhere`.

        Both happen or neither does, with an audit line. Rows of sessions that ended long ago are
        swept on the way.

        Returns:
            The `id_hash` of each session that this one ended.
        """
        ...

    async def session(self, id_hash: bytes) -> Session | None:
        """Find a session, live or ended."""
        ...

    async def touch_session(self, id_hash: bytes, seen_ms: int) -> None:
        """Note that a session is in use."""
        ...

    async def end_session(self, id_hash: bytes, end: SessionEnd, at_ms: int) -> bool:
        """End a live session, with an audit line; give False if it was not live."""
        ...

    async def note_failed_login(self, login: str, address: str, at_ms: int) -> None:
        """Write the audit line of a refused sign-in; the login is "" where nobody has it."""
        ...


class PasswordHash(Protocol):
    """A slow, salted password hash. Both calls take tens of milliseconds of a whole core."""

    def make(self, password: str) -> str:
        """Hash a password under the parameters of today."""
        ...

    def verify(self, password_hash: str, password: str) -> bool:
        """Tell whether a password belongs to a hash; a hash that cannot be read belongs to none."""
        ...

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash was made under weaker parameters than those of today."""
        ...
