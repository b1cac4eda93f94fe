"""The link's life over an imagined server: contact, upload, feed and lists."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from admission.journal import Record
from admission.operating_mode import Cause, Mode
from admission.scan import Direction
from admission.sync.messages import Beat, Feed
from admission.verdict import Answer
from appliance.errors import LinkBusyError
from appliance.ports import Look
from appliance.simulator.box_office import ENTRY_EXIT, BoxOffice, ListedNumber
from appliance.simulator.imagined_server import PAGE_ITEMS_MAX
from appliance.uplink import (
    LISTS_RETRY_S,
    RETRY_S_MAX,
    RETRY_S_MIN,
    STATUS_S,
    TRUST_S,
    WINDOW_S_MAX,
    spread_s,
)
from linked_gate import NUMBERS, OtherGate, known_to, linked, live, own_records, uploaded

OFFICE = BoxOffice()


# --- going live -----------------------------------------------------------------------------------


async def test_a_gate_goes_live_and_hands_in_all_that_it_wrote(open_gate):
    async with linked(open_gate) as gate:
        assert gate.health.mode is Mode.DEGRADED
        await live(gate)
        assert gate.health.mode is Mode.CONNECTED
        assert not gate.display.last.degraded
        assert uploaded(gate) == await own_records(gate)
        await gate.scan("T1")
        await gate.later(1)
        assert uploaded(gate) == await own_records(gate)
        assert gate.journal.acknowledged.sequence == gate.journal.head


async def test_a_gate_is_not_live_before_the_server_has_spoken(open_gate):
    def hush(gate) -> None:
        gate.link.is_silent = True

    async with linked(open_gate, prepare=hush) as gate:
        assert len(gate.server.connections) == 1
        assert not gate.uplink.live


async def test_what_was_handed_in_before_a_restart_is_not_sent_again(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        head = gate.journal.head
        stored = gate.server.journals
    async with linked(open_gate, prepare=lambda gate: gate.server.journals.update(stored)) as gate:
        await live(gate)
        uploads = [text for text in gate.link.requests if text.startswith("upload")]
        assert uploads[0] == f"upload {head + 1}"
        assert uploaded(gate) == await own_records(gate)


async def test_the_server_is_told_how_the_gate_is(open_gate):
    async with linked(open_gate, version=4) as gate:
        await live(gate)
        await gate.later(STATUS_S)
        status = gate.server.statuses["gate-a"]
        assert (status.mode, status.causes, status.queue) == ("connected", [], 0)
        assert (status.lists, status.software, status.faults) == ({"show": 4}, "1.2.3", [])
        before = status.sent.wall_ms
        await gate.later(STATUS_S)
        assert gate.server.statuses["gate-a"].sent.wall_ms == before + STATUS_S * 1_000


# --- others' facts --------------------------------------------------------------------------------


async def test_a_ticket_that_passed_at_another_gate_is_refused_here_at_once(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        OtherGate(gate).pass_through("T1")
        await gate.settle()
        assert (await gate.scan("T1")).answer is Answer.ALREADY_USED
        assert gate.inside == 1


async def test_facts_are_applied_exactly_once_however_many_pages_they_fill(open_gate):
    async with linked(open_gate) as gate:
        other = OtherGate(gate)
        other.pass_through(*NUMBERS[: PAGE_ITEMS_MAX + 1])
        await live(gate)
        other.pass_through(*NUMBERS[PAGE_ITEMS_MAX + 1 : 10])
        await gate.later(3)
        assert [known_to(gate, number) for number in NUMBERS] == [1] * 10 + [0] * 2
        assert (await gate.memory.feed_cursors()).by_numbering == {"imagined": {"show": 10}}


async def test_a_page_that_comes_again_changes_nothing(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        OtherGate(gate).pass_through("T1", "T2")
        await gate.settle()
        gate.server.connections[0].deliver(gate.server.page("show", 0))
        await gate.settle()
        assert (gate.inside, known_to(gate, "T1")) == (2, 1)
        assert gate.uplink.live


async def test_a_gate_whose_server_numbers_anew_applies_what_it_did_not_know(open_gate):
    """As when it is moved to a site server: the same facts and others, in another order."""
    async with linked(open_gate) as gate:
        await live(gate)
        OtherGate(gate).pass_through("T1", "T2", "T3")
        await gate.later(1)
        gate.link.cut()
        await gate.settle()
        OtherGate(gate, "journal-c").pass_through("T4", "T5")
        items = [gate.server.feeds["show"][place] for place in (4, 3, 2, 0)]
        gate.server.numbering = "site"
        gate.server.feeds["show"] = [
            msgspec.structs.replace(item, number=number) for number, item in enumerate(items, 1)
        ]
        gate.link.mend()
        await gate.later(RETRY_S_MAX)
        assert [known_to(gate, f"T{n}") for n in range(1, 6)] == [1, 1, 1, 1, 1]
        assert (await gate.memory.feed_cursors()).by_numbering["site"] == {"show": 4}
        assert gate.inside == 5
    async with open_gate(NUMBERS) as gate:
        assert gate.inside == 5


async def test_others_facts_are_remembered_over_a_restart(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        OtherGate(gate).pass_through("T1", "T2")
        await gate.settle()
    async with open_gate(NUMBERS) as gate:
        assert gate.inside == 2
        assert (await gate.scan("T1")).answer is Answer.ALREADY_USED


async def test_our_own_passages_that_come_back_with_the_feed_count_once(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        await gate.scan("T1")
        await gate.later(3)
        assert len(gate.server.feeds["show"]) == 1
        assert (await gate.memory.feed_cursors()).by_numbering == {"imagined": {"show": 1}}
        assert (gate.inside, known_to(gate, "T1")) == (1, 1)
    async with open_gate(NUMBERS) as gate:
        assert (gate.inside, known_to(gate, "T1")) == (1, 1)


async def test_a_gap_in_the_feed_is_filled(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        (connection,) = gate.server.connections
        gate.link.is_silent = True  # pushes are lost
        OtherGate(gate).pass_through(*NUMBERS[:8])
        await gate.settle()
        assert known_to(gate, "T0") == 0
        connection.deliver(gate.server.page("show", 6))
        await gate.settle()
        assert [known_to(gate, number) for number in NUMBERS[:8]] == [1] * 8
        assert "feed show 0" in gate.link.requests
        assert gate.uplink.live


async def test_a_page_that_the_disk_did_not_take_is_applied_when_there_is_room(open_gate):
    many = [f"T{n}" for n in range(60)]  # more than fit into the last page of the file
    async with linked(open_gate, many) as gate:
        await live(gate)
        gate.disk.fill()
        other = OtherGate(gate)
        for number in many:
            other.pass_through(number)
            await gate.settle()
        assert not gate.uplink.live
        assert sum(known_to(gate, number) for number in many) < 60
        gate.disk.make_room()
        await gate.later(RETRY_S_MAX)
        assert [known_to(gate, number) for number in many] == [1] * 60
        assert (await gate.memory.feed_cursors()).by_numbering == {"imagined": {"show": 60}}


async def test_a_server_that_promises_more_than_it_gives_is_not_asked_for_ever(
    open_gate, monkeypatch: pytest.MonkeyPatch
):
    async with linked(open_gate) as gate:
        await live(gate)

        async def promise(stream: str, after: int) -> Feed:
            gate.link.requests.append("promise")
            return Feed(stream, after, [], 9)

        monkeypatch.setattr(gate.link, "feed", promise)
        gate.server.connections[0].deliver(Feed("show", 0, [], 9))
        await gate.settle()
        assert not gate.uplink.live
        assert gate.link.requests.count("promise") == 1


@pytest.mark.parametrize(
    "answer", [Feed("matinee", 0, [], 9), Feed("show", 3, [], 9)], ids=["other stream", "elsewhere"]
)
async def test_a_page_that_was_not_asked_for_is_no_answer(
    open_gate, monkeypatch: pytest.MonkeyPatch, answer: Feed
):
    async with linked(open_gate) as gate:
        await live(gate)

        async def answer_wrong(stream: str, after: int) -> Feed:
            return answer

        monkeypatch.setattr(gate.link, "feed", answer_wrong)
        gate.server.connections[0].deliver(Feed("show", 0, [], 9))
        await gate.settle()
        assert not gate.uplink.live


async def test_a_person_inside_by_another_gate_is_let_out_here(open_gate):
    async with linked(open_gate, [ListedNumber("T1", ENTRY_EXIT)]) as gate:
        await live(gate)
        other = OtherGate(gate)
        entry_exit = ("standard", "entry_exit", None, None)
        other.write(_with(other.passage("T1"), ticket_class=entry_exit))
        await gate.settle()
        assert (await gate.scan("T1", Direction.EXIT)).look is Look.GRANTED
        await gate.later(2)
        assert gate.inside == 0


def _with(record: Record, **fields) -> Record:
    return Record(**{name: getattr(record, name) for name in record.__struct_fields__} | fields)


# --- lists ----------------------------------------------------------------------------------------


async def test_a_list_that_is_published_is_installed_at_once(open_gate):
    async with linked(open_gate, ["T1"]) as gate:
        await live(gate)
        gate.server.publish(OFFICE.draw_up("show", ["T1", "DOOR"], 2))
        await gate.until(lambda: gate.holdings.versions == {"show": 2})
        await gate.settle()
        assert gate.server.statuses["gate-a"].lists == {"show": 2}
        assert (await gate.scan("DOOR")).look is Look.GRANTED


async def test_a_long_download_does_not_hold_the_feed_up(
    open_gate, monkeypatch: pytest.MonkeyPatch
):
    async with linked(open_gate) as gate:
        await live(gate)
        arrived = asyncio.Event()
        real = gate.link.download

        async def crawl(*arguments) -> None:
            await arrived.wait()
            await real(*arguments)

        monkeypatch.setattr(gate.link, "download", crawl)
        gate.server.publish(OFFICE.draw_up("show", [*NUMBERS, "DOOR"], 2))
        await gate.later(1)
        OtherGate(gate).pass_through("T1")
        await gate.later(1)
        assert gate.holdings.versions == {"show": 1}
        assert (await gate.scan("T1")).answer is Answer.ALREADY_USED
        arrived.set()
        await gate.until(lambda: gate.holdings.versions == {"show": 2})


async def test_a_list_that_was_refused_is_asked_for_again_after_a_while(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        good = OFFICE.draw_up("show", ["T1", "DOOR"], 2)
        gate.server.publish(replace(good, snapshot=good.snapshot[:-1] + b"\x07"))
        await gate.until(lambda: "download show" in gate.link.requests[12:])
        await gate.later(1)
        assert gate.holdings.versions == {"show": 1}
        assert "LIST_REFUSED" in await gate.kinds()
        gate.server.lists["show"] = good
        await gate.later(LISTS_RETRY_S)
        await gate.until(lambda: gate.holdings.versions == {"show": 2})
        assert gate.uplink.live


async def test_a_gate_whose_list_is_not_published_yet_is_live_all_the_same(open_gate):
    nowhere = {"performances": ["show", "premiere"]}
    async with linked(open_gate, assignment=nowhere) as gate:
        await live(gate)
        assert uploaded(gate) == await own_records(gate)
        gate.server.publish(OFFICE.draw_up("premiere", ["P1"]))
        await gate.until(lambda: gate.holdings.versions == {"show": 1, "premiere": 1})


async def test_a_new_assignment_is_taken_and_its_feed_followed(open_gate):
    async with linked(open_gate) as gate:
        gate.server.lists["matinee"] = OFFICE.draw_up("matinee", ["M1"])
        gate.link.cut()
        await gate.settle()
        gate.link.mend()
        await gate.later(3)
        assert set(gate.server.connections[0].side._cursors) == {"show"}
        gate.server.assign("gate-a", 2, OFFICE.assign("gate-a", ["show", "matinee"], 2))
        await gate.until(lambda: gate.holdings.versions == {"show": 1, "matinee": 1})
        side = gate.server.connections[0].side
        await gate.until(lambda: set(side._cursors) == {"show", "matinee"})
        assert (await gate.scan("M1")).look is Look.GRANTED


async def test_what_is_offered_and_known_already_is_not_fetched(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        before = len(gate.link.requests)
        gate.server.connections[0].deliver(gate.server.offered("gate-a"))
        gate.server.connections[0].deliver(Beat())
        await gate.later(1)
        assert gate.link.requests[before:] == []


async def test_a_list_that_becomes_stale_degrades_a_connected_gate_too(open_gate):
    soon = datetime(2026, 6, 1, 18, 0, tzinfo=UTC) + timedelta(seconds=20)
    async with linked(open_gate, refresh_by=soon) as gate:
        await live(gate)
        await gate.later(20 + STATUS_S)
        assert gate.health.mode is Mode.CONNECTED  # the server still calls it the newest
        gate.server.status_fields["lists"] = {}
        await gate.later(TRUST_S + STATUS_S)
        assert gate.uplink.live
        assert gate.health.causes == (Cause.LIST_AGE,)
        assert gate.display.last.degraded
        assert gate.server.statuses["gate-a"].causes == ["list_age"]


async def test_a_server_that_is_not_believed_is_told_so_and_heard_again_once_it_is(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        gate.server.status_fields["root_version"] = 1
        gate.server.office.rotate()
        await gate.later(TRUST_S + STATUS_S)
        assert "GT-TRU" in gate.server.statuses["gate-a"].faults
        assert gate.uplink.live  # journals still go to it: they are bound by their chain
        gate.server.status_fields.clear()
        await gate.later(LISTS_RETRY_S + STATUS_S)
        assert gate.server.statuses["gate-a"].faults == []


# --- a server that has too much to do -------------------------------------------------------------


async def test_a_gate_that_is_sent_away_comes_back_within_the_window_that_the_server_names(
    open_gate,
):
    def sent_away(gate) -> None:
        gate.link.cut(LinkBusyError("the server answers 503", 40.0))

    async with linked(open_gate, prepare=sent_away) as gate:
        asked = len(gate.link.requests)
        gate.link.mend()
        await gate.later(40.0 + RETRY_S_MIN)
        assert len(gate.link.requests) > asked
        assert gate.uplink.live


@pytest.mark.parametrize(
    ("window_s", "jitter", "wait_s"),
    [(40, 0, 0.5), (40, 0.5, 20.5), (40, 1, 40.5), (1e9, 1, WINDOW_S_MAX + 0.5)],
)
def test_gates_spread_evenly_over_a_window_that_has_an_end(window_s, jitter, wait_s):
    assert spread_s(window_s, jitter) == wait_s


async def test_a_gate_that_stands_is_not_thrown_off_by_a_server_with_too_much_to_do(
    open_gate, monkeypatch: pytest.MonkeyPatch
):
    async with linked(open_gate) as gate:
        await live(gate)

        async def busy(nonce: str) -> bytes:
            raise LinkBusyError("the server answers 503", 40.0)

        monkeypatch.setattr(gate.link, "status", busy)
        gate.uplink.lists_wanted()
        await gate.later(1)
        assert gate.uplink.live
