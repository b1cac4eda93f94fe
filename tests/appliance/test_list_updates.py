"""Lists that are brought up to date by segments, and lists whose files were altered on the card."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from admission.journal import Flag, Kind
from admission.scan import Direction
from admission.ticket import TicketState
from admission.ticketlist.manifest import Showing
from admission.ticketlist.pieces import SegmentRef, chain_of
from admission.verdict import Answer
from appliance.errors import LinkError
from appliance.list_recheck import RECHECK_S, ListRecheck
from appliance.ports import Look
from appliance.simulator.box_office import ENTRY_EXIT, SINGLE, ListedNumber, SignedList, multi
from linked_gate import linked, live
from list_shelf import NOW, OFFICE, V1, V2, V3, admits, listed, offer, open_shelf

BASE = listed(1, *[f"T{n}" for n in range(40)])
SECOND = OFFICE.update(BASE, ["S2", ListedNumber("T1", SINGLE, TicketState.BLOCKED)])
THIRD = OFFICE.update(SECOND, ["S3", ListedNumber("T1", multi(3))], ["T2", "S2"])
FOURTH = OFFICE.update(THIRD, ["S2"])


def state(shelf, number: str) -> str:
    """Give what the gate knows of a ticket, in a word."""
    ticket = shelf.holdings.find("show", shelf.holdings.identify("show", number))
    if ticket is None:
        return "none"
    rule = type(ticket.ticket_class.rule).__name__.lower()
    return f"{ticket.state.value} {rule}"


def is_third(shelf) -> bool:
    """Tell whether the gate knows exactly what the third version says."""
    known = {number: state(shelf, number) for number in ("T0", "T1", "T2", "S2", "S3", "X")}
    return known == {
        "T0": "valid single",
        "T1": "valid multi",
        "T2": "none",
        "S2": "none",
        "S3": "valid single",
        "X": "none",
    }


def resigned(signed: SignedList, **fields) -> SignedList:
    """Sign a list again, with other fields."""
    old = signed.manifest
    manifest = type(old)(**{name: getattr(old, name) for name in old.__struct_fields__} | fields)
    return replace(signed, manifest=manifest, envelope=OFFICE.sign(manifest))


def downloads(shelf) -> int:
    return shelf.link.requests.count("download show")


async def test_a_gate_fetches_the_segments_that_it_does_not_have_and_no_more(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        assert await offer(shelf, BASE)
        for signed, size in ((SECOND, 1), (FOURTH, 2)):
            shelf.link.requests.clear()
            shelf.link.bytes_fetched = 0
            assert await offer(shelf, signed)
            assert downloads(shelf) == size
            assert shelf.link.bytes_fetched == sum(map(len, signed.segments[-size:]))
        assert state(shelf, "S2") == "valid single"
        assert len(shelf.holdings.get("show").entries) == 41
    async with open_shelf(tmp_path) as shelf:
        assert state(shelf, "S2") == "valid single"
        assert state(shelf, "T2") == "none"
        assert len(shelf.holdings.get("show").entries) == 41


async def test_additions_changes_and_removals_are_seen_at_once_and_after_a_restart(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, BASE)
        await offer(shelf, SECOND)
        assert state(shelf, "T1") == "blocked single"
        assert await offer(shelf, THIRD)
        assert is_third(shelf)
    async with open_shelf(tmp_path) as shelf:
        assert is_third(shelf)


async def test_a_gate_that_has_nothing_takes_snapshot_and_segments_at_once(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        assert await offer(shelf, THIRD)
        assert downloads(shelf) == 3
        assert is_third(shelf)
        assert (await shelf.noted())[-1].list_version == 3


async def test_a_snapshot_that_takes_the_segments_in_is_the_same_list(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, THIRD)
        names = [f"T{n}" for n in range(40) if n not in (1, 2)]
        fresh = listed(4, *names, "S3", ListedNumber("T1", multi(3)))
        assert await offer(shelf, fresh)
        assert is_third(shelf)


async def test_nothing_is_fetched_where_only_the_filter_is_another(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, SECOND)
        shelf.link.requests.clear()
        showing = Showing(name="x", timezone="UTC", excluded_categories=("standard",))
        filtered = resigned(SECOND, version=3, showing=showing)
        assert await offer(shelf, filtered)
        assert downloads(shelf) == 0
        assert state(shelf, "T1") == "blocked single"
        following = OFFICE.update(filtered, ["S9"])
        assert following.manifest.segments[-1].version == 4
        assert await offer(shelf, following)
        assert downloads(shelf) == 1
        assert state(shelf, "S9") == "valid single"


async def test_segments_that_were_never_in_this_gates_overlay_replace_it(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, SECOND)
        other = OFFICE.update(BASE, ["Z1"], version=3)  # the second version was taken back
        assert await offer(shelf, other)
        assert (state(shelf, "Z1"), state(shelf, "S2")) == ("valid single", "none")
        assert state(shelf, "T1") == "valid single"


# --- pieces that must not be believed -------------------------------------------------------------


def with_segments(signed: SignedList, raw: list[bytes]) -> SignedList:
    """Sign a list anew that names these files as its segments, whatever they are."""
    refs = tuple(
        SegmentRef(
            version=place + 2,
            size=len(file),
            sha256=hashlib.sha256(file).hexdigest(),
            count=(len(file) - 96) // 19,
        )
        for place, file in enumerate(raw)
    )
    chain = chain_of(signed.manifest.snapshot, refs)
    again = resigned(signed, segments=refs, chain=chain)
    return replace(again, segments=tuple(raw))


ONE, TWO = THIRD.segments
FOREIGN = OFFICE.update(OFFICE.draw_up("matinee", ["T1"]), ["S2", "T2"])
STRANGE = OFFICE.update(listed(1, *"ABCDEFGHIJKLM"), ["S2"])
SWAPPED = with_segments(THIRD, [TWO, ONE])
BAD = {
    "in the wrong order": (SWAPPED, "ListFormatError"),
    "one left out": (with_segments(THIRD, [TWO]), "ListFormatError"),
    "one twice": (with_segments(THIRD, [ONE, TWO, TWO]), "ListFormatError"),
    "of another performance": (with_segments(SECOND, [*FOREIGN.segments]), "ForeignListError"),
    "of another snapshot": (with_segments(SECOND, [*STRANGE.segments]), "ListFormatError"),
    "a snapshot for a segment": (with_segments(SECOND, [BASE.snapshot]), "ListFormatError"),
    "chain of another order": (resigned(THIRD, chain=SWAPPED.manifest.chain), "ListFormatError"),
    "a class beyond the table": (resigned(THIRD, classes=(SINGLE,)), "ListFormatError"),
    "cut": (replace(THIRD, segments=(ONE, TWO[:-1])), "DigestError"),
    "nothing": (replace(THIRD, segments=(b"", TWO)), "DigestError"),
    "swapped on the way": (replace(THIRD, segments=(TWO, ONE)), "LinkError|DigestError"),
}


@pytest.mark.parametrize("what", BAD)
async def test_bad_segments_are_refused_with_their_error_and_the_list_before_stays(
    tmp_path: Path, what: str
):
    bad, error = BAD[what]
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, BASE)
        try:
            assert not await offer(shelf, resigned(bad, version=9))
        except LinkError:
            assert "LinkError" in error
        else:
            (refusal,) = await shelf.refusals()
            assert refusal.removeprefix("show: ") in error.split("|")
        assert shelf.holdings.versions == {"show": 1}
        assert state(shelf, "S3") == "none"
        assert {path.stem for path in (tmp_path / "lists").iterdir()} == {
            BASE.manifest.snapshot.sha256
        }
    async with open_shelf(tmp_path) as shelf:
        assert shelf.holdings.versions == {"show": 1}
        assert await shelf.noted() == []
        assert await offer(shelf, THIRD)
        assert is_third(shelf)


async def test_a_piece_that_the_server_does_not_have_leaves_the_list_before(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, BASE)
        shelf.server.publish(replace(THIRD, segments=THIRD.segments[:1]))
        with pytest.raises(KeyError):  # the imagined server's fault; a link would say 404
            await shelf.keeper.refresh(shelf.link)
        assert shelf.holdings.versions == {"show": 1}
        shelf.server.publish(THIRD)
        assert await shelf.keeper.refresh(shelf.link)
        assert is_third(shelf)


# --- files that were altered on the card ----------------------------------------------------------


def alter(folder: Path, sha256: str, place: int = -1) -> None:
    """Change one bit of a kept piece where it lies."""
    path = folder / "lists" / f"{sha256}.tgl"
    with path.open("r+b") as file:
        raw = path.read_bytes()
        file.seek(place % len(raw))
        file.write(bytes([raw[place] ^ 1]))


def suffixes(folder: Path) -> list[str]:
    return sorted(path.suffix for path in (folder / "lists").iterdir())


async def test_lists_as_they_were_signed_are_found_good_every_hour(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, THIRD)
        told = []
        recheck = ListRecheck(shelf.keeper, shelf.clock, lambda: told.append(1))
        await recheck.check()
        assert told == []
        assert is_third(shelf)
        assert RECHECK_S == 3600


@pytest.mark.parametrize("piece", [0, 1, 2])
async def test_a_bit_that_flips_while_the_gate_runs_ends_that_lists_use_at_the_next_check(
    tmp_path: Path, piece: int
):
    manifest = THIRD.manifest
    ref = [manifest.snapshot, *manifest.segments][piece]
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, THIRD)
        alter(tmp_path, ref.sha256)
        told = []
        await ListRecheck(shelf.keeper, shelf.clock, lambda: told.append(1)).check()
        assert told == [1]
        assert await shelf.refusals() == ["show: DigestError"]
        assert shelf.keeper.damaged == {"show"}
        assert shelf.holdings.versions == {}
        assert shelf.holdings.faults(NOW) == {"show": Answer.LIST_UNTRUSTED}
        assert suffixes(tmp_path) == [".aside", ".tgl", ".tgl"]
        shelf.link.bytes_fetched = 0
        assert await shelf.keeper.refresh(shelf.link)  # nothing newer is there, and yet it comes
        assert shelf.link.bytes_fetched == ref.size
        assert shelf.keeper.damaged == set()
        assert is_third(shelf)


async def test_a_damaged_list_falls_back_on_the_one_before_and_says_how_old_it_is(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        await offer(shelf, V2)
        alter(tmp_path, V2.manifest.snapshot.sha256)
        assert not await shelf.keeper.check_again()
        assert shelf.holdings.versions == {"show": 1}
        assert admits(shelf, "T1")
        assert not admits(shelf, "T2")
        assert shelf.holdings.is_stale("show", NOW)
        assert shelf.holdings.faults(NOW) == {}
        activated = [one for one in await shelf.noted() if one.kind == Kind.LIST_ACTIVATED][-1]
        assert (activated.list_version, activated.detail) == (1, {"instead_of": 2})
    async with open_shelf(tmp_path) as shelf:  # the file is gone from its place: the same again
        assert shelf.holdings.versions == {"show": 1}
        assert shelf.holdings.get("show").instead_of == 2
        assert not await offer(shelf, V1)  # from outside nothing older is taken, all the same
        assert "show: RollbackError" in await shelf.refusals()
        other = listed(2, "T1", "T9")
        assert not await offer(shelf, other)
        assert shelf.holdings.versions == {"show": 1}
        assert await offer(shelf, V2)
        assert admits(shelf, "T2")
        assert not shelf.holdings.is_stale("show", NOW)
        assert shelf.keeper.damaged == set()


async def test_a_list_altered_while_the_gate_was_off_falls_back_at_its_start(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        await offer(shelf, V2)
    alter(tmp_path, V2.manifest.snapshot.sha256)
    async with open_shelf(tmp_path) as shelf:
        assert await shelf.refusals() == ["show: DigestError"]
        assert shelf.holdings.versions == {"show": 1}
        assert suffixes(tmp_path) == [".aside", ".tgl"]
        await offer(shelf, V3)
        alter(tmp_path, V3.manifest.snapshot.sha256)
        assert not await shelf.keeper.check_again()
        assert shelf.holdings.versions == {"show": 1}  # the last that was good, not the last


async def test_a_manifest_altered_on_the_card_falls_back_too(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        await offer(shelf, V2)
        raw = bytearray(V2.envelope)
        raw[len(raw) // 2] ^= 1
        await shelf.connection.execute_fetchall("UPDATE lists SET manifest = ?", (bytes(raw),))
    async with open_shelf(tmp_path) as shelf:
        (refusal,) = await shelf.refusals()
        assert refusal in {"show: SignatureError", "show: ListFormatError"}
        assert shelf.holdings.versions == {"show": 1}
        assert await offer(shelf, V2)
        assert admits(shelf, "T2")


async def test_where_the_list_before_is_damaged_too_nobody_is_judged_by_either(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        await offer(shelf, V2)
        for signed in (V1, V2):
            alter(tmp_path, signed.manifest.snapshot.sha256)
        assert not await shelf.keeper.check_again()
        assert shelf.holdings.faults(NOW) == {"show": Answer.LIST_UNTRUSTED}
        assert await shelf.keeper.check_again()  # nothing is left to be checked
        assert await shelf.keeper.refresh(shelf.link)
        assert admits(shelf, "T2")


async def test_a_stand_in_that_is_damaged_itself_is_used_no_more(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        await offer(shelf, V2)
        for signed in (V2, V1):
            alter(tmp_path, signed.manifest.snapshot.sha256)
            assert not await shelf.keeper.check_again()
        assert shelf.holdings.versions == {}
        assert shelf.holdings.faults(NOW) == {"show": Answer.LIST_UNTRUSTED}


async def test_a_newer_list_that_shares_the_damaged_snapshot_is_not_used_either(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, BASE)
        await offer(shelf, SECOND)
        alter(tmp_path, BASE.manifest.snapshot.sha256)
        assert not await shelf.keeper.check_again()
        assert shelf.holdings.versions == {}
        shelf.link.bytes_fetched = 0
        assert await offer(shelf, THIRD)
        assert shelf.link.bytes_fetched == len(BASE.snapshot) + len(TWO)
        assert is_third(shelf)


async def test_a_stand_in_still_ends_at_its_own_not_after(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, listed(1, not_after=NOW + timedelta(hours=1)))
        await offer(shelf, V2)
        alter(tmp_path, V2.manifest.snapshot.sha256)
        await shelf.keeper.check_again()
        later = NOW + timedelta(hours=1)
        assert shelf.holdings.faults(later) == {"show": Answer.LIST_EXPIRED}


async def test_the_lists_are_read_again_every_hour(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V2)
        looked = asyncio.Event()
        recheck = ListRecheck(shelf.keeper, shelf.clock, looked.set)
        alter(tmp_path, V2.manifest.snapshot.sha256)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(recheck.run())
            await shelf.clock.run(RECHECK_S - 1)
            assert shelf.holdings.versions == {"show": 2}
            shelf.clock.advance(1)
            await looked.wait()  # it reads in a thread
            assert shelf.holdings.versions == {}
            task.cancel()


async def test_the_server_is_told_of_a_damaged_list_and_hands_it_out_again(
    open_gate, tmp_path: Path
):
    async with linked(open_gate, ["T1"]) as gate:
        await live(gate)
        held = gate.holdings.get("show").manifest
        recheck = ListRecheck(gate.keeper, gate.clock, gate.uplink.lists_wanted)
        alter(tmp_path, held.snapshot.sha256)
        await recheck.check()
        assert gate.uplink.status().faults == ["GT-LST"]
        await gate.until(lambda: gate.keeper.damaged == frozenset())
        await gate.later(6)
        assert gate.server.statuses["gate-a"].faults == []
        assert gate.holdings.versions == {"show": 1}
        assert (await gate.scan("T1")).look is Look.GRANTED


async def test_a_damaged_list_admits_nobody_but_lets_out_whoever_is_inside(
    open_gate, tmp_path: Path
):
    tickets = [ListedNumber(name, ENTRY_EXIT) for name in ("IN", "OUT")]
    async with open_gate(tickets, has_sensor=False) as gate:
        assert (await gate.scan("IN")).look is Look.GRANTED
        alter(tmp_path, gate.holdings.get("show").manifest.snapshot.sha256)
        assert not await gate.keeper.check_again()
        assert (await gate.scan("OUT")).answer is Answer.LIST_UNTRUSTED
        assert (await gate.scan("IN", Direction.EXIT)).answer is Answer.GRANTED
        gate.health.changed()
        await gate.settle()
        await gate.later(10)
        assert gate.display.last.look is Look.WAITING_LIST


async def test_passages_by_a_stand_in_are_marked_and_the_gate_says_that_it_is_degraded(
    open_gate, tmp_path: Path
):
    async with linked(open_gate, ["T1"]) as gate:
        await live(gate)
        gate.server.publish(OFFICE.draw_up("show", ["T1", "T2"], 2))
        await gate.until(lambda: gate.holdings.versions == {"show": 2})
        alter(tmp_path, gate.holdings.get("show").manifest.snapshot.sha256)
        gate.link.cut()
        await gate.keeper.check_again()
        assert not gate.uplink.situation().lists_fresh
        assert gate.uplink.status().lists == {"show": 1}
        await gate.scan("T1")
        grant = next(one for one in await gate.records() if one.kind == Kind.GRANTED)
        assert grant.flags & Flag.STALE
        assert grant.list_version == 1


async def test_a_table_of_classes_that_shrinks_under_the_same_files_is_refused(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, THIRD)
        assert not await offer(shelf, resigned(THIRD, version=4, classes=(SINGLE,)))
        assert await shelf.refusals() == ["show: ListFormatError"]
        assert is_third(shelf)
