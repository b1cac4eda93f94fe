"""A status that a site server has in stock: taken while its upstream is away, and no further."""

from datetime import timedelta

from admission.trust.status import answers_nobody
from list_shelf import FORGER, NOW, OFFICE, V1, V2, admits, listed, offer, open_shelf

HOUR = timedelta(hours=1)


def stock(shelf, office=OFFICE, **fields):
    """Have the server answer with what was signed before, for nobody's question."""
    shelf.server.status_fields = {"nonce": "", **fields}
    shelf.server.office = office


async def test_a_gate_takes_lists_with_a_status_from_stock_and_they_age_with_it(tmp_path):
    async with open_shelf(tmp_path) as shelf:
        stock(shelf, time=NOW - HOUR, expires_at=NOW + HOUR)
        assert await offer(shelf, listed(1, "T1", refresh_by=NOW - HOUR))
        assert admits(shelf, "T1")
        assert not shelf.keeper.is_trust_refused
        assert not shelf.holdings.is_stale("show", NOW)
        assert shelf.holdings.is_stale("show", NOW + HOUR)


async def test_a_status_from_stock_says_nothing_of_the_time(tmp_path):
    async with open_shelf(tmp_path) as shelf:
        stock(shelf, time=NOW + 5 * HOUR, expires_at=NOW + 9 * HOUR)
        assert await offer(shelf, V1)
        assert shelf.trust._time.now() < NOW + HOUR


async def test_one_that_is_older_than_what_the_server_said_itself_is_no_news_and_no_fault(tmp_path):
    async with open_shelf(tmp_path) as shelf:
        assert await offer(shelf, V1)
        said = shelf.keeper.status
        stock(shelf, time=NOW - HOUR, expires_at=NOW + HOUR)
        assert await shelf.keeper.refresh(shelf.link)
        assert shelf.keeper.status == said
        assert not shelf.keeper.is_trust_refused
        assert await shelf.refusals() == []


async def test_one_whose_time_is_over_is_refused_and_what_was_there_stays(tmp_path):
    async with open_shelf(tmp_path) as shelf:
        stock(shelf, time=NOW - 30 * HOUR, expires_at=NOW - HOUR)
        assert not await offer(shelf, V1)
        assert shelf.keeper.is_trust_refused
        assert await shelf.refusals() == ["trust: ListExpiredError"]


async def test_one_by_nobody_who_may_is_refused(tmp_path):
    async with open_shelf(tmp_path) as shelf:
        stock(shelf, FORGER, time=NOW, expires_at=NOW + HOUR)
        assert not await offer(shelf, V1)
        assert shelf.keeper.is_trust_refused


async def test_a_list_that_the_last_live_status_knew_a_newer_of_is_not_taken_from_stock(tmp_path):
    async with open_shelf(tmp_path) as shelf:
        assert await offer(shelf, V1, V2)
        stock(shelf, time=NOW + HOUR, expires_at=NOW + 9 * HOUR)
        shelf.server.lists["show"] = V1
        shelf.link.forget("show")
        await shelf.keeper.refresh(shelf.link)
        assert admits(shelf, "T2")


def test_what_is_no_status_answers_somebody():
    assert not answers_nobody(b"")
    assert not answers_nobody(b"{}")
    assert answers_nobody(OFFICE.status("", {}, time=NOW, version=1))
    assert not answers_nobody(OFFICE.status("n", {}, time=NOW, version=1))
