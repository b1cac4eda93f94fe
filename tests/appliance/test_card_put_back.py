"""A whole gate whose card is put back from an image: nobody enters twice, and all is told."""

import shutil

import pytest

from admission import journal
from admission.journal import Kind
from admission.sync.messages import Ack, Batch
from admission.verdict import Answer
from appliance.errors import LinkAnswerError, LinkError
from appliance.ports import Look
from linked_gate import NUMBERS, OWN, OtherGate, known_to, linked, live, own_records

FILES = ("journal.sqlite", "journal.sqlite-wal")


def copy_card(folder, to):
    to.mkdir(exist_ok=True)
    for name in FILES:
        if (folder / name).exists():
            shutil.copy(folder / name, to / name)


def put_back(image, folder):
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
        if (image / name).exists():
            shutil.copy(image / name, folder / name)


async def an_evening(open_gate, tmp_path):
    """Let two in, take an image, let a third in; give the server as it is then."""
    async with linked(open_gate) as gate:
        await live(gate)
        for number in ("T1", "T2"):
            await gate.scan(number)
            await gate.later(3)
    copy_card(tmp_path, tmp_path / "image")
    async with linked(open_gate, prepare=lambda later: as_it_was(later, gate.server)) as later:
        await live(later)
        await later.scan("T3")
        await later.later(3)
    put_back(tmp_path / "image", tmp_path)
    return later.server


def as_it_was(gate, server):
    """Give a gate's server what another one held."""
    gate.server.journals, gate.server.feeds = server.journals, server.feeds


def lines_held(server, name):
    stored = server.journals[name]
    return {(row.sequence, row.chain) for row in (*stored.rows.values(), *stored.forked)}


async def test_what_the_card_has_lost_is_known_again_and_what_it_wrote_is_not_lost(
    open_gate, tmp_path
):
    server = await an_evening(open_gate, tmp_path)
    async with linked(open_gate, prepare=lambda gate: as_it_was(gate, server)) as gate:
        await live(gate)
        await gate.scan("T4")
        await gate.later(5)
        (former,) = gate.journal.former
        assert gate.journal.id != OWN
        assert [known_to(gate, f"T{n}") for n in (1, 2, 3, 4)] == [1] * 4
        assert (await gate.scan("T3")).answer is Answer.ALREADY_USED
        await gate.later(5)
        rows = await former.rows(0, 1000)
        assert {(row.sequence, row.chain) for row in rows} <= lines_held(gate.server, OWN)
        assert gate.server.journals[gate.journal.id].records() == await own_records(gate)
        assert gate.uplink.status().faults == []
        assert gate.uplink.status().queue == 0
        assert gate.inside == 4
    async with open_gate(NUMBERS) as gate:  # and after a restart
        assert [known_to(gate, f"T{n}") for n in (1, 2, 3, 4)] == [1] * 4
        assert gate.inside == 4


async def test_a_grant_that_is_open_has_its_end_in_the_journal_that_it_stands_in(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        gate.link.cut()
        await gate.settle()
        assert (await gate.scan("T1")).look is Look.GRANTED  # and nobody has gone through yet
        assert gate.lane.is_busy
        gate.succession.ask(7)
        await gate.settle()
        assert gate.journal.id == OWN  # not while somebody may be going through
        await gate.later(10)
        assert gate.journal.id != OWN
        (former,) = gate.journal.former
        records = [journal.decode(row.blob) for row in await former.rows(0, 1000)]
        assert [Kind(one.kind).name for one in records[-2:]] == ["GRANTED", "PASSED"]
        assert records[-1].refers_to == records[-2].sequence
        assert await gate.journal.open_grants() == []
        assert (await own_records(gate))[0].kind == Kind.JOURNAL_NEW


async def test_a_former_journal_that_was_not_handed_in_yet_is_shown_and_handed_in_later(
    open_gate, monkeypatch: pytest.MonkeyPatch
):
    def prepare(gate):
        OtherGate(gate, OWN).pass_through(*NUMBERS[5:])
        upload = gate.link.upload

        async def refuse_a_fork(batch: Batch) -> Ack:
            if batch.journal == OWN and gate.uplink._handing.is_forked:
                raise LinkError("the cable is cut")
            return await upload(batch)

        monkeypatch.setattr(gate.link, "upload", refuse_a_fork)

    async with linked(open_gate, prepare=prepare) as gate:
        await gate.later(10)
        assert gate.journal.former[0].acknowledged.sequence == 0
        assert "GT-FORK" in gate.uplink.status().faults
        assert gate.uplink.status().queue >= gate.journal.former[0].head
        monkeypatch.undo()
        await gate.later(60)
        assert gate.uplink.status().faults == []
        assert gate.uplink.status().queue == 0


async def test_a_server_that_refuses_a_former_journal_holds_the_present_one_not_up(
    open_gate, monkeypatch: pytest.MonkeyPatch
):
    async with linked(open_gate) as gate:
        await live(gate)
        upload = gate.link.upload

        async def refuse(batch: Batch) -> Ack:
            if batch.journal == OWN:
                gate.link.requests.append("refused")
                raise LinkAnswerError("the server answers 400: this journal belongs to another")
            return await upload(batch)

        await gate.scan("T1")
        monkeypatch.setattr(gate.link, "upload", refuse)
        await gate.later(10)
        gate.succession.ask(1)
        await gate.later(60)
        assert gate.uplink.live
        await gate.scan("T2")
        await gate.later(5)
        assert gate.server.journals[gate.journal.id].records() == await own_records(gate)
        assert gate.link.requests.count("refused") < 100


async def test_seals_are_on_every_batch_and_are_the_gates_own(open_gate):
    async with linked(open_gate) as gate:
        await live(gate)
        await gate.scan("T1")
        await gate.later(3)
        stored = gate.server.journals[OWN]
        last = stored.rows[max(stored.rows)]
        assert (last.sequence, last.chain) in stored.seals
