"""What is published when little has changed: segments that a real gate's rules accept."""

import random
from dataclasses import replace

import pytest

from admission.limits import SEGMENTS_MAX
from admission.ticket import TicketState
from admission.ticketlist.acceptance import Installed, accept_manifest, check_segments
from admission.ticketlist.identifiers import identify
from admission.ticketlist.manifest import (
    classes_of,
    decode_manifest,
    encode_manifest,
    pieces_of,
    replace_fields,
)
from admission.ticketlist.overlay import NO_CHANGES, layered
from admission.ticketlist.packed import PackedList
from admission.trust.envelope import MANIFEST_TYPE, unverified_body
from admission.trust.root import Role as TrustRole
from admission.trust.root import signers
from sync_server.entities import ImportMode
from sync_server.errors import NotFoundError
from sync_server.importing import Importing
from sync_server.planning import PerformanceChange, Planning
from sync_server.publishing import Publishing
from sync_server.reconciling import refold_tickets
from sync_server.sources.file import read_tickets
from sync_server.storage.snapshot_files import Folder

KEY = b"p0".rjust(32, b"k")


class House:
    """A server whose list is published again and again, and a gate that follows."""

    def __init__(self, venue, folder, ledger, news, master, trust):
        self.trust = trust
        self.store, self.master, self.folder = venue, master, folder
        self.publishing = Publishing(venue, Folder(folder), ledger, news, trust)
        self.importing = Importing(venue, read_tickets, refold_tickets, ledger, news)
        self.planning = Planning(venue, ledger, news)
        self.installed = None
        self.manifest = None

    async def bring(self, rows, mode=ImportMode.ADD, source="s"):
        text = "number;category;status\n" + "\n".join(rows)
        return await self.importing.import_file(
            self.master, "p0", text.encode(), source_name=source, filename="f", mode=mode
        )

    async def block(self, number, state=TicketState.BLOCKED):
        async with self.store.write() as transaction:
            now_us = 1_800_000_000_000_000
            assert await transaction.tickets.set_state("p0", identify(KEY, number), state, now_us)

    async def publish(self):
        """Publish, and believe it as a gate does; give the manifest."""
        await self.publishing.publish(self.master, "p0")
        self.manifest = accept_manifest(
            await self.publishing.manifest("g0", "p0"),
            performance="p0",
            trusted=signers(self.trust.root, TrustRole.LIST),
            installed=self.installed,
            now=None,
        )
        self.installed = Installed(self.manifest.version, self.manifest.chain)
        return self.manifest

    async def raw(self, ref):
        path = await self.publishing.list_file("g0", "p0", ref.sha256)
        return path.read_bytes()

    async def tickets(self, numbers):
        """Give what a gate knows of numbers, by the newest manifest."""
        manifest = self.manifest
        raw = [await self.raw(ref) for _, ref in pieces_of(manifest)]
        overlay = NO_CHANGES.under(check_segments(manifest, raw[1:]))
        entries = layered(PackedList(raw[0], "p0"), overlay)
        classes = classes_of(manifest)
        found = {number: entries.find(identify(KEY, number)) for number in numbers}
        assert len(entries) == await self.count()
        return {
            number: entry and f"{classes[entry.class_index].category} {entry.state}"
            for number, entry in found.items()
        }

    async def count(self):
        async with self.store.read() as transaction:
            (newest,) = await transaction.performances.list_versions("p0", 1)
            assert newest.count == await transaction.tickets.count("p0")
            return newest.count

    async def noted(self):
        async with self.store.read() as transaction:
            return len((await transaction.pieces.changes("p0", 10_000)).identifiers)


@pytest.fixture
def house(venue, tmp_path, ledger, news, master, trust):
    return House(venue, tmp_path / "lists", ledger, news, master, trust)


def rows(first, last, category="standard", status=""):
    return [f"N{n:03d};{category};{status}" for n in range(first, last)]


async def test_the_first_list_is_a_snapshot_and_little_change_is_a_segment(house):
    await house.bring(rows(0, 100))
    assert await house.noted() == 0  # nothing is published that it could differ from
    first = await house.publish()
    assert (first.version, first.segments) == (1, ())
    await house.bring([*rows(100, 103, "vip"), *rows(0, 1, status="canceled")])
    await house.block("N001")
    assert await house.noted() == 5
    second = await house.publish()
    assert second.snapshot == first.snapshot
    (segment,) = second.segments
    assert (segment.version, segment.count, segment.size) == (2, 5, 96 + 5 * 19)
    assert [row.category for row in second.classes] == ["standard", "vip"]
    assert await house.tickets(["N000", "N001", "N002", "N100", "N103"]) == {
        "N000": "standard canceled",
        "N001": "standard blocked",
        "N002": "standard valid",
        "N100": "vip valid",
        "N103": None,
    }
    assert await house.noted() == 0


async def test_each_segment_follows_the_one_before(house):
    await house.bring(rows(0, 100))
    await house.publish()
    for n in range(5):
        await house.bring(rows(100 + n, 101 + n, f"class {n}"))
        manifest = await house.publish()
        assert len(manifest.segments) == n + 1
    assert (await house.tickets(["N104"]))["N104"] == "class 4 valid"


async def test_nothing_but_the_showing_changed_is_the_same_files_under_a_new_version(house):
    await house.bring(rows(0, 100))
    first = await house.publish()
    await house.planning.change_performance(
        house.master, "p0", PerformanceChange(excluded_categories=("press",))
    )
    second = await house.publish()
    assert pieces_of(second) == pieces_of(first)
    assert (second.version, second.chain) == (2, first.chain)
    assert second.showing.excluded_categories == ("press",)
    await house.bring(rows(100, 101))
    third = await house.publish()
    await house.planning.change_performance(
        house.master, "p0", PerformanceChange(excluded_categories=())
    )
    fourth = await house.publish()
    assert pieces_of(fourth) == pieces_of(third)
    await house.bring(rows(101, 102))
    fifth = await house.publish()
    assert [ref.version for ref in fifth.segments] == [3, 5]
    assert (await house.tickets(["N101"]))["N101"] == "standard valid"


async def test_what_was_changed_and_changed_back_is_no_change(house):
    await house.bring(rows(0, 100))
    first = await house.publish()
    await house.block("N001")
    await house.block("N001", TicketState.VALID)
    assert await house.noted() == 1
    assert pieces_of(await house.publish()) == pieces_of(first)
    assert await house.noted() == 0


async def test_more_than_a_tenth_of_a_list_is_packed_anew(house):
    await house.bring(rows(0, 100))
    first = await house.publish()
    await house.bring(rows(100, 106))
    assert (await house.publish()).snapshot == first.snapshot
    await house.bring(rows(106, 110))  # ten in all
    assert (await house.publish()).snapshot == first.snapshot
    await house.bring(rows(110, 111))
    anew = await house.publish()
    assert (anew.snapshot.count, anew.snapshot.version, anew.segments) == (111, 4, ())
    await house.bring(rows(111, 112))
    assert [ref.version for ref in (await house.publish()).segments] == [5]
    assert (await house.tickets(["N111"]))["N111"] == "standard valid"


async def test_after_so_many_segments_the_list_is_packed_anew(house):
    await house.bring([f"M{n:04d};standard;" for n in range(10 * SEGMENTS_MAX + 20)])
    first = await house.publish()
    for n in range(SEGMENTS_MAX):
        await house.block(f"M{n:04d}")
        manifest = await house.publish()
        assert manifest.snapshot == first.snapshot
    assert len(manifest.segments) == SEGMENTS_MAX
    await house.block("M0100")
    assert (await house.publish()).segments == ()
    assert (await house.tickets(["M0000", "M0100"])).keys() == {"M0000", "M0100"}


async def test_tickets_left_out_of_a_file_that_replaces_are_in_the_segment(house):
    await house.bring(rows(0, 100))
    await house.publish()
    await house.bring(rows(0, 97), ImportMode.REPLACE)
    manifest = await house.publish()
    assert [ref.count for ref in manifest.segments] == [3]
    assert set((await house.tickets(["N097", "N098", "N099"])).values()) == {"standard canceled"}


async def test_an_import_between_reading_and_noting_a_list_is_in_the_next_one(house, monkeypatch):
    await house.bring(rows(0, 100))
    await house.publish()
    await house.bring(rows(100, 101))
    drafts = []
    read = house.publishing._draft

    async def draft_then_import(*arguments, **options):
        drafts.append(await read(*arguments, **options))
        if len(drafts) == 1:
            await house.bring(rows(100, 102, "vip"))
        return drafts[-1]

    monkeypatch.setattr(house.publishing, "_draft", draft_then_import)
    await house.publish()
    assert (await _known(house, "N100"), await _known(house, "N101")) == ("standard valid", None)
    await house.publish()
    assert (await _known(house, "N100"), await _known(house, "N101")) == ("vip valid", "vip valid")


async def _known(house, number):
    manifest = house.manifest
    raw = [await house.raw(ref) for _, ref in pieces_of(manifest)]
    overlay = NO_CHANGES.under(check_segments(manifest, raw[1:]))
    entry = layered(PackedList(raw[0], "p0"), overlay).find(identify(KEY, number))
    return entry and f"{classes_of(manifest)[entry.class_index].category} {entry.state}"


async def test_an_import_during_the_first_publication_is_in_the_second(house, monkeypatch):
    await house.bring(rows(0, 100))
    read = house.publishing._draft
    brought = []

    async def draft_then_import(*arguments, **options):
        draft = await read(*arguments, **options)
        if not brought:
            brought.append(await house.bring(rows(100, 102)))
        return draft

    monkeypatch.setattr(house.publishing, "_draft", draft_then_import)
    assert (await house.publish()).snapshot.count == 100
    second = await house.publish()
    assert [ref.count for ref in second.segments] == [2]
    assert set((await house.tickets(["N100", "N101"])).values()) == {"standard valid"}


@pytest.mark.parametrize("harm", ["altered", "gone", "empty"])
@pytest.mark.parametrize("piece", [0, 1])
async def test_a_published_file_that_is_not_as_it_was_is_no_base_for_a_segment(house, harm, piece):
    await house.bring(rows(0, 100))
    await house.publish()
    await house.block("N000")
    second = await house.publish()
    _, ref = pieces_of(second)[piece]
    path = house.folder / f"{ref.sha256}.tgl"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    match harm:
        case "altered":
            path.write_bytes(raw)
        case "gone":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
    await house.block("N001")
    third = await house.publish()
    assert (third.snapshot.version, third.segments) == (3, ())
    assert await house.tickets(["N000", "N001", "N002"]) == {
        "N000": "standard blocked",
        "N001": "standard blocked",
        "N002": "standard valid",
    }


async def test_changes_that_do_not_add_up_with_the_database_are_no_segment(house):
    await house.bring(rows(0, 100))
    await house.publish()
    await house.bring(rows(100, 103))
    async with house.store.write() as transaction:
        mark = (await transaction.pieces.changes("p0", 10)).mark
        await transaction.pieces.forget_changes("p0", mark - 1)  # as a fault of ours would
    assert (await house.publish()).snapshot.count == 103


async def test_files_are_handed_out_to_gates_that_hold_the_performance_and_no_others(house):
    await house.bring(rows(0, 100))
    await house.publish()
    await house.block("N001")
    manifest = await house.publish()
    for _, ref in pieces_of(manifest):
        assert len(await house.raw(ref)) == ref.size
        with pytest.raises(NotFoundError):
            await house.publishing.list_file("g0", "p1", ref.sha256)


async def test_whatever_happens_to_the_tickets_the_published_list_is_the_database(house):
    chance = random.Random(7)
    await house.bring(rows(0, 60))
    await house.publish()
    for _ in range(25):
        for _ in range(chance.randrange(3)):
            first = chance.randrange(70)
            some = rows(
                first,
                first + chance.randrange(1, 4),
                chance.choice(["standard", "vip", "press"]),
                chance.choice(["", "canceled", "blocked"]),
            )
            await house.bring(some, source=chance.choice("st"))
        manifest = await house.publish()
        expected = {}
        async with house.store.read() as transaction:
            classes = await transaction.tickets.classes("p0")
            async for batch in transaction.tickets.listed("p0"):
                for identifier, key, state in batch:
                    expected[identifier] = f"{classes[key].category} {state}"
        numbers = [f"N{n:03d}" for n in range(75)]
        known = await house.tickets(numbers)
        assert known == {number: expected.get(identify(KEY, number)) for number in numbers}
    assert manifest.version == 26


async def test_the_manifest_states_what_its_numbers_hold_for_codes_typed_by_hand(house):
    await house.bring(rows(0, 100))
    assert (await house.publish()).alphabet == ("upper",)
    await house.bring(["ab-1 2;x;"])
    grown = await house.publish()
    assert len(grown.segments) == 1
    assert grown.alphabet == ("dash", "lower", "space", "upper")


async def test_a_manifest_that_says_nothing_of_its_numbers_is_followed_by_one_that_does(house):
    await house.bring(rows(0, 100))
    await house.publish()
    async with house.store.write() as transaction:
        newest = await transaction.performances.newest_list("p0")
        body = decode_manifest(unverified_body(newest.manifest, MANIFEST_TYPE))
        silent = encode_manifest(replace_fields(body, version=2, alphabet=None))
        signed = house.trust.sign(TrustRole.LIST, MANIFEST_TYPE, silent)
        await transaction.performances.add_list_version(replace(newest, version=2, manifest=signed))
        await transaction.performances.note_published("p0", 2)
    await house.block("N001")
    assert (await house.publish()).alphabet == ("upper",)
