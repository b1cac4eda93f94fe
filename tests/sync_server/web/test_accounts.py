"""Signing in and out, one live session per login, and guessing made slow."""

import asyncio
from dataclasses import replace

import pytest

from sync_server import accounts as subject
from sync_server.account_ports import SessionEnd
from sync_server.accounts import Current, Ended, Refused, Right, SignedIn, Throttled
from sync_server.errors import ConflictError, InvalidError
from sync_server.password_hashing import Argon2id

PASSWORD = "correct horse battery"
HERE = "192.0.2.7"
ELSEWHERE = "198.51.100.9"
LOGIN = "lea@theatre.example"


async def signed_in(accounts, login=LOGIN, address=HERE) -> SignedIn:
    outcome = await accounts.sign_in(login, PASSWORD, address, "a browser")
    assert isinstance(outcome, SignedIn)
    return outcome


async def test_the_right_password_opens_a_session_that_its_token_finds(accounts, lea):
    outcome = await signed_in(accounts)
    current = await accounts.who(outcome.token)
    assert isinstance(current, Current)
    assert current.user == lea
    assert current.session.address == HERE


async def test_a_login_is_found_however_it_is_spelled(accounts, lea):
    await signed_in(accounts, login=" LEA@theatre.EXAMPLE ")


async def test_a_wrong_password_is_refused_and_written_down(accounts, lea, account_store):
    assert await accounts.sign_in(LOGIN, "wrong horse battery", HERE, "") == Refused()
    assert ("refused", LOGIN) in account_store.audit


async def test_an_unknown_login_is_refused_after_the_same_work(accounts, quick_hash):
    assert await accounts.sign_in("nobody", PASSWORD, HERE, "") == Refused()
    assert len(quick_hash.verified) == 1


async def test_what_was_typed_for_an_unknown_login_is_not_kept(accounts, account_store):
    await accounts.sign_in("my password by mistake", "", HERE, "")
    assert account_store.audit == [("refused", "")]


async def test_a_disabled_account_is_refused_in_the_same_words(accounts, lea, account_store):
    disable(account_store, lea)
    assert await accounts.sign_in(LOGIN, PASSWORD, HERE, "") == Refused()


async def test_the_store_never_sees_the_token(accounts, lea, account_store):
    outcome = await signed_in(accounts)
    assert outcome.token not in repr(account_store.sessions)
    assert set(account_store.sessions) == {subject.digest(outcome.token)}


async def test_the_last_login_wins_and_the_earlier_session_is_told_when_and_from_where(
    accounts, lea, clock
):
    earlier = await signed_in(accounts)
    clock.advance(seconds=90)
    later = await signed_in(accounts, address=ELSEWHERE)
    assert await accounts.who(earlier.token) == Ended(SessionEnd.ELSEWHERE, clock.now_ms, ELSEWHERE)
    assert isinstance(await accounts.who(later.token), Current)


async def test_whoever_watches_a_session_learns_at_once_that_it_ended(accounts, lea):
    earlier = await signed_in(accounts)
    event = asyncio.Event()
    accounts.watch(earlier.session, event)
    await signed_in(accounts, address=ELSEWHERE)
    assert event.is_set()
    accounts.unwatch(earlier.session, event)
    assert accounts._watchers == {}


async def test_signing_out_ends_the_session(accounts, lea, clock):
    outcome = await signed_in(accounts)
    await accounts.sign_out(outcome.session)
    assert await accounts.who(outcome.token) == Ended(SessionEnd.LOGOUT, clock.now_ms, "")


async def test_a_session_left_alone_for_half_a_day_is_over(accounts, lea, clock):
    outcome = await signed_in(accounts)
    clock.advance(hours=11)
    assert isinstance(await accounts.who(outcome.token), Current)
    clock.advance(hours=12)
    ended = await accounts.who(outcome.token)
    assert isinstance(ended, Ended)
    assert ended.end is SessionEnd.EXPIRED


async def test_a_session_in_use_is_over_after_a_week_all_the_same(accounts, lea, clock):
    outcome = await signed_in(accounts)
    for _ in range(16):
        clock.advance(hours=10)
        assert isinstance(await accounts.who(outcome.token), Current)
    clock.advance(hours=10)
    assert isinstance(await accounts.who(outcome.token), Ended)


async def test_use_is_written_down_once_a_minute_at_most(accounts, lea, clock, account_store):
    outcome = await signed_in(accounts)
    clock.advance(seconds=59)
    await accounts.who(outcome.token)
    kept = account_store.sessions[outcome.session.id_hash]
    assert kept.seen_ms == outcome.session.created_ms
    clock.advance(seconds=1)
    await accounts.who(outcome.token)
    assert account_store.sessions[outcome.session.id_hash].seen_ms == clock.now_ms


async def test_disabling_an_account_ends_its_session(accounts, lea, account_store):
    outcome = await signed_in(accounts)
    disable(account_store, lea)
    ended = await accounts.who(outcome.token)
    assert isinstance(ended, Ended)
    assert ended.end is SessionEnd.DISABLED


@pytest.mark.parametrize("token", ["", "x", "é" * 43, "A" * 43, "A" * 5000, "'; DROP TABLE"])
async def test_a_made_up_token_is_nobody(accounts, lea, token):
    assert await accounts.who(token) is None


async def test_an_outdated_hash_is_made_anew_at_the_next_sign_in(
    accounts, lea, account_store, quick_hash
):
    quick_hash.version = 2
    await signed_in(accounts)
    assert account_store.users[lea.id].password_hash.startswith("2:")
    await signed_in(accounts)


async def test_an_accent_may_be_typed_in_either_form(accounts, account_store):
    await subject.Accounts.add_user(
        accounts, "organization-1", "zoe", "mot de passe d'été", "operator", "Zoé", "fr"
    )
    outcome = await accounts.sign_in("zoe", "mot de passe d'e\u0301te\u0301", HERE, "")
    assert isinstance(outcome, SignedIn)


async def test_five_failures_are_free_and_the_sixth_has_to_wait(accounts, lea, clock):
    for _ in range(5):
        assert await accounts.sign_in(LOGIN, "no", HERE, "") == Refused()
    outcome = await accounts.sign_in(LOGIN, PASSWORD, HERE, "")
    assert outcome == Throttled(1000)
    clock.advance(seconds=1)
    assert isinstance(await accounts.sign_in(LOGIN, PASSWORD, HERE, ""), SignedIn)


async def test_guessing_from_one_place_does_not_keep_the_owner_out_elsewhere(accounts, lea):
    for _ in range(6):
        await accounts.sign_in(LOGIN, "no", ELSEWHERE, "")
    assert isinstance(await accounts.sign_in(LOGIN, "no", ELSEWHERE, ""), Throttled)
    assert isinstance(await accounts.sign_in(LOGIN, PASSWORD, HERE, ""), SignedIn)


async def test_an_overlong_password_is_refused_without_hashing_it(accounts, lea, quick_hash):
    assert await accounts.sign_in(LOGIN, "x" * 100_000, HERE, "") == Refused()
    assert quick_hash.verified == []


async def test_a_full_queue_of_hashes_asks_to_come_back(accounts, lea):
    accounts._hashes_waiting = subject.HASHES_WAITING_MAX
    assert await accounts.sign_in(LOGIN, PASSWORD, HERE, "") == Throttled(1000)


@pytest.mark.parametrize(
    "password",
    ["", "short", "aaaaaaaaaaaaaaaaaa", "ababababababab", "the word of LEONIE", "x" * 257],
)
async def test_a_weak_password_is_not_taken(accounts, password):
    with pytest.raises(InvalidError):
        await accounts.add_user("organization-1", "leonie@theatre", password, "admin", "", "fr")


@pytest.mark.parametrize("login", ["", "   ", "a" * 255, "tab\tin it", "\u202eevil"])
async def test_a_login_that_cannot_be_typed_is_not_taken(accounts, login):
    with pytest.raises(InvalidError):
        await accounts.add_user("organization-1", login, PASSWORD, "admin", "", "fr")


async def test_a_login_is_taken_once(accounts, lea):
    with pytest.raises(ConflictError):
        await accounts.add_user("organization-2", LOGIN.upper(), PASSWORD, "admin", "", "fr")


async def test_a_language_is_kept_and_an_unknown_one_refused(accounts, lea, account_store):
    await accounts.set_language(lea, "en")
    assert account_store.users[lea.id].language == "en"
    with pytest.raises(InvalidError):
        await accounts.set_language(lea, "tlh")


async def test_an_operator_sees_the_back_office_but_does_not_set_up(accounts):
    await accounts.add_user("organization-1", "ops", PASSWORD, "operator", "", "fr")
    outcome = await accounts.sign_in("ops", PASSWORD, HERE, "")
    current = await accounts.who(outcome.token)
    assert current.may(Right.BACK_OFFICE)
    assert not current.may(Right.SET_UP)


def test_argon2id_verifies_its_own_hashes_and_refuses_what_it_cannot_read():
    cheap = Argon2id(memory_kib=64, passes=1)
    kept = cheap.make("a password")
    assert kept.startswith("$argon2id$")
    assert cheap.verify(kept, "a password")
    assert not cheap.verify(kept, "another")
    assert not cheap.verify("not a hash", "a password")


def test_argon2id_knows_a_hash_of_weaker_parameters():
    kept = Argon2id(memory_kib=64, passes=1).make("a password")
    assert Argon2id(memory_kib=128, passes=1).is_outdated(kept)
    assert not Argon2id(memory_kib=64, passes=1).is_outdated(kept)


def disable(account_store, user):
    account_store.users[user.id] = replace(account_store.users[user.id], disabled=True)
