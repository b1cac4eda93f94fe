"""A machine becomes a gate by a code that is good once, for a while, and hard to guess."""

import re

import pytest

from admission.sync.messages import Enrol
from admission.trust.keys import check_string
from sync_server.account_ports import Role, User
from sync_server.enrollment import CODE_LIFE_MS, Enrollment, write_code
from sync_server.errors import EnrolmentError, LockedOutError, NotFoundError

LIST_KEY = b"L" * 32
KEY, OTHER_KEY, AGREEMENT = b"k" * 32, b"o" * 32, b"a" * 32


@pytest.fixture
def enrollment(venue, ledger, news):
    return Enrollment(venue, ledger, news, [LIST_KEY])


async def _gate(database, gate_id="g0"):
    async with database.read() as transaction:
        return await transaction.gates.gate(gate_id)


def test_a_code_is_written_in_groups_that_can_be_read_aloud():
    assert write_code(bytes(10)) == "0000-0000-0000-0000"
    assert write_code(b"\xff" * 10) == "ZZZZ-ZZZZ-ZZZZ-ZZZZ"
    assert write_code(bytes(range(10))) == "000G-40R4-0M30-E209"


async def test_the_code_makes_the_machine_the_gate(enrollment, venue, master, clock, news):
    made = await enrollment.new_code(master, "g0")
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", made.code)
    answer = await enrollment.enrol(Enrol(made.code, KEY, AGREEMENT), "192.0.2.1")
    assert (answer.gate, answer.gate_name, answer.list_keys) == ("g0", "Gate A", [LIST_KEY])
    assert answer.check == check_string(KEY, AGREEMENT, LIST_KEY, b"", b"")
    assert re.fullmatch(r"[0-9]{6}", answer.check)
    gate = await _gate(venue)
    assert (gate.public_key, gate.agreement_key) == (KEY, AGREEMENT)
    assert gate.enrolled_ms == clock.at_us // 1000
    assert enrollment.check_string(gate) == answer.check
    assert news.reports == 1


async def test_what_people_confuse_when_typing_is_read_as_it_was_meant(enrollment, master):
    made = await enrollment.new_code(master, "g0")
    typed = made.code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert (await enrollment.enrol(Enrol(typed, KEY, AGREEMENT), "")).gate == "g0"


async def test_a_code_is_good_once(enrollment, master):
    made = await enrollment.new_code(master, "g0")
    await enrollment.enrol(Enrol(made.code, KEY, AGREEMENT), "")
    with pytest.raises(EnrolmentError, match="not valid; make a new one"):
        await enrollment.enrol(Enrol(made.code, OTHER_KEY, AGREEMENT), "")


async def test_a_code_is_good_for_a_quarter_of_an_hour(enrollment, master, clock):
    made = await enrollment.new_code(master, "g0")
    assert made.expires_ms == clock.at_us // 1000 + CODE_LIFE_MS
    clock.advance(15 * 60)
    with pytest.raises(EnrolmentError):
        await enrollment.enrol(Enrol(made.code, KEY, AGREEMENT), "")


async def test_a_new_code_voids_the_one_before(enrollment, master):
    first = await enrollment.new_code(master, "g0")
    second = await enrollment.new_code(master, "g0")
    with pytest.raises(EnrolmentError):
        await enrollment.enrol(Enrol(first.code, KEY, AGREEMENT), "")
    await enrollment.enrol(Enrol(second.code, KEY, AGREEMENT), "")


async def test_the_database_does_not_know_the_code(enrollment, venue, master):
    made = await enrollment.new_code(master, "g0")
    async with venue.read() as transaction:
        (code,) = await transaction.gates.codes()
        entries = await transaction.audit.newest(10)
    assert made.code.replace("-", "").encode() not in code.code_hash
    assert made.code not in repr(code) + repr(entries)


async def test_guessing_is_locked_out_and_a_good_code_waits_too(enrollment, master, clock):
    made = await enrollment.new_code(master, "g0")
    for _ in range(5):
        with pytest.raises(EnrolmentError):
            await enrollment.enrol(Enrol("0000-0000-0000-0000", KEY, AGREEMENT), "192.0.2.1")
    with pytest.raises(LockedOutError, match="try again in 1 s"):
        await enrollment.enrol(Enrol(made.code, KEY, AGREEMENT), "192.0.2.1")
    clock.advance(1)
    await enrollment.enrol(Enrol(made.code, KEY, AGREEMENT), "192.0.2.1")


async def test_one_key_is_not_two_gates(enrollment, venue, master):
    async with venue.write() as transaction:
        gate = await transaction.gates.gate("g0")
        await transaction.gates.add_gate(type(gate)("g1", "venue", "B", "c0", gate.direction))
    await enrollment.enrol(
        Enrol((await enrollment.new_code(master, "g0")).code, KEY, AGREEMENT), ""
    )
    made = await enrollment.new_code(master, "g1")
    with pytest.raises(EnrolmentError):
        await enrollment.enrol(Enrol(made.code, KEY, AGREEMENT), "")
    assert (await _gate(venue, "g1")).public_key is None


async def test_a_revoked_gate_is_out_until_it_is_enrolled_again(enrollment, venue, master, news):
    await enrollment.enrol(
        Enrol((await enrollment.new_code(master, "g0")).code, KEY, AGREEMENT), ""
    )
    await enrollment.revoke(master, "g0")
    assert (await _gate(venue)).revoked_ms is not None
    assert news.lists == 1
    await enrollment.enrol(
        Enrol((await enrollment.new_code(master, "g0")).code, OTHER_KEY, AGREEMENT), ""
    )
    gate = await _gate(venue)
    assert (gate.revoked_ms, gate.public_key) == (None, OTHER_KEY)


async def test_a_gate_of_another_branch_gets_no_code(enrollment, venue, master):
    stranger = User("x", "nowhere", "x", "X", "", Role.MASTER, "fr")
    for attempt in (enrollment.new_code(stranger, "g0"), enrollment.revoke(stranger, "g0")):
        with pytest.raises(NotFoundError):
            await attempt


async def test_before_it_is_enrolled_a_gate_has_no_digits_to_compare(enrollment, venue):
    assert enrollment.check_string(await _gate(venue)) == ""
