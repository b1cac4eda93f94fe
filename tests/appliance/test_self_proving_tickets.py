"""Tickets that no list holds: what a gate answers to those that prove themselves."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pretix_tokens
from admission.proof.compact import ticket_number
from admission.proof.proving import ClassCode, Issuer, IssuerFormat, claimed_class
from admission.proof.public_keys import read_public_key
from admission.rules import ClockPolicy, GateConditions
from admission.scan import Direction
from admission.ticket import EntryExit, Single, TicketClass, TicketState
from admission.ticketlist.identifiers import identify
from admission.ticketlist.manifest import Showing
from admission.trust.keys import public_key
from admission.verdict import Deny, Grant
from proving_gate import (
    CLASSES,
    ISSUER,
    NOON,
    ProvingGate,
    compact_issuer,
    list_key_of,
    pretix_issuer,
    rotating_text,
    rotation_of_row,
    rotation_row,
    signed,
)

EXIT = Direction.EXIT
OTHER_KEY = bytes(range(2, 34))
PRETIX_DEMO = read_public_key(pretix_tokens.DEMO_KEY)


@pytest.fixture
def gate():
    return ProvingGate().hold(issuers=(compact_issuer(), pretix_issuer(pretix_tokens.PUBLIC_KEY)))


def _demo_gate(**fields):
    keys = [read_public_key(key) for key in (pretix_tokens.DEMO_KEY, pretix_tokens.DEMO_KEY_2)]
    issuers = tuple(pretix_issuer(key, ((1, None, 0),), **fields) for key in keys)
    return ProvingGate().hold(issuers=issuers)


def test_a_ticket_proven_by_its_signature_is_admitted_with_its_class(gate):
    verdict = gate.judge(signed(1))
    assert isinstance(verdict, Grant)
    assert verdict.ticket.proven
    assert verdict.ticket.ticket_class == TicketClass("vip", EntryExit())
    assert verdict.ticket.identifier == identify(list_key_of("show"), ticket_number(signed(1)))


def test_a_ticket_of_pretix_is_admitted_with_its_class(gate):
    text = pretix_tokens.token(item=1, variation=9)
    verdict = gate.judge(text)
    assert isinstance(verdict, Grant)
    assert verdict.ticket.identifier == identify(list_key_of("show"), text)
    assert verdict.ticket.ticket_class == TicketClass("standard", Single())


def test_the_tickets_of_pretixs_own_tests_are_answered_as_there():
    gate = _demo_gate()
    assert gate.answer(pretix_tokens.DEMO_TICKET) == "granted"
    assert gate.answer(pretix_tokens.DEMO_FORGED) == "unknown_ticket"
    assert gate.answer(pretix_tokens.DEMO_OTHER_PRODUCT) == "unknown_ticket"
    until = NOON.replace(year=2023, month=2, day=3, hour=11)
    assert gate.answer(pretix_tokens.DEMO_UNTIL, at=until) == "no_longer_valid"
    assert gate.answer(pretix_tokens.DEMO_UNTIL, at=until - timedelta(seconds=1)) == "granted"
    since = until.replace(hour=23)
    assert gate.answer(pretix_tokens.DEMO_FROM, at=since - timedelta(seconds=1)) == "not_yet_valid"
    assert gate.answer(pretix_tokens.DEMO_FROM, at=since) == "granted"


def test_a_ticket_for_another_date_of_the_series_is_unknown():
    assert _demo_gate(subevents=(14,)).answer(pretix_tokens.DEMO_TICKET) == "granted"
    assert _demo_gate(subevents=(15,)).answer(pretix_tokens.DEMO_TICKET) == "unknown_ticket"
    assert _demo_gate(subevents=()).answer(pretix_tokens.DEMO_TICKET) == "unknown_ticket"


def test_a_ticket_for_a_date_that_another_performance_is_belongs_there():
    gate = _demo_gate(subevents=(15,))
    gate.hold("late", issuers=(pretix_issuer(PRETIX_DEMO, subevents=(14,)),))
    assert gate.answer(pretix_tokens.DEMO_TICKET) == "wrong_performance"


def test_a_variation_may_have_a_class_of_its_own():
    issuer = pretix_issuer(pretix_tokens.PUBLIC_KEY, ((1, None, 0), (1, 5, 1), (2, 7, 1)))
    gate = ProvingGate().hold(issuers=(issuer,))

    def category(item, variation):
        verdict = gate.judge(pretix_tokens.token(item=item, variation=variation))
        return verdict.ticket and verdict.ticket.ticket_class.category

    assert category(1, 0) == "standard"
    assert category(1, 5) == "vip"
    assert category(2, 7) == "vip"
    assert category(2, 8) is None


def test_a_key_that_the_list_does_not_name_proves_nothing(gate):
    assert gate.answer(signed(key=OTHER_KEY)) == "unknown_ticket"
    other = pretix_tokens.Ed25519PrivateKey.from_private_bytes(OTHER_KEY)
    assert gate.answer(pretix_tokens.token(other)) == "unknown_ticket"


def test_a_class_that_the_list_does_not_allow_proves_nothing(gate):
    assert gate.answer(signed(2)) == "unknown_ticket"
    assert gate.answer(pretix_tokens.token(item=2)) == "unknown_ticket"


def test_an_issuer_that_is_no_longer_accepted_proves_nothing():
    gate = ProvingGate().hold(issuers=(compact_issuer(accepted=False),))
    assert gate.answer(signed()) == "unknown_ticket"


def test_a_ticket_for_another_performance_is_known_as_that_ones(gate):
    assert gate.answer(signed(performance="late")) == "unknown_ticket"
    gate.hold("late", issuers=(compact_issuer(),))
    assert gate.answer(signed(performance="late")) == "wrong_performance"
    assert gate.answer(signed()) == "granted"


def test_a_list_without_issuers_accepts_no_signature():
    gate = ProvingGate().hold()
    assert gate.answer(signed()) == "unknown_ticket"
    assert gate.answer(pretix_tokens.token()) == "unknown_ticket"


def test_the_bare_number_of_a_signed_ticket_proves_nothing(gate):
    assert gate.answer(ticket_number(signed())) == "unknown_ticket"


def test_a_single_ticket_is_used_up_by_its_entry_in_whatever_form(gate):
    assert gate.play(signed()) == "granted"
    assert gate.play(signed()) == "already_used"
    assert gate.play(signed(valid_from=NOON)) == "already_used"


def test_one_gate_admits_one_pretix_ticket_once(gate):
    text = pretix_tokens.token()
    assert gate.play(text) == "granted"
    assert gate.play(text) == "already_used"


def test_a_ticket_of_entry_and_exit_goes_in_and_out(gate):
    assert gate.play(signed(1)) == "granted"
    assert gate.play(signed(1)) == "already_inside"
    assert gate.play(signed(1), EXIT) == "granted"
    assert gate.play(signed(1), EXIT) == "not_inside"


def test_who_is_inside_gets_out_though_the_issuer_is_no_longer_accepted(gate):
    assert gate.play(signed(1)) == "granted"
    assert gate.play(pretix_tokens.token()) == "granted"
    gate.hold(issuers=(compact_issuer(accepted=False),))
    assert gate.answer(signed(1), EXIT) == "unknown_ticket"
    assert gate.answer(ticket_number(signed(1)), EXIT) == "granted"


@pytest.mark.parametrize("state", [state for state in TicketState if state != TicketState.VALID])
def test_a_revoked_or_blocked_number_is_what_the_list_says_of_it(state):
    numbers = [(ticket_number(signed()), 0, state), (pretix_tokens.token(), 0, state)]
    issuers = (compact_issuer(), pretix_issuer(pretix_tokens.PUBLIC_KEY))
    gate = ProvingGate().hold(listed=numbers, issuers=issuers)
    assert gate.answer(signed()) == state.value
    assert gate.answer(pretix_tokens.token()) == state.value


@pytest.mark.parametrize("as_text", [True, False])
def test_where_a_list_holds_the_number_its_entry_alone_counts(as_text):
    text = signed(1, valid_until=NOON)
    number = text if as_text else ticket_number(text)
    gate = ProvingGate().hold(listed=[number], issuers=(compact_issuer(),))
    verdict = gate.judge(text)
    assert isinstance(verdict, Grant)
    assert verdict.ticket.ticket_class.category == "standard"
    assert not verdict.ticket.proven
    assert verdict.ticket.windows == ()


def test_a_listed_number_and_its_signed_text_are_one_ticket():
    gate = ProvingGate().hold(listed=[ticket_number(signed())], issuers=(compact_issuer(),))
    assert gate.play(ticket_number(signed())) == "granted"
    assert gate.play(signed()) == "already_used"


def test_a_number_that_another_performances_list_holds_is_that_ones():
    text = pretix_tokens.token()
    issuer = pretix_issuer(pretix_tokens.PUBLIC_KEY)
    gate = ProvingGate().hold(issuers=(issuer,)).hold("late", listed=[text], issuers=(issuer,))
    assert gate.answer(text) == "wrong_performance"
    both = ProvingGate("show", "late").hold(issuers=(issuer,)).hold("late", listed=[text])
    assert both.judge(text).performance == "late"


def test_a_proof_stands_its_own_time_and_the_performances():
    def gate(**showing):
        window = Showing(name="show", timezone="Europe/Paris", **showing)
        return ProvingGate().hold(issuers=(compact_issuer(),), showing=window)

    hour = timedelta(hours=1)
    assert gate().answer(signed(valid_from=NOON + hour)) == "not_yet_valid"
    assert gate().answer(signed(valid_from=NOON)) == "granted"
    assert gate().answer(signed(valid_until=NOON)) == "no_longer_valid"
    assert gate().answer(signed(valid_until=NOON + hour)) == "granted"
    early = gate(admits_from=NOON + hour)
    assert early.answer(signed(valid_until=NOON)) == "not_yet_valid"
    late = gate(admits_until=NOON)
    assert late.answer(signed(valid_from=NOON + hour)) == "not_yet_valid"
    assert late.answer(signed(valid_from=NOON)) == "no_longer_valid"


@pytest.mark.parametrize(
    ("policy", "answer"), [(ClockPolicy.ADMIT, "granted"), (ClockPolicy.REFUSE, "no_longer_valid")]
)
def test_without_trusted_time_a_proofs_time_follows_the_policy(gate, policy, answer):
    gate.conditions = GateConditions(clock_trusted=False, clock_policy=policy)
    assert gate.answer(signed(valid_until=NOON - timedelta(days=400))) == answer
    assert gate.answer(signed()) == "granted"


def test_the_filters_and_the_capacity_count_for_a_proven_ticket(gate):
    gate.checkpoint = gate.checkpoint.__class__("door", ("show",), frozenset({"standard"}), 1)
    assert gate.answer(signed(1)) == "wrong_checkpoint"
    assert gate.play(signed()) == "granted"
    assert gate.answer(signed(seed=b"9876543210")) == "full"
    shut = Showing(name="show", timezone="Europe/Paris", canceled=True)
    gate.hold(issuers=(compact_issuer(),), showing=shut)
    assert gate.answer(signed(seed=b"9876543210")) == "performance_canceled"


def test_ordinary_numbers_are_answered_as_ever(gate):
    gate.hold(listed=["A1", "PT1", "xQA"], issuers=(compact_issuer(),))
    for number in ("A1", "PT1", "xQA"):
        assert gate.answer(number) == "granted"
        assert gate.answer(f" {number}\r\n") == "granted"
    assert gate.answer("A2") == "unknown_ticket"
    assert gate.answer("PT1" + "0" * 119) == "unknown_ticket"
    assert gate.answer("A" * 94 + "QA") == "unknown_ticket"


@given(st.data())
def test_no_text_but_the_one_that_was_signed_is_admitted(data):
    gate = ProvingGate().hold(issuers=(compact_issuer(), pretix_issuer(pretix_tokens.PUBLIC_KEY)))
    text = data.draw(st.sampled_from([signed(), signed(1, valid_from=NOON), pretix_tokens.token()]))
    place = data.draw(st.integers(0, len(text)))
    character = data.draw(st.sampled_from("09AZaz+/= $%*.:-é"))
    how = data.draw(st.sampled_from(["change", "insert", "drop", "append"]))
    other = {
        "change": text[:place] + character + text[place + 1 :],
        "insert": text[:place] + character + text[place:],
        "drop": text[:place] + text[place + 1 :],
        "append": text + character,
    }[how]
    if other.strip(" \t\r\n") != text:
        assert gate.answer(other) == "unknown_ticket"


# --- codes that change with time ------------------------------------------------------------------

ROW = rotation_row()
ROTATION = rotation_of_row(ROW)
PERIOD = timedelta(milliseconds=ROW.period_ms)
STEP = NOON  # noon begins a step of 30 s


def _rotating_gate(listed=("N1",), row=ROW, **fields):
    return ProvingGate().hold(listed=listed, rotating=row, **fields)


def test_a_code_of_now_is_the_ticket_that_it_names():
    gate = _rotating_gate()
    verdict = gate.judge(rotating_text(ROTATION, "N1", NOON))
    assert isinstance(verdict, Grant)
    assert verdict.ticket.identifier == identify(list_key_of("show"), "N1")


@pytest.mark.parametrize(
    ("shown", "answer"),
    [
        (STEP - PERIOD, "granted"),
        (STEP - PERIOD - timedelta(milliseconds=1), "no_longer_valid"),
        (STEP - timedelta(days=2), "no_longer_valid"),
        (STEP + PERIOD, "granted"),
        (STEP + 2 * PERIOD, "not_yet_valid"),
        (STEP + timedelta(days=2), "not_yet_valid"),
    ],
)
def test_a_code_counts_for_a_period_around_its_own(shown, answer):
    assert _rotating_gate().answer(rotating_text(ROTATION, "N1", shown)) == answer


def test_the_gates_own_uncertainty_widens_a_codes_time():
    gate = _rotating_gate()
    stale = rotating_text(ROTATION, "N1", STEP - 2 * PERIOD)
    ahead = rotating_text(ROTATION, "N1", STEP + 2 * PERIOD)
    assert (gate.answer(stale), gate.answer(ahead)) == ("no_longer_valid", "not_yet_valid")
    gate.conditions = GateConditions(clock_uncertainty=timedelta(seconds=31))
    assert (gate.answer(stale), gate.answer(ahead)) == ("granted", "granted")


def test_the_gates_own_uncertainty_widens_no_other_time():
    gate = ProvingGate().hold(issuers=(compact_issuer(),))
    gate.conditions = GateConditions(clock_uncertainty=timedelta(hours=1))
    assert gate.answer(signed(valid_until=NOON)) == "no_longer_valid"


def test_without_trusted_time_a_code_is_checked_for_the_moment_it_states():
    gate = _rotating_gate()
    gate.conditions = GateConditions(clock_trusted=False)
    long_ago = NOON - timedelta(days=300)
    assert gate.answer(rotating_text(ROTATION, "N1", long_ago)) == "granted"
    text = rotating_text(ROTATION, "N1", long_ago)
    assert gate.answer(text[:-1] + str((int(text[-1]) + 1) % 10)) == "unknown_ticket"
    gate.conditions = GateConditions(clock_trusted=False, clock_policy=ClockPolicy.REFUSE)
    assert gate.answer(rotating_text(ROTATION, "N1", NOON)) == "not_yet_valid"


def test_a_code_with_a_wrong_value_is_no_ticket():
    text = rotating_text(ROTATION, "N1", NOON)
    assert _rotating_gate().answer(text[:-1] + str((int(text[-1]) + 1) % 10)) == "unknown_ticket"


def test_a_code_cannot_be_made_fresh_by_writing_another_time_into_it():
    stale = rotating_text(ROTATION, "N1", NOON - timedelta(hours=1))
    fresh = rotating_text(ROTATION, "N1", NOON)
    number, _, value = stale.split("-")
    assert (
        _rotating_gate().answer("-".join([number, fresh.split("-")[1], value])) == "unknown_ticket"
    )


def test_a_code_of_one_ticket_is_not_one_of_another():
    text = rotating_text(ROTATION, "N1", NOON).replace("N1", "N2")
    assert _rotating_gate(("N1", "N2")).answer(text) == "unknown_ticket"


def test_the_number_alone_does_not_go_in_where_codes_rotate():
    assert _rotating_gate().answer("N1") == "unknown_ticket"
    assert _rotating_gate().answer("N9") == "unknown_ticket"
    assert _rotating_gate(row=rotation_row(allows_static=True)).answer("N1") == "granted"


def test_at_an_exit_the_number_alone_is_judged_as_any_number():
    gate = _rotating_gate([("N1", 1, TicketState.VALID)])
    assert gate.answer("N1", EXIT) == "not_inside"
    assert gate.answer("N9", EXIT) == "unknown_ticket"


def test_a_performance_without_rotation_takes_numbers_beside_one_with():
    gate = ProvingGate("show", "plain").hold(listed=["N1"], rotating=ROW)
    gate.hold("plain", listed=["N2"])
    assert gate.answer("N2") == "granted"
    assert gate.answer("N1") == "unknown_ticket"
    assert gate.answer(rotating_text(ROTATION, "N1", NOON)) == "granted"


def test_nobody_is_held_in_for_want_of_a_fresh_code():
    gate = _rotating_gate([("N1", 1, TicketState.VALID)])
    assert gate.play(rotating_text(ROTATION, "N1", NOON), at=NOON) == "granted"
    later = NOON + timedelta(hours=2)
    assert gate.answer("N1", EXIT, at=later) == "granted"
    assert gate.answer(rotating_text(ROTATION, "N1", NOON), EXIT, at=later) == "granted"


def test_a_rotating_ticket_is_used_up_whatever_its_code_shows():
    gate = _rotating_gate()
    assert gate.play(rotating_text(ROTATION, "N1", NOON), at=NOON) == "granted"
    at = NOON + timedelta(minutes=5)
    assert gate.play(rotating_text(ROTATION, "N1", at), at=at) == "already_used"
    assert gate.uses("N1") == 1


def test_a_rotating_code_of_another_performance_belongs_there():
    gate = ProvingGate().hold().hold("late", listed=["N1"], rotating=ROW)
    assert (
        gate.answer(rotating_text(ROTATION, "N1", NOON, performance="late")) == "wrong_performance"
    )
    assert gate.answer("N1") == "wrong_performance"


def test_a_rotating_code_may_carry_a_ticket_that_proves_itself():
    text = pretix_tokens.token()
    gate = _rotating_gate((), issuers=(pretix_issuer(pretix_tokens.PUBLIC_KEY), compact_issuer()))
    for inner in (text, signed(1)):
        verdict = gate.judge(rotating_text(ROTATION, inner, NOON))
        assert isinstance(verdict, Grant)
        assert verdict.ticket.proven
        assert gate.answer(inner) == "unknown_ticket"
        assert (
            gate.answer(rotating_text(ROTATION, inner, NOON - timedelta(hours=1)))
            == "no_longer_valid"
        )


def test_a_number_of_a_rotating_performance_that_left_the_list_is_canceled():
    gate = _rotating_gate()
    assert gate.play(rotating_text(ROTATION, "N1", NOON), at=NOON) == "granted"
    gate.hold(rotating=ROW)
    verdict = gate.judge(rotating_text(ROTATION, "N1", NOON), at=NOON)
    assert isinstance(verdict, Deny)
    assert verdict.answer.value == "canceled"


# --- what a text claims, signed or not ------------------------------------------------------------


def test_the_class_that_a_text_claims_is_read_without_its_signature():
    vip = TicketClass(CLASSES[1].category, EntryExit())
    issuers = (
        Issuer(IssuerFormat.COMPACT, public_key(ISSUER), {ClassCode(1): vip}),
        Issuer(IssuerFormat.PRETIX, PRETIX_DEMO, {ClassCode(1): vip}),
    )
    assert claimed_class(signed(1), "show", issuers) == vip
    assert claimed_class(pretix_tokens.DEMO_FORGED, "show", issuers) == vip
    assert claimed_class(signed(0), "show", issuers) is None
    assert claimed_class(signed(1, performance="late"), "show", issuers) is None
    assert claimed_class("A1", "show", issuers) is None
