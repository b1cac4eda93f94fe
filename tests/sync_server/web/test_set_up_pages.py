"""Creating venues, shows, doors and gates by forms, and the code that enrols a gate."""

from dataclasses import replace

import pytest

from admission.scan import Direction
from admission.sync.server_side import Head
from sync_server.errors import ConflictError, InvalidError
from sync_server.journal_ports import QuarantineLine, SideLine

HOSTILE = "<script>alert('x')</script>\"{{ 7*7 }}"


@pytest.fixture
async def signed_in(browser, lea):
    await browser.sign_in()
    return browser


async def test_a_venue_is_created_and_its_page_says_how_to_go_on(signed_in, desk):
    status, goal = await signed_in.post(
        "/set-up", {"name": " Zénith ", "timezone": "America/Martinique"}
    )
    assert (status, goal) == (303, "/set-up/venues/v2?done=venue")
    assert desk.asked == [("venue", "Zénith", "America/Martinique")]
    _, text = await signed_in.get(goal)
    assert "Le lieu est créé" in text


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": "", "timezone": "Europe/Paris"}, "venue-name"),
        ({"name": "x" * 121, "timezone": "Europe/Paris"}, "venue-name"),
        ({"name": "two\nlines", "timezone": "Europe/Paris"}, "venue-name"),
        ({"name": "\u202eevil", "timezone": "Europe/Paris"}, "venue-name"),
        ({"name": "Zénith", "timezone": "Europe/Nowhere"}, "venue-timezone"),
        ({"name": "Zénith", "timezone": "../../etc/passwd"}, "venue-timezone"),
        ({"name": "Zénith", "timezone": ""}, "venue-timezone"),
    ],
)
async def test_a_wrong_field_is_named_in_the_summary_and_beside_itself(
    signed_in, desk, fields, wrong
):
    status, text = await signed_in.post("/set-up", fields)
    assert status == 422
    assert f'<a href="#{wrong}">' in text
    assert f'id="{wrong}-error"' in text
    assert "<title>Erreur" in text
    assert desk.asked == []


async def test_a_performance_starts_on_the_venues_clock(signed_in, desk):
    status, _ = await signed_in.post(
        "/set-up/venues/v1/performances",
        {"event": "e1", "name": "Dimanche 15:00", "starts": "2026-07-05T15:00"},
    )
    assert status == 303
    assert desk.asked == [("performance", "e1", "Dimanche 15:00", 1_783_256_400_000)]


async def test_a_performance_without_a_start_is_open_dated(signed_in, desk):
    fields = {"event": "e1", "name": "Visite", "starts": ""}
    await signed_in.post("/set-up/venues/v1/performances", fields)
    assert desk.asked == [("performance", "e1", "Visite", None)]


@pytest.mark.parametrize("starts", ["soon", "2026-02-30T10:00", "0000-00-00T00:00", "1-1-1T1:1"])
async def test_a_start_that_is_no_time_is_refused(signed_in, desk, starts):
    status, _ = await signed_in.post(
        "/set-up/venues/v1/performances", {"event": "e1", "name": "Visite", "starts": starts}
    )
    assert status == 422
    assert desk.asked == []


async def test_an_event_of_another_venue_cannot_be_chosen(signed_in, desk):
    status, text = await signed_in.post(
        "/set-up/venues/v1/performances", {"event": "e9", "name": "Visite", "starts": ""}
    )
    assert status == 422
    assert "performance-event-error" in text


async def test_a_checkpoint_controls_what_was_ticked(signed_in, desk):
    await signed_in.post(
        "/set-up/venues/v1/checkpoints",
        {"name": "Balcon", "capacity": "120", "performances": ["p1", "p2"]},
    )
    assert desk.asked == [("checkpoint", "v1", "Balcon", 120, ["p1", "p2"])]


@pytest.mark.parametrize("capacity", ["-1", "many", "1e3", "9999999999", "１２"])
async def test_a_capacity_is_a_whole_number(signed_in, desk, capacity):
    status, text = await signed_in.post(
        "/set-up/venues/v1/checkpoints", {"name": "Balcon", "capacity": capacity}
    )
    assert status == 422
    assert 'href="#checkpoint-capacity"' in text


async def test_a_checkpoint_may_let_everything_go(signed_in, desk):
    status, goal = await signed_in.post("/set-up/venues/v1/checkpoints/c1", {"capacity": ""})
    assert (status, goal) == (303, "/set-up/venues/v1?done=checkpoint")
    assert desk.asked == [("change", "c1", None, [])]


async def test_a_collision_is_told_in_the_readers_language(signed_in, desk):
    desk.refusal = ConflictError("numbers_collide", "both would hold one same number")
    status, text = await signed_in.post("/set-up/venues/v1/checkpoints/c1", {"capacity": ""})
    assert status == 422
    assert "même numéro dans deux représentations" in text


async def test_a_refusal_without_a_translation_is_told_all_the_same(signed_in, desk):
    desk.refusal = InvalidError("name", "the name is <odd>")
    status, text = await signed_in.post("/set-up/venues/v1/events", {"name": "Carmen"})
    assert status == 422
    assert "the name is &lt;odd&gt;" in text


async def test_a_gate_is_created_at_a_checkpoint(signed_in, desk):
    await signed_in.post(
        "/set-up/venues/v1/gates", {"name": "Porte C", "checkpoint": "c1", "direction": "exit"}
    )
    assert desk.asked == [("gate", "c1", "Porte C", Direction.EXIT)]


async def test_a_direction_is_one_of_two(signed_in, desk):
    status, _ = await signed_in.post(
        "/set-up/venues/v1/gates", {"name": "Porte C", "checkpoint": "c1", "direction": "up"}
    )
    assert status == 422


async def test_an_enrolment_code_is_shown_by_the_answer_and_nowhere_else(signed_in):
    status, text = await signed_in.post("/set-up/venues/v1/gates/g1/code", {})
    assert status == 200
    assert text.count("K7QM-2XVD-94BT-HW3F") == 2
    assert "portillon:enrol?v=1&amp;server=http://" in text
    assert '<svg role="img"' in text  # the link as a QR code, drawn into the page itself
    _, text = await signed_in.get("/set-up/venues/v1")
    assert "K7QM" not in text


async def test_a_code_for_several_machines_says_that_each_waits_to_be_confirmed(signed_in, desk):
    fields = {"checkpoint": "c1", "direction": "entry", "uses": "8", "hours": "2"}
    status, text = await signed_in.post("/set-up/venues/v1/group-codes", fields)
    assert status == 200
    assert desk.asked[0] == ("group", "c1", Direction.ENTRY, 8, 120)
    assert "K7QM-2XVD-94BT-HW3F" in text
    assert "Elle ne reçoit rien" in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uses", "0"),
        ("uses", "201"),
        ("uses", ""),
        ("hours", "169"),
        ("hours", "-1"),
        ("checkpoint", "c9"),
        ("direction", "up"),
    ],
)
async def test_a_code_for_several_machines_has_bounds(signed_in, desk, field, value):
    fields = {"checkpoint": "c1", "direction": "entry", "uses": "8", "hours": "2"} | {field: value}
    status, text = await signed_in.post("/set-up/venues/v1/group-codes", fields)
    assert status == 422
    assert f'href="#group-{field}"' in text
    assert desk.asked == []


async def test_a_waiting_machine_is_confirmed_or_refused_beside_its_digits(signed_in, desk):
    desk.gates = [replace(desk.gates[0], public_key=b"k" * 32, enrolled_ms=1, pending_ms=1)]
    _, text = await signed_in.get("/set-up/venues/v1")
    assert "4821 0937" in text
    assert "à confirmer" in text
    for what, told in (("confirm", "La porte est confirmée"), ("revoke", "La porte est révoquée")):
        status, goal = await signed_in.post(f"/set-up/venues/v1/gates/g1/{what}", {})
        assert status == 303
        assert told in (await signed_in.get(goal))[1]
    assert desk.asked == [("confirm", "g1"), ("revoke", "g1")]


@pytest.mark.parametrize(("reached", "told"), [(0, "à son lecteur"), (1, "a reçu la commande")])
async def test_a_command_is_given_with_a_reason_and_its_code_is_shown(
    signed_in, desk, reached, told
):
    desk.gates = [replace(desk.gates[0], public_key=b"k" * 32, enrolled_ms=1)]
    desk.reached = reached
    _, text = await signed_in.get("/set-up/venues/v1")
    assert "Ouvrir à une personne, maintenant" in text
    status, text = await signed_in.post(
        "/set-up/venues/v1/gates/g1/commands", {"action": "open", "reason": " un fauteuil "}
    )
    assert status == 200
    assert told in text
    assert "PORTILLON:CMD:CODE" in text
    assert "<svg" in text
    assert "Commande en code QR" in text
    assert desk.asked == [("command", "g1", "open", "un fauteuil")]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"action": "open", "reason": " "}, "reason"),
        ({"action": "open", "reason": "r" * 201}, "reason"),
        ({"action": "admit", "reason": "r"}, "action"),
        ({"action": "explode", "reason": "r"}, "action"),
    ],
)
async def test_what_is_no_command_is_told_at_its_field(signed_in, desk, sent, field):
    desk.gates = [replace(desk.gates[0], public_key=b"k" * 32, enrolled_ms=1)]
    status, text = await signed_in.post("/set-up/venues/v1/gates/g1/commands", sent)
    assert status == 422
    assert f'href="#command-g1-{field}"' in text
    assert desk.asked == []


async def test_what_a_revoked_gate_handed_in_is_listed_and_released_by_a_person(signed_in, desk):
    desk.gates = [replace(desk.gates[0], public_key=b"k" * 32, enrolled_ms=1, revoked_ms=1)]
    desk.held = [QuarantineLine("g1", 3, 1, 2)]
    _, text = await signed_in.get("/set-up/venues/v1")
    assert "3 enregistrements mis à part" in text
    status, goal = await signed_in.post("/set-up/venues/v1/gates/g1/release", {})
    assert status == 303
    assert "compte désormais" in (await signed_in.get(goal))[1]
    assert desk.asked == [("release", "g1")]


async def test_a_copied_card_is_told_with_both_heads_until_somebody_says_what_was_found(
    signed_in, desk
):
    desk.gates = [replace(desk.gates[0], public_key=b"k" * 32, enrolled_ms=1)]
    places = [Head(sequence, bytes(32)) for sequence in (1204, 1260, 1310)]
    desk.copied = [SideLine(1, "0199-journal", "g1", places[0], places[1], places[2], 1)]
    _, text = await signed_in.get("/set-up/venues/v1")
    assert "Carte copiée" in text
    for number in ("1\u202f204", "1\u202f260", "1\u202f310", "-journal"):
        assert number in text
    path = "/set-up/venues/v1/gates/g1/settle"
    status, text = await signed_in.post(path, {"reason": " "})
    assert status == 422
    assert 'href="#copied-g1-reason"' in text
    assert desk.asked == []
    status, goal = await signed_in.post(path, {"reason": "the spare was left running"})
    assert status == 303
    assert "Les deux suites" in (await signed_in.get(goal))[1]
    assert desk.asked == [("settle", "g1", "the spare was left running")]


async def test_a_refusal_of_an_action_is_told_on_the_page(signed_in, desk):
    desk.refusal = ConflictError("not_pending", "this gate does not wait to be confirmed")
    status, text = await signed_in.post("/set-up/venues/v1/gates/g1/confirm", {})
    assert status == 422
    assert "this gate does not wait" in text or "n’attend pas" in text


@pytest.mark.parametrize(
    "path",
    [
        "/set-up/venues/v9",
        "/set-up/venues/../../etc",
        "/performances/p9",
        "/performances/p1/imports/i9",
        "/performances/p1/imports/i9/problems.csv",
    ],
)
async def test_what_is_not_the_users_is_not_there(signed_in, path):
    status, text = await signed_in.get(path)
    assert status == 404
    assert "Introuvable" in text


@pytest.mark.parametrize(
    "path",
    [
        "/set-up/venues/v9/events",
        "/set-up/venues/v1/checkpoints/c9",
        "/set-up/venues/v1/gates/g9/code",
        "/set-up/venues/v1/gates/g9/confirm",
        "/set-up/venues/v1/gates/g9/revoke",
        "/set-up/venues/v1/gates/g9/release",
        "/set-up/venues/v1/gates/g9/settle",
        "/set-up/venues/v1/gates/g9/commands",
    ],
)
async def test_nothing_can_be_sent_to_what_is_not_the_users(signed_in, desk, path):
    status, _ = await signed_in.post(path, {"name": "x"})
    assert status == 404
    assert desk.asked == []


async def test_an_operator_has_no_set_up(browser, accounts):
    await accounts.add_user("organization-1", "ops", "correct horse battery", "operator", "", "fr")
    await browser.sign_in("ops")
    _, text = await browser.get("/")
    assert "/set-up" not in text
    assert (await browser.get("/set-up"))[0] == 403
    assert (await browser.post("/set-up", {"name": "x", "timezone": "Europe/Paris"}))[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/set-up",
        "/set-up/venues/v1/events",
        "/set-up/venues/v1/gates/g1/code",
        "/set-up/venues/v1/gates/g1/confirm",
        "/set-up/venues/v1/gates/g1/revoke",
        "/set-up/venues/v1/gates/g1/release",
        "/set-up/venues/v1/gates/g1/settle",
        "/set-up/venues/v1/gates/g1/commands",
        "/set-up/venues/v1/group-codes",
        "/performances/p1/publish",
        "/performances/p1/state",
        "/performances/p1/reset",
    ],
)
async def test_nothing_is_done_without_the_sessions_token(signed_in, desk, path):
    assert (await signed_in.post(path, {"csrf": "", "name": "x"}))[0] == 403
    assert (await signed_in.post(path, {"csrf": "é", "name": "x"}))[0] == 403
    assert desk.asked == []


async def test_the_token_may_stand_in_the_header(signed_in, desk):
    token = signed_in.csrf
    status, _ = await signed_in.post(
        "/performances/p1/publish", {"csrf": ""}, headers={"X-CSRF-Token": token}
    )
    assert status == 303


async def test_names_are_shown_as_they_are(signed_in, desk):
    desk.venues = [replace(desk.venues[0], name=HOSTILE)]
    desk.events = [replace(desk.events[0], name=HOSTILE)]
    desk.performances = [replace(desk.performances[0], name=HOSTILE)]
    desk.checkpoints = [replace(desk.checkpoints[0], name=HOSTILE)]
    desk.gates = [replace(desk.gates[0], name=HOSTILE)]
    for path in ("/set-up", "/set-up/venues/v1", "/performances", "/performances/p1"):
        status, text = await signed_in.get(path)
        assert status == 200
        assert "<script>alert" not in text
        assert "{{ 7*7 }}" in text
        assert "&lt;script&gt;" in text
