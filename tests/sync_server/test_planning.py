"""What can be set up, by whom, and what is refused with which words."""

import pytest

from admission.rules import ClockPolicy, ExitPolicy
from admission.scan import Direction
from sync_server.account_ports import Role, User
from sync_server.entities import ImportMode
from sync_server.errors import ConflictError, InvalidError, NotFoundError
from sync_server.importing import Importing
from sync_server.planning import CheckpointChange, GateChange, PerformanceChange, Planning
from sync_server.reconciling import refold_tickets
from sync_server.sources.file import read_tickets
from sync_server.storage.accounts import SqlAccounts


@pytest.fixture
def planning(venue, ledger, news):
    return Planning(venue, ledger, news)


@pytest.fixture
async def stranger(planning, master, venue, entropy):
    """Somebody of a branch below the one that everything is in."""
    other = await planning.add_organization(master, "Other")
    user = User("stranger", other, "bob", "Bob", "", Role.ADMIN, "en")
    await SqlAccounts(venue, entropy).add_user(user, 0)
    return user


async def test_a_whole_venue_is_set_up(planning, master):
    venue_id = await planning.add_venue(master, "Théâtre", "Europe/Paris")
    event_id = await planning.add_event(master, venue_id, "La Traversée")
    performance_id = await planning.add_performance(
        master, event_id, "Ce soir", starts_ms=1_790_000_000_000, day_starts_at="05:00"
    )
    change = CheckpointChange(performances=[performance_id], capacity=0, allowed_categories=[])
    checkpoint_id = await planning.add_checkpoint(master, venue_id, "Parvis", change)
    gate_id = await planning.add_gate(
        master, checkpoint_id, "Gate", Direction.EXIT, ExitPolicy.NONE
    )
    plan = await planning.plan(master)
    performance = next(one for one in plan.performances if one.id == performance_id)
    assert (performance.timezone, performance.day_starts_at) == ("Europe/Paris", "05:00")
    assert len(performance.list_key) == 32
    checkpoint = next(one for one in plan.checkpoints if one.id == checkpoint_id)
    assert (checkpoint.capacity, checkpoint.allowed_categories) == (0, ())
    assert checkpoint.performances == (performance_id,)
    gate = next(one for one in plan.gates if one.id == gate_id)
    assert (gate.venue_id, gate.direction, gate.exit_policy) == (venue_id, "exit", "none")


async def test_no_two_performances_share_a_list_key(planning, master):
    for name in ("one", "two"):
        await planning.add_performance(master, "event", name)
    keys = [one.list_key for one in (await planning.plan(master)).performances]
    assert len(set(keys)) == len(keys)


async def test_what_lies_in_another_branch_is_not_there(planning, stranger):
    attempts = [
        planning.add_event(stranger, "venue", "x"),
        planning.add_performance(stranger, "event", "x"),
        planning.change_performance(stranger, "p0", PerformanceChange(canceled=True)),
        planning.add_checkpoint(stranger, "venue", "x"),
        planning.change_checkpoint(stranger, "c0", CheckpointChange(name="x")),
        planning.add_gate(stranger, "c0", "x", Direction.ENTRY),
        planning.change_gate(stranger, "g0", GateChange("c0")),
    ]
    for attempt in attempts:
        with pytest.raises(NotFoundError):
            await attempt
    plan = await planning.plan(stranger)
    assert (plan.venues, plan.performances, plan.gates) == ((), (), ())
    with pytest.raises(InvalidError, match="no such organization"):
        await planning.add_venue(stranger, "x", "Europe/Paris", "root")
    with pytest.raises(InvalidError, match="no such organization"):
        await planning.add_organization(stranger, "x", "root")


async def test_whoever_stands_above_reaches_what_is_below(planning, master, stranger):
    await planning.add_venue(stranger, "Below", "Europe/Paris")
    assert "Below" in [one.name for one in (await planning.plan(master)).venues]


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "a\nb", "a\x00"])
async def test_a_name_is_printable_and_of_bounded_length(planning, master, name):
    for attempt in (
        planning.add_organization(master, name),
        planning.add_venue(master, name, "Europe/Paris"),
        planning.add_event(master, "venue", name),
        planning.add_performance(master, "event", name),
        planning.add_checkpoint(master, "venue", name),
        planning.add_gate(master, "c0", name, Direction.ENTRY),
    ):
        with pytest.raises(InvalidError, match="name needs 1 to 200 printable characters"):
            await attempt


@pytest.mark.parametrize("zone", ["", "Paris", "Europe/Nowhere", "../etc/passwd", "/etc", "x\0"])
async def test_a_time_zone_is_a_known_one(planning, master, zone):
    with pytest.raises(InvalidError, match="IANA name such as Europe/Paris"):
        await planning.add_venue(master, "x", zone)


@pytest.mark.parametrize("clock_face", ["", "5:00", "24:00", "05:60", "05:00:00"])
async def test_the_day_starts_at_a_time_of_day(planning, master, clock_face):
    with pytest.raises(InvalidError, match="a time of day such as 05:00"):
        await planning.add_performance(master, "event", "x", day_starts_at=clock_face)


async def test_a_performance_changes_field_by_field(planning, master, news):
    change = PerformanceChange(
        excluded_categories=["press", "press-vip"], admits_from_us=1, admits_until_us=2
    )
    await planning.change_performance(master, "p0", change)
    changed = await planning.change_performance(master, "p0", PerformanceChange(canceled=True))
    assert changed.excluded_categories == ("press", "press-vip")
    assert (changed.admits_from_us, changed.admits_until_us, changed.canceled) == (1, 2, True)
    reopened = await planning.change_performance(
        master, "p0", PerformanceChange(canceled=False, admits_from_us=None)
    )
    assert (reopened.admits_from_us, reopened.admits_until_us) == (None, 2)
    assert reopened == next(
        one for one in (await planning.plan(master)).performances if one.id == "p0"
    )
    assert news.reports == 3


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (PerformanceChange(admits_from_us=5, admits_until_us=5), "admits_until"),
        (PerformanceChange(admits_from_us=-1), "admits_from"),
        (PerformanceChange(admits_until_us=2**62), "admits_until"),
        (PerformanceChange(excluded_categories=[""]), "excluded_categories"),
        (PerformanceChange(excluded_categories=["x"] * 1001), "excluded_categories"),
    ],
)
async def test_a_performance_that_cannot_be_is_refused_by_field(planning, master, change, field):
    with pytest.raises(InvalidError) as caught:
        await planning.change_performance(master, "p0", change)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (CheckpointChange(capacity=-1), "capacity"),
        (CheckpointChange(capacity=10_000_001), "capacity"),
        (CheckpointChange(allowed_categories=["\n"]), "allowed_categories"),
        (CheckpointChange(performances=["p9"]), "performances"),
        (CheckpointChange(performances=[str(n) for n in range(101)]), "performances"),
    ],
)
async def test_a_checkpoint_that_cannot_be_is_refused_by_field(planning, master, change, field):
    with pytest.raises(InvalidError) as caught:
        await planning.change_checkpoint(master, "c0", change)
    assert caught.value.field == field


async def test_a_checkpoint_controls_performances_of_its_own_venue_only(planning, master):
    elsewhere = await planning.add_venue(master, "Elsewhere", "Europe/Paris")
    with pytest.raises(InvalidError, match="not of the checkpoint's venue"):
        await planning.add_checkpoint(master, elsewhere, "x", CheckpointChange(performances=["p0"]))


async def test_performances_that_hold_one_number_are_not_chosen_together(
    planning, master, venue, ledger, news
):
    importing = Importing(venue, read_tickets, refold_tickets, ledger, news)
    await planning.change_checkpoint(master, "c0", CheckpointChange(performances=["p0"]))
    for performance_id in ("p0", "p1"):
        await importing.import_file(
            master,
            performance_id,
            b"number\nA1\n",
            source_name="s",
            filename="f",
            mode=ImportMode.ADD,
        )
    with pytest.raises(ConflictError, match="“North” controls “Name of p0” and “Name of p1”"):
        await planning.change_checkpoint(master, "c0", CheckpointChange(performances=["p0", "p1"]))
    with pytest.raises(ConflictError, match="“Name of p1”"):
        await planning.add_checkpoint(
            master, "venue", "South", CheckpointChange(performances=["p1", "p0"])
        )


async def test_a_gate_moves_within_its_venue_and_its_gates_are_told(planning, master, news):
    south = await planning.add_checkpoint(master, "venue", "South")
    await planning.change_gate(master, "g0", GateChange(south))
    assert news.lists == 1
    elsewhere = await planning.add_venue(master, "Elsewhere", "Europe/Paris")
    far = await planning.add_checkpoint(master, elsewhere, "Far")
    with pytest.raises(InvalidError, match="another venue"):
        await planning.change_gate(master, "g0", GateChange(far))


async def test_a_gate_is_told_what_to_do_without_a_trusted_time(planning, master, venue, news):
    change = GateChange(clock_policy=ClockPolicy.REFUSE)
    await planning.change_gate(master, "g0", change)
    assert news.lists == 1
    async with venue.read() as transaction:
        gate = await transaction.gates.gate("g0")
        entry = (await transaction.audit.newest(1))[0]
    assert (gate.clock_policy, gate.checkpoint_id) == (ClockPolicy.REFUSE, "c0")
    assert entry.what == "gate_changed"


async def test_every_change_leaves_an_audit_line_with_who_and_what(planning, master, venue, clock):
    clock.advance(1)
    event_id = await planning.add_event(master, "venue", "x")
    async with venue.read() as transaction:
        entry = (await transaction.audit.newest(1))[0]
    assert (entry.what, entry.subject, entry.user_id) == ("event_added", event_id, "master")
    assert entry.at_ms == clock.at_us // 1000
