"""What an import does to the tickets, and that it does all of it or nothing."""

import asyncio
import sqlite3

import pytest

from admission.reconcile import ListedTicket
from admission.ticket import EntryExit, Multi, Single, TicketState
from admission.ticketlist.identifiers import identify
from sync_server.entities import ImportMode, instant
from sync_server.errors import ConflictError, InvalidError, NotFoundError, TicketFileError
from sync_server.importing import Importing
from sync_server.sources.file import read_tickets

KEY = b"p0".rjust(32, b"k")


class _Refolded:
    def __init__(self):
        self.identifiers = []

    async def __call__(self, transaction, performance_id, identifiers):
        self.identifiers.append((performance_id, sorted(identifiers)))


@pytest.fixture
def refolded():
    return _Refolded()


@pytest.fixture
def bring(venue, refolded, clock, ledger, news, master):
    importing = Importing(venue, read_tickets, refolded, ledger, news)

    async def bring(text, source="box office", mode=ImportMode.ADD, performance="p0", **more):
        clock.advance(1)
        data = text.encode() if isinstance(text, str) else text
        return await importing.import_file(
            more.pop("user", master),
            performance,
            data,
            source_name=source,
            filename="a.csv",
            mode=mode,
            **more,
        )

    return bring


async def _known(database, *numbers, performance="p0", key=KEY):
    async with database.read() as transaction:
        found = await transaction.tickets.known(performance, [identify(key, n) for n in numbers])
    return [found.get(identify(key, number)) for number in numbers]


async def _states(database, number):
    (ticket,) = await _known(database, number)
    return [change.state for change in ticket.states]


async def _passed(database, number):
    """Let somebody pass, as far as the import can see."""
    path = database._writer.url.database
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT OR IGNORE INTO journals VALUES ('j', 'g0', 1, x'00', 0)")
        (count,) = connection.execute("SELECT count(*) + 1 FROM facts").fetchone()
        connection.execute(
            "INSERT INTO facts (journal_id, sequence, variant, gate_id, kind, at_us, wall_ms,"
            " boot_ms, boot_id, checkpoint_id, performance_id, identifier, direction, answer,"
            " flags, feed_stream, feed_number) VALUES ('j', ?, 0, 'g0', 'passage', 1, 1,"
            " 1, x'00', 'c0', 'p0', ?, 'entry', 'granted', 0, 'p0', ?)",
            [count, identify(KEY, number), count],
        )
    connection.close()


async def test_a_file_becomes_tickets_with_their_rules_and_states(venue, bring, clock):
    report = await bring(
        "number;rule;total_passes;status\nA1;;;\nA2;multi;3;canceled\nA3;entry/exit;;\n"
    )
    assert (report.rows, report.added, report.refused, report.conflicts) == (3, 3, 0, 0)
    one, two, three, four = await _known(venue, "A1", "A2", "A3", "A4")
    assert one == ListedTicket(Single())
    assert (two.rule, three.rule, four) == (Multi(3, None), EntryExit(), None)
    assert [(change.since, change.state) for change in two.states] == [(None, TicketState.CANCELED)]


async def test_importing_the_same_file_again_changes_nothing(venue, bring):
    text = "number;category;status\nA1;vip;valid\nA2;vip;canceled\n"
    await bring(text)
    again = await bring(text)
    assert (again.rows, again.added, again.changed, again.canceled) == (2, 0, 0, 0)
    assert await _states(venue, "A2") == ["canceled"]


async def test_a_changed_state_counts_from_now_and_the_history_stays(venue, bring, clock):
    await bring("number;status\nA1;valid\n")
    report = await bring("number;status\nA1;canceled\n")
    assert report.changed == 1
    canceled_us = clock.at_us
    await bring("number;status\nA1;valid\n")
    (ticket,) = await _known(venue, "A1")
    assert [(change.since, change.state) for change in ticket.states] == [
        (instant(canceled_us), "canceled"),
        (instant(clock.at_us), "valid"),
    ]


async def test_of_a_number_that_a_file_repeats_the_first_row_counts(venue, bring):
    report = await bring("number;category\nA1;vip\nA2;vip\nA1;guest\nA1;press\n")
    assert (report.added, report.conflicts) == (2, 2)
    assert [(one.line, one.code) for one in report.problems] == [
        (4, "number_repeated"),
        (5, "number_repeated"),
    ]
    assert report.problems[0].message == (
        "the ticket number stands in an earlier row too; the first row counts"
    )


async def test_the_source_that_brought_a_number_first_keeps_it(venue, bring):
    await bring("number;status\nA1;valid\n", source="box office")
    report = await bring("number;status\nA1;canceled\nB1;valid\n", source="reseller")
    assert (report.added, report.changed, report.conflicts) == (1, 0, 1)
    assert [(one.line, one.code) for one in report.problems] == [(2, "number_of_other_source")]
    assert await _states(venue, "A1") == []


async def test_a_number_left_out_by_its_own_source_is_canceled_when_it_replaces(venue, bring):
    await bring("number\nA1\nA2\n", source="box office")
    await bring("number\nB1\n", source="reseller")
    report = await bring("number\nA1\n", source="box office", mode=ImportMode.REPLACE)
    assert (report.added, report.changed, report.canceled) == (0, 0, 1)
    assert await _states(venue, "A2") == ["canceled"]
    assert await _states(venue, "B1") == []
    back = await bring("number\nA1\nA2\n", source="box office", mode=ImportMode.REPLACE)
    assert (back.changed, back.canceled) == (1, 0)
    assert await _states(venue, "A2") == ["canceled", "valid"]


async def test_a_number_left_out_is_not_touched_when_the_file_only_adds(venue, bring):
    await bring("number\nA1\nA2\n")
    report = await bring("number\nA3\n")
    assert (report.added, report.canceled) == (1, 0)
    assert await _states(venue, "A2") == []


async def test_a_refused_row_does_not_cancel_its_ticket(venue, bring):
    await bring("number;status\nA1;valid\nA2;valid\n")
    report = await bring("number;status\nA1;valid\nA2;perdu\n", mode=ImportMode.REPLACE)
    assert (report.refused, report.canceled) == (1, 0)
    assert await _states(venue, "A2") == []


async def test_nothing_is_canceled_where_a_number_could_not_be_read(venue, bring):
    await bring("number\n123456789012345678\n987654321098765432\n")
    report = await bring("number\n1,23457E+17\n987654321098765432\n", mode=ImportMode.REPLACE)
    assert (report.refused, report.canceled) == (1, 0)
    assert [note.code for note in report.notes] == ["cancellations_withheld"]
    assert report.notes[0].message == (
        "1 rows have no readable number: no ticket was canceled for being left out"
    )


async def test_a_row_of_totals_does_not_keep_tickets_from_being_canceled(venue, bring):
    await bring("number\nA1\nA2\n")
    report = await bring("number\nA1\nTotal\n", mode=ImportMode.REPLACE)
    assert (report.refused, report.canceled) == (1, 1)


async def test_a_class_changes_until_somebody_has_passed(venue, bring):
    await bring("number;rule\nA1;single\nA2;single\n")
    await _passed(venue, "A2")
    report = await bring("number;rule\nA1;multi\nA2;multi\n")
    assert (report.changed, report.conflicts) == (1, 1)
    assert [(one.line, one.code) for one in report.problems] == [(3, "class_frozen")]
    assert [ticket.rule for ticket in await _known(venue, "A1", "A2")] == [Multi(), Single()]


async def test_an_operators_word_outlives_a_source_that_repeats_itself(venue, bring, clock):
    await bring("number;status\nA1;valid\n")
    async with venue.write() as transaction:
        blocked = TicketState.BLOCKED
        assert await transaction.tickets.set_state("p0", identify(KEY, "A1"), blocked, clock.at_us)
    await bring("number;status\nA1;valid\n")
    assert await _states(venue, "A1") == ["blocked"]
    await bring("number;status\nA1;canceled\n")
    assert await _states(venue, "A1") == ["blocked", "canceled"]


async def test_a_state_that_is_there_already_or_a_number_unlisted_adds_no_history(venue, bring):
    await bring("number\nA1\n")
    async with venue.write() as transaction:
        for number, state in (("A1", TicketState.VALID), ("A9", TicketState.BLOCKED)):
            assert not await transaction.tickets.set_state("p0", identify(KEY, number), state, 5)


async def test_history_never_runs_backwards_even_if_the_clock_does(venue, bring, clock):
    await bring("number;status\nA1;valid\n")
    await bring("number;status\nA1;canceled\n")
    latest = clock.at_us
    clock.advance(-3600)
    await bring("number;status\nA1;valid\n")
    (ticket,) = await _known(venue, "A1")
    assert [change.since for change in ticket.states] == [instant(latest), instant(latest)]


async def test_tickets_that_facts_speak_of_are_judged_again_when_they_change(
    venue, bring, refolded
):
    await bring("number;status\nA1;valid\nA2;valid\n")
    await _passed(venue, "A1")
    await _passed(venue, "A3")
    await bring("number;status\nA1;valid\nA2;canceled\n")
    assert refolded.identifiers[-1] == ("p0", [])
    await bring("number;status\nA1;canceled\nA3;valid\n")
    expected = sorted([identify(KEY, "A1"), identify(KEY, "A3")])
    assert refolded.identifiers[-1] == ("p0", expected)


async def test_a_file_refused_at_its_end_leaves_nothing_behind(venue, bring):
    rows = "".join(f"A{n};x\n" for n in range(50_000))
    with pytest.raises(TicketFileError, match="never closed"):
        await bring(f'number;name\n{rows}Z;"cut')
    async with venue.read() as transaction:
        assert await transaction.tickets.count("p0") == 0
        assert await transaction.tickets.sources("p0") == []
        assert [one.what for one in await transaction.audit.newest(5)] == ["user_added"]
    assert (await bring("number\nA1\n")).added == 1


async def test_one_number_in_two_performances_of_a_checkpoint_is_refused_and_both_named(
    venue, bring
):
    await bring("number\nA1\n", performance="p0")
    with pytest.raises(ConflictError) as caught:
        await bring("number\nB1\nA1\n", performance="p1")
    assert caught.value.code == "numbers_collide"
    assert "“North” controls “Name of p0” and “Name of p1”" in caught.value.message
    async with venue.read() as transaction:
        assert await transaction.tickets.count("p1") == 0


async def test_every_run_is_kept_with_its_counts_and_without_numbers(venue, bring):
    await bring("number;status\nA1;valid\nSECRET;perdu\n", source="box office")
    async with venue.read() as transaction:
        (run,) = await transaction.tickets.imports("p0", 10)
        entry = (await transaction.audit.newest(10))[0]
    assert (run.rows, run.added, run.refused, run.filename, run.mode) == (2, 1, 1, "a.csv", "add")
    assert run.problems == ({"line": 3, "column": 2, "field": "status", "code": "status_unknown"},)
    assert (entry.what, entry.subject, entry.detail["added"]) == ("tickets_imported", "p0", 1)
    assert "SECRET" not in repr(run) + repr(entry)


async def test_progress_is_told_between_batches(bring):
    told = []
    rows = "".join(f"A{n}\n" for n in range(45_000))
    await bring(f"number\n{rows}", progress=told.append)
    assert told == [20_000, 40_000, 45_000]


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb"])
async def test_a_source_needs_a_printable_name(bring, name):
    with pytest.raises(InvalidError, match="source needs"):
        await bring("number\nA1\n", source=name)


async def test_an_unknown_performance_is_named_so(bring):
    with pytest.raises(NotFoundError, match="no such performance"):
        await bring("number\nA1\n", performance="p9")


async def test_listed_tickets_are_handed_out_as_they_stand_now(venue, bring):
    await bring("number;category;status\nA1;vip;valid\nA2;vip;canceled\nA3;guest;blocked\n")
    await bring("number;category;status\nA2;vip;valid\n")
    listed = {}
    async with venue.read() as transaction:
        classes = await transaction.tickets.classes("p0")
        async for batch in transaction.tickets.listed("p0"):
            listed |= {
                entry.identifier: (classes[entry.class_index].category, entry.state)
                for entry in batch
            }
    assert listed == {
        identify(KEY, "A1"): ("vip", "valid"),
        identify(KEY, "A2"): ("vip", "valid"),
        identify(KEY, "A3"): ("guest", "blocked"),
    }


async def test_the_count_of_a_list_is_kept_in_step(venue, bring):
    await bring("number\nA1\nA2\nA1\n")
    await bring("number;status\nA2;canceled\nA3;\n", mode=ImportMode.REPLACE)
    await bring("number\nA3\nB1\n", source="reseller")
    async with venue.read() as transaction:
        assert await transaction.reports.listed(["p0", "p1"]) == {"p0": 4, "p1": 0}
        assert await transaction.tickets.count("p0") == 4


async def test_no_writer_waits_while_a_file_is_read(venue, bring):
    written = []

    def write_meanwhile(rows):
        with sqlite3.connect(venue._writer.url.database, timeout=0) as connection:
            connection.execute("INSERT INTO organizations (id, name) VALUES (?, 'x')", [str(rows)])
        connection.close()
        written.append(rows)

    rows = "".join(f"A{n}\n" for n in range(45_000))
    report = await bring(f"number\n{rows}", progress=write_meanwhile)
    assert written == [20_000, 40_000, 45_000]
    assert report.added == 45_000


async def test_imports_side_by_side_come_one_after_the_other(venue, bring):
    reports = await asyncio.gather(
        *(bring(f"number\nA{n}\nSAME\n", source=f"source {n}") for n in range(4))
    )
    assert sorted(report.added for report in reports) == [1, 1, 1, 2]
    async with venue.read() as transaction:
        assert await transaction.tickets.count("p0") == 5


async def test_an_import_that_is_canceled_makes_way_and_leaves_nothing(venue, bring):
    started = asyncio.Event()
    rows = "".join(f"A{n}\n" for n in range(45_000))
    task = asyncio.ensure_future(bring(f"number\n{rows}", progress=lambda _: started.set()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await bring("number\nB1\n")).added == 1
    async with venue.read() as transaction:
        assert await transaction.tickets.count("p0") == 1


async def test_many_classes_are_each_kept_once(venue, bring):
    rows = "".join(f"A{n};category {n % 400}\n" for n in range(1000))
    await bring(f"number;category\n{rows}")
    await bring(f"number;category\n{rows}")
    async with venue.read() as transaction:
        assert len(await transaction.tickets.classes("p0")) == 400
