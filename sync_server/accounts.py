"""Who is signed in, and what they may do. Called by the web; knows no HTTP and no SQL.

One live session per login: signing in ends the earlier session, which is told so, with the time
and the place. Tokens are random and stored as digests only.
"""

import asyncio
import hashlib
import hmac
import re
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Final, TypeVar

from admission.ids import ID_ENTROPY_BYTES, new_id
from sync_server.account_ports import (
    AccountStore,
    PasswordHash,
    Role,
    Session,
    SessionEnd,
    User,
)
from sync_server.errors import InvalidError
from sync_server.throttling import Throttle

TOKEN_BYTES: Final = 32
SESSION_IDLE_MS: Final = 12 * 3600 * 1000  # a long evening with the set-up before it
SESSION_LIFE_MS: Final = 7 * 24 * 3600 * 1000  # a festival's week
TOUCH_EVERY_MS: Final = 60_000  # `seen_ms` costs a write: once a minute will do
PASSWORD_CHARACTERS_MIN: Final = 12
PASSWORD_CHARACTERS_MAX: Final = 256  # bounds the work of hashing what a stranger sends
LOGIN_CHARACTERS_MAX: Final = 254  # the longest e-mail address
HASHES_AT_ONCE: Final = 2  # 64 MiB each
HASHES_WAITING_MAX: Final = 16  # beyond: "too many at once", rather than a queue of minutes
LANGUAGES: Final = ("fr", "en")

_USER_AGENT_CHARACTERS_MAX: Final = 200
_DIFFERENT_CHARACTERS_MIN: Final = 6
_TELLING_LOGIN_CHARACTERS: Final = 4  # shorter ones are found in words by chance
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_T = TypeVar("_T")


@unique
class Right(StrEnum):
    """What a page or a call asks for."""

    SCAN = "scan"
    BACK_OFFICE = "back_office"
    SET_UP = "set_up"


RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.MASTER: frozenset(Right),
    Role.ADMIN: frozenset(Right),
    Role.OPERATOR: frozenset({Right.SCAN, Right.BACK_OFFICE}),
}


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Signing in went well.

    Attributes:
        token: what the client shall hold; given out once.
        user: who it is.
        session: what the server keeps.
    """

    token: str
    user: User
    session: Session


@dataclass(frozen=True, slots=True)
class Refused:
    """Login or password is wrong, or the account is disabled; it is not said which."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """Too many attempts.

    Attributes:
        wait_ms: milliseconds until the next attempt is looked at.
    """

    wait_ms: int


@dataclass(frozen=True, slots=True)
class Current:
    """A live session and its user."""

    user: User
    session: Session

    def may(self, right: Right) -> bool:
        """Tell whether the user has a right."""
        return right in RIGHTS[self.user.role]


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that was, and why it is over.

    Attributes:
        end: the reason.
        at_ms: when, wall-clock milliseconds.
        address: for `elsewhere`, where the later sign-in came from; else "".
    """

    end: SessionEnd
    at_ms: int
    address: str


def canonical_login(login: str) -> str:
    """Give the one spelling of a login under which it is kept and looked up."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


def digest(token: str) -> bytes:
    """Give what stands for a token in the store."""
    return hashlib.sha256(token.encode()).digest()


def check_password(password: str, login: str) -> None:
    """Refuse a password that is easy to guess.

    Raises:
        InvalidError: with what to change.
    """
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        raise InvalidError(
            "password",
            f"a password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters",
        )
    folded = password.casefold()
    if len(set(folded)) < _DIFFERENT_CHARACTERS_MIN:
        raise InvalidError("password", "a password needs more different characters")
    name = canonical_login(login).partition("@")[0]
    if len(name) >= _TELLING_LOGIN_CHARACTERS and name in folded:
        raise InvalidError("password", "a password must not hold the login")


class Accounts:
    """Signs people in and out and knows who holds a token.

    Args:
        store: users and sessions that last.
        password_hash: the slow hash.
        now_ms: wall-clock milliseconds.
        entropy: gives so many random bytes.
    """

    def __init__(
        self,
        store: AccountStore,
        password_hash: PasswordHash,
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._hash = password_hash
        self._now_ms = now_ms
        self._entropy = entropy
        self._throttle = Throttle()
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)
        self._hashes_waiting = 0
        self._decoy: str | None = None
        self._watchers: dict[bytes, set[asyncio.Event]] = {}

    async def add_user(
        self, organization_id: str, login: str, password: str, role: Role, name: str, language: str
    ) -> User:
        """Make a user.

        Raises:
            InvalidError: for a password that is easy to guess, a login that is empty, too long or
                not printable, an unknown language.
            ConflictError: if the login is taken.
        """
        login = canonical_login(login)
        if not 0 < len(login) <= LOGIN_CHARACTERS_MAX or not login.isprintable():
            raise InvalidError("login", f"a login has 1 to {LOGIN_CHARACTERS_MAX} characters")
        _check_language(language)
        check_password(password, login)
        now_ms = self._now_ms()
        password_hash = await self._off_loop(lambda: self._hash.make(_canonical_password(password)))
        user_id = new_id(now_ms, self._entropy(ID_ENTROPY_BYTES))
        user = User(user_id, organization_id, login, name, password_hash, role, language)
        await self._store.add_user(user, now_ms)
        return user

    async def sign_in(
        self, login: str, password: str, address: str, user_agent: str
    ) -> SignedIn | Refused | Throttled:
        """Check a login and its password, and open the one live session of that login.

        Args:
            login: as typed.
            password: as typed.
            address: the client's, as text.
            user_agent: what the client calls itself.
        """
        login = canonical_login(login)[:LOGIN_CHARACTERS_MAX]
        wait_ms = self._throttle.wait_ms(login, address, self._now_ms())
        if wait_ms == 0 and self._hashes_waiting >= HASHES_WAITING_MAX:
            wait_ms = 1000
        if wait_ms > 0:
            return Throttled(wait_ms)
        # Counted before the check: attempts made side by side must not all pass the throttle.
        self._throttle.failed(login, address, self._now_ms())
        user = await self._store.user_by_login(login)
        if not await self._is_password_of(user, password) or user is None or user.disabled:
            # an unknown login may be a password in the wrong field: it is not written down
            known = "" if user is None else user.login
            await self._store.note_failed_login(known, address, self._now_ms())
            return Refused()
        self._throttle.succeeded(login, address)
        return await self._open(user, address, user_agent)

    async def who(self, token: str) -> Current | Ended | None:
        """Tell who holds a token: a live session, one that ended and why, or None if unknown."""
        if _TOKEN.fullmatch(token) is None:
            return None
        session = await self._store.session(digest(token))
        if session is None:
            return None
        now_ms = self._now_ms()
        if session.ended_ms is None:
            ended = await self._end_if_over(session, now_ms)
            if ended is not None:
                return ended
        elif session.end is not None:
            return Ended(session.end, session.ended_ms, session.end_address)
        user = await self._store.user(session.user_id)
        if user is None or user.disabled:
            await self._end(session.id_hash, SessionEnd.DISABLED, now_ms)
            return Ended(SessionEnd.DISABLED, now_ms, "")
        if now_ms - session.seen_ms >= TOUCH_EVERY_MS:
            await self._store.touch_session(session.id_hash, now_ms)
            session = replace(session, seen_ms=now_ms)
        return Current(user, session)

    async def sign_out(self, session: Session) -> None:
        """End a session at its holder's wish."""
        await self._end(session.id_hash, SessionEnd.LOGOUT, self._now_ms())

    async def set_language(self, user: User, language: str) -> None:
        """Keep which language a user reads.

        Raises:
            InvalidError: if it is none of LANGUAGES.
        """
        _check_language(language)
        await self._store.set_language(user.id, language)

    def watch(self, session: Session, event: asyncio.Event) -> None:
        """Have an event set when the session ends in this process; `unwatch` it after."""
        self._watchers.setdefault(session.id_hash, set()).add(event)

    def unwatch(self, session: Session, event: asyncio.Event) -> None:
        """Let go of an event of `watch`."""
        events = self._watchers.get(session.id_hash, set())
        events.discard(event)
        if not events:
            self._watchers.pop(session.id_hash, None)

    async def _open(self, user: User, address: str, user_agent: str) -> SignedIn:
        now_ms = self._now_ms()
        token, csrf = self._random_text(), self._random_text()
        session = Session(
            id_hash=digest(token),
            user_id=user.id,
            created_ms=now_ms,
            seen_ms=now_ms,
            expires_ms=now_ms + SESSION_LIFE_MS,
            csrf=csrf,
            address=address,
            user_agent=user_agent[:_USER_AGENT_CHARACTERS_MAX],
        )
        for id_hash in await self._store.open_session(session):
            self._tell(id_hash)
        return SignedIn(token, user, session)

    async def _is_password_of(self, user: User | None, password: str) -> bool:
        """Check a password; an unknown login takes the time that a known one takes."""
        if len(password) > PASSWORD_CHARACTERS_MAX:
            return False
        canonical = _canonical_password(password)
        if user is None:
            if self._decoy is None:
                self._decoy = await self._off_loop(lambda: self._hash.make(self._random_text()))
            decoy = self._decoy
            await self._off_loop(lambda: self._hash.verify(decoy, canonical))
            return False
        if not await self._off_loop(lambda: self._hash.verify(user.password_hash, canonical)):
            return False
        if self._hash.is_outdated(user.password_hash):
            newer = await self._off_loop(lambda: self._hash.make(canonical))
            await self._store.set_password_hash(user.id, newer)
        return True

    async def _end_if_over(self, session: Session, now_ms: int) -> Ended | None:
        over_ms = min(session.expires_ms, session.seen_ms + SESSION_IDLE_MS)
        if now_ms < over_ms:
            return None
        await self._end(session.id_hash, SessionEnd.EXPIRED, now_ms)
        return Ended(SessionEnd.EXPIRED, over_ms, "")

    async def _end(self, id_hash: bytes, end: SessionEnd, now_ms: int) -> None:
        await self._store.end_session(id_hash, end, now_ms)
        self._tell(id_hash)

    def _tell(self, id_hash: bytes) -> None:
        for event in self._watchers.get(id_hash, set()):
            event.set()

    async def _off_loop(self, work: Callable[[], _T]) -> _T:
        """Hash in a thread, HASHES_AT_ONCE at most."""
        self._hashes_waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(work)
        finally:
            self._hashes_waiting -= 1

    def _random_text(self) -> str:
        return urlsafe_b64encode(self._entropy(TOKEN_BYTES)).rstrip(b"=").decode()


def same_token(given: str, kept: str) -> bool:
    """Compare two secrets in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(), kept.encode())


def _check_language(language: str) -> None:
    if language not in LANGUAGES:
        raise InvalidError("language", f"the language must be one of {', '.join(LANGUAGES)}")


def _canonical_password(password: str) -> str:
    """One spelling for what keyboards type differently (RFC 8265, section 4.2.2)."""
    return unicodedata.normalize("NFC", password)
