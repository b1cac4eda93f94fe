"""What tickets say, from a file to the screen of whoever presents one: and no further."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from admission.scan import Direction
from admission.ticket import TicketState
from admission.ticketlist.attributes import NOTHING, Attributes
from admission.verdict import Answer
from appliance.ports import Look
from appliance.simulator.box_office import SINGLE, ListedNumber
from appliance.simulator.virtual_turnstile import Motion
from appliance.telling import place_of
from list_shelf import NOW, OFFICE, admits, listed, offer, open_shelf

SEAT = Attributes(zone="Tribune Nord", row="12", seat="345", attention="!")
NAMED = Attributes(zone="B", holder_last="Dupont")


def says(number: str, said: Attributes, state: TicketState = TicketState.VALID) -> ListedNumber:
    return ListedNumber(number, SINGLE, state, said)


FIRST = OFFICE.draw_up("show", [says("T1", SEAT), "T2"])
SECOND = OFFICE.update(FIRST, [says("T2", NAMED), "T3"])
(REF,) = FIRST.manifest.attributes


def said(shelf, number: str) -> Attributes:
    identifier = shelf.holdings.identify("show", number)
    return shelf.holdings.attributes("show", identifier, number)


async def test_what_a_ticket_says_comes_with_the_list_and_is_there_after_a_restart(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        assert await offer(shelf, FIRST)
        assert (said(shelf, "T1"), said(shelf, "T2")) == (SEAT, NOTHING)
        shelf.link.bytes_fetched = 0
        assert await offer(shelf, SECOND)
        assert shelf.link.bytes_fetched == len(SECOND.segments[0]) + len(SECOND.sealed[1])
        assert (said(shelf, "T1"), said(shelf, "T2")) == (SEAT, NAMED)
    async with open_shelf(tmp_path) as shelf:
        assert (said(shelf, "T1"), said(shelf, "T2")) == (SEAT, NAMED)
        identifier = shelf.holdings.identify("show", "T1")
        assert shelf.holdings.attributes("show", identifier, "T2") == NOTHING
        assert shelf.holdings.attributes("none", identifier, "T1") == NOTHING


async def test_a_list_without_attributes_has_no_such_file(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        plain = listed(1, "T1")
        assert await offer(shelf, plain)
        assert plain.manifest.attributes == ()
        assert said(shelf, "T1") == NOTHING


@pytest.mark.parametrize("place", range(0, len(FIRST.sealed[0]), 5))
async def test_an_altered_file_of_records_is_refused_with_the_list(tmp_path: Path, place: int):
    raw = FIRST.sealed[0]
    altered = raw[:place] + bytes([raw[place] ^ 1 << place % 8]) + raw[place + 1 :]
    async with open_shelf(tmp_path) as shelf:
        assert not await offer(shelf, replace(FIRST, sealed=(altered,)))
        assert await shelf.refusals() == ["show: DigestError"]
        assert shelf.holdings.versions == {}


async def test_records_altered_on_the_card_are_used_no_more_and_the_list_goes_on(tmp_path: Path):
    path = tmp_path / "lists" / f"{REF.sha256}.tgl"
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, listed(1, "T0"))
        await offer(shelf, replace_version(FIRST, 2))
        path.write_bytes(FIRST.sealed[0][:-1] + b"x")
        assert not await shelf.keeper.check_again()
        assert (admits(shelf, "T1"), said(shelf, "T1")) == (True, NOTHING)
        assert shelf.holdings.faults(NOW) == {}
        assert not shelf.holdings.is_stale("show", NOW)
        assert shelf.keeper.damaged == {"show"}
        assert await shelf.refusals() == ["show: DigestError"]
        assert await shelf.keeper.refresh(shelf.link)
        assert said(shelf, "T1") == SEAT
        assert shelf.keeper.damaged == set()
        (row,) = await shelf.memory.lists()
        assert row.before == listed(1, "T0").envelope  # what there was to fall back on, still is
        snapshot = tmp_path / "lists" / f"{FIRST.manifest.snapshot.sha256}.tgl"
        snapshot.write_bytes(b"x" * len(FIRST.snapshot))
        assert not await shelf.keeper.check_again()
        assert (shelf.holdings.versions, admits(shelf, "T0")) == ({"show": 1}, True)
        assert await shelf.keeper.refresh(shelf.link)
        assert said(shelf, "T1") == SEAT
    path.unlink()
    async with open_shelf(tmp_path) as shelf:
        assert await shelf.refusals() == ["show: StorageError"]
        assert (admits(shelf, "T1"), said(shelf, "T1")) == (True, NOTHING)
        assert await offer(shelf, replace_version(FIRST, 2))
        assert said(shelf, "T1") == SEAT


def replace_version(signed, version: int):
    """Sign a list again as a later version."""
    old = signed.manifest
    fields = {name: getattr(old, name) for name in old.__struct_fields__} | {"version": version}
    manifest = type(old)(**fields)
    return replace(signed, manifest=manifest, envelope=OFFICE.sign(manifest))


# --- at the gate ----------------------------------------------------------------------------------


async def test_whoever_presents_a_ticket_is_shown_where_to_go(open_gate):
    async with open_gate([says("T1", SEAT), "T2"], has_sensor=False) as gate:
        screen = await gate.scan("T1")
        assert screen.look is Look.GRANTED
        assert screen.attention == ("!",)
        assert (screen.detail, screen.seat) == ("standard", "Tribune Nord · 12 · 345")
        assert (await gate.scan("T2")).detail == "standard"


async def test_a_ticket_that_is_refused_says_nothing(open_gate):
    blocked = says("T1", SEAT, TicketState.BLOCKED)
    async with open_gate([blocked], has_sensor=False) as gate:
        screen = await gate.scan("T1")
        assert (screen.answer, screen.detail) == (Answer.BLOCKED, "")


async def test_what_a_ticket_says_is_written_to_no_journal_and_no_log(
    open_gate, caplog: pytest.LogCaptureFixture
):
    telling = Attributes("Zzone", "Rrow", "Sseat", "Eentrance", "Aattention", "Llast", "Ffirst")
    caplog.set_level(logging.DEBUG)
    async with open_gate([says("T1", telling)], has_sensor=False) as gate:
        screen = await gate.scan("T1")
        assert "Zzone" in screen.seat
        assert screen.holder == "Ffirst Llast"
        assert "Zzone" not in (await gate.scan("T1", Direction.EXIT)).seat
        rows = await gate.journal.rows(0, 1_000)
        written = b"".join(row.blob for row in rows)
        logged = json.dumps([repr(record.__dict__) for record in caplog.records])
        for word in telling.__struct_fields__[:7]:
            text = getattr(telling, word)
            assert text.encode() not in written
            assert text not in logged


async def test_a_record_is_opened_only_after_the_arm_was_told(
    open_gate, monkeypatch: pytest.MonkeyPatch
):
    async with open_gate([says("T1", SEAT)], has_sensor=False) as gate:
        seen = []
        real = gate.holdings.attributes

        def look(*arguments):
            seen.append((gate.turnstile.count(Motion.RELEASED), gate.journal.head))
            return real(*arguments)

        monkeypatch.setattr(gate.holdings, "attributes", look)
        before = gate.journal.head
        await gate.scan("T1")
        ((pulses, head),) = seen
        assert pulses == 1
        assert head > before


def test_a_place_is_told_from_the_large_to_the_small():
    place = Attributes(zone="B", row="2", seat="7", entrance="Porte 4", holder_last="Dupont")
    assert place_of(place) == "Porte 4 · B · 2 · 7"
    assert place_of(NOTHING) == ""
