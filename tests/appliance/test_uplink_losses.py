"""The link lost, found again, and found with a server that remembers another past."""

import pytest

from admission.errors import RemoteProtocolError
from admission.journal import Flag, Kind
from admission.operating_mode import Cause, Mode
from admission.sync.messages import Ack, Batch, Enrolled, Feed, Moment, Status, Subscribe
from appliance.errors import LinkAnswerError, LinkError, LinkRefusedError, StorageError
from appliance.ports import Look
from appliance.simulator.imagined_link import SILENCE_S_MAX
from appliance.uplink import (
    RETRY_S_MAX,
    RETRY_S_MIN,
    retry_s,
)
from linked_gate import NUMBERS, OWN, OtherGate, known_to, linked, live, own_records, uploaded

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
    "the server enrols in the middle": say(Enrolled("", "", b"", "", 0)),
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
        old, last = OWN, gate.journal.former[0].head
        opening, fault = (await own_records(gate))[:2]
        assert (opening.kind, opening.detail["previous"]) == (Kind.JOURNAL_NEW, old)
        assert (opening.detail["at"], opening.detail["why"]) == (last, "fork")
        assert (fault.kind, fault.detail["code"]) == (Kind.FAULT, "GT-FORK")
        assert (await gate.scan("T1")).look is Look.GRANTED
        await gate.later(60)
        assert gate.server.statuses["gate-a"].faults == []  # all of it is held
        assert gate.uplink.live
        kinds = [record.kind for record in await own_records(gate)]
        assert kinds.count(Kind.FAULT) == 1
        assert len(uploaded(gate)) == 7  # nothing was overwritten
        aside = [row.sequence for row in gate.server.journals[old].forked]
        assert aside == list(range(1, last + 1))
        assert gate.server.journals[gate.journal.id].records() == await own_records(gate)
