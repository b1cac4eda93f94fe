"""A machine becomes a gate by a code that is good once, for a while, and hard to guess."""

import re

import pytest

from admission.scan import Direction
from admission.sync.enrolment_link import EnrolmentLink, read_link
from admission.sync.messages import Enrol
from admission.trust.keys import check_string
from sync_server.account_ports import Role, User
from sync_server.enrollment import (
    CODE_LIFE_MS,
    LIFE_MS_MAX,
    LIFE_MS_MIN,
    USES_MAX,
    Enrollment,
    Whereabouts,
    write_code,
)
from sync_server.entities import Standing
from sync_server.errors import (
    ConflictError,
    EnrolmentError,
    InvalidError,
    LockedOutError,
    NotFoundError,
)

KEY, OTHER_KEY, AGREEMENT = b"k" * 32, b"o" * 32, b"a" * 32


@pytest.fixture
def enrollment(venue, ledger, news, trust):
    return Enrollment(venue, ledger, news, trust)


async def _gate(database, gate_id="g0"):
    async with database.read() as transaction:
        return await transaction.gates.gate(gate_id)


def test_a_code_is_written_in_groups_that_can_be_read_aloud():
    assert write_code(bytes(10)) == "0000-0000-0000-0000"
    assert write_code(b"\xff" * 10) == "ZZZZ-ZZZZ-ZZZZ-ZZZZ"
    assert write_code(bytes(range(10))) == "000G-40R4-0M30-E209"


async def test_the_code_makes_the_machine_the_gate(enrollment, venue, master, clock, news, trust):
    made = await enrollment.new_code(master, "g0")
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", made.code)
    answer = await enrollment.enrol(Enrol(made.code, KEY, AGREEMENT), "192.0.2.1")
    assert (answer.gate, answer.gate_name, answer.root) == ("g0", "Gate A", trust.raw)
    assert answer.check == check_string(KEY, AGREEMENT, bytes.fromhex(trust.digest), b"")
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


async def test_a_machine_whose_answer_was_lost_is_answered_again_by_its_keys_alone(
    enrollment, venue, master
):
    made = await enrollment.new_code(master, "g0")
    first = await enrollment.enrol(Enrol(made.code, KEY, AGREEMENT), "")
    again = await enrollment.enrol(Enrol(made.code, KEY, AGREEMENT), "")
    assert (again.gate, again.check, again.pending) == (first.gate, first.check, False)
    assert again.certificate
    for key, agreement in ((KEY, b"b" * 32), (OTHER_KEY, AGREEMENT)):
        with pytest.raises(EnrolmentError):
            await enrollment.enrol(Enrol(made.code, key, agreement), "")
    with pytest.raises(EnrolmentError):
        await enrollment.enrol(Enrol("0000-0000-0000-0000", KEY, AGREEMENT), "")
    await enrollment.revoke(master, "g0")
    with pytest.raises(EnrolmentError):
        await enrollment.enrol(Enrol(made.code, KEY, AGREEMENT), "")


async def test_a_machine_that_asks_twice_by_a_group_code_is_one_gate(enrollment, master):
    code = await _group(enrollment, master, uses=2)
    first = await enrollment.enrol(Enrol(code, KEY, AGREEMENT, "pi-7"), "")
    again = await enrollment.enrol(Enrol(code, KEY, AGREEMENT, "pi-7"), "")
    assert (again.gate, again.pending) == (first.gate, True)
    other = await enrollment.enrol(Enrol(code, OTHER_KEY, AGREEMENT, "pi-8"), "")
    assert other.gate != first.gate


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
    told = news.lists
    await enrollment.revoke(master, "g0")
    assert (await _gate(venue)).revoked_ms is not None
    assert news.lists == told + 1
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


HOUR_MS = 3600 * 1000


async def _group(enrollment, master, uses=2, life_ms=HOUR_MS):
    made = await enrollment.new_group_code(master, "c0", Direction.EXIT, uses, life_ms)
    return made.code


async def test_a_group_code_makes_gates_that_wait_to_be_confirmed(enrollment, venue, master, news):
    code = await _group(enrollment, master)
    answer = await enrollment.enrol(Enrol(code, KEY, AGREEMENT, "pi-7"), "")
    assert answer.pending
    gate = await _gate(venue, answer.gate)
    assert (gate.name, gate.checkpoint_id, gate.venue_id) == ("pi-7", "c0", "venue")
    assert (gate.direction, gate.standing) == (Direction.EXIT, Standing.PENDING)
    assert enrollment.check_string(gate) == answer.check
    await enrollment.confirm(master, gate.id)
    assert (await _gate(venue, gate.id)).standing is Standing.IN_FORCE
    assert news.lists == 2  # it came, and was confirmed
    with pytest.raises(ConflictError, match="does not wait"):
        await enrollment.confirm(master, gate.id)


async def test_a_group_code_is_good_so_often_and_no_more(enrollment, master):
    code = await _group(enrollment, master)
    for key in (KEY, OTHER_KEY):
        await enrollment.enrol(Enrol(code, key, AGREEMENT), "")
    with pytest.raises(EnrolmentError):
        await enrollment.enrol(Enrol(code, b"3" * 32, AGREEMENT), "")


async def test_a_group_code_ends_with_its_time(enrollment, master, clock):
    code = await _group(enrollment, master)
    clock.advance(3600)
    with pytest.raises(EnrolmentError):
        await enrollment.enrol(Enrol(code, KEY, AGREEMENT), "")


async def test_a_machine_that_is_refused_is_neither_heard_nor_confirmed_later(
    enrollment, venue, master
):
    code = await _group(enrollment, master)
    answer = await enrollment.enrol(Enrol(code, KEY, AGREEMENT), "")
    await enrollment.revoke(master, answer.gate)
    assert (await _gate(venue, answer.gate)).standing is Standing.PENDING
    with pytest.raises(ConflictError):
        await enrollment.confirm(master, answer.gate)


@pytest.mark.parametrize("name", ["", " ", "\n\x1b", "\u202e"])
async def test_a_machine_without_a_printable_name_gets_one(enrollment, venue, master, name):
    code = await _group(enrollment, master)
    answer = await enrollment.enrol(Enrol(code, KEY, AGREEMENT, name), "")
    assert re.fullmatch(r"[0-9a-f]{6}", answer.gate_name)
    assert (await _gate(venue, answer.gate)).name == answer.gate_name


@pytest.mark.parametrize(
    ("uses", "life_ms", "field"),
    [
        (0, HOUR_MS, "uses"),
        (USES_MAX + 1, HOUR_MS, "uses"),
        (1, LIFE_MS_MIN - 1, "minutes"),
        (1, LIFE_MS_MAX + 1, "minutes"),
    ],
)
async def test_a_group_code_has_bounds(enrollment, master, uses, life_ms, field):
    with pytest.raises(InvalidError) as caught:
        await _group(enrollment, master, uses, life_ms)
    assert caught.value.field == field


async def test_a_single_code_may_live_longer_within_bounds(enrollment, master, clock):
    made = await enrollment.new_code(master, "g0", LIFE_MS_MAX)
    clock.advance(6 * 24 * 3600)
    assert (await enrollment.enrol(Enrol(made.code, KEY, AGREEMENT), "")).gate == "g0"
    for life_ms in (LIFE_MS_MIN - 1, LIFE_MS_MAX + 1):
        with pytest.raises(InvalidError):
            await enrollment.new_code(master, "g0", life_ms)


async def test_nobody_makes_a_group_code_for_a_checkpoint_of_another_branch(enrollment):
    stranger = User("x", "nowhere", "x", "X", "", Role.MASTER, "fr")
    with pytest.raises(NotFoundError):
        await _group(enrollment, stranger)


def test_the_link_says_where_the_server_is_how_to_know_it_and_the_code(venue, ledger, news, trust):
    pins = (b"p" * 32, b"n" * 32)
    here = Whereabouts(("https://10.0.0.5:8443",), pins)
    service = Enrollment(venue, ledger, news, trust, here)
    link = read_link(service.link("ABCD-EFGH", "https://elsewhere"))
    assert link == EnrolmentLink(("https://10.0.0.5:8443",), "ABCD-EFGH", pins, trust.digest)


def test_without_a_configured_address_the_link_leads_where_the_browser_was(enrollment):
    assert read_link(enrollment.link("ABCD", "http://127.0.0.1:8080")).servers == (
        "http://127.0.0.1:8080",
    )
    with pytest.raises(ConflictError, match="addresses = "):
        enrollment.link("ABCD", "http://evil host&code=X")


async def test_the_digits_tell_another_pin(venue, ledger, news, enrollment, trust):
    gate = (await _gate(venue)).__class__(
        "g0", "venue", "A", "c0", Direction.ENTRY, public_key=KEY, agreement_key=AGREEMENT
    )
    shown = {enrollment.check_string(gate)}
    for here in (
        Whereabouts((), (b"p" * 32,)),
        Whereabouts((), (b"q" * 32,)),
    ):
        shown.add(Enrollment(venue, ledger, news, trust, here).check_string(gate))
    assert len(shown) == 3
