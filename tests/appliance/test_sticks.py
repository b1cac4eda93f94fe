"""A stick at a gate: what it brings is verified as from the server, whoever wrote it."""

import os
from datetime import timedelta

import pytest

from admission import journal
from admission.errors import RemoteProtocolError
from admission.journal import Kind
from admission.sync import stick
from admission.sync.messages import Moment
from admission.sync.sealed_head import check_carried
from admission.sync.stick import decode_carried
from admission.trust.command import Action
from admission.trust.keys import public_key
from admission.verdict import Answer
from appliance.carrying import Carrying
from appliance.commanding import Source
from appliance.errors import LinkAnswerError, LinkError
from appliance.simulator.box_office import BoxOffice
from appliance.transport.stick import StickLink
from gate_answers import GREEN, answers, red
from signed_server import GATE, KEY, SIGNER
from stick_writing import place, write_stick

OFFICE = BoxOffice()
AGREEMENT_KEY = b"a" * 32
NEWER = OFFICE.draw_up("show", ["T1", "T2", "T3", "T4"], 2)


@pytest.fixture
def usb(tmp_path):
    folder = tmp_path / "usb"
    folder.mkdir()
    return folder


def written(usb, gate, signed=NEWER, *, gate_id=GATE, **assigned):
    assignment = OFFICE.assign(gate_id, **({"performances": ["show"]} | assigned))
    now = gate.time.now()
    write_stick(usb, OFFICE, gate_id, AGREEMENT_KEY, signed, assignment, now=now)
    return StickLink(usb, GATE)


async def refused(gate):
    return [
        record.detail["error"]
        for record in await gate.records()
        if record.kind == Kind.LIST_REFUSED
    ]


def carrying(gate):
    async def obey(raw):
        gate.commanding.give(raw, Source.STICK)

    return Carrying(
        gate=GATE,
        signer=SIGNER,
        keeper=gate.keeper,
        journal=gate.journal,
        moment=lambda: Moment(1, 2, b"boot"),
        obey=obey,
    )


# --- what it brings -------------------------------------------------------------------------------


async def test_a_gate_takes_its_first_list_from_a_stick(open_gate, usb):
    async with open_gate(is_offline=True) as gate:
        assert await gate.keeper.refresh(written(usb, gate), carried=True)
        gate.health.changed()
        assert answers(await gate.scan("T4")) == GREEN


async def test_a_gate_takes_a_newer_list_from_a_stick_and_never_an_older_one(open_gate, usb):
    older = OFFICE.draw_up("show", ["T1"], 1)
    async with open_gate() as gate:
        assert await gate.keeper.refresh(written(usb, gate), carried=True)
        assert gate.holdings.versions == {"show": 2}
        assert not await gate.keeper.refresh(written(usb, gate, older), carried=True)
        assert gate.holdings.versions == {"show": 2}
        assert await refused(gate) == ["RollbackError"]


async def test_a_stick_shuts_no_door_to_the_server(open_gate, usb):
    async with open_gate() as gate:
        written(usb, gate)
        path = place(usb, stick.gate_path(GATE, "status"))
        path.write_bytes(OFFICE.status("", {"show": NEWER}, time=gate.time.now(), version=1 << 60))
        assert await gate.keeper.refresh(StickLink(usb, GATE), carried=True)
        gate.server.publish(OFFICE.draw_up("show", ["T9"], 3))
        assert await gate.keeper.refresh(gate.link)
        assert gate.holdings.versions == {"show": 3}


async def test_a_stick_says_nothing_of_the_time(open_gate, usb):
    async with open_gate(hears_time=True) as gate:
        before = gate.time.look()
        await gate.keeper.refresh(written(usb, gate), carried=True)
        after = gate.time.look()
        assert (after.quality, after.now_ms) == (before.quality, before.now_ms)


async def test_a_stick_that_lay_about_too_long_says_nothing_of_what_is_new(open_gate, usb):
    async with open_gate(is_offline=True) as gate:
        link = written(usb, gate)
        await gate.later(timedelta(hours=25).total_seconds())
        assert not await gate.keeper.refresh(link, carried=True)
        assert gate.holdings.versions == {}
        assert await refused(gate) == ["ListExpiredError"]


async def test_a_stick_of_before_does_not_take_back_what_the_server_said(open_gate, usb):
    async with open_gate() as gate:
        written(usb, gate)
        await gate.later(60)
        await gate.keeper.refresh(gate.link)
        newest = gate.keeper.status
        assert not await gate.keeper.refresh(StickLink(usb, GATE), carried=True)
        assert gate.keeper.status is newest


async def test_another_gates_duty_and_key_are_of_no_use(open_gate, usb):
    async with open_gate(is_offline=True) as gate:
        written(usb, gate, gate_id="gate-b")
        assert not await gate.keeper.refresh(StickLink(usb, GATE), carried=True)
        theirs, ours = (usb.joinpath(*stick.gate_path(one, "x")).parent for one in ("gate-b", GATE))
        theirs.rename(ours)
        assert not await gate.keeper.refresh(StickLink(usb, GATE), carried=True)
        assert gate.holdings.versions == {}
        assert await refused(gate) == ["ForeignListError"]


async def test_a_list_key_sealed_for_another_gate_opens_no_list(open_gate, usb):
    async with open_gate(is_offline=True) as gate:
        assignment = OFFICE.assign(GATE, ["show"])
        write_stick(usb, OFFICE, GATE, b"b" * 32, NEWER, assignment, now=gate.time.now())
        assert not await gate.keeper.refresh(StickLink(usb, GATE), carried=True)
        assert gate.holdings.versions == {}


async def test_a_thiefs_stick_is_refused(open_gate, usb):
    thief = BoxOffice("thief")
    async with open_gate(is_offline=True) as gate:
        assignment, signed = thief.assign(GATE, ["show"]), thief.draw_up("show", ["X"])
        write_stick(usb, thief, GATE, AGREEMENT_KEY, signed, assignment, now=gate.time.now())
        assert not await gate.keeper.refresh(StickLink(usb, GATE), carried=True)
        assert await refused(gate) == ["SignatureError"]


@pytest.mark.parametrize("harm", ["altered", "truncated", "longer", "empty", "gone"])
async def test_a_piece_that_is_not_as_it_was_signed_is_refused(open_gate, usb, harm):
    async with open_gate() as gate:
        link = written(usb, gate)
        piece = usb.joinpath(*stick.piece_path(NEWER.manifest.snapshot.sha256))
        raw = piece.read_bytes()
        harmed = {
            "altered": raw[:40] + bytes([raw[40] ^ 1]) + raw[41:],
            "truncated": raw[:-1],
            "longer": raw + b"\0",
            "empty": b"",
        }
        piece.write_bytes(harmed[harm]) if harm != "gone" else piece.unlink()
        assert not await gate.keeper.refresh(link, carried=True)
        assert gate.holdings.versions == {"show": 1}
        assert answers(await gate.scan("T1")) == GREEN


@pytest.mark.parametrize("name", ["status", "assignment"])
async def test_a_huge_document_is_not_read(open_gate, usb, name):
    async with open_gate() as gate:
        link = written(usb, gate)
        with usb.joinpath(*stick.gate_path(GATE, name)).open("wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(LinkAnswerError, match="over 65536 bytes"):
            await (link.status("") if name == "status" else link.assignment())
        await gate.keeper.refresh(link, carried=True)


async def test_links_and_pipes_on_a_stick_are_not_followed(open_gate, usb, tmp_path):
    async with open_gate() as gate:
        link = written(usb, gate)
        secret = tmp_path / "secret"
        secret.write_bytes(b"secret")
        status = usb.joinpath(*stick.gate_path(GATE, "status"))
        status.unlink()
        status.symlink_to(secret)
        with pytest.raises(LinkError):
            await link.status("")
        status.unlink()
        os.mkfifo(status)
        with pytest.raises(LinkAnswerError, match="no plain file"):
            await link.status("")
        gates = usb / "portillon" / "gates"
        gates.rename(tmp_path / "elsewhere")
        gates.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(LinkError):
            await link.assignment()


async def test_no_name_leads_out_of_the_stick(usb):
    link = StickLink(usb, "../../etc")
    for name in ("../../etc/passwd", "/etc/passwd", "a/../..", ""):
        with pytest.raises(LinkAnswerError):
            await link.manifest(name)
        with pytest.raises(LinkAnswerError):
            await link.download("show", name, 100, usb / "to")
    assert list(usb.iterdir()) == []


async def test_a_stick_that_is_pulled_out_is_an_error_with_a_sentence(open_gate, usb):
    async with open_gate() as gate:
        link = written(usb, gate)
        usb.rename(usb.with_name("pulled"))
        with pytest.raises(LinkError, match="stick"):
            await gate.keeper.refresh(link, carried=True)


async def test_a_lock_comes_on_a_stick_and_the_stick_may_come_again(open_gate, usb):
    async with open_gate() as gate:
        link = written(usb, gate)
        order = place(usb, stick.gate_path(GATE, "order"))
        order.write_bytes(OFFICE.command(Action.LOCK, 1))
        for _ in range(2):
            await carrying(gate).visit(link)
            await gate.settle()
        assert answers(await gate.scan("T1")) == red(Answer.GATE_LOCKED)
        assert (await gate.kinds()).count("COMMAND") == 1


# --- what it takes away ---------------------------------------------------------------------------


async def test_the_journal_goes_out_signed_and_stays_owed_to_the_server(open_gate, usb):
    async with open_gate() as gate:
        await gate.scan("T1")
        await gate.later(5)
        visit = await carrying(gate).visit(written(usb, gate))
        assert visit.is_complete
        assert visit.records == gate.journal.head
        assert gate.journal.acknowledged.sequence == 0
        raw = usb.joinpath(*stick.batch_path("journal-a", 1)).read_bytes()
        batch = decode_carried(raw).batch
        check_carried(batch, gate=GATE, keys=[public_key(KEY)])
        ack = gate.server.take(batch)
        assert not ack.conflict
        assert gate.server.journals["journal-a"].records()[-2].kind in set(Kind)
        assert b"T1" not in raw


async def test_a_long_journal_goes_out_in_parts_that_follow_each_other(open_gate, usb):
    async with open_gate() as gate:
        await gate.recorder.write(*(gate.recorder.event(Kind.CLOCK_STEP) for _ in range(2100)))
        await carrying(gate).visit(written(usb, gate))
        folder = usb.joinpath(*stick.batch_path("journal-a", 1)).parent
        previous = journal.genesis("journal-a")
        for path in sorted(folder.iterdir()):
            batch = decode_carried(path.read_bytes()).batch
            assert batch.previous_chain == previous
            for blob in batch.blobs:
                previous = journal.chain(previous, blob)
            assert not gate.server.take(batch).conflict


async def test_a_link_in_the_journals_place_is_not_written_through(open_gate, usb, tmp_path):
    async with open_gate() as gate:
        link = written(usb, gate)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (usb / "portillon" / "journals").symlink_to(elsewhere)
        with pytest.raises(LinkError):
            await carrying(gate).visit(link)
        assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("raw", [b"", b"\xff" * 10, b"\x93\x01\x02\x03", bytes(5 << 20)])
def test_what_is_no_part_of_a_journal_is_said_to_be_none(raw):
    with pytest.raises(RemoteProtocolError):
        decode_carried(raw)


async def test_a_former_journal_rides_along_as_far_as_the_server_has_it_not(open_gate, usb):
    async with open_gate() as gate:
        await gate.scan("T1")
        await gate.later(5)
        gate.succession.ask(1)
        await gate.settle()
        (former,) = gate.journal.former
        await former.acknowledge(2, await former.chain_at(2))
        visit = await carrying(gate).visit(written(usb, gate))
        assert visit.records == former.head - 2 + gate.journal.head
        raw = usb.joinpath(*stick.batch_path("journal-a", 3)).read_bytes()
        check_carried(decode_carried(raw).batch, gate=GATE, keys=[public_key(KEY)])
        raw = usb.joinpath(*stick.batch_path(gate.journal.id, 1)).read_bytes()
        check_carried(decode_carried(raw).batch, gate=GATE, keys=[public_key(KEY)])
