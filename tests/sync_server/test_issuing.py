"""Tickets that prove themselves, from the operator's word to the gate's answer and the report."""

import csv
from dataclasses import replace
from datetime import timedelta

import pytest

import pretix_tokens
from admission import journal
from admission.journal import Flag
from admission.proof.compact import read_ticket, ticket_number
from admission.proof.rotation import Rotation, totp
from admission.scan import Direction
from admission.ticket import TicketState
from admission.ticketlist.identifiers import identify
from proving_gate import ProvingGate
from proving_house import COMPACT, P0_KEY, PRETIX, House
from sync_server.account_ports import Role, User
from sync_server.entities import Organization, instant
from sync_server.errors import ConflictError, InvalidError, NotFoundError

EXIT = Direction.EXIT
KEY = pretix_tokens.DEMO_KEY


@pytest.fixture
def house(venue, ledger, news, clock, tmp_path, master, trust):
    return House(venue, ledger, news, clock, tmp_path / "lists", master, trust)


async def test_a_ticket_that_the_server_issued_is_admitted_and_counts_as_listed(house):
    await house.add_own()
    issued = await house.issue(1)
    gate = await house.gate("north")
    assert gate.play(issued.text) == "granted"
    assert gate.records[0].flags & Flag.PROVEN
    await house.hand_in(gate)
    assert await house.truth() == ([], 1)
    assert ticket_number(issued.text) == issued.number


async def test_two_gates_apart_admit_one_ticket_and_the_second_is_an_anomaly(house):
    await house.add_pretix()
    text = pretix_tokens.token()
    north, south = await house.gate("north"), await house.gate("south")
    assert north.play(text) == "granted"
    south.now += timedelta(minutes=5)
    assert south.play(text) == "granted"
    await house.hand_in(south, north)
    assert await house.truth() == ([("south", "already_used")], 1)


async def test_a_gate_that_calls_another_class_proven_is_not_believed(house):
    await house.add_pretix("1;standard;single")
    gate = await house.gate("north")
    async with house.store.write() as transaction:
        (known,) = await transaction.proving.issuers("p0")
        await transaction.proving.withdraw_issuer(known.id)
    gate.play(pretix_tokens.token())
    record = journal.decode(journal.encode(gate.records[0]))
    forged = ProvingGate(name="forged")
    forged.records = [
        record.__class__(
            **{
                **{name: getattr(record, name) for name in record.__struct_fields__},
                "ticket_class": ("king", "entry_exit", None, None),
                "identifier": b"k" * 16,
            }
        )
    ]
    await house.hand_in(gate, forged)
    assert await house.truth() == ([("forged", "unknown_ticket")], 1)


async def test_what_passed_before_an_issuer_was_withdrawn_stays_good(house):
    issuer = await house.add_pretix()
    gate = await house.gate("north")
    assert gate.play(pretix_tokens.token()) == "granted"
    await house.issuing.withdraw_issuer(house.user, "p0", issuer)
    await house.hand_in(gate)
    assert await house.truth() == ([], 1)
    await house.refresh(gate)
    assert gate.answer(pretix_tokens.token(item=2, variation=5)) == "unknown_ticket"


async def test_a_ticket_once_proven_is_listed_at_every_checkpoint(house):
    await house.add_pretix()
    north, south = await house.gate("north"), await house.gate("south")
    verdict = north.judge(pretix_tokens.token())
    south.checkpoint = replace(south.checkpoint, id="c9")
    south.pass_through(replace(verdict, ticket=replace(verdict.ticket, proven=False)), EXIT)
    async with house.store.read() as transaction:
        assert await transaction.checkpoints.checkpoint("c9") is None
    await house.hand_in(south)
    keys = "SELECT is_listed FROM ticket_folds WHERE checkpoint_id = 'c9'"
    async with house.store.read() as transaction:
        assert (await transaction.connection.exec_driver_sql(keys)).scalar() == 0
    north.pass_through(verdict, Direction.ENTRY)
    await house.hand_in(north)
    async with house.store.read() as transaction:
        assert (await transaction.connection.exec_driver_sql(keys)).scalar() == 1


async def test_an_issuer_added_later_clears_what_its_tickets_did(house):
    await house.add_pretix()
    gate = await house.gate("north")
    gate.play(pretix_tokens.token())
    async with house.store.write() as transaction:
        await transaction.connection.exec_driver_sql("DELETE FROM issuers")
    await house.hand_in(gate)
    assert (await house.truth())[0] == [("north", "unknown_ticket")]
    await house.add_pretix()
    assert await house.truth() == ([], 1)


async def test_revoked_numbers_that_no_list_holds_are_blocked_at_the_gate(house):
    await house.add_pretix()
    await house.add_own()
    issued, other = await house.issue(), await house.issue()
    text = pretix_tokens.token()
    blocked = await house.block(text, f" {issued.text}\r", other.number, "", text)
    assert (blocked.changed, blocked.listed) == (3, 0)
    gate = await house.gate("north")
    for one in (text, issued.text, other.text, issued.number):
        assert gate.answer(one) == "blocked"
    assert (await house.block(text)).changed == 0
    assert (await house.block(text, blocked=False)).changed == 1
    await house.refresh(gate)
    assert gate.answer(text) == "granted"
    assert gate.answer(issued.text) == "blocked"


async def test_blocked_numbers_are_no_tickets_in_any_figure(house):
    await house.bring("number\nA1\n")
    await house.block("B1", "B2", "B3")
    gate = await house.gate("north")
    manifest = await house.manifest()
    assert manifest.snapshot.count == 4
    async with house.store.read() as transaction:
        newest = await transaction.performances.newest_list("p0")
        listed = await transaction.reports.listed(["p0"])
        assert await transaction.tickets.count("p0") == 1
    assert (newest.count, listed["p0"]) == (1, 1)
    assert gate.answer("B1") == "blocked"
    verdict = gate.judge("B1")
    gate.pass_through(verdict, Direction.ENTRY, int(Flag.OVERRIDE))
    gate.pass_through(gate.judge("B2"), Direction.ENTRY)
    await house.hand_in(gate)
    assert await house.truth() == ([("north", "blocked")], 0)


async def test_a_ticket_revoked_after_it_passed_was_good_and_counts(house):
    await house.add_pretix()
    text = pretix_tokens.token()
    gate = await house.gate("north")
    assert gate.play(text) == "granted"
    await house.hand_in(gate)
    house.clock.advance(3600)
    await house.block(text)
    assert await house.truth() == ([], 1)


async def test_a_gate_that_did_not_know_of_a_revocation_is_told_of_by_an_anomaly(house):
    await house.add_pretix()
    text = pretix_tokens.token()
    gate = await house.gate("north")
    house.clock.advance(60)
    await house.block(text)
    gate.now += timedelta(hours=1)
    house.clock.advance(3600)
    assert gate.play(text) == "granted"
    await house.hand_in(gate)
    assert await house.truth() == ([("north", "blocked")], 0)


async def test_blocking_and_releasing_travel_as_segments(house):
    await house.bring("number\n" + "".join(f"A{place}\n" for place in range(100)))
    gate = await house.gate("north")
    text = pretix_tokens.token(item=2, variation=5)
    await house.block(text, "B1")
    await house.refresh(gate)
    assert len((await house.manifest()).segments) == 1
    assert gate.judge(text).ticket.ticket_class.category == ""
    await house.add_pretix()  # tells of which class it is
    await house.refresh(gate)
    assert len((await house.manifest()).segments) == 2
    assert gate.answer(text) == "blocked"
    assert gate.judge(text).ticket.ticket_class.category == "vip"
    await house.block(text, "B1", blocked=False)
    await house.bring("number\nB1\n")
    await house.refresh(gate)
    assert len((await house.manifest()).segments) == 3
    assert (gate.answer(text), gate.answer("B1")) == ("granted", "granted")
    async with house.store.read() as transaction:
        newest = await transaction.performances.newest_list("p0")
    assert (newest.count, newest.stops) == (101, 0)


async def test_blocking_judges_again_what_was_handed_in_before(house):
    await house.add_pretix()
    text = pretix_tokens.token()
    gate = await house.gate("fast")  # its clock runs an hour ahead
    gate.now += timedelta(hours=1)
    assert gate.play(text) == "granted"
    await house.hand_in(gate)
    assert await house.truth() == ([], 1)
    await house.block(text)
    assert await house.truth() == ([("fast", "blocked")], 0)
    await house.block(text, blocked=False)
    assert await house.truth() == ([], 1)


async def test_whoever_is_inside_with_a_ticket_revoked_meanwhile_gets_out(house):
    await house.add_pretix()
    text = pretix_tokens.token(item=2, variation=5)
    gate = await house.gate("north")
    assert gate.play(text) == "granted"
    house.clock.advance(600)
    await house.block(text)
    await house.refresh(gate)
    gate.now += timedelta(hours=1)
    assert gate.play(text, EXIT) == "granted"
    assert gate.play(text) == "blocked"
    house.clock.advance(7200)
    await house.hand_in(gate)
    assert await house.truth() == ([], 1)


async def test_where_a_list_holds_the_number_blocking_it_changes_nothing(house):
    await house.add_pretix()
    text = pretix_tokens.token()
    await house.bring(f"number;category\n{text};listed\n")
    blocked = await house.block(text)
    assert (blocked.changed, blocked.listed) == (1, 1)
    gate = await house.gate("north")
    assert gate.judge(text).ticket.ticket_class.category == "listed"
    assert gate.play(text) == "granted"
    assert not gate.records[0].flags & Flag.PROVEN
    await house.stewarding.set_state(house.user, "p0", text, TicketState.BLOCKED)
    await house.refresh(gate)
    assert gate.answer(text) == "blocked"


async def test_an_operator_resets_a_proven_ticket_by_its_text(house):
    await house.add_own()
    issued = await house.issue()
    gate = await house.gate("north")
    assert gate.play(issued.text) == "granted"
    house.clock.advance(3600)
    await house.hand_in(gate)
    await house.stewarding.reset(house.user, "p0", "c0", issued.text, "lost ticket")
    assert await house.truth() == ([], 0)


async def test_dates_and_variations_of_pretix_are_published_as_written(house):
    await house.add_pretix("1/7;vip;multi;3;1", subevents=["14", " 15 "])
    await house.gate("north")
    (row,) = (await house.manifest()).issuers
    assert row.subevents == (14, 15)
    (one,) = row.classes
    assert (one.code, one.variation) == (1, 7)
    shown = (await house.manifest()).classes[one.class_index]
    assert (shown.category, shown.mode, shown.total, shown.per_day) == ("vip", "multi", 3, 1)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["  "],
        ["x;standard;single"],
        ["1;standard"],
        ["1;;single"],
        ["1;standard;often"],
        ["1;standard;single;-1"],
        ["1;standard;single;1;1;1"],
        ["1;a;single", "1;b;single"],
        ["1;" + "x" * 101 + ";single"],
        ["1" * 19 + ";standard;single"],
        [f"{code};standard;single" for code in range(201)],
    ],
)
async def test_lines_that_say_no_class_are_refused(house, lines):
    with pytest.raises(InvalidError) as refused:
        await house.issuing.add_issuer(house.user, "p0", PRETIX, key=KEY, classes=lines)
    assert refused.value.field == "classes"


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("public_key", {"key": "hello"}),
        ("public_key", {"key": ""}),
        ("subevents", {"subevents": ["x"]}),
        ("subevents", {"subevents": [str(one) for one in range(201)]}),
    ],
)
async def test_what_cannot_be_of_an_issuer_is_refused(house, field, more):
    with pytest.raises(InvalidError) as refused:
        await house.add_pretix(**more)
    assert refused.value.field == field


@pytest.mark.parametrize("line", ["1/2;standard;single", "65536;standard;single"])
async def test_codes_that_our_own_format_has_not_are_refused(house, line):
    with pytest.raises(InvalidError):
        await house.add_own(line)


async def test_a_performance_accepts_sixteen_issuers_at_most(house):
    first = await house.add_own()
    for _ in range(15):
        await house.add_pretix()
    with pytest.raises(ConflictError):
        await house.add_pretix()
    await house.issuing.withdraw_issuer(house.user, "p0", first)
    await house.add_pretix()


async def test_tickets_are_issued_only_where_they_would_be_accepted(house):
    with pytest.raises(ConflictError):
        await house.issue()
    issuer = await house.add_own("0;standard;single")
    with pytest.raises(ConflictError):
        await house.issue(1)
    await house.issue(0)
    await house.issuing.withdraw_issuer(house.user, "p0", issuer)
    with pytest.raises(ConflictError):
        await house.issue(0)


@pytest.mark.parametrize("more", [{"count": 0}, {"count": 1001}, {"valid_until_us": -1_000_000}])
async def test_tickets_that_cannot_be_are_not_issued(house, more):
    await house.add_own()
    with pytest.raises(InvalidError):
        await house.issuing.issue(house.user, "p0", 0, **more)


async def test_issued_tickets_differ_and_carry_their_time(house):
    await house.add_own()
    until = house.clock.at_us + 3_600_000_000
    issued = await house.issuing.issue(house.user, "p0", 0, count=50, valid_until_us=until)
    assert len({one.number for one in issued}) == len({one.text for one in issued}) == 50
    assert read_ticket(issued[0].text).ticket.valid_until == instant(until)


async def test_each_organization_signs_with_a_key_of_its_own(house):
    async with house.store.write() as transaction:
        await transaction.organizations.add_organization(Organization("other", "root", "Other"))
    other = User("other", "other", "olga", "Olga", "", Role.MASTER, "fr")
    own = (await house.issuing.set_up(house.user, "p0")).own_key
    again = (await house.issuing.set_up(house.user, "p1")).own_key
    assert own == again
    with pytest.raises(NotFoundError):
        await house.issuing.set_up(other, "p0")
    for call in (
        house.issuing.issue(other, "p0", 0),
        house.issuing.block(other, "p0", ["A1"]),
        house.issuing.set_rotation(other, "p0", None),
        house.issuing.rotating_patterns(other, "p0"),
        house.issuing.withdraw_issuer(other, "p0", "x"),
        house.issuing.add_issuer(other, "p0", COMPACT, classes=["0;a;single"]),
        house.issuing.withdraw_issuer(house.user, "p0", "x"),
    ):
        with pytest.raises(NotFoundError):
            await call


ROTATION = Rotation(
    "{number}/{totp_timestamp_seconds}/{totp_value_1}{totp_value_0}", 15_000, (6, 4)
)


async def test_the_exported_keys_make_the_codes_that_a_gate_takes(house):
    await house.bring("number\nA1\nA2\n")
    await house.issuing.set_rotation(house.user, "p0", ROTATION)
    exported = await house.issuing.rotating_patterns(house.user, "p0")
    rows = list(csv.DictReader(exported.splitlines()))
    assert sorted(row["number"] for row in rows) == ["A1", "A2"]
    gate = await house.gate("north")
    row = next(row for row in rows if row["number"] == "A1")
    seconds = int(gate.now.timestamp())
    shown = row["value_pattern"].replace("{totp_timestamp_seconds}", str(seconds))
    step = seconds * 1000 // int(row["period_millis"])
    for place in (0, 1):
        value = totp(bytes.fromhex(row[f"key_{place}"]), step, int(row[f"length_{place}"]))
        shown = shown.replace(f"{{totp_value_{place}}}", value)
    verdict = gate.judge(shown)
    assert verdict.answer.value == "granted"
    assert verdict.ticket.identifier == identify(P0_KEY, "A1")
    assert gate.answer("A1") == "unknown_ticket"
    await house.issuing.set_rotation(house.user, "p0", None)
    await house.refresh(gate)
    assert gate.answer("A1") == "granted"
    with pytest.raises(ConflictError):
        await house.issuing.rotating_patterns(house.user, "p0")


async def test_a_number_that_would_be_a_placeholder_is_not_exported(house):
    await house.bring("number\n{totp_value_0}\n")
    await house.issuing.set_rotation(house.user, "p0", ROTATION)
    with pytest.raises(ConflictError):
        await house.issuing.rotating_patterns(house.user, "p0")


async def test_everything_is_noted_and_nothing_secret_is(house):
    await house.bring("number\nSECRET-1\n")
    issuer = await house.add_own()
    issued = await house.issue()
    await house.block("SECRET-2", issued.text)
    await house.block("SECRET-2", blocked=False)
    await house.issuing.set_rotation(house.user, "p0", ROTATION)
    exported = await house.issuing.rotating_patterns(house.user, "p0")
    await house.issuing.withdraw_issuer(house.user, "p0", issuer)
    noted = await house.audit()
    assert noted.keys() >= {
        "issuer_added",
        "issuer_withdrawn",
        "tickets_issued",
        "numbers_blocked",
        "numbers_released",
        "rotation_set",
        "rotation_exported",
    }
    written = repr(list(noted.values()))
    assert "SECRET" not in written
    assert issued.number not in written
    assert exported.splitlines()[1].split(",")[3] not in written


async def test_a_number_that_cannot_be_one_is_not_blocked(house):
    with pytest.raises(InvalidError):
        await house.block("A\x07")


async def test_the_set_up_tells_what_is_accepted(house):
    await house.add_own()
    await house.block("B1")
    await house.issuing.set_rotation(house.user, "p0", ROTATION)
    shown = await house.issuing.set_up(house.user, "p0")
    assert [one.issuer.public_key for one in shown.issuers] == [shown.own_key]
    assert (shown.rotation, shown.blocked) == (ROTATION, 1)
