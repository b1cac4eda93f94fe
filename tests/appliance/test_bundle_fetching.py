"""The fetcher of updates: it comes after everybody else, goes on where it was, and asks in time."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from admission.sync.machine_messages import Fetching
from appliance.bundle_fetching import (
    CALM_S,
    DAMAGED_MAX,
    MARGIN_BYTES,
    PART_BYTES,
    POLL_S,
    QUIET_S,
    RETRY_S,
)
from appliance.errors import LinkError
from appliance.update_ports import UpdateRequest
from fetching_stand_ins import BUNDLE, SHA256, Bench

SOON_S = POLL_S / 2 + 10  # when the first round is over
PATH = f"/bundles/0.2.0-{SHA256}.raucb"
REQUEST = UpdateRequest(PATH, "0.2.0", len(BUNDLE), SHA256)


@asynccontextmanager
async def fetching(bench):
    """Run a bench's fetcher."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.fetcher.run())
        yield bench
        task.cancel()


async def later(bench, seconds):
    """Let time go by, and everybody act at their own time."""
    await bench.clock.run(seconds)


async def test_what_is_offered_is_fetched_in_parts_and_asked_for():
    async with fetching(Bench()) as bench:
        await later(bench, POLL_S)
        assert bench.shelf.parts[SHA256] == BUNDLE
        assert [start for start, _ in bench.server.parts] == [n * PART_BYTES for n in range(5)]
        assert bench.server.parts[-1][1] == 4
        assert bench.desk.request is None  # nobody knows yet whether people come
        await later(bench, CALM_S)
        assert bench.desk.request == REQUEST
        assert bench.state == ("asked", len(BUNDLE))


async def test_nothing_is_fetched_before_it_is_offered_and_nothing_told():
    bench = Bench()
    bench.server.is_offered = False
    async with fetching(bench):
        await later(bench, 3 * POLL_S)
        assert bench.server.asked >= 2
        assert bench.server.parts == []
        assert bench.fetcher.fetching == Fetching()


@pytest.mark.parametrize("obstacle", ["people", "no link"])
async def test_it_rests_while_somebody_is_in_the_way(obstacle):
    bench = Bench()

    def obstruct():
        if obstacle == "people":
            bench.somebody_comes()
        else:
            bench.is_live = False

    bench.server.while_sending = obstruct
    async with fetching(bench):
        await later(bench, SOON_S)
        assert len(bench.server.parts) == 1  # what was on its way is kept
        assert bench.state == ("fetching", PART_BYTES)
        asked = bench.server.asked
        for _ in range(20):
            obstruct()
            await later(bench, QUIET_S / 2)
        assert (len(bench.server.parts), bench.server.asked) == (1, asked)
        bench.server.while_sending = lambda: None
        bench.is_live = True
        await later(bench, QUIET_S + 2 * RETRY_S)
        assert bench.shelf.parts[SHA256] == BUNDLE
        assert len(bench.server.parts) == 5


async def test_it_takes_half_of_the_line_at_the_most():
    bench = Bench()
    bench.server.part_s = 20.0
    async with fetching(bench):
        await later(bench, POLL_S + 100)
        assert 3 <= len(bench.server.parts) <= 6  # 250 s: forty for each


async def test_after_a_restart_it_goes_on_where_it_was():
    bench = Bench()
    bench.server.while_sending = bench.somebody_comes
    async with fetching(bench):
        await later(bench, SOON_S)
    assert len(bench.shelf.parts[SHA256]) == PART_BYTES
    bench.server.while_sending = lambda: None
    bench.fetcher = bench.made()
    async with fetching(bench):
        await later(bench, POLL_S)
    assert bench.shelf.parts[SHA256] == BUNDLE
    starts = [start for start, _ in bench.server.parts]
    assert starts == sorted(set(starts))  # no part came twice


async def test_a_line_that_breaks_off_costs_only_what_did_not_come():
    bench = Bench()
    bench.server.cut = 100_000
    async with fetching(bench):
        for _ in range(20):
            await later(bench, POLL_S / 10)
        assert bench.shelf.parts[SHA256] == BUNDLE


async def test_failures_of_the_line_are_waited_out():
    bench = Bench()
    bench.server.fails = [LinkError("down"), LinkError("down"), LinkError("other")]
    async with fetching(bench):
        await later(bench, POLL_S / 2 + 4 * RETRY_S)
        assert bench.shelf.parts[SHA256] == BUNDLE


async def test_what_came_damaged_is_fetched_anew_and_not_for_ever():
    bench = Bench()
    bench.server.data = BUNDLE[:-1] + b"?"
    async with fetching(bench):
        await later(bench, POLL_S + 10 * RETRY_S)
        assert len(bench.server.parts) == 5 * DAMAGED_MAX
        assert bench.state == ("damaged", 0)
        assert bench.desk.request is None


async def test_without_room_it_says_so_and_tries_again():
    bench = Bench()
    bench.shelf.room = 2 * len(BUNDLE) + MARGIN_BYTES - 1
    async with fetching(bench):
        await later(bench, POLL_S)
        assert bench.server.parts == []
        assert bench.state == ("no_room", 0)
        bench.shelf.room += 1
        await later(bench, 1.2 * POLL_S)
        assert bench.shelf.parts[SHA256] == BUNDLE


async def test_a_card_that_takes_nothing_ends_nothing():
    bench = Bench()
    bench.shelf.is_full = True
    async with fetching(bench):
        await later(bench, 2 * POLL_S)
        assert bench.state == ("fetching", 0)
        bench.shelf.is_full = False
        await later(bench, 2 * RETRY_S)
        assert bench.shelf.parts[SHA256] == BUNDLE


# --- what is not for this machine -------------------------------------------------------------


@pytest.mark.parametrize(
    "machine",
    [
        {"version": ""},
        {"version": "0.2.0"},
        {"version": "0.3.0"},
        {"compatible": "portillon-gate-rpi-arm64"},
        {"compatible": ""},
        {"blocked": ["0.2.0"]},
        *({"update": state, "update_version": "0.2.0"} for state in
          ("installing", "armed", "trying", "committed", "rolled_back", "abandoned", "refused")),
    ],
)  # fmt: skip
async def test_what_the_machine_must_not_run_is_not_fetched(machine):
    bench = Bench()
    bench.runs(**machine)
    async with fetching(bench):
        await later(bench, 2 * POLL_S)
        assert bench.server.asked
        assert bench.server.parts == []


async def test_without_a_caretaker_nothing_is_fetched():
    bench = Bench()
    bench.machine = None
    async with fetching(bench):
        await later(bench, 2 * POLL_S)
        assert bench.server.parts == []


@pytest.mark.parametrize(
    "machine",
    [
        {"update": "rolled_back", "update_version": "0.1.5", "blocked": ["0.1.5"]},
        {"update": "committed", "update_version": "0.1.0"},
    ],
)
async def test_an_earlier_update_is_no_obstacle(machine):
    bench = Bench()
    bench.runs(**machine)
    async with fetching(bench):
        await later(bench, POLL_S)
        assert bench.shelf.parts[SHA256] == BUNDLE


async def test_an_older_version_is_fetched_where_the_offer_says_so():
    bench = Bench(is_downgrade=True)
    bench.runs(version="0.3.0")
    async with fetching(bench):
        await later(bench, POLL_S)
        assert bench.shelf.parts[SHA256] == BUNDLE


@pytest.mark.parametrize("wrong", ["by another key", "for another gate", "over"])
async def test_an_offer_that_is_not_to_be_believed_is_none(wrong, caplog):
    bench = Bench()
    if wrong == "by another key":
        bench.server.by = 10
    elif wrong == "for another gate":
        bench.server.fields["gate"] = "g2"
    else:
        bench.server.fields["not_after"] = bench.clock.now()
        bench.server.fields["issued_at"] = bench.clock.now() - timedelta(hours=1)
    async with fetching(bench):
        await later(bench, 2 * POLL_S)
        assert bench.server.parts == []
    told = [one for one in caplog.records if one.message == "update not fetched"]
    assert len(told) == 1  # and not each time


# --- when it is asked for ---------------------------------------------------------------------


@pytest.mark.parametrize("window", [(1, 5), (-5, 0)])
async def test_outside_its_hours_it_only_waits(window):
    bench = Bench()
    bench.server.fields["install_from"] = bench.clock.now() + timedelta(hours=window[0])
    bench.server.fields["install_until"] = bench.clock.now() + timedelta(hours=window[1])
    async with fetching(bench):
        await later(bench, 2 * CALM_S)
        assert bench.desk.request is None
        assert bench.state == ("whole", len(BUNDLE))
        if window[0] > 0:
            await later(bench, 3600)
            assert bench.desk.request == REQUEST


async def test_with_people_about_it_is_not_asked_for():
    bench = Bench()
    async with fetching(bench):
        await later(bench, POLL_S)
        for _ in range(20):
            bench.somebody_comes()
            await later(bench, CALM_S - 2 * RETRY_S)
        assert bench.desk.request is None
        await later(bench, 3 * RETRY_S)
        assert bench.desk.request == REQUEST


async def test_without_trusted_time_it_is_not_asked_for():
    bench = Bench()
    bench.clock.is_trusted = False
    async with fetching(bench):
        await later(bench, 3 * CALM_S)
        assert bench.state == ("whole", len(BUNDLE))
        assert bench.desk.request is None


async def test_what_is_offered_no_more_is_asked_for_no_more():
    async with fetching(Bench()) as bench:
        await later(bench, 2 * CALM_S)
        assert bench.desk.request == REQUEST
        bench.server.is_offered = False
        await later(bench, 1.2 * POLL_S)
        assert bench.desk.request is None
        assert bench.fetcher.fetching == Fetching()


async def test_while_the_link_is_down_nothing_is_asked_for():
    bench = Bench()
    async with fetching(bench):
        await later(bench, POLL_S)
        bench.is_live = False
        await later(bench, 3 * CALM_S)
        assert bench.desk.request is None  # whether it is still offered, nobody knows


async def test_once_it_is_being_installed_nothing_more_is_said():
    async with fetching(Bench()) as bench:
        await later(bench, 2 * CALM_S)
        bench.runs(update="installing", update_version="0.2.0")
        parts = len(bench.server.parts)
        await later(bench, 2 * POLL_S)
        assert bench.fetcher.fetching == Fetching()
        assert len(bench.server.parts) == parts
