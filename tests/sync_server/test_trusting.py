"""The server speaks for the roles: the newest root decides with which keys, and what is due."""

import hashlib
from datetime import timedelta

import pytest

from admission.errors import SignatureError
from admission.trust.envelope import (
    MANIFEST_TYPE,
    ROOT_TYPE,
    STATUS_TYPE,
    add_signature,
    open_envelope,
)
from admission.trust.keys import public_key
from admission.trust.root import Role, first_root, next_root, signers
from admission.trust.status import ListLine, accept_status
from sync_server.ceremony import (
    ROOT_LIFE,
    RootChange,
    draft_next,
    missing_signatures,
    sign_draft,
)
from sync_server.entities import ImportMode, instant
from sync_server.errors import ConfigError, ConflictError, InvalidError, NotFoundError
from sync_server.importing import Importing
from sync_server.keys import KeyFolder
from sync_server.publishing import OPEN_DATED_LIFE, Publishing
from sync_server.reconciling import refold_tickets
from sync_server.sources.file import read_tickets
from sync_server.storage.snapshot_files import Folder
from sync_server.trusting import STATUS_LIFE, Trust

NEW = hashlib.sha256(b"a new key").digest()


def key_of(trust, role):
    """Give the private key that the fixture made for a role."""
    (public,) = signers(trust.root, role).keys
    return trust._private[public]


def next_draft(trust, clock, **change):
    return draft_next(trust.root, RootChange(**change), instant(clock.now_us()), ROOT_LIFE)


async def rotate(trust, clock, role, secret=NEW):
    """Give a role another key, as a ceremony does."""
    raw = next_draft(trust, clock, keys={role: (public_key(secret),)})
    own = key_of(trust, Role.ROOT)
    raw = add_signature(raw, ROOT_TYPE, own)
    if role is Role.ROOT:
        raw = add_signature(raw, ROOT_TYPE, secret)
    trust._keyring.keys[f"new {role}"] = secret
    await trust.install(raw, None)


async def test_what_is_signed_for_a_role_is_signed_by_its_key_and_no_other(trust):
    for role in Role:
        raw = trust.sign(role, STATUS_TYPE, b"{}")
        assert open_envelope(raw, STATUS_TYPE, signers(trust.root, role).keys) == b"{}"
        for other in set(Role) - {role}:
            with pytest.raises(SignatureError):
                open_envelope(raw, STATUS_TYPE, signers(trust.root, other).keys)


async def test_a_role_whose_key_is_elsewhere_is_not_signed_for(trust):
    gone = key_of(trust, Role.LIST)
    del trust._private[public_key(gone)]
    with pytest.raises(
        ConflictError, match=r"1 key.* of role list must sign, 0 are on this server"
    ):
        trust.sign(Role.LIST, MANIFEST_TYPE, b"{}")


async def test_a_status_is_of_now_and_of_a_higher_version_than_every_one_before(
    trust, clock, database, ledger
):
    wanted = signers(trust.root, Role.STATUS)

    def taken(raw, above):
        return accept_status(
            raw, trusted=wanted, nonce="n", version_installed=above, root_version=1, now=None
        )

    lists = {"p0": ListLine(version=4, sha256="0" * 64)}
    first = taken(trust.status("n", lists, ("g9",)), 0)
    assert (first.time, first.lists, first.revoked_gates) == (
        instant(clock.now_us()),
        lists,
        ("g9",),
    )
    assert first.expires_at == first.time + STATUS_LIFE
    second = taken(trust.status("n", {}, ()), first.version)
    assert second.version > first.version
    clock.advance(-86_400)  # started anew, with its clock set back by a day
    again = Trust(database, ledger, trust._keyring)
    await again.open()
    assert taken(again.status("n", {}, ()), second.version).version > second.version


async def test_roots_are_handed_out_by_version_and_only_those_there_are(trust, clock):
    await rotate(trust, clock, Role.LIST)
    first = first_root(await trust.root_of_version(1), None)
    assert next_root(first, await trust.root_of_version(2)) == trust.root
    with pytest.raises(NotFoundError):
        await trust.root_of_version(3)


async def test_a_root_that_does_not_follow_is_refused_with_its_reason(trust, clock):
    unsigned = next_draft(trust, clock)
    with pytest.raises(ConflictError, match="signed by 0 of the 1"):
        await trust.install(unsigned, None)
    signed = add_signature(unsigned, ROOT_TYPE, key_of(trust, Role.ROOT))
    await trust.install(signed, None)
    with pytest.raises(ConflictError, match="does not follow"):
        await trust.install(signed, None)
    assert trust.root.version == 2


async def test_another_process_that_installed_a_root_is_noticed(trust, clock, database, ledger):
    server = Trust(database, ledger, trust._keyring)
    await server.open()
    assert not await server.refresh()
    await rotate(trust, clock, Role.STATUS)
    assert await server.refresh()
    assert server.root == trust.root
    assert server.keys_here(Role.STATUS) == 1


async def test_a_server_that_lost_the_keys_it_needs_says_so_at_its_start(
    trust, database, ledger, clock
):
    lost = key_of(trust, Role.STATUS)
    trust._keyring.keys = {k: v for k, v in trust._keyring.keys.items() if v != lost}
    with pytest.raises(ConfigError, match=r"0 of 1 keys of role status .* from a backup"):
        await Trust(database, ledger, trust._keyring).open()


async def test_a_server_without_a_root_says_how_to_get_one(database, ledger, trust):
    async with database.write() as transaction:
        await transaction.connection.exec_driver_sql("DELETE FROM roots")
    with pytest.raises(ConfigError, match="portillon server init"):
        await Trust(database, ledger, trust._keyring).open()


async def test_a_root_that_runs_out_is_followed_by_itself_where_its_key_is_here(
    trust, clock, database, ledger
):
    clock.advance(ROOT_LIFE.total_seconds() - 86_400)
    server = Trust(database, ledger, trust._keyring)
    await server.open()
    assert server.root.version == 2
    assert server.root.expires_at == instant(clock.now_us()) + ROOT_LIFE
    assert server.root.roles == trust.root.roles


async def test_a_root_that_runs_out_is_left_alone_where_its_key_was_taken_away(
    trust, clock, database, ledger, caplog
):
    root_key = key_of(trust, Role.ROOT)
    trust._keyring.keys = {k: v for k, v in trust._keyring.keys.items() if v != root_key}
    clock.advance(ROOT_LIFE.total_seconds() - 86_400)
    server = Trust(database, ledger, trust._keyring)
    await server.open()
    assert server.root.version == 1
    assert "root runs out" in caplog.text


# --- lists after a rotation -------------------------------------------------------------------


@pytest.fixture
async def published(venue, ledger, news, master, tmp_path, trust):
    publishing = Publishing(venue, Folder(tmp_path / "lists"), ledger, news, trust)
    importing = Importing(venue, read_tickets, refold_tickets, ledger, news)
    await importing.import_file(
        master, "p0", b"number\nA1\n", source_name="s", filename="f", mode=ImportMode.ADD
    )
    await publishing.publish(master, "p0")
    return publishing


async def test_after_a_rotation_every_list_is_signed_again_as_the_next_version(
    published, trust, clock
):
    before = await published.manifest("g0", "p0")
    assert await published.manifest("g0", "p0") == before
    await rotate(trust, clock, Role.LIST)
    after = await published.manifest("g0", "p0")
    keys = signers(trust.root, Role.LIST).keys
    assert keys == (public_key(NEW),)
    open_envelope(after, MANIFEST_TYPE, keys)
    lines = await published.lines("g0")
    assert lines["p0"].version == 2
    assert (await published.lists("g0")).versions["p0"] == 2
    assert await published.manifest("g0", "p0") == after  # once


async def test_a_server_without_the_list_key_hands_out_what_was_signed_elsewhere(
    published, trust, clock
):
    before = await published.manifest("g0", "p0")
    await rotate(trust, clock, Role.LIST)
    trust._private.pop(public_key(NEW))
    assert await published.manifest("g0", "p0") == before


async def test_an_open_dated_list_is_signed_again_before_it_runs_out(published, clock):
    before = await published.manifest("g0", "p0")
    clock.advance(OPEN_DATED_LIFE.total_seconds() / 2 + 1)
    assert await published.manifest("g0", "p0") != before


# --- ceremonies -------------------------------------------------------------------------------


async def test_a_draft_says_how_many_signatures_it_still_needs(trust, clock):
    three = tuple(public_key(bytes([n] * 32)) for n in (1, 2, 3))
    draft = next_draft(trust, clock, keys={Role.ROOT: three}, thresholds={Role.ROOT: 2})
    own = key_of(trust, Role.ROOT)
    missing = missing_signatures(draft, trust.root)
    assert (missing.by_itself, missing.by_the_one_before) == (2, 1)
    draft = sign_draft(draft, own, public_key(own), trust.root)
    for n in (1, 3):
        assert missing_signatures(draft, trust.root)
        draft = sign_draft(draft, bytes([n] * 32), three[n - 1], trust.root)
    assert not missing_signatures(draft, trust.root)
    await trust.install(draft, None)
    assert trust.root.roles[Role.ROOT].threshold == 2


async def test_a_stranger_signs_no_draft(trust, clock):
    with pytest.raises(ConflictError, match="no root key"):
        sign_draft(next_draft(trust, clock), NEW, public_key(NEW), trust.root)


async def test_a_change_that_cannot_be_is_refused_before_anybody_signs(trust, clock):
    with pytest.raises(InvalidError, match="needs 3 of 1 keys"):
        next_draft(trust, clock, thresholds={Role.LIST: 3})


async def test_what_is_no_root_is_no_draft(trust):
    for raw in (b"{}", trust.sign(Role.LIST, MANIFEST_TYPE, b"{}")):
        with pytest.raises(InvalidError):
            missing_signatures(raw, None)


def test_keys_are_files_of_a_folder_for_nobody_else_to_read(tmp_path):
    folder = KeyFolder(tmp_path / "keys")
    path = folder.add("list", public_key(NEW), NEW)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    assert folder.private_keys() == [NEW]
    with pytest.raises(ConfigError, match="never written over"):
        folder.add("list", public_key(NEW), NEW)


async def test_the_life_of_a_root_is_two_years(trust, clock):
    assert trust.root.expires_at - instant(clock.now_us()) == ROOT_LIFE == timedelta(days=730)
