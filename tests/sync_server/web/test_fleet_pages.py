"""The page of the fleet: what gates really run, what may be done with a rollout, and by whom."""

import re
from dataclasses import replace

import aiohttp
import pytest

import fake_fleet
from fake_fleet import BACK, MACHINES, NEW, NOW_MS, OLD, RELEASE, fleet_gates, rollout
from sync_server.account_ports import Role
from sync_server.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from sync_server.fleet_entities import Night, Plan, RolloutState
from sync_server.rollout import Progress
from sync_server.web.back_office.fleet_views import IDLE, KINDS, STATE_KINDS
from sync_server.web.codes import CODES

GOOD = {
    "version": "0.2.0+5",
    "canary": ["g5", "g6"],
    "steps": "10 %, 50, 100",
    "mode": "automatic",
    "hours": "12",
    "night_from": "23:30",
    "night_until": "05:00",
}


@pytest.fixture
async def signed_in(browser, lea):
    await browser.sign_in()
    return browser


async def shown(browser):
    status, text = await browser.get("/fleet")
    assert status == 200
    return re.sub(r"\s+", " ", text)


def of_gate(text, name):
    return text.partition(f"<bdi>{name}</bdi></h3>")[2].partition("</li>")[0]


# --- what is shown ----------------------------------------------------------------------------


async def test_every_gate_is_shown_with_what_it_really_runs(signed_in):
    text = await shown(signed_in)
    new, old = of_gate(text, "Porte A"), of_gate(text, "Porte F")
    assert "0.2.0+5" in new
    assert "partition B" in new
    assert "à jour" in new
    assert "0.1.4+2" in old
    assert "ne le dit pas" in of_gate(text, "Entrée des artistes")
    assert "mise à jour à la main" in of_gate(text, "Entrée des artistes")


async def test_a_download_is_shown_with_how_far_it_is(signed_in):
    text = of_gate(await shown(signed_in), "Porte C")
    assert "téléchargement" in text
    assert "52" in text
    assert 'width="52"' in text


@pytest.mark.parametrize(
    ("state", "told"), [("no_room", "plus de place"), ("damaged", "reçu abîmé trois fois")]
)
async def test_what_keeps_a_download_from_going_on_is_told(signed_in, desk, state, told):
    machines = MACHINES | {"Porte C": replace(MACHINES["Porte C"], fetch_state=state)}
    desk.fleet_gates = fleet_gates(machines)
    assert told in of_gate(await shown(signed_in), "Porte C")


async def test_how_old_that_knowledge_is_stands_beside_it(signed_in, desk):
    desk.fleet_gates = [
        replace(desk.fleet_gates[0], last_seen_ms=NOW_MS - 3 * 3_600_000),
        replace(desk.fleet_gates[1], last_seen_ms=None),
        replace(desk.fleet_gates[2], last_seen_ms=NOW_MS - 1000),
    ]
    text = await shown(signed_in)
    assert "il y a 3 h" in of_gate(text, "Porte A")
    assert "jamais" in of_gate(text, "Porte B")
    assert "à l’instant" in of_gate(text, "Porte C")


async def test_a_gate_that_came_back_says_why_in_its_own_words(signed_in, desk):
    desk.rollouts = ()
    desk.fleet_gates = fleet_gates({"Porte A": BACK})
    text = of_gate(await shown(signed_in), "Porte A")
    assert "revenue d’elle-même" in text
    assert "the gate was not ready within 300 s" in text
    assert "n’accepte plus : 0.2.0+5" in text


async def test_a_file_that_a_gate_refused_is_told_by_its_line(signed_in, desk):
    wrong = replace(
        BACK, provision="refused", provision_reason="line 3: <b>", firmware_s=1673458053
    )
    desk.rollouts = ()
    desk.fleet_gates = fleet_gates(
        {"Porte A": wrong, "Porte B": replace(BACK, provision="applied")}
    )
    text = await shown(signed_in)
    refused = of_gate(text, "Porte A")
    assert "son gate.toml a été refusé : <bdi>line 3: &lt;b&gt;</bdi>" in refused
    assert "chargeur de démarrage du 11 janv. 2023" in refused
    assert "refusé" not in of_gate(text, "Porte B")


async def test_what_a_machine_says_is_never_taken_for_the_page(signed_in, desk):
    hostile = "<script>alert(1)</script>{{ 7*7 }}"
    machine = replace(BACK, update_reason=hostile, version=hostile, blocked=(hostile,))
    desk.rollouts = ()
    desk.fleet_gates = fleet_gates({hostile: machine})
    text = await shown(signed_in)
    assert "<script>alert" not in text
    assert "49" not in text.partition("</nav>")[2].partition("SHA-256")[0]


async def test_a_rollout_shows_its_steps_and_how_many_run_it(signed_in):
    text = await shown(signed_in)
    assert '<li class="step step-now" aria-current="step">' in text
    assert "<strong>2</strong> sur 7 portes l’exécutent" in text
    assert "installe de 02:00 à 06:00" in text


async def test_a_halted_rollout_names_the_gate_and_says_why(signed_in, desk):
    desk.fleet_gates = fleet_gates(MACHINES | {"Porte F": BACK})
    text = await shown(signed_in)
    assert "arrêté de lui-même" in text
    assert "<bdi>Porte F</bdi> est revenue d’elle-même à sa version précédente." in text
    assert "Reprendre sans elle" in text
    assert "Approuver" not in text


async def test_a_performance_that_is_on_is_told(signed_in, desk):
    desk.busy = {"v1": NOW_MS}
    assert "Une représentation est en cours ou proche à Théâtre du Quai" in await shown(signed_in)


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        (RolloutState.RUNNING, {"approve", "pause", "abort"}),
        (RolloutState.PAUSED, {"resume", "abort"}),
        (RolloutState.HALTED, {"resume", "abort"}),
        (RolloutState.DONE, set()),
        (RolloutState.ABORTED, set()),
    ],
)
async def test_only_what_may_be_done_is_offered(signed_in, desk, state, buttons):
    desk.rollouts = (rollout(state=state),)
    text = await shown(signed_in)
    assert set(re.findall(r'action="/fleet/rollouts/ro1/(\w+)"', text)) == buttons


async def test_waiting_for_a_word_offers_to_give_it(signed_in, desk):
    desk.rollouts = (rollout(stage=0),)
    desk.fleet_gates = fleet_gates({"Porte A": NEW, "Porte B": NEW, "C": OLD, "D": OLD, "E": OLD})
    text = await shown(signed_in)
    assert "attend votre accord" in text
    assert "L’étape suivante en touche 1 de plus" in text


async def test_before_anything_works_nothing_can_be_approved(signed_in, desk):
    desk.fleet_gates = fleet_gates({"Porte A": OLD, "Porte B": OLD})
    assert "Approuver" not in await shown(signed_in)


def test_every_state_has_a_badge_and_words():
    words = set(CODES)
    for one in (*Progress, IDLE):
        assert KINDS[one][0]
        assert ("progress", str(one)) in words
    for state in RolloutState:
        assert STATE_KINDS[state][0]
        assert ("rollout", state.value) in words


# --- what is done -----------------------------------------------------------------------------


async def test_a_rollout_is_begun_as_the_form_says(signed_in, desk):
    status, goal = await signed_in.post("/fleet/rollouts", GOOD)
    assert (status, goal) == (303, "/fleet?done=started")
    plan = Plan(
        "0.2.0+5", None, ("g5", "g6"), (10, 50, 100), 12, is_automatic=True, night=Night(1410, 300)
    )
    assert desk.asked == [("rollout", plan)]
    _, text = await signed_in.get(goal)
    assert "Le déploiement a commencé" in text


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"canary": []}, "rollout-canary"),
        ({"steps": "many"}, "rollout-steps"),
        ({"steps": ""}, "rollout-steps"),
        ({"hours": "-1"}, "rollout-hours"),
        ({"hours": "9999"}, "rollout-hours"),
        ({"night_from": "2 h"}, "rollout-night_from"),
        ({"night_until": ""}, "rollout-night_from"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_begun(signed_in, desk, fields, wrong):
    status, text = await signed_in.post("/fleet/rollouts", GOOD | fields)
    assert status == 422
    assert f'<a href="#{wrong}">' in text
    assert f'id="{wrong}-error"' in text
    assert "<title>Erreur" in text
    assert desk.asked == []


async def test_what_the_service_refuses_is_told_in_words(signed_in, desk):
    desk.refusal = ConflictError("rollout_under_way", "in English")
    status, text = await signed_in.post("/fleet/rollouts", GOOD)
    assert status == 422
    assert "Un autre déploiement est encore en cours" in text
    desk.refusal = InvalidError("steps", "steps must rise")
    _, text = await signed_in.post("/fleet/rollouts", GOOD)
    assert 'id="rollout-steps-error"' in text


@pytest.mark.parametrize("action", ["approve", "pause", "resume", "abort"])
async def test_a_button_does_what_it_says(signed_in, desk, action):
    status, goal = await signed_in.post(f"/fleet/rollouts/ro1/{action}", {})
    assert (status, goal) == (303, f"/fleet?done={action}")
    assert desk.asked == [(action, "ro1")]
    _, text = await signed_in.get(goal)
    assert 'role="status"' in text


async def test_a_refused_button_says_why(signed_in, desk):
    desk.refusal = ConflictError("rollout_nobody_done", "in English")
    status, text = await signed_in.post("/fleet/rollouts/ro1/approve", {})
    assert status == 422
    assert "Aucune porte n’exécute encore la version" in text
    desk.refusal = NotFoundError("rollout")
    status, _ = await signed_in.post("/fleet/rollouts/ro9/approve", {})
    assert status == 404
    status, _ = await signed_in.post("/fleet/rollouts/ro1/explode", {})
    assert status == 404


# --- bundles ----------------------------------------------------------------------------------


def upload(browser, *, csrf=None, file=b"hsqs" + bytes(1_000_000), **fields):
    form = aiohttp.FormData()
    form.add_field("csrf", browser.csrf if csrf is None else csrf)
    known = {"version": "0.2.0+5", "compatible": "portillon-gate-debian-arm64", "note": "new"}
    for name, value in (known | fields).items():
        form.add_field(name, value)
    name = "gate.raucb" if file else ""  # as browsers send a file that nobody chose
    form.add_field("file", file, filename=name, content_type="application/octet-stream")
    return browser.client.post("/fleet/releases", data=form, allow_redirects=False)


async def test_a_bundle_is_handed_on_as_it_comes(signed_in, desk):
    async with upload(signed_in) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/fleet?done=released")
    assert desk.asked == [
        ("release", "0.2.0+5", "portillon-gate-debian-arm64", "new", 1_000_004),
    ]
    assert desk.received.startswith(b"hsqs")


async def test_an_upload_of_another_session_is_refused_before_its_file_is_read(signed_in, desk):
    async with upload(signed_in, csrf="forged") as answer:
        assert answer.status == 403
    assert desk.received == b""


async def test_without_a_file_the_form_says_so(signed_in, desk):
    async with upload(signed_in, file=b"") as answer:
        assert answer.status == 422
        text = await answer.text()
    assert 'id="release-file-error"' in text
    assert 'value="0.2.0+5"' in text


async def test_what_is_wrong_with_a_bundle_is_told_beside_its_field(signed_in, desk):
    desk.refusal = InvalidError("compatible", "must be known")
    async with upload(signed_in) as answer:
        assert answer.status == 422
        assert 'id="release-compatible-error"' in await answer.text()
    desk.refusal = ForbiddenError()
    async with upload(signed_in) as answer:
        assert answer.status in (403, 422)


async def test_fields_without_end_are_refused(signed_in, desk):
    async with upload(signed_in, note="x" * 9000) as answer:
        assert answer.status == 413
    assert desk.received == b""


async def test_a_bundle_is_withdrawn(signed_in, desk):
    status, goal = await signed_in.post("/fleet/releases/r1/withdraw", {})
    assert (status, goal) == (303, "/fleet?done=withdrawn")
    assert desk.asked == [("withdraw_release", "r1")]


async def test_a_withdrawn_bundle_cannot_be_rolled_out(signed_in, desk):
    desk.releases_kept = (replace(RELEASE, withdrawn_ms=NOW_MS),)
    text = await shown(signed_in)
    assert "retiré" in text
    assert '<select id="rollout-version"' not in text


async def test_only_who_may_add_bundles_sees_how(signed_in, desk):
    desk.may_add = False
    text = await shown(signed_in)
    assert "/fleet/releases" not in text
    assert "0.2.0+5" in text


# --- who ---------------------------------------------------------------------------------------


async def test_an_operator_sees_the_fleet_and_changes_nothing(browser, accounts, desk):
    await accounts.add_user(
        "organization-1", "sam@theatre.example", "correct horse battery", Role.OPERATOR, "Sam", "en"
    )
    await browser.sign_in("sam@theatre.example")
    text = await shown(browser)
    assert "Porte A" in text
    assert "<form" not in text.partition("<main")[2].partition("</main")[0]
    for path in ("/fleet/rollouts", "/fleet/rollouts/ro1/abort", "/fleet/releases/r1/withdraw"):
        status, _ = await browser.post(path, GOOD)
        assert status == 403, path
    assert desk.asked == []


async def test_nobody_sees_it_without_signing_in(browser):
    status, goal = await browser.get("/fleet")
    assert (status, goal) == (303, "/login?next=/fleet")
    assert fake_fleet.FakeFleet.received == b""
