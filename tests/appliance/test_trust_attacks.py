"""TUF's named attacks, each a real attempt against a gate's real store. What was trusted stays."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from admission.errors import ListError
from admission.trust.envelope import ROOT_TYPE, add_signature
from admission.trust.root import Role, root_digest
from appliance.errors import LinkAnswerError, StorageError
from appliance.simulator.box_office import BoxOffice
from appliance.storage.trust_store import SqliteTrust
from appliance.trust_keeper import ROOTS_A_ROUND_MAX
from gate_trust import trust_in
from list_shelf import FORGER, GATE, NOW, OFFICE, admits, listed, offer, open_shelf

DAY = timedelta(days=1)


def fresh_office(name="box office"):
    """Give an office whose keys may be rotated without another test noticing."""
    return BoxOffice(name)


class OneKeyThief(BoxOffice):
    """Whoever has stolen one key, and signs everything with it."""

    def __init__(self, stolen):
        self.stolen = stolen
        super().__init__()

    def key(self, role):
        return self.stolen

    def rotate(self, *_roles, **_fields):
        self.roots.append(b"")


async def publish(shelf, office, *versions, **fields):
    """Have an office publish versions of a list, and the gate look at each."""
    for version in versions:
        numbers = [f"T{number}" for number in range(1, min(version, 9) + 1)]
        shelf.server.publish(office.draw_up("show", numbers, version, **fields))
        shelf.server.assign(GATE, version, office.assign(GATE, ["show"], version))
        await shelf.keeper.refresh(shelf.link)


# --- an arbitrary list, by whoever is no one --------------------------------------------------


async def test_a_list_by_keys_of_the_thiefs_own_is_refused(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, listed(1, "T1"))
        shelf.server.lists["show"] = FORGER.draw_up("show", ["FAKE"], 2)
        assert not await shelf.keeper.refresh(shelf.link)
        assert await shelf.refusals() == ["show: SignatureError"]
        assert admits(shelf, "T1")
        assert not admits(shelf, "FAKE")


@pytest.mark.parametrize("role", [Role.STATUS, Role.ENROL, Role.OPERATOR, Role.ROOT])
async def test_no_other_roles_key_signs_a_list(tmp_path: Path, role: Role):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1)
        forged = office.draw_up("show", ["FAKE"], 2)
        body = forged.manifest
        stolen = OneKeyThief(office.key(role))
        shelf.server.lists["show"] = replace(forged, envelope=stolen.sign(body))
        assert not await shelf.keeper.refresh(shelf.link)
        assert "show: SignatureError" in await shelf.refusals()
        assert not admits(shelf, "FAKE")


async def test_the_list_key_makes_no_roots_and_speaks_not_for_the_server(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1)
        shelf.server.office = OneKeyThief(office.key(Role.LIST))
        assert not await shelf.keeper.refresh(shelf.link)
        assert await shelf.refusals() == ["trust: SignatureError"]


# --- rollback ---------------------------------------------------------------------------------


async def test_an_older_list_is_refused_also_after_a_restart(tmp_path: Path):
    for _ in range(2):
        async with open_shelf(tmp_path) as shelf:
            if not shelf.holdings.versions:
                await offer(shelf, listed(1, "T1"), listed(2, "T1", "T2"))
            shelf.server.lists["show"] = listed(1, "T1")
            shelf.server.assign(GATE, 1, OFFICE.assign(GATE, ["show"]))
            assert not await shelf.keeper.refresh(shelf.link)
            assert await shelf.refusals() == ["show: RollbackError"]
            assert shelf.holdings.versions == {"show": 2}


async def test_an_older_status_is_refused_also_after_a_restart(tmp_path: Path):
    office = fresh_office()
    for _ in range(2):
        async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
            if not shelf.holdings.versions:
                shelf.server.status_fields = {"version": 900}
                await publish(shelf, office, 1)
            shelf.server.status_fields = {"version": 899}
            await publish(shelf, office, 2)
            assert "trust: RollbackError" in await shelf.refusals()
            assert shelf.holdings.versions == {"show": 1}


async def test_a_recorded_status_says_nothing_to_a_new_question(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1)
        shelf.server.status_fields = {"nonce": "question 1"}
        assert not await shelf.keeper.refresh(shelf.link)
        assert await shelf.refusals() == ["trust: ForeignListError"]


async def test_a_server_that_hides_the_newer_root_it_once_showed_is_not_believed(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1)
        office.rotate()
        assert await shelf.keeper.refresh(shelf.link)
        shelf.server.status_fields = {"root_version": 1}
        assert not await shelf.keeper.refresh(shelf.link)
        assert await shelf.refusals() == ["trust: RollbackError"]


async def test_a_root_that_is_in_force_cannot_be_kept_back(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1)
        office.rotate()
        kept_back = office.roots.pop()
        shelf.server.status_fields = {"root_version": 2}
        assert not await shelf.keeper.refresh(shelf.link)
        assert await shelf.refusals() == ["trust: RollbackError"]
        office.roots.append(kept_back)
        assert await shelf.keeper.refresh(shelf.link)


# --- freeze: what is new is kept back ---------------------------------------------------------


async def test_a_newer_list_that_the_server_has_signed_of_cannot_be_kept_back(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1, 2)
        shelf.link.forget("show")
        shelf.server.status_fields = {"lists": {"show": office.draw_up("show", ["T9"], 3)}}
        assert not await shelf.keeper.refresh(shelf.link)
        assert await shelf.refusals() == ["show: RollbackError"]


async def test_a_gate_that_hears_nothing_new_admits_and_calls_its_list_stale(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1, refresh_by=NOW + timedelta(hours=1))
        assert not shelf.holdings.is_stale("show", NOW + timedelta(hours=23))  # the status vouches
        assert shelf.holdings.is_stale("show", NOW + timedelta(hours=25))
        assert shelf.holdings.faults(NOW + timedelta(hours=25)) == {}
        assert admits(shelf, "T1")


async def test_a_status_that_leaves_the_list_out_does_not_vouch_for_it(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        shelf.server.status_fields = {"lists": {}}
        await publish(shelf, office, 1, refresh_by=NOW + timedelta(hours=1))
        assert shelf.holdings.is_stale("show", NOW + timedelta(hours=1))


async def test_after_its_last_instant_a_list_admits_nobody(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, listed(1, "T1", not_after=NOW + DAY))
        assert shelf.holdings.faults(NOW + DAY) != {}


async def test_a_server_without_a_status_still_hands_out_lists_that_go_stale(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:

        async def nothing(_nonce):
            raise LinkAnswerError("503: no key of role status here")

        shelf.link.status = nothing
        await publish(shelf, office, 1, refresh_by=NOW + timedelta(hours=1))
        assert shelf.holdings.versions == {"show": 1}
        assert shelf.holdings.is_stale("show", NOW + timedelta(hours=1))


# --- mix-and-match ----------------------------------------------------------------------------


async def test_one_version_is_never_two_lists(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1)
        shelf.server.publish(office.draw_up("show", ["OTHER"], 2))
        named = office.draw_up("show", ["T1", "T2"], 2)
        shelf.server.status_fields = {"lists": {"show": named}}
        assert not await shelf.keeper.refresh(shelf.link)
        assert await shelf.refusals() == ["show: DigestError"]
        assert not admits(shelf, "OTHER")


# --- fast-forward -----------------------------------------------------------------------------


@pytest.mark.parametrize("restarted", [False, True])
async def test_versions_that_a_thief_drove_up_are_forgotten_with_the_stolen_key(
    tmp_path: Path, restarted: bool
):
    office, last = fresh_office(), (1 << 63) - 1
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1)
        shelf.server.status_fields = {"version": last}
        await publish(shelf, office, last)  # by whoever has stolen the keys of list and status
        assert shelf.holdings.versions == {"show": last}
        shelf.server.status_fields = {}
        office.rotate(Role.LIST, Role.STATUS)
        if not restarted:
            await publish(shelf, office, 2)
            assert shelf.holdings.versions == {"show": 2}
    trusted = fresh_office()  # what the gate was enrolled with
    async with open_shelf(tmp_path, trusted=trusted, office=office) as shelf:
        await publish(shelf, office, 2, 3)
        assert shelf.holdings.versions == {"show": 3}
        assert not shelf.holdings.is_stale("show", NOW)


async def test_nothing_is_forgotten_while_the_old_key_may_still_sign(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 5)
        keys = {role: office.signers(role).keys for role in Role}
        keys[Role.LIST] += FORGER.signers(Role.LIST).keys
        office.rotate(keys=keys)
        await publish(shelf, office, 4)
        assert "show: RollbackError" in await shelf.refusals()
        assert shelf.holdings.versions == {"show": 5}


# --- key compromise ---------------------------------------------------------------------------


async def test_a_stolen_key_signs_nothing_more_once_the_root_has_left_it_out(tmp_path: Path):
    office, thief = fresh_office(), fresh_office()
    async with open_shelf(tmp_path, trusted=thief, office=office) as shelf:
        await publish(shelf, office, 1)
        office.rotate(Role.LIST)
        await publish(shelf, office, 2)
        shelf.server.lists["show"] = thief.draw_up("show", ["FAKE"], 3)
        assert not await shelf.keeper.refresh(shelf.link)
        assert await shelf.refusals() == ["show: SignatureError"]
        assert not admits(shelf, "FAKE")


async def test_a_rotation_closes_no_door(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1)
        office.rotate(Role.LIST)
        shelf.server.lists.clear()  # the root comes, and then the line is cut
        await shelf.keeper.refresh(shelf.link)
        assert admits(shelf, "T1")
        assert shelf.holdings.is_stale("show", NOW)
    async with open_shelf(tmp_path, trusted=fresh_office(), office=office) as shelf:
        assert admits(shelf, "T1")  # and after a power cut, too
        assert shelf.holdings.is_stale("show", NOW)
        assert shelf.keeper.assignment is not None


@pytest.mark.parametrize("signed_by", ["nobody new", "nobody old", "a stranger"])
async def test_a_root_that_either_side_did_not_sign_is_not_followed(tmp_path: Path, signed_by: str):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1)
        old, rogue = office.key(Role.ROOT), FORGER.key(Role.ROOT)
        raw = office.rotate(Role.ROOT)
        new = office.key(Role.ROOT)
        keys = {"nobody new": [old], "nobody old": [new], "a stranger": [rogue]}[signed_by]
        office.roots[-1] = b'{"payload":' + raw.split(b'"payload":')[1].split(b'"signatures"')[0]
        office.roots[-1] += b'"signatures":[]}'
        for key in keys:
            office.roots[-1] = add_signature(office.roots[-1], ROOT_TYPE, key)
        assert not await shelf.keeper.refresh(shelf.link)
        assert await shelf.refusals() == ["trust: SignatureError"]
        assert shelf.keeper.root_version == 1


async def test_nothing_new_is_believed_by_a_root_that_has_run_out(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1)
        office.rotate(expires_at=NOW)
        await publish(shelf, office, 2)
        assert await shelf.refusals() == ["trust: ListExpiredError"]
        assert shelf.holdings.versions == {"show": 1}
        assert admits(shelf, "T1")  # what is there goes on
        office.rotate(expires_at=NOW + DAY)
        await publish(shelf, office, 2)
        assert shelf.holdings.versions == {"show": 2}


# --- endless data -----------------------------------------------------------------------------


async def test_endless_successors_of_the_root_are_not_followed_for_ever(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        for _ in range(ROOTS_A_ROUND_MAX + 5):
            office.rotate()
        await publish(shelf, office, 1)
        assert await shelf.refusals() == ["trust: ListError"]
        assert shelf.keeper.root_version == 1 + ROOTS_A_ROUND_MAX
        await publish(shelf, office, 1)  # the rest of an honest server's, next time
        assert shelf.keeper.root_version == len(office.roots)
        assert shelf.holdings.versions == {"show": 1}


# --- crashes, and hands on the card -----------------------------------------------------------


async def test_a_root_that_cannot_be_written_down_is_not_used(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 1)
        office.rotate(Role.LIST)

        async def full(*_, **__):
            raise StorageError("disk is full")

        shelf.trust._memory.remember_root = full
        with pytest.raises(StorageError):
            await shelf.keeper.refresh(shelf.link)
        assert shelf.keeper.root_version == 1
        assert not shelf.holdings.is_stale("show", NOW)


async def test_versions_are_forgotten_in_the_roots_own_commit_or_not_at_all(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        await publish(shelf, office, 7)
        store = SqliteTrust(shelf.connection)
        await store.remember_root(2, b"root", forget_lists=False, forget_status=False)
        assert (await shelf.memory.lists())[0].version == 7
        with pytest.raises(StorageError, match="there already"):
            await store.remember_root(2, b"root", forget_lists=True, forget_status=True)
        assert (await shelf.memory.lists())[0].version == 7
        assert await store.status_version() > 0
        await store.remember_root(3, b"root", forget_lists=True, forget_status=True)
        assert (await shelf.memory.lists())[0].version == 0
        assert await store.status_version() == 0


async def test_a_status_version_never_goes_down_on_the_card(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        store = SqliteTrust(shelf.connection)
        for version in (5, 9, 7):
            await store.remember_status(version)
        assert await store.status_version() == 9


async def test_an_altered_chain_on_the_card_is_found_at_the_start(tmp_path: Path):
    office = fresh_office()
    async with open_shelf(tmp_path, trusted=office, office=office) as shelf:
        office.rotate(Role.LIST)
        await publish(shelf, office, 1)
    with sqlite3.connect(tmp_path / "journal.sqlite") as card:
        (raw,) = card.execute("SELECT envelope FROM roots").fetchone()
        card.execute("UPDATE roots SET envelope = ?", [raw.replace(b'"sig":"', b'"sig":"A')])
    card.close()
    with pytest.raises(ListError):
        async with open_shelf(tmp_path, trusted=fresh_office(), office=office):
            pass


def test_a_root_in_the_identity_that_is_not_the_pinned_one_is_found_at_the_start():
    office = fresh_office()
    other = fresh_office("another")
    office.roots[0], pinned = other.roots[0], root_digest(office.roots[0])
    with pytest.raises(ListError):
        trust_in(office, None, pinned=pinned)
