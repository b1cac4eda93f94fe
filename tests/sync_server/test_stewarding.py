"""What an operator does to one ticket, and what becomes of the passages there were."""

import pytest

from admission.journal import Kind, Record, chain, encode, genesis
from admission.sync.messages import Batch, Moment
from admission.ticket import TicketState
from admission.ticketlist.identifiers import identify
from sync_server.account_ports import Role, User
from sync_server.entities import ImportMode
from sync_server.errors import InvalidError, NotFoundError
from sync_server.importing import Importing
from sync_server.reconciling import Reconciling, refold_tickets
from sync_server.reporting import Reporting, reference
from sync_server.sources.file import read_tickets
from sync_server.stewarding import Stewarding

KEY = b"p0".rjust(32, b"k")


@pytest.fixture
def reconciling(venue, clock):
    return Reconciling(venue, clock)


@pytest.fixture
def stewarding(venue, ledger, news, reconciling):
    return Stewarding(venue, ledger, news, reconciling)


@pytest.fixture
def importing(venue, ledger, news):
    return Importing(venue, read_tickets, refold_tickets, ledger, news)


@pytest.fixture
async def passed_twice(importing, reconciling, master, clock):
    """Ticket A1, single, has entered twice; its second passage is an anomaly."""
    await importing.import_file(
        master,
        "p0",
        b"number\nA1\n",
        source_name="s",
        filename="f",
        mode=ImportMode.ADD,
    )
    await _pass(reconciling, clock, 1, "A1")
    await _pass(reconciling, clock, 2, "A1")
    clock.advance(60)


async def _pass(reconciling, clock, sequence, number):
    clock.advance(1)
    now_ms = clock.at_us // 1000
    record = Record(
        kind=int(Kind.PASSED),
        sequence=1,
        wall_ms=now_ms,
        boot_ms=now_ms,
        boot_id=b"b",
        checkpoint="c0",
        performance="p0",
        identifier=identify(KEY, number),
        direction=1,
    )
    journal = f"j{sequence}"
    batch = Batch(journal, 1, genesis(journal), [encode(record)], Moment(now_ms, now_ms, b"b"))
    taken = await reconciling.take("g0", batch)
    assert taken.ack.chain == chain(genesis(journal), encode(record))


async def _report(database, ledger):
    return await Reporting(database, ledger).rules("root")


async def test_a_reset_forgets_the_passages_but_takes_no_anomaly_away(
    stewarding, passed_twice, venue, ledger, master, news
):
    before = await _report(venue, ledger)
    assert (before.occupancy, before.attendance["p0"], len(before.anomalies)) == ({"c0": 2}, 1, 1)
    await stewarding.reset(master, "p0", "c0", " A1\r\n", "let in by mistake")
    after = await _report(venue, ledger)
    assert (after.occupancy, after.attendance["p0"], len(after.anomalies)) == ({"c0": 0}, 0, 1)
    assert news.streams[-1] == "p0"


async def test_a_reset_says_who_and_why_but_not_which_number(
    stewarding, passed_twice, venue, master
):
    await stewarding.reset(master, "p0", "c0", "A1", "let in by mistake")
    async with venue.read() as transaction:
        entry = (await transaction.audit.newest(1))[0]
    assert (entry.what, entry.user_id) == ("ticket_reset", "master")
    assert entry.detail == {
        "checkpoint": "c0",
        "ticket": reference(identify(KEY, "A1")),
        "reason": "let in by mistake",
    }


async def test_a_number_that_no_list_holds_may_be_reset_too(stewarding, venue, ledger, master):
    await stewarding.reset(master, "p0", "c0", "UNLISTED", "just in case")
    assert (await _report(venue, ledger)).occupancy == {"c0": 0}


async def test_a_state_counts_from_now_on_and_not_before(
    stewarding, passed_twice, reconciling, venue, ledger, master, clock
):
    assert await stewarding.set_state(master, "p0", "A1", TicketState.BLOCKED)
    assert [one.reason for one in (await _report(venue, ledger)).anomalies] == ["already_used"]
    await _pass(reconciling, clock, 3, "A1")
    reasons = [one.reason for one in (await _report(venue, ledger)).anomalies]
    assert reasons == ["already_used", "blocked"]


async def test_the_same_state_again_changes_nothing(stewarding, passed_twice, venue, master):
    assert not await stewarding.set_state(master, "p0", "A1", TicketState.VALID)
    assert await stewarding.set_state(master, "p0", "A1", TicketState.BLOCKED)
    assert not await stewarding.set_state(master, "p0", "A1", TicketState.BLOCKED)
    async with venue.read() as transaction:
        entries = await transaction.audit.newest(10)
    assert [one.what for one in entries].count("ticket_state_set") == 1
    assert "A1" not in repr(entries)


async def test_a_number_listed_after_it_passed_is_no_anomaly_any_more(
    importing, reconciling, venue, ledger, master, clock
):
    await _pass(reconciling, clock, 1, "LATE")
    before = await _report(venue, ledger)
    assert [one.reason for one in before.anomalies] == ["unknown_ticket"]
    assert before.attendance["p0"] == 0
    await importing.import_file(
        master,
        "p0",
        b"number\nLATE\n",
        source_name="s",
        filename="f",
        mode=ImportMode.ADD,
    )
    after = await _report(venue, ledger)
    assert (after.anomalies, after.attendance["p0"], after.occupancy) == ((), 1, {"c0": 1})


@pytest.mark.parametrize("number", ["", "  ", "x" * 513, "A\x00"])
async def test_what_cannot_be_a_number_is_refused(stewarding, master, number):
    for attempt in (
        stewarding.set_state(master, "p0", number, TicketState.BLOCKED),
        stewarding.reset(master, "p0", "c0", number, "why"),
    ):
        with pytest.raises(InvalidError, match="cannot be a ticket number"):
            await attempt


@pytest.mark.parametrize("reason", ["", " ", "x" * 201, "a\nb"])
async def test_a_reset_needs_a_reason(stewarding, master, reason):
    with pytest.raises(InvalidError, match="a reason of 1 to 200 characters"):
        await stewarding.reset(master, "p0", "c0", "A1", reason)


async def test_what_is_not_there_or_not_the_users_is_not_found(stewarding, master):
    stranger = User("x", "nowhere", "x", "X", "", Role.MASTER, "fr")
    for attempt in (
        stewarding.set_state(master, "p0", "UNLISTED", TicketState.BLOCKED),
        stewarding.set_state(master, "p9", "A1", TicketState.BLOCKED),
        stewarding.reset(master, "p0", "c9", "A1", "why"),
        stewarding.set_state(stranger, "p0", "A1", TicketState.BLOCKED),
        stewarding.reset(stranger, "p0", "c0", "A1", "why"),
    ):
        with pytest.raises(NotFoundError):
            await attempt
