"""What is signed for gates, that a gate believes it, and that it gets its own lists only."""

import asyncio
import hashlib
from dataclasses import replace

import pytest

from admission.journal import genesis
from admission.rules import ClockPolicy, ExitPolicy
from admission.scan import Direction
from admission.sync.assignment import JOURNALS_NAMED_MAX, accept_assignment
from admission.sync.server_side import Head
from admission.ticket import EntryExit, Multi, Single, TicketClass, TicketState
from admission.ticketlist.acceptance import accept_manifest
from admission.ticketlist.identifiers import identify
from admission.ticketlist.manifest import classes_of, performance_of
from admission.ticketlist.packed import PackedList
from admission.trust.root import Role as TrustRole
from admission.trust.root import signers
from admission.trust.sealing import agreement_public_key, unseal
from sync_server.account_ports import Role, User
from sync_server.entities import Checkpoint, Gate, ImportMode, Venue
from sync_server.errors import ConflictError, NotFoundError
from sync_server.importing import Importing
from sync_server.publishing import HELD_PAST_MS, Publishing
from sync_server.reconciling import refold_tickets
from sync_server.sources.file import read_tickets
from sync_server.storage.snapshot_files import Folder

AGREEMENT = b"x" * 32
KEY = b"p0".rjust(32, b"k")


@pytest.fixture
def publishing(venue, ledger, news, tmp_path, trust):
    return Publishing(venue, Folder(tmp_path / "lists"), ledger, news, trust)


@pytest.fixture
def bring(venue, ledger, news, master):
    importing = Importing(venue, read_tickets, refold_tickets, ledger, news)

    async def bring(text, performance="p0"):
        return await importing.import_file(
            master,
            performance,
            text.encode(),
            source_name="s",
            filename="f",
            mode=ImportMode.ADD,
        )

    return bring


async def _accepted(publishing, clock, gate="g0", performance="p0", installed=None):
    raw = await publishing.manifest(gate, performance)
    return accept_manifest(
        raw,
        performance=performance,
        trusted=signers(publishing._trust.root, TrustRole.LIST),
        installed=installed,
        now=None,
    )


async def _assigned(publishing, gate="g0", version=0):
    return accept_assignment(
        await publishing.assignment(gate),
        gate=gate,
        trusted=signers(publishing._trust.root, TrustRole.STATUS),
        version_installed=version,
    )


async def test_a_gate_believes_the_list_and_finds_every_ticket(publishing, bring, master, clock):
    await bring(
        "number;category;rule;total_passes;status\n"
        "A1;vip;multi;3;\nA2;vip;entry_exit;;canceled\nA3;guest;;;blocked\n"
    )
    assert await publishing.publish(master, "p0") == 1
    manifest = await _accepted(publishing, clock)
    path = await publishing.list_file("g0", "p0", manifest.snapshot.sha256)
    data = path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == manifest.snapshot.sha256 == manifest.chain
    packed = PackedList(data, "p0")
    classes = classes_of(manifest)
    found = {}
    for number in ("A1", "A2", "A3", "A4"):
        entry = packed.find(identify(KEY, number))
        found[number] = entry and (classes[entry.class_index], entry.state)
    assert found == {
        "A1": (TicketClass("vip", Multi(3)), TicketState.VALID),
        "A2": (TicketClass("vip", EntryExit()), TicketState.CANCELED),
        "A3": (TicketClass("guest", Single()), TicketState.BLOCKED),
        "A4": None,
    }
    assert b"A1" not in data + await publishing.manifest("g0", "p0")


async def test_the_manifest_says_what_the_rules_need(publishing, venue, bring, master, clock):
    async with venue.write() as transaction:
        performance = await transaction.performances.performance("p0")
        changed = replace(
            performance,
            starts_ms=clock.at_us // 1000,
            day_starts_at="05:00",
            excluded_categories=("press",),
            admits_from_us=clock.at_us,
            canceled=True,
        )
        await transaction.performances.save_performance(changed)
    await publishing.publish(master, "p0")
    manifest = await _accepted(publishing, clock)
    assert performance_of(manifest) == changed.judged()
    assert (manifest.showing.event, manifest.showing.venue) == ("Show", "Hall")
    assert manifest.snapshot.count == 0


async def test_versions_rise_and_old_snapshots_stay(publishing, bring, master, clock):
    await bring("number\nA1\n")
    await publishing.publish(master, "p0")
    first = await _accepted(publishing, clock)
    await bring("number\nA2\n")
    assert await publishing.publish(master, "p0") == 2
    second = await _accepted(publishing, clock)
    assert (second.version, second.snapshot.count) == (2, 2)
    for manifest in (first, second):
        path = await publishing.list_file("g0", "p0", manifest.snapshot.sha256)
        assert path.stat().st_mode & 0o777 == 0o600
        assert hashlib.sha256(path.read_bytes()).hexdigest() == manifest.snapshot.sha256


async def test_publishing_side_by_side_gives_each_its_version(publishing, master, news):
    versions = await asyncio.gather(*(publishing.publish(master, "p0") for _ in range(3)))
    assert sorted(versions) == [1, 2, 3]
    assert news.lists == 3


async def test_the_list_key_travels_sealed_for_the_gate_alone(publishing, venue, master):
    async with venue.write() as transaction:
        gate = await transaction.gates.gate("g0")
        agreement = agreement_public_key(AGREEMENT)
        await transaction.gates.save_gate(replace(gate, agreement_key=agreement))
    await publishing.publish(master, "p0")
    sealed = await publishing.sealed_key("g0", "p0")
    assert KEY not in sealed
    assert unseal(sealed, AGREEMENT, b"list-key:p0") == KEY
    assert await publishing.sealed_key("g0", "p0") != sealed


async def test_a_gate_without_a_key_of_its_own_gets_no_list_key(publishing, master):
    await publishing.publish(master, "p0")
    with pytest.raises(NotFoundError):
        await publishing.sealed_key("g0", "p0")


async def test_what_a_gate_does_not_hold_it_does_not_get(publishing, venue, master):
    async with venue.write() as transaction:
        await transaction.organizations.add_venue(
            Venue("elsewhere", "root", "Elsewhere", "Europe/Paris")
        )
        await transaction.checkpoints.add_checkpoint(
            Checkpoint("far", "elsewhere", "Far", None, None, ())
        )
        await transaction.gates.add_gate(
            Gate("g9", "elsewhere", "Far", "far", Direction.ENTRY, agreement_key=b"a" * 32)
        )
    await publishing.publish(master, "p0")
    sha256 = (await publishing.lists("g0")).versions
    assert sha256 == {"p0": 1}
    for attempt in (
        publishing.manifest("g9", "p0"),
        publishing.sealed_key("g9", "p0"),
        publishing.list_file("g9", "p0", "0" * 64),
        publishing.manifest("g0", "p1"),
        publishing.manifest("g0", "../p0"),
        publishing.list_file("g0", "p0", "0" * 64),
        publishing.list_file("g0", "p0", "../../etc/passwd"),
        publishing.assignment("nobody"),
        publishing.streams("nobody"),
        publishing.publish(User("x", "nowhere", "x", "X", "", Role.MASTER, "fr"), "p0"),
    ):
        with pytest.raises(NotFoundError):
            await attempt


async def _begin_journal(venue, journal_id, gate):
    async with venue.write() as transaction:
        await transaction.journals.add_journal(journal_id, gate, Head(0, genesis(journal_id)))


async def test_an_assignment_names_the_gates_whose_journals_a_ticket_may_be_in(publishing, venue):
    assert (await _assigned(publishing)).gate_names == {}
    async with venue.write() as transaction:
        await transaction.checkpoints.add_checkpoint(
            Checkpoint("c1", "venue", "South", None, None, ())
        )
        for gate, name, checkpoint in (("g1", "Gate B" * 20, "c0"), ("g2", "Gate C", "c1")):
            await transaction.gates.add_gate(Gate(gate, "venue", name, checkpoint, Direction.ENTRY))
    for journal_id, gate in (("j0", "g0"), ("j1", "g1"), ("j1-anew", "g1"), ("j2", "g2")):
        await _begin_journal(venue, journal_id, gate)
    changed = await _assigned(publishing, version=1)
    assert changed.version == 2
    long_name = ("Gate B" * 20)[:40]
    assert changed.gate_names == {"j0": "Gate A", "j1": long_name, "j1-anew": long_name}
    assert (await _assigned(publishing, "g2")).gate_names == {"j2": "Gate C"}


async def test_of_very_many_journals_the_latest_are_named(publishing, venue):
    for number in range(JOURNALS_NAMED_MAX + 9):
        await _begin_journal(venue, f"j{number:03}", "g0")
    named = (await _assigned(publishing)).gate_names
    assert sorted(named) == [f"j{number:03}" for number in range(9, JOURNALS_NAMED_MAX + 9)]


async def test_an_assignment_names_what_is_published_and_rises_with_every_change(
    publishing, venue, master
):
    first = await _assigned(publishing)
    assert (first.version, first.checkpoint.performances, first.held) == (1, (), ())
    assert (await _assigned(publishing)).version == 1
    await publishing.publish(master, "p0")
    second = await _assigned(publishing, version=1)
    assert (second.version, second.checkpoint.performances) == (2, ("p0",))
    async with venue.write() as transaction:
        checkpoint = await transaction.checkpoints.checkpoint("c0")
        await transaction.checkpoints.save_checkpoint(
            replace(checkpoint, capacity=7, allowed_categories=("vip",), performances=("p1",))
        )
        gate = await transaction.gates.gate("g0")
        await transaction.gates.save_gate(
            replace(gate, exit_policy=ExitPolicy.ANY, clock_policy=ClockPolicy.REFUSE, strict=True)
        )
    third = await _assigned(publishing, version=2)
    assert (third.version, third.exit_policy) == (3, ExitPolicy.ANY)
    assert (third.clock_policy, third.strict) == (ClockPolicy.REFUSE, True)
    assert (third.checkpoint.capacity, third.checkpoint.allowed_categories) == (7, ("vip",))
    assert (third.checkpoint.performances, third.held) == ((), ("p0",))
    assert (await publishing.lists("g0")).assignment == 3
    assert await publishing.streams("g0") == {"p0"}


async def test_a_gate_may_be_moved_to_those_checkpoints_whose_lists_it_holds(
    publishing, venue, master
):
    async with venue.write() as transaction:
        for name, performances in (("vip", ("p0",)), ("south", ("p0", "p1")), ("idle", ())):
            await transaction.checkpoints.add_checkpoint(
                Checkpoint(name, "venue", name.title(), ("vip",), 9, performances)
            )
        await transaction.organizations.add_venue(Venue("far", "root", "Far", "Europe/Paris"))
        await transaction.checkpoints.add_checkpoint(
            Checkpoint("away", "far", "Away", None, None, ("p0",))
        )
    assert (await _assigned(publishing)).alternatives == ()  # nothing is published
    await publishing.publish(master, "p0")
    south, vip = (await _assigned(publishing, version=1)).alternatives
    assert (south.id, south.performances, vip.id) == ("south", ("p0",), "vip")
    assert (vip.name, vip.allowed_categories, vip.capacity) == ("Vip", ("vip",), 9)


async def test_what_is_over_is_not_held_any_more(publishing, venue, master, clock):
    async with venue.write() as transaction:
        performance = await transaction.performances.performance("p0")
        begun = replace(performance, starts_ms=clock.at_us // 1000)
        await transaction.performances.save_performance(begun)
    await publishing.publish(master, "p0")
    assert (await _assigned(publishing)).performances == ("p0",)
    clock.advance(HELD_PAST_MS / 1000 + 1)
    assert (await _assigned(publishing)).performances == ()


async def test_too_many_classes_are_refused_before_anything_is_published(
    publishing, venue, bring, master
):
    rows = "".join(f"A{n};{'category ' * 15}{n}\n" for n in range(400))
    await bring(f"number;category\n{rows}")
    with pytest.raises(ConflictError) as caught:
        await publishing.publish(master, "p0")
    assert caught.value.code == "too_many_categories"
    async with venue.read() as transaction:
        assert (await transaction.performances.performance("p0")).published_version == 0


def test_a_snapshot_is_named_by_a_digest_and_nothing_else(tmp_path):
    for name in ("..", "a/b", "A" * 64, "0" * 63, "0" * 64 + "\n"):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            Folder(tmp_path).path(name)
