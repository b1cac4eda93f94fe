"""The link's life over an imagined server: contact, upload, feed, lists, and again after a loss."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from admission import journal
from admission.errors import RemoteProtocolError
from admission.journal import Flag, Kind, Record
from admission.operating_mode import Cause, Mode
from admission.scan import Direction
from admission.sync.messages import Ack, Batch, Beat, Enrolled, Feed, Moment, Status, Subscribe
from admission.verdict import Answer
from appliance.errors import LinkAnswerError, LinkError, LinkRefusedError, StorageError
from appliance.ports import Look
from appliance.simulator.box_office import ENTRY_EXIT, BoxOffice, ListedNumber
from appliance.simulator.imagined_link import SILENCE_S_MAX
from appliance.simulator.imagined_server import PAGE_ITEMS_MAX
from appliance.uplink import (
    LISTS_RETRY_S,
    RETRY_S_MAX,
    RETRY_S_MIN,
    STATUS_S,
    Uplink,
    retry_s,
)

OFFICE = BoxOffice()
OWN = "journal-a"
NUMBERS = [f"T{n}" for n in range(12)]


@asynccontextmanager
async def linked(open_gate, tickets=NUMBERS, *, jitter=0.0, prepare=None, **options):
    """Run a gate with its uplink; `prepare` sees it before the link is tried."""
    async with open_gate(tickets, **options) as gate:
        gate.uplink = Uplink(
            link=gate.link,
            keeper=gate.keeper,
            memory=gate.memory,
            recorder=gate.recorder,
            history=gate.history,
            holdings=gate.holdings,
            clock=gate.clock,
            boot_id=bytes(16),
            jitter=lambda: jitter,
            changed=gate.health.changed,
            software="1.2.3",
        )
        gate.health.situation = gate.uplink.situation
        gate.health.changed()
        if prepare is not None:
            prepare(gate)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(gate.uplink.run())
            await gate.settle()
            yield gate
            task.cancel()


async def live(gate) -> None:
    """Wait for the first beat."""
    await gate.later(2.5)
    assert gate.uplink.live


class OtherGate:
    """Another gate's journal, written and handed in behind our gate's back."""

    def __init__(self, gate, name: str = "journal-b") -> None:
        self.gate, self.name = gate, name
        self.head, self.chain = 0, journal.genesis(name)

    def write(self, *drafts: Record) -> None:
        blobs = []
        first, previous = self.head + 1, self.chain
        for draft in drafts:
            self.head += 1
            blobs.append(journal.encode(journal.placed(draft, self.head, self.head)))
            self.chain = journal.chain(self.chain, blobs[-1])
        batch = Batch(self.name, first, previous, blobs, Moment(0, 0, b""))
        assert not self.gate.server.take(batch).conflict

    def pass_through(self, *numbers: str) -> None:
        self.write(*(self.passage(number) for number in numbers))

    def passage(self, number: str) -> Record:
        return Record(
            kind=int(Kind.PASSED),
            sequence=0,
            wall_ms=journal.wall_ms(self.gate.clock.now()),
            boot_ms=0,
            boot_id=b"",
            checkpoint="checkpoint",
            performance="show",
            identifier=self.gate.holdings.identify("show", number),
            direction=journal.direction_code(Direction.ENTRY),
            ticket_class=("standard", "single", None, None),
        )


def known_to(gate, number: str) -> int:
    """Count the facts that the gate knows of a ticket."""
    identifier = gate.holdings.identify("show", number)
    return sum(fact.identifier == identifier for fact in gate.history)


def uploaded(gate) -> list[Record]:
    stored = gate.server.journals.get(OWN)
    return [] if stored is None else stored.records()


async def own_records(gate) -> list[Record]:
    return [journal.decode(row.blob) for row in await gate.journal.rows(0, 10_000)]


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
        assert await gate.memory.feed_cursors() == {"show": 10}


async def test_a_page_that_comes_again_changes_nothing(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        OtherGate(gate).pass_through("T1", "T2")
        await gate.settle()
        gate.server.connections[0].deliver(gate.server.page("show", 0))
        await gate.settle()
        assert (gate.inside, known_to(gate, "T1")) == (2, 1)
        assert gate.uplink.live


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
        assert await gate.memory.feed_cursors() == {"show": 1}
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
        await gate.disk.fill(gate.recorder)
        other = OtherGate(gate)
        for number in many:
            other.pass_through(number)
            await gate.settle()
        assert not gate.uplink.live
        assert sum(known_to(gate, number) for number in many) < 60
        await gate.disk.make_room()
        await gate.later(RETRY_S_MAX)
        assert [known_to(gate, number) for number in many] == [1] * 60
        assert await gate.memory.feed_cursors() == {"show": 60}


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


# --- losing the server ----------------------------------------------------------------------------


def cut(error: Exception):
    def trouble(gate) -> None:
        gate.link.cut(error)

    return trouble


def say(message):
    def trouble(gate) -> None:
        gate.server.connections[0].deliver(message)

    return trouble


def hush(gate) -> None:
    gate.link.is_silent = True


def skip(gate) -> None:
    OtherGate(gate, "journal-z").pass_through("T9", "T8")
    item = gate.server.feeds["show"][0]
    say(Feed("show", 7, [item], 8))(gate)


TROUBLES = {
    "the cable is cut": cut(LinkError("gone")),
    "the server refuses this gate": cut(LinkRefusedError("403")),
    "the server answers with an error": cut(LinkAnswerError("500")),
    "the server breaks the protocol": cut(RemoteProtocolError("nonsense")),
    "the disk fails under the link": cut(StorageError("I/O error")),
    "the server says nothing any more": hush,
    "the server says what only gates say": say(Subscribe({})),
    "the server reports as a gate does": say(Status("", [], 0, {}, Moment(0, 0, b""))),
    "the server enrols in the middle": say(Enrolled("", "", [], "", 0)),
    "a feed skips numbers": skip,
}
PASSING = {name for name in TROUBLES if name.startswith(("the server says what", "a feed"))}
PASSING |= {"the server reports as a gate does", "the server enrols in the middle"}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_whatever_goes_wrong_the_gate_degrades_admits_and_recovers(open_gate, trouble: str):
    async with linked(open_gate) as gate:
        await live(gate)
        TROUBLES[trouble](gate)
        if trouble in PASSING:  # what was wrong is said once; the next contact is a good one
            await gate.settle()
        else:
            await gate.later(SILENCE_S_MAX + 1)
        assert not gate.uplink.live
        assert gate.health.mode is Mode.DEGRADED
        assert gate.health.causes == (Cause.LINK,)
        assert gate.display.last.degraded
        assert (await gate.scan("T1")).look is Look.GRANTED
        await gate.later(2)
        gate.link.mend()
        await gate.later(RETRY_S_MAX + 3)
        assert gate.health.mode is Mode.CONNECTED
        assert uploaded(gate) == await own_records(gate)


async def test_what_was_written_while_degraded_says_so_and_is_handed_in(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        gate.link.cut()
        await gate.settle()
        await gate.scan("T1")
        await gate.later(2)
        granted, passed = (await own_records(gate))[-2:]
        assert granted.flags & passed.flags & Flag.DEGRADED
        gate.link.mend()
        await gate.later(RETRY_S_MAX + 3)
        assert uploaded(gate)[-2:] == [granted, passed]


async def test_the_loss_and_the_return_of_the_link_are_told_once_each(open_gate, caplog):
    caplog.set_level("INFO", "appliance.uplink")
    async with linked(open_gate) as gate:
        await live(gate)
        gate.link.cut(LinkError("the cable is out"))
        await gate.later(200)
        gate.link.mend()
        await gate.later(RETRY_S_MAX + 3)
    told = [record for record in caplog.records if record.name == "appliance.uplink"]
    assert [record.message for record in told] == ["link up", "link lost", "link down", "link up"]
    assert told[1].reason == "the cable is out"


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
async def test_waits_grow_with_each_failure_up_to_a_bound_and_are_jittered(open_gate, jitter):
    def cut_and_watch(gate) -> None:
        gate.link.cut()
        gate.tries = []
        real = gate.link._ask

        def ask(request: str) -> None:
            gate.tries.append(gate.clock.monotonic_ns() / 1e9)
            real(request)

        gate.link._ask = ask

    async with linked(open_gate, jitter=jitter, prepare=cut_and_watch) as gate:
        await gate.later(200)
        waits = [b - a for a, b in zip(gate.tries, gate.tries[1:], strict=False)]
        expected = [retry_s(failures, jitter) for failures in range(1, len(waits) + 1)]
        assert waits == pytest.approx(expected)
        assert max(waits) <= RETRY_S_MAX
        assert min(waits) >= RETRY_S_MIN


def test_a_first_retry_is_soon_and_a_late_one_bounded():
    assert retry_s(1, 0.0) == RETRY_S_MIN
    assert retry_s(1, 1.0) == 2 * RETRY_S_MIN
    assert retry_s(10_000, 1.0) == RETRY_S_MAX
    assert retry_s(10_000, 0.0) == RETRY_S_MIN


async def test_after_a_link_that_stood_waits_begin_anew(open_gate):
    async with linked(open_gate, jitter=1.0) as gate:
        gate.link.cut()
        await gate.later(100)
        gate.link.mend()
        await gate.later(RETRY_S_MAX + 3)
        assert gate.uplink.live
        gate.link.cut()
        await gate.settle()
        gate.link.mend()
        await gate.later(retry_s(1, 1.0) + 2.1)
        assert gate.uplink.live


async def test_an_upload_whose_answer_was_lost_is_sent_again_and_counts_once(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        gate.link.answers_lost = 1
        await gate.scan("T1")
        await gate.later(10)
        assert uploaded(gate) == await own_records(gate)
        assert gate.server.journals[OWN].forked == []
        assert gate.uplink.live


async def test_a_server_that_takes_nothing_is_tried_again_and_not_hammered(
    open_gate, monkeypatch: pytest.MonkeyPatch
):
    async with linked(open_gate) as gate:
        await live(gate)
        acked = gate.journal.acknowledged

        async def take_nothing(batch: Batch) -> Ack:
            gate.link.requests.append("refused upload")
            return Ack(OWN, acked.sequence, acked.chain, 0)

        monkeypatch.setattr(gate.link, "upload", take_nothing)
        await gate.scan("T1")
        await gate.later(30)
        assert gate.health.mode is Mode.DEGRADED
        assert gate.link.requests.count("refused upload") < 70  # every half second at the most
        monkeypatch.undo()
        await gate.later(RETRY_S_MAX + 3)
        assert uploaded(gate) == await own_records(gate)


async def test_an_acknowledgement_of_another_journal_is_none(
    open_gate, monkeypatch: pytest.MonkeyPatch
):
    async with linked(open_gate) as gate:
        await live(gate)

        async def answer_another(batch: Batch) -> Ack:
            return replace_ack(gate.server.take(batch))

        monkeypatch.setattr(gate.link, "upload", answer_another)
        before = gate.journal.acknowledged
        await gate.scan("T1")
        await gate.later(1)
        assert gate.journal.acknowledged == before
        assert not gate.uplink.live


def replace_ack(ack: Ack) -> Ack:
    return Ack("journal-z", ack.head, ack.chain, ack.server_ms)


# --- servers with another past --------------------------------------------------------------------


async def test_a_server_that_came_back_from_a_backup_gets_everything_again(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        for number in ("T1", "T2"):
            await gate.scan(number)
            await gate.later(2)
        rows = gate.server.journals[OWN].rows
        for sequence in [sequence for sequence in rows if sequence > 3]:
            del rows[sequence]
        await gate.scan("T3")
        await gate.later(3)
        assert uploaded(gate) == await own_records(gate)
        assert gate.server.journals[OWN].forked == []
        assert gate.uplink.live
        assert gate.uplink.status().faults == []


async def test_a_server_that_lost_everything_gets_everything_again(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        await gate.scan("T1")
        await gate.later(2)
        gate.server.journals.clear()
        await gate.scan("T2")
        await gate.later(3)
        assert uploaded(gate) == await own_records(gate)


async def test_a_feed_that_came_back_from_a_backup_is_followed_from_its_new_numbers(open_gate):
    async with linked(open_gate) as gate:
        other = OtherGate(gate)
        other.pass_through("T1", "T2", "T3")
        await live(gate)
        assert gate.inside == 3
        gate.link.cut()
        await gate.settle()
        gate.server.feeds.clear()  # the backup was made before anybody came
        third = OtherGate(gate, "journal-c")
        third.pass_through("T4")
        gate.link.mend()
        await gate.later(5)
        assert gate.uplink.live
        third.pass_through("T5")
        await gate.later(3)
        assert [known_to(gate, f"T{n}") for n in (1, 2, 3, 4, 5)] == [1] * 5
    async with open_gate(NUMBERS) as gate:
        assert [known_to(gate, f"T{n}") for n in (1, 2, 3, 4, 5)] == [1] * 5


async def test_a_server_with_another_history_is_a_fork_that_is_noted_and_no_reason_to_stop(
    open_gate,
):
    def copy_of_the_card(gate) -> None:
        clone = OtherGate(gate, OWN)
        clone.pass_through(*NUMBERS[5:])

    async with linked(open_gate, prepare=copy_of_the_card) as gate:
        await live(gate)
        faults = [record for record in await gate.records() if record.kind == Kind.FAULT]
        assert [record.detail["code"] for record in faults] == ["GT-FORK"]
        assert (await gate.scan("T1")).look is Look.GRANTED
        await gate.later(60)
        assert gate.server.statuses["gate-a"].faults == ["GT-FORK"]
        assert gate.uplink.live
        faults = [record for record in await gate.records() if record.kind == Kind.FAULT]
        assert len(faults) == 1
        assert gate.server.journals[OWN].forked != []
        assert len(uploaded(gate)) == 7  # nothing was overwritten


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
        await gate.until(lambda: "download show" in gate.link.requests[8:])
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
        await gate.settle()
        assert set(gate.server.connections[0].side._cursors) == {"show", "matinee"}
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
        assert gate.health.mode is Mode.CONNECTED
        await gate.later(20 + STATUS_S)
        assert gate.uplink.live
        assert gate.health.causes == (Cause.LIST_AGE,)
        assert gate.display.last.degraded
        assert gate.server.statuses["gate-a"].causes == ["list_age"]
