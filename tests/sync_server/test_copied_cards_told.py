"""Operators are told of a copied card, by both heads of its journal, until they have settled it."""

from dataclasses import replace

import pytest

from admission import journal
from admission.journal import Kind, Record
from admission.sync.messages import Batch, Moment
from sync_server.account_ports import Role, User
from sync_server.copied_cards import CopiedCards
from sync_server.errors import ConflictError, InvalidError, NotFoundError
from sync_server.ledger import Ledger
from sync_server.reconciling import Reconciling
from sync_server.reporting import Reporting
from trial_gates import furnish


def batch(*marks, first=1, name="j"):
    """Make a batch from the first record on; its records differ by their marks."""
    chain, blobs = journal.genesis(name), []
    for sequence, mark in enumerate(marks, start=1):
        record = Record(
            kind=int(Kind.BOOT),
            sequence=sequence,
            wall_ms=1_780_000_000_000,
            boot_ms=0,
            boot_id=b"b" * 16,
            detail={"mark": mark},
        )
        blobs.append(journal.encode(record))
    for blob in blobs[: first - 1]:
        chain = journal.chain(chain, blob)
    return Batch(name, first, chain, blobs[first - 1 :], Moment(1_780_000_000_000, 0, b"b" * 16))


@pytest.fixture
def reconciling(venue, clock):
    return Reconciling(venue, clock)


@pytest.fixture
def copied_cards(venue, ledger, news):
    return CopiedCards(venue, ledger, news)


async def test_a_journal_that_goes_on_in_two_ways_is_told_with_both_heads(
    reconciling, copied_cards, master, clock
):
    main = await reconciling.take("g0", batch("a", "b", "c", "d"))
    aside = await reconciling.take("g0", batch("a", "b", "x", first=3))
    (line,) = await copied_cards.open_lines(master)
    assert (line.gate_id, line.journal_id) == ("g0", "j")
    assert [place.sequence for place in (line.after, line.main, line.head)] == [2, 4, 3]
    assert (line.main.chain, line.head.chain) == (main.ack.chain, aside.ack.held_chain)
    assert line.found_ms == clock.at_us // 1000


async def test_what_goes_on_with_a_side_line_is_the_same_line_and_what_leaves_it_is_another(
    reconciling, copied_cards, master
):
    await reconciling.take("g0", batch("a", "b"))
    await reconciling.take("g0", batch("a", "x"))
    await reconciling.take("g0", batch("a", "x", "y", first=3))
    (line,) = await copied_cards.open_lines(master)
    assert line.head.sequence == 3
    await reconciling.take("g0", batch("a", "x", "z", first=3))
    lines = await copied_cards.open_lines(master)
    assert [(one.after.sequence, one.head.sequence) for one in lines] == [(1, 3), (2, 3)]


async def test_a_settled_notice_is_audited_with_its_reason_and_is_gone(
    reconciling, copied_cards, venue, master, news
):
    await reconciling.take("g0", batch("a", "b"))
    await reconciling.take("g0", batch("a", "x"))
    reporting = Reporting(venue, Ledger(copied_cards._ledger._clock, None))
    assert [line.copied for line in (await reporting.live("root")).gates] == [True]
    assert await copied_cards.settle(master, "g0", " the spare was left running ") == 1
    assert await copied_cards.open_lines(master) == []
    assert [line.copied for line in (await reporting.live("root")).gates] == [False]
    assert news.reports == 1
    async with venue.read() as transaction:
        (entry,) = [
            one for one in await transaction.audit.newest(9) if one.what == "copied_card_settled"
        ]
    assert (entry.user_id, entry.subject) == ("master", "g0")
    assert entry.detail == {"reason": "the spare was left running", "lines": 1}


async def test_the_rest_of_a_settled_line_raises_no_other_notice_but_another_line_does(
    reconciling, copied_cards, master
):
    await reconciling.take("g0", batch("a", "b"))
    await reconciling.take("g0", batch("a", "x"))
    await copied_cards.settle(master, "g0", "seen")
    await reconciling.take("g0", batch("a", "x", "y", first=3))
    assert await copied_cards.open_lines(master) == []
    await reconciling.take("g0", batch("a", "q"))
    assert len(await copied_cards.open_lines(master)) == 1


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1000])
async def test_a_notice_is_not_taken_down_without_a_reason(
    reconciling, copied_cards, master, reason
):
    await reconciling.take("g0", batch("a"))
    await reconciling.take("g0", batch("x"))
    with pytest.raises(InvalidError):
        await copied_cards.settle(master, "g0", reason)
    assert len(await copied_cards.open_lines(master)) == 1


async def test_what_was_never_told_is_not_settled(copied_cards, master):
    with pytest.raises(ConflictError):
        await copied_cards.settle(master, "g0", "nothing")


async def test_only_who_may_reach_a_gate_is_told_of_its_card(reconciling, copied_cards, master):
    await reconciling.take("g0", batch("a"))
    await reconciling.take("g0", batch("x"))
    stranger = User("x", "nowhere", "x", "X", "", Role.MASTER, "fr")
    assert await copied_cards.open_lines(stranger) == []
    with pytest.raises(NotFoundError):
        await copied_cards.settle(replace(master, organization_id="nowhere"), "g0", "seen")


async def test_programs_are_told_too_and_may_settle_it(operator):
    house = await furnish(operator)
    gate = house.gates[0]
    async with gate.link() as link:
        await link.upload(batch("a", "b"))
        await link.upload(batch("a", "x"))
    _, (line,), _ = await house.call("GET", "copied-cards")
    assert (line["gate"], line["journal"], line["shared"]["sequence"]) == (gate.id, "j", 1)
    assert line["main"]["chain"] != line["aside"]["chain"]
    status, refusal, _ = await house.call("POST", f"gates/{gate.id}/settle-copies", {"reason": ""})
    assert (status, refusal["error"]["field"]) == (422, "reason")
    status, settled, _ = await house.call(
        "POST", f"gates/{gate.id}/settle-copies", {"reason": "the spare was left running"}
    )
    assert (status, settled) == (200, {"lines": 1})
    assert (await house.call("GET", "copied-cards"))[1] == []
