"""What accounts rely on in a store of users and sessions; the same for the stand-in and for SQL."""

import importlib.util
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from sync_server.account_ports import AccountStore, Role, Session, SessionEnd, User
from sync_server.entities import Organization
from sync_server.errors import ConflictError
from sync_server.storage.accounts import SqlAccounts
from sync_server.storage.database import open_database

NOW_MS = 1_790_000_000_000
LEA = User("u1", "o1", "lea", "Léa", "hash", Role.ADMIN, "fr")


def memory_accounts() -> AccountStore:
    path = Path(__file__).parents[1] / "sync_server" / "web" / "conftest.py"
    spec = importlib.util.spec_from_file_location("account_stand_in", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MemoryAccounts()


@pytest.fixture(params=["stand-in", "sql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AccountStore]:
    if request.param == "stand-in":
        yield memory_accounts()
        return
    async with open_database(tmp_path / "server.db") as database:
        async with database.write() as transaction:
            await transaction.organizations.add_organization(Organization("o1", None, "Quai"))
        yield SqlAccounts(database, secrets.token_bytes)


def session(id_hash: bytes, at_ms: int = NOW_MS, address: str = "192.0.2.1") -> Session:
    return Session(
        id_hash=id_hash,
        user_id="u1",
        created_ms=at_ms,
        seen_ms=at_ms,
        expires_ms=at_ms + 1000,
        csrf="token",
        address=address,
        user_agent="a browser",
    )


async def test_a_user_is_found_by_login_and_by_id(store):
    await store.add_user(LEA, NOW_MS)
    assert await store.user_by_login("lea") == LEA
    assert await store.user("u1") == LEA
    assert await store.user_by_login("LEA") is None
    assert await store.user("u2") is None


async def test_a_login_is_kept_once(store):
    await store.add_user(LEA, NOW_MS)
    with pytest.raises(ConflictError):
        await store.add_user(replace(LEA, id="u2"), NOW_MS)


async def test_hash_and_language_are_replaced(store):
    await store.add_user(LEA, NOW_MS)
    await store.set_password_hash("u1", "newer")
    await store.set_language("u1", "en")
    assert await store.user("u1") == replace(LEA, password_hash="newer", language="en")


async def test_a_session_comes_back_as_it_was_kept(store):
    await store.add_user(LEA, NOW_MS)
    assert await store.open_session(session(b"1" * 32)) == []
    assert await store.session(b"1" * 32) == session(b"1" * 32)
    assert await store.session(b"2" * 32) is None


async def test_a_new_session_ends_the_live_one_and_says_from_where(store):
    await store.add_user(LEA, NOW_MS)
    await store.open_session(session(b"1" * 32))
    later = session(b"2" * 32, NOW_MS + 500, "198.51.100.9")
    assert await store.open_session(later) == [b"1" * 32]
    ended = await store.session(b"1" * 32)
    assert (ended.ended_ms, ended.end) == (NOW_MS + 500, SessionEnd.ELSEWHERE)
    assert ended.end_address == "198.51.100.9"
    assert await store.session(b"2" * 32) == later


async def test_a_session_that_ended_stays_as_it_ended(store):
    await store.add_user(LEA, NOW_MS)
    await store.open_session(session(b"1" * 32))
    assert await store.end_session(b"1" * 32, SessionEnd.LOGOUT, NOW_MS + 100)
    assert not await store.end_session(b"1" * 32, SessionEnd.EXPIRED, NOW_MS + 200)
    assert await store.open_session(session(b"2" * 32, NOW_MS + 300)) == []
    ended = await store.session(b"1" * 32)
    assert (ended.ended_ms, ended.end) == (NOW_MS + 100, SessionEnd.LOGOUT)


async def test_ending_an_unknown_session_is_no_fault(store):
    assert not await store.end_session(b"9" * 32, SessionEnd.LOGOUT, NOW_MS)


async def test_use_is_noted(store):
    await store.add_user(LEA, NOW_MS)
    await store.open_session(session(b"1" * 32))
    await store.touch_session(b"1" * 32, NOW_MS + 60_000)
    assert (await store.session(b"1" * 32)).seen_ms == NOW_MS + 60_000
