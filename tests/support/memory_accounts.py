"""A store of accounts in dictionaries, for tests of what stands on it."""

from dataclasses import replace

from sync_server.account_ports import Session, SessionEnd, User
from sync_server.errors import ConflictError


class MemoryAccounts:
    """`account_ports.AccountStore` in dictionaries."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.sessions: dict[bytes, Session] = {}
        self.audit: list[tuple[str, str]] = []

    async def user_by_login(self, login: str) -> User | None:
        return next((u for u in self.users.values() if u.login == login), None)

    async def user(self, user_id: str) -> User | None:
        return self.users.get(user_id)

    async def add_user(self, user: User, at_ms: int) -> None:
        if await self.user_by_login(user.login) is not None:
            raise ConflictError("login_taken", "this login is taken")
        self.users[user.id] = user

    async def set_password_hash(self, user_id: str, password_hash: str) -> None:
        self.users[user_id] = replace(self.users[user_id], password_hash=password_hash)

    async def set_language(self, user_id: str, language: str) -> None:
        self.users[user_id] = replace(self.users[user_id], language=language)

    async def open_session(self, session: Session) -> list[bytes]:
        ended = []
        for other in list(self.sessions.values()):
            if other.user_id == session.user_id and other.ended_ms is None:
                self.sessions[other.id_hash] = replace(
                    other,
                    ended_ms=session.created_ms,
                    end=SessionEnd.ELSEWHERE,
                    end_address=session.address,
                )
                ended.append(other.id_hash)
        self.sessions[session.id_hash] = session
        self.audit.append(("signed in", session.user_id))
        return ended

    async def session(self, id_hash: bytes) -> Session | None:
        return self.sessions.get(id_hash)

    async def touch_session(self, id_hash: bytes, seen_ms: int) -> None:
        self.sessions[id_hash] = replace(self.sessions[id_hash], seen_ms=seen_ms)

    async def end_session(self, id_hash: bytes, end: SessionEnd, at_ms: int) -> bool:
        session = self.sessions.get(id_hash)
        if session is None or session.ended_ms is not None:
            return False
        self.sessions[id_hash] = replace(session, ended_ms=at_ms, end=end)
        return True

    async def note_failed_login(self, login: str, address: str, at_ms: int) -> None:
        self.audit.append(("refused", login))
