"""Which lists a gate believes, and what it keeps when it does not."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from admission.journal import Kind
from admission.ticketlist.manifest import Showing, encode_manifest
from admission.verdict import Answer
from appliance.errors import LinkAnswerError, LinkError, StorageError
from list_shelf import FORGER, GATE, NOW, OFFICE, V1, V2, V3, admits, listed, offer, open_shelf


async def test_what_is_offered_is_installed_and_written_down(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        assert await offer(shelf, V2)
        assert shelf.holdings.versions == {"show": 2}
        assert admits(shelf, "T2")
        assert not admits(shelf, "T3")
        (record,) = await shelf.noted()
        assert (record.kind, record.performance) == (Kind.LIST_ACTIVATED, "show")
        assert record.list_version == 2


async def test_what_was_installed_is_there_after_a_restart_without_any_link(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V2)
    async with open_shelf(tmp_path) as shelf:
        assert shelf.keeper.assignment.performances == ("show",)
        assert shelf.holdings.versions == {"show": 2}
        assert admits(shelf, "T2")
        assert await shelf.noted() == []


async def test_a_newer_list_takes_the_place_and_only_the_one_before_stays_to_fall_back_on(
    tmp_path: Path,
):
    async with open_shelf(tmp_path) as shelf:
        for signed in (V1, V2, V3):
            assert await offer(shelf, signed)
        assert admits(shelf, "T3")
        assert {path.stem for path in (tmp_path / "lists").iterdir()} == {
            V2.manifest.snapshot.sha256,
            V3.manifest.snapshot.sha256,
        }


async def test_what_has_not_changed_is_not_fetched_again(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        shelf.link.requests.clear()
        assert await shelf.keeper.refresh(shelf.link)
        assert shelf.link.requests == ["root 2", "status", "assignment", "manifest show"]


async def test_a_new_version_with_the_same_tickets_is_installed_without_a_download(tmp_path: Path):
    filtered = Showing(name="show", timezone="UTC", excluded_categories=("standard",))
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        shelf.link.requests.clear()
        assert await offer(shelf, listed(2, showing=filtered))
        assert "download show" not in shelf.link.requests
        assert shelf.holdings.performances["show"].excluded_categories == {"standard"}
    async with open_shelf(tmp_path) as shelf:
        assert shelf.holdings.performances["show"].excluded_categories == {"standard"}


async def test_lists_that_are_only_held_are_fetched_too(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        shelf.server.publish(V1)
        shelf.server.publish(OFFICE.draw_up("matinee", ["M1"]))
        shelf.server.assign(GATE, 1, OFFICE.assign(GATE, ["show"], held=["matinee", "show"]))
        assert await shelf.keeper.refresh(shelf.link)
        assert shelf.holdings.versions == {"show": 1, "matinee": 1}


async def test_a_list_that_expires_on_the_gate_is_kept_and_says_so(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, listed(1, not_after=NOW + timedelta(hours=1)))
    async with open_shelf(tmp_path) as shelf:
        later = NOW + timedelta(hours=1)
        assert shelf.holdings.versions == {"show": 1}
        assert shelf.holdings.faults(NOW) == {}
        assert set(shelf.holdings.faults(later)) == {"show"}


# --- lists that must not be believed --------------------------------------------------------------


def altered_bit(signed):
    raw = bytearray(signed.snapshot)
    raw[len(raw) // 2] ^= 1
    return replace(signed, snapshot=bytes(raw))


def altered_signature(signed):
    raw = bytearray(signed.envelope)
    place = raw.index(b'"payload":"') + 20
    raw[place] = ord("A") if raw[place] != ord("A") else ord("B")
    return replace(signed, envelope=bytes(raw))


def pages(signed):
    return replace(signed, envelope=b"<!doctype html><title>Welcome to our Wi-Fi</title>")


def page_for_file(signed):
    size = len(signed.snapshot)
    return replace(signed, snapshot=b"<html>".ljust(size, b" "))


FOREIGN = OFFICE.draw_up("matinee", ["T1", "T2"], 2)
OTHER_KEY = listed(2, "T1", "T2", list_key=b"o" * 32)
ASSIGNMENT = OFFICE.assign(GATE, ["show"])
CLASSLESS = listed(2, "T1", "T2", classes=())

BAD = {
    "cut in the middle": (replace(V2, snapshot=V2.snapshot[:70]), "DigestError"),
    "altered by one bit": (altered_bit(V2), "DigestError"),
    "a web page for the file": (page_for_file(V2), "DigestError"),
    "nothing for the file": (replace(V2, snapshot=b""), "DigestError"),
    "signed by somebody else": (FORGER.draw_up("show", ["T1"], 2), "SignatureError"),
    "signed, then altered": (altered_signature(V2), "SignatureError|ListFormatError"),
    "cut envelope": (replace(V2, envelope=V2.envelope[:-20]), "ListFormatError"),
    "a web page": (pages(V2), "ListFormatError"),
    "another kind of document": (replace(V2, envelope=ASSIGNMENT), "ListFormatError"),
    "too large an envelope": (replace(V2, envelope=b" " * 70_000), "ListFormatError"),
    "of another performance": (replace(FOREIGN, manifest=V2.manifest), "ForeignListError"),
    "under another list key": (OTHER_KEY, "ForeignListError"),
    "expired": (listed(2, not_after=NOW - timedelta(seconds=1)), "ListExpiredError"),
    "of no time zone": (listed(2, showing=Showing(name="", timezone="Mars")), "ListFormatError"),
    "of a folder of zones": (
        listed(2, showing=Showing(name="", timezone="Europe")),
        "ListFormatError",
    ),
    "without classes": (CLASSLESS, "ListFormatError"),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_list_is_refused_with_its_own_error_and_the_old_one_stays(
    tmp_path: Path, what: str
):
    bad, error = BAD[what]
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        shelf.server.lists["show"] = bad
        assert not await shelf.keeper.refresh(shelf.link)
        (refusal,) = await shelf.refusals()
        assert refusal in [f"show: {name}" for name in error.split("|")]
        assert shelf.holdings.versions == {"show": 1}
        assert admits(shelf, "T1")
        assert not admits(shelf, "T2")
    async with open_shelf(tmp_path) as shelf:
        assert shelf.holdings.versions == {"show": 1}
        assert admits(shelf, "T1")
        assert await shelf.noted() == []
        shelf.server.lists["show"] = V2
        assert await offer(shelf)
        assert admits(shelf, "T2")


@pytest.mark.parametrize("what", BAD)
async def test_a_gate_without_a_list_takes_no_bad_one_either(tmp_path: Path, what: str):
    bad, error = BAD[what]
    bad = replace(bad, list_key=V2.list_key)  # what is handed out, also where the list has another
    async with open_shelf(tmp_path) as shelf:
        shelf.server.lists["show"] = bad
        assert not await offer(shelf)
        (refusal,) = await shelf.refusals()
        assert refusal in [f"show: {name}" for name in error.split("|")]
        assert shelf.holdings.versions == {}
        assert list((tmp_path / "lists").iterdir()) == []
    async with open_shelf(tmp_path) as shelf:
        assert shelf.holdings.versions == {}
        assert await shelf.memory.lists() == []


async def test_a_list_never_goes_back_not_even_after_a_restart(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V2)
        assert not await offer(shelf, V1)
        assert await shelf.refusals() == ["show: RollbackError"]
        assert admits(shelf, "T2")
    async with open_shelf(tmp_path) as shelf:
        assert not await offer(shelf, V1)
        assert await shelf.refusals() == ["show: RollbackError"]
        assert admits(shelf, "T2")


@pytest.mark.parametrize(
    "other",
    [listed(2, "T1", "T9"), listed(2, "T1", "T2", refresh_by=NOW)],
    ids=["other tickets", "other words"],
)
async def test_one_version_is_never_two_lists(tmp_path: Path, other):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V2)
        assert not await offer(shelf, other)
        assert await shelf.refusals() == ["show: RollbackError"]
        assert shelf.holdings.get("show").manifest == V2.manifest


async def test_a_list_whose_file_is_lost_is_fetched_again_but_no_older_one(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V2)
    for file in (tmp_path / "lists").iterdir():
        file.unlink()
    async with open_shelf(tmp_path) as shelf:
        assert await shelf.refusals() == ["show: StorageError"]
        assert shelf.holdings.versions == {}
        assert shelf.holdings.faults(NOW) == {"show": Answer.LIST_UNTRUSTED}
        assert not await offer(shelf, V1)
        assert shelf.holdings.versions == {}
        assert await offer(shelf, V2)
        assert admits(shelf, "T2")


async def test_a_list_whose_file_was_altered_on_the_card_is_not_used(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V2)
    (file,) = (tmp_path / "lists").iterdir()
    file.write_bytes(altered_bit(V2).snapshot)
    async with open_shelf(tmp_path) as shelf:
        assert await shelf.refusals() == ["show: DigestError"]
        assert shelf.holdings.versions == {}
        assert await offer(shelf, V2)
        assert admits(shelf, "T2")


async def test_lists_of_keys_that_are_trusted_no_more_are_not_loaded(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V2)
    async with open_shelf(tmp_path, trusted=FORGER) as shelf:
        assert await shelf.refusals() == [": SignatureError", "show: SignatureError"]
        assert shelf.holdings.versions == {}
        assert shelf.keeper.assignment is None


async def test_the_same_refusal_again_is_no_news(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        shelf.server.lists["show"] = altered_bit(V2)
        for _ in range(3):
            assert not await shelf.keeper.refresh(shelf.link)
        assert len(await shelf.refusals()) == 1
        shelf.server.lists["show"] = FORGER.draw_up("show", ["T1"], 3)
        assert not await shelf.keeper.refresh(shelf.link)
        assert len(await shelf.refusals()) == 2
        shelf.server.lists["show"] = V2
        assert await shelf.keeper.refresh(shelf.link)
        shelf.server.lists["show"] = FORGER.draw_up("show", ["T1"], 3)
        assert not await shelf.keeper.refresh(shelf.link)
        assert len(await shelf.refusals()) == 3


async def test_what_was_refused_is_fetched_in_full_again(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        shelf.server.lists["show"] = replace(V1, snapshot=b"cut")
        assert not await offer(shelf)
        shelf.server.lists["show"] = V1  # the very same manifest: the way was bad
        assert await shelf.keeper.refresh(shelf.link)
        assert admits(shelf, "T1")


async def test_one_list_that_is_bad_does_not_keep_the_others_away(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        bad = FORGER.draw_up("matinee", ["M1"])
        assert not await offer(shelf, bad, V1, performances=["matinee", "unpublished", "show"])
        assert shelf.holdings.versions == {"show": 1}


# --- faults on the way ----------------------------------------------------------------------------


@pytest.mark.parametrize("request_made", ["manifest show", "list_key show", "download show"])
async def test_a_link_that_is_lost_on_the_way_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_made: str
):
    async with open_shelf(tmp_path) as shelf:

        def lose(asked: str) -> None:
            if asked == request_made:
                raise LinkError("gone")

        with monkeypatch.context() as broken:
            broken.setattr(shelf.link, "_ask", lose)
            with pytest.raises(LinkError, match="gone"):
                await offer(shelf, V1)
        assert shelf.holdings.versions == {}
        assert list((tmp_path / "lists").iterdir()) == []
        assert await shelf.refusals() == []
        assert await shelf.keeper.refresh(shelf.link)
        assert admits(shelf, "T1")


async def nothing_to_check(execute) -> None:
    del execute


async def test_a_full_disk_stops_an_installation_and_leaves_the_old_list(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        ((pages_now,),) = await shelf.connection.execute_fetchall("PRAGMA page_count")
        await shelf.connection.execute_fetchall(f"PRAGMA max_page_count = {pages_now}")
        many = listed(2, "T1", "T2", classes=V2.manifest.classes * 300)
        with pytest.raises(StorageError, match="disk is full"):
            await offer(shelf, many)
        assert shelf.holdings.versions == {"show": 1}
        await shelf.connection.reopen(nothing_to_check)  # there is room again
        assert await shelf.keeper.refresh(shelf.link)
        assert shelf.holdings.versions == {"show": 2}
    async with open_shelf(tmp_path) as shelf:
        assert admits(shelf, "T2")


async def test_a_snapshot_longer_than_was_signed_is_not_read_to_its_end(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        shelf.server.lists["show"] = replace(V1, snapshot=V1.snapshot + b"more")
        with pytest.raises(LinkError, match="is over the 83 bytes that were signed"):
            await offer(shelf)
        assert shelf.holdings.versions == {}


async def test_a_server_that_has_nothing_for_this_gate_yet_is_no_fault(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        assert not await shelf.keeper.refresh(shelf.link)
        assert shelf.keeper.assignment is None
        assert await shelf.noted() == []


async def test_a_server_that_answers_with_an_error_of_its_own_leaves_what_there_is(tmp_path: Path):
    async with open_shelf(tmp_path) as shelf:
        await offer(shelf, V1)
        shelf.link.cut(LinkAnswerError("the server answers 500"))
        assert not await shelf.keeper.refresh(shelf.link)
        assert admits(shelf, "T1")
        shelf.link.mend()
        assert await shelf.keeper.refresh(shelf.link)


def test_lists_in_these_tests_are_what_they_are_said_to_be():
    assert hashlib.sha256(V2.snapshot).hexdigest() == V2.manifest.chain
    assert OFFICE.sign(V2.manifest) == V2.envelope
    assert len(encode_manifest(V2.manifest)) < 2_000
