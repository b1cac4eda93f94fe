"""The pages of stewards and supervisors: what they ask of the gate, and what they tell."""

import pytest

from admission.scan import Direction
from admission.verdict import Answer
from appliance.local_page import words
from appliance.local_page.staff_words import SHAPES
from appliance.page_ports import GateDesk, PageRole
from appliance.ports import Look, Screen
from appliance.simulator.virtual_clock import VirtualClock
from appliance.steward_ports import (
    Done,
    GrantEnd,
    Keyed,
    LetThrough,
    MoveTo,
    Refusal,
    Refused,
    ResetLast,
    SetFree,
    SetLock,
    Turn,
)
from gate_visitor import pages_of, visiting
from staff_stand_ins import CHECKED, GRANTED, USED, MadeUpHandheld, MadeUpSteward, desk_of

STEWARD, SUPERVISOR = PageRole.STEWARD, PageRole.SUPERVISOR


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def steward():
    return MadeUpSteward()


@pytest.fixture
def hand():
    return MadeUpHandheld()


# --- typing a number ------------------------------------


async def test_a_typed_number_is_asked_for_and_its_answer_is_told(clock, steward):
    async with visiting(pages_of(clock, desk_of(steward))) as visitor:
        await visitor.log_in(STEWARD)
        await visitor.get("/gate/keyed")
        await visitor.post("/gate/keyed", number="ab 12", way="exit", deed="use")
        assert steward.asked == [Keyed("ab 12", Direction.EXIT)]
        assert "tone-good" in visitor.body
        assert "ab 12" not in visitor.body


async def test_looking_marks_nothing_and_tells_what_is_known(clock, steward):
    steward.outcome = CHECKED
    async with visiting(pages_of(clock, desk_of(steward))) as visitor:
        await visitor.log_in(STEWARD)
        await visitor.get("/gate/keyed")
        await visitor.post("/gate/keyed", number="T1", way="entry", deed="look")
        assert steward.asked == [Keyed("T1", Direction.ENTRY, is_check=True)]
        known = ("proof of age", "Balcony · 12", "2026-06-01 18:04 · Porte B", "Only looked at")
        assert [told for told in known if told not in visitor.body] == []


async def test_a_form_without_a_deed_only_looks(clock, steward):
    async with visiting(pages_of(clock, desk_of(steward))) as visitor:
        await visitor.log_in(STEWARD)
        await visitor.get("/gate/keyed")
        await visitor.post("/gate/keyed", number="T1")
        assert [asked.is_check for asked in steward.asked] == [True]


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("why", Refusal)
async def test_every_refusal_is_told_in_words(clock, steward, why, language):
    steward.outcome = Refused(why)
    async with visiting(pages_of(clock, desk_of(steward)), language=language) as visitor:
        await visitor.log_in(STEWARD)
        await visitor.get("/gate/keyed")
        await visitor.post("/gate/keyed", number="T1", deed="use")
        assert 'role="alert"' in visitor.body
        assert "tone-stop" in visitor.body


def test_every_answer_and_end_has_its_words():
    for language in words.LANGUAGES:
        for key in [f"answer.{one.value}" for one in Answer] + [f"end.{o.value}" for o in GrantEnd]:
            assert words.text(key, language)


@pytest.mark.parametrize("path", ["/gate/keyed", "/gate/steward", "/gate/hand"])
async def test_a_gate_that_does_not_serve_says_so(clock, path):
    async with visiting(pages_of(clock, GateDesk())) as visitor:
        await visitor.log_in()
        await visitor.get(path)
        assert visitor.status == 503
        assert "not serving" in visitor.body


# --- what a supervisor may do ---------------------------


@pytest.mark.parametrize(
    ("fields", "request_"),
    [
        (
            {"deed": "through", "way": "entry", "who": "Anna", "reason": "x"},
            LetThrough(Direction.ENTRY, "Anna", "x"),
        ),
        (
            {"deed": "through", "way": "exit", "reason": "x"},
            LetThrough(Direction.EXIT, "Supervisor", "x"),
        ),
        ({"deed": "reset", "grant": "41", "who": "A", "reason": "x"}, ResetLast(41, "A", "x")),
        (
            {"deed": "turn", "reader": "outside", "way": "exit", "who": "A"},
            Turn(Direction.EXIT, "A", "outside"),
        ),
        (
            {"deed": "move", "checkpoint": "vip", "who": "A", "reason": "x"},
            MoveTo("vip", "A", "x"),
        ),
        ({"deed": "lock", "on": "yes", "who": "A", "reason": "x"}, SetLock(True, "A", "x")),
        ({"deed": "free", "on": "no", "who": "A", "reason": "x"}, SetFree(False, "A", "x")),
    ],
)
async def test_each_deed_is_asked_for_with_who_and_why(clock, steward, fields, request_):
    steward.outcome = Done()
    async with visiting(pages_of(clock, desk_of(steward))) as visitor:
        await visitor.log_in()
        await visitor.get("/gate/steward")
        await visitor.post("/gate/steward", **fields)
        assert steward.asked == [request_]
        assert (visitor.status, visitor.path) == (200, "/gate/steward")
        assert "Done, and written into the journal." in visitor.body


@pytest.mark.parametrize(
    "fields",
    [
        {"deed": "through", "way": "up"},
        {"deed": "reset", "grant": "x"},
        {"deed": "reset"},
        {"deed": "move"},
        {"deed": "explode"},
        {},
    ],
)
async def test_what_no_form_says_asks_for_nothing(clock, steward, fields):
    async with visiting(pages_of(clock, desk_of(steward))) as visitor:
        await visitor.log_in()
        await visitor.get("/gate/steward")
        await visitor.post("/gate/steward", **fields)
        assert steward.asked == []


async def test_a_refused_deed_is_told_and_a_steward_may_do_none(clock, steward):
    steward.outcome = Refused(Refusal.NO_REASON)
    pages = pages_of(clock, desk_of(steward))
    async with visiting(pages) as visitor:
        await visitor.log_in()
        await visitor.get("/gate/steward")
        await visitor.post("/gate/steward", deed="through", way="entry")
        assert visitor.status == 409
        assert "Say why" in visitor.body
    steward.asked.clear()
    async with visiting(pages) as visitor:
        await visitor.log_in(STEWARD)
        await visitor.get("/gate/keyed")
        await visitor.post("/gate/steward", deed="through", way="entry", reason="x")
        assert visitor.status == 403
        assert steward.asked == []


async def test_other_checkpoints_are_offered_and_none_where_there_is_none(clock, steward):
    async with visiting(pages_of(clock, desk_of(steward))) as visitor:
        await visitor.log_in()
        await visitor.get("/gate/steward")
        assert "works at: North stairs" in visitor.body
        assert '<option value="vip">VIP &amp; friends</option>' in visitor.body
        assert '<option value="north">' not in visitor.body
        steward.checkpoints.pop("vip")
        await visitor.get("/gate/steward")
        assert "works at" not in visitor.body


async def test_counts_are_told(clock, steward):
    async with visiting(pages_of(clock, desk_of(steward))) as visitor:
        await visitor.log_in()
        await visitor.get("/gate/steward")
        counted = ("Admitted</dt><dd>388", "Already used", "412", "went through")
        assert [told for told in counted if told not in visitor.body] == []


# --- the handheld ---------------------------------------


async def test_the_handheld_shows_the_last_answer_without_a_name(clock, steward, hand):
    hand.last = Screen(
        Look.GRANTED, answer=Answer.GRANTED, detail="VIP", holder="Jeanne Martin", attention=("!",)
    )
    async with visiting(pages_of(clock, desk_of(steward, hand))) as visitor:
        await visitor.log_in(STEWARD)
        await visitor.get("/gate/hand")
        assert "tone-look" in visitor.body
        assert "VIP" in visitor.body
        assert "Martin" not in visitor.body
        assert "64 %" in visitor.body
        assert "<nav" not in visitor.body


async def test_what_stops_everybody_comes_before_the_last_answer(clock, steward, hand):
    hand.last = GRANTED
    hand.now = Screen(Look.OUT_OF_SERVICE, fault="GT-BAT")
    async with visiting(pages_of(clock, desk_of(steward, hand))) as visitor:
        await visitor.log_in(STEWARD)
        await visitor.get("/gate/hand")
        assert "tone-still" in visitor.body
        assert "tone-good" not in visitor.body


async def test_the_trigger_on_the_screen_pulls(clock, steward, hand):
    hand.last = USED
    async with visiting(pages_of(clock, desk_of(steward, hand))) as visitor:
        await visitor.log_in(STEWARD)
        await visitor.get("/gate/hand")
        await visitor.post("/gate/hand/pull")
        assert (hand.pulled, visitor.path) == (1, "/gate/hand")
        assert "Ready to scan" in visitor.body


@pytest.mark.parametrize("passed", ["yes", "no"])
async def test_the_steward_says_who_went(clock, steward, hand, passed):
    hand.awaits = Direction.ENTRY
    async with visiting(pages_of(clock, desk_of(steward, hand))) as visitor:
        await visitor.log_in(STEWARD)
        await visitor.get("/gate/hand")
        await visitor.post("/gate/hand/went", passed=passed)
        assert hand.said == [passed == "yes"]
        assert "/gate/hand/went" not in visitor.body


async def test_only_looking_is_switched_on_and_off_and_says_so(clock, steward, hand):
    async with visiting(pages_of(clock, desk_of(steward, hand))) as visitor:
        await visitor.log_in(STEWARD)
        await visitor.get("/gate/hand")
        await visitor.post("/gate/hand/look", on="yes")
        assert steward.is_check_only
        assert "no ticket is used" in visitor.body
        steward.looked_at = CHECKED
        await visitor.get("/gate/hand")
        assert "tone-wait" in visitor.body
        await visitor.post("/gate/hand/look", on="no")
        assert not steward.is_check_only


async def test_a_turnstile_is_never_made_to_only_look(clock, steward):
    async with visiting(pages_of(clock, desk_of(steward))) as visitor:
        await visitor.log_in(STEWARD)
        await visitor.get("/gate/keyed")
        await visitor.post("/gate/hand/look", on="yes")
        assert not steward.is_check_only
        assert visitor.status == 503


async def test_a_number_typed_on_a_handheld_goes_back_to_its_face(clock, steward, hand):
    async with visiting(pages_of(clock, desk_of(steward, hand))) as visitor:
        await visitor.log_in(STEWARD)
        await visitor.get("/gate/keyed")
        await visitor.post("/gate/keyed", number="T1", deed="use")
        assert visitor.path == "/gate/hand"


def test_every_tone_has_a_shape_of_its_own():
    assert len(set(SHAPES.values())) == len(SHAPES)


# --- over a running gate --------------------------------


async def test_a_number_typed_on_the_page_opens_the_arm_of_a_running_gate(open_gate):
    async with open_gate() as gate:
        desk = desk_of(None)
        desk.staff.steward = gate.stewarding
        async with visiting(pages_of(gate.clock, desk)) as visitor:
            await visitor.log_in()
            await visitor.get("/gate/keyed")
            await visitor.post("/gate/keyed", number="t1", way="entry", deed="use")
            assert "tone-good" in visitor.body
            assert await gate.kinds() == ["GRANTED"]
            await gate.later(3)
            await visitor.get("/gate/steward")
            grant = str(gate.stewarding.last().grant)
            await visitor.post("/gate/steward", deed="reset", grant=grant, reason="x", who="Anna")
            assert await gate.kinds() == ["GRANTED", "PASSED", "RESET"]
            assert "taken back" in visitor.body
