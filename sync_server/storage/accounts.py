"""Users and their sessions in the database. Each call is one transaction, with its audit line."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from admission.ids import ID_ENTROPY_BYTES, new_id
from sync_server.account_ports import Role, Session, SessionEnd, User
from sync_server.entities import AuditEntry, JsonValue
from sync_server.errors import ConflictError
from sync_server.storage.audit import SqlAudit
from sync_server.storage.database import Database
from sync_server.storage.tables import sessions, users

ENDED_KEPT_MS: Final = 30 * 24 * 3600 * 1000  # so long a browser is told why its session is over


class SqlAccounts:
    """The `AccountStore` of `account_ports`."""

    def __init__(self, database: Database, entropy: Callable[[int], bytes]) -> None:
        self._database = database
        self._entropy = entropy

    async def user_by_login(self, login: str) -> User | None:
        """Find a user by its canonical login."""
        async with self._database.read() as transaction:
            rows = await transaction.connection.execute(select(users).where(users.c.login == login))
            return _user(rows.mappings().one_or_none())

    async def user(self, user_id: str) -> User | None:
        """Find a user by id."""
        async with self._database.read() as transaction:
            rows = await transaction.connection.execute(select(users).where(users.c.id == user_id))
            return _user(rows.mappings().one_or_none())

    async def has_users(self) -> bool:
        """Tell whether anybody may sign in yet."""
        async with self._database.read() as transaction:
            return await transaction.connection.scalar(select(users.c.id).limit(1)) is not None

    async def add_user(self, user: User, at_ms: int) -> None:
        """Keep a new user, and an audit line of it.

        Raises:
            ConflictError: if the login is taken.
        """
        values = asdict(user) | {"role": user.role.value}
        async with self._database.write() as transaction:
            try:
                await transaction.connection.execute(insert(users).values(values))
            except IntegrityError as exc:
                raise ConflictError("login_taken", "another user has this login") from exc
            await self._note(
                transaction.connection, at_ms, "user_added", user.id, {"role": user.role.value}
            )

    async def set_password_hash(self, user_id: str, password_hash: str) -> None:
        """Replace a password's hash (a new password, or newer parameters)."""
        async with self._database.write() as transaction:
            await transaction.connection.execute(
                update(users).where(users.c.id == user_id).values(password_hash=password_hash)
            )

    async def set_language(self, user_id: str, language: str) -> None:
        """Keep which language a user reads."""
        async with self._database.write() as transaction:
            await transaction.connection.execute(
                update(users).where(users.c.id == user_id).values(language=language)
            )

    async def open_session(self, session: Session) -> list[bytes]:
        """Keep a new session and end every live one of the same user as `elsewhere`.

        Returns:
            The `id_hash` of each session that this one ended.
        """
        at_ms = session.created_ms
        async with self._database.write() as transaction:
            connection = transaction.connection
            live = (sessions.c.user_id == session.user_id) & sessions.c.ended_ms.is_(None)
            found = await connection.scalars(select(sessions.c.id_hash).where(live))
            ended = list(found)
            await connection.execute(
                update(sessions)
                .where(live)
                .values(
                    ended_ms=at_ms,
                    ended_by=SessionEnd.ELSEWHERE.value,
                    end_address=session.address,
                )
            )
            await connection.execute(
                delete(sessions).where(sessions.c.ended_ms < at_ms - ENDED_KEPT_MS)
            )
            await connection.execute(insert(sessions).values(_stored(session)))
            await self._note(
                connection, at_ms, "signed_in", session.user_id, {"address": session.address}
            )
        return ended

    async def session(self, id_hash: bytes) -> Session | None:
        """Find a session, live or ended."""
        async with self._database.read() as transaction:
            rows = await transaction.connection.execute(
                select(sessions).where(sessions.c.id_hash == id_hash)
            )
            row = rows.mappings().one_or_none()
            return None if row is None else _session(row)

    async def touch_session(self, id_hash: bytes, seen_ms: int) -> None:
        """Note that a session is in use."""
        async with self._database.write() as transaction:
            await transaction.connection.execute(
                update(sessions).where(sessions.c.id_hash == id_hash).values(seen_ms=seen_ms)
            )

    async def end_session(self, id_hash: bytes, end: SessionEnd, at_ms: int) -> bool:
        """End a live session, with an audit line; give False if it was not live."""
        async with self._database.write() as transaction:
            connection = transaction.connection
            user_id = await connection.scalar(
                select(sessions.c.user_id).where(
                    sessions.c.id_hash == id_hash, sessions.c.ended_ms.is_(None)
                )
            )
            if user_id is None:
                return False
            await connection.execute(
                update(sessions)
                .where(sessions.c.id_hash == id_hash)
                .values(ended_ms=at_ms, ended_by=end.value)
            )
            await self._note(connection, at_ms, "session_ended", user_id, {"end": end.value})
            return True

    async def note_failed_login(self, login: str, address: str, at_ms: int) -> None:
        """Write the audit line of a refused sign-in."""
        async with self._database.write() as transaction:
            await self._note(
                transaction.connection, at_ms, "sign_in_refused", login, {"address": address}
            )

    async def _note(
        self,
        connection: AsyncConnection,
        at_ms: int,
        what: str,
        subject: str,
        detail: dict[str, JsonValue],
    ) -> None:
        entry_id = new_id(at_ms, self._entropy(ID_ENTROPY_BYTES))
        await SqlAudit(connection).add_entry(
            AuditEntry(entry_id, at_ms, None, what, subject, detail)
        )


def _user(row: RowMapping | None) -> User | None:
    if row is None:
        return None
    return User(**(dict(row) | {"role": Role(row["role"])}))


def _stored(session: Session) -> dict[str, object]:
    values = asdict(session)
    end = values.pop("end")
    return values | {"ended_by": None if end is None else end.value}


def _session(row: RowMapping) -> Session:
    values = dict(row)
    end = values.pop("ended_by")
    return Session(**values, end=None if end is None else SessionEnd(end))
