"""Tickets that prove themselves and codes that rotate, at the whole gate: journal, display, log."""

import logging
from datetime import UTC, datetime

import pretix_tokens
from admission import journal
from admission.journal import Flag
from admission.proof.compact import ticket_number
from admission.proof.rotation import rotation_keys, totp
from admission.ticketlist.identifiers import identify
from admission.trust.trusted_time import TimeQuality
from appliance.simulator.box_office import BoxOffice
from appliance.simulator.virtual_clock import VirtualClock
from appliance.simulator.virtual_turnstile import Person
from gate_answers import GREEN, answers
from proving_gate import compact_issuer, pretix_issuer, rotation_of_row, rotation_row, signed

SHOW = "show"
EVENING = datetime(2026, 7, 14, 19, 0, tzinfo=UTC)
ROW = rotation_row()
KEY = BoxOffice().list_key(SHOW)


def _rotating(number, at, row=ROW):
    rotation = rotation_of_row(row)
    at_ms = journal.wall_ms(at)
    (key,) = rotation_keys(KEY, identify(KEY, number), 1)
    value = totp(key, at_ms // rotation.period_ms, 8)
    return f"{number}-{at_ms}-{value}"


async def test_a_proven_ticket_opens_the_arm_and_the_journal_says_that_it_was(open_gate):
    issuers = (compact_issuer(((0, 0),)), pretix_issuer(pretix_tokens.PUBLIC_KEY))
    text, other = signed(performance=SHOW), pretix_tokens.token()
    async with open_gate(issuers=issuers, people=[Person(0.5), Person(0.5)]) as gate:
        assert answers(await gate.scan(text)) == GREEN
        await gate.later(2)
        assert answers(await gate.scan(other)) == GREEN
        await gate.later(2)
        await gate.scan("T1")
        records = [record for record in await gate.records() if record.answer == "granted"]
    assert [bool(record.flags & Flag.PROVEN) for record in records[:4]] == [True] * 4
    assert not records[4].flags & Flag.PROVEN
    assert records[0].identifier == identify(KEY, ticket_number(text))
    assert records[0].ticket_class[:2] == ("standard", "single")


async def test_what_was_signed_reaches_no_log_and_no_display(open_gate, caplog):
    caplog.set_level(logging.DEBUG)
    text, forged = signed(performance=SHOW), signed(performance=SHOW, key=b"f" * 32)
    async with open_gate(issuers=(compact_issuer(((0, 0),)),)) as gate:
        for presented in (text, forged, pretix_tokens.token()):
            await gate.scan(presented)
            await gate.later(8)
        shown = repr(gate.display.__dict__)
    told = caplog.text + shown
    for presented in (text, forged, ticket_number(text), pretix_tokens.token()):
        assert presented not in told
        assert presented[-12:] not in told


async def test_a_code_that_turns_while_its_ticket_goes_through_is_the_same_ticket(open_gate):
    row = rotation_row(period_ms=1_000)
    async with open_gate(rotating=row, people=[Person(3.0)]) as gate:
        for _ in range(3):
            await gate.scan(_rotating("T1", gate.clock.now(), row))
            await gate.later(0.9)
        await gate.later(3)
        assert await gate.kinds() == ["GRANTED", "PASSED"]
        await gate.scan(_rotating("T1", gate.clock.now(), row))
        assert (await gate.kinds())[-1] == "DENIED"


async def test_without_trusted_time_a_rotating_code_is_admitted_and_the_record_says_so(open_gate):
    clock = VirtualClock(EVENING)
    clock.quality = TimeQuality.SAVED
    async with open_gate(rotating=ROW, hears_time=False, clock=clock) as gate:
        long_ago = gate.clock.now().replace(year=2020)
        assert answers(await gate.scan(_rotating("T1", long_ago))) == GREEN
        record = next(one for one in await gate.records() if one.answer == "granted")
        assert record.flags & Flag.CLOCK_SUSPECT


async def test_a_stale_code_and_a_bare_number_do_not_open(open_gate):
    async with open_gate(rotating=ROW) as gate:
        await gate.scan(_rotating("T1", gate.clock.now().replace(year=2020)))
        await gate.later(8)
        await gate.scan("T1")
        await gate.later(8)
        refused = [record.answer for record in await gate.records() if record.answer]
    assert refused == ["no_longer_valid", "unknown_ticket"]
