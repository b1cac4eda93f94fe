"""The page of tickets without a list: issuers, rotating codes, blocked numbers."""

from dataclasses import replace

import pytest

from admission.proof.proving import ClassCode, Issuer, IssuerFormat
from admission.proof.rotation import Rotation
from admission.ticket import Single, TicketClass
from sync_server.account_ports import Role
from sync_server.errors import ConflictError, InvalidError, NotFoundError
from sync_server.proving_ports import KnownIssuer

PAGE = "/performances/p1/proving"
PATTERN = "{number}-{totp_timestamp_seconds}-{totp_value_0}"
ISSUER = Issuer(
    IssuerFormat.PRETIX,
    b"\xab" * 32,
    {
        ClassCode(17): TicketClass("<b>vip</b>", Single()),
        ClassCode(18, 4): TicketClass("s", Single()),
    },
    frozenset({15, 14}),
)


@pytest.fixture
async def signed_in(browser, lea):
    await browser.sign_in()
    return browser


def _known(**changes):
    return replace(KnownIssuer("i1", "p1", ISSUER, True, 1_790_000_000_000), **changes)


async def test_the_page_of_a_performance_leads_there(signed_in):
    _, text = await signed_in.get("/performances/p1")
    assert f'href="{PAGE}"' in text
    status, text = await signed_in.get(PAGE)
    assert status == 200
    assert "Aucune signature ne compte" in text


async def test_issuers_are_shown_with_what_their_codes_mean(signed_in, desk):
    withdrawn = _known(id="i2", accepted=False, issuer=replace(ISSUER, subevents=None))
    desk.accepted = replace(desk.accepted, issuers=(_known(), withdrawn), blocked=3)
    _, text = await signed_in.get(PAGE)
    assert "abababababababab" in text
    assert "&lt;b&gt;vip&lt;/b&gt;" in text
    assert "18/4" in text
    assert "14, 15" in text
    assert text.count("/withdraw") == 1
    assert "3 numéros absents des listes sont bloqués." in text


async def test_an_issuer_is_added(signed_in, desk):
    fields = {
        "format": "pretix_sig1",
        "public_key": " LS0t ",
        "classes": "17;standard;single\r\n18;vip;single",
        "subevents": "14, 15",
    }
    status, goal = await signed_in.post(PAGE + "/issuers", fields)
    assert (status, goal) == (303, PAGE + "?done=issuer")
    lines = ["17;standard;single", "18;vip;single"]
    assert desk.asked == [("issuer", "p1", IssuerFormat.PRETIX, "LS0t", lines, ["14", "15"])]
    _, text = await signed_in.get(goal)
    assert "L’émetteur est ajouté" in text


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [({"format": "x", "classes": "1;a;single"}, "format"), ({"format": "portillon_1"}, "classes")],
)
async def test_an_issuer_without_what_it_needs_is_not_added(signed_in, desk, fields, wrong):
    status, text = await signed_in.post(PAGE + "/issuers", fields)
    assert status == 422
    assert f'<a href="#issuer-{wrong}">' in text
    assert desk.asked == []


async def test_a_refusal_stands_beside_its_field_and_what_was_typed_stays(signed_in, desk):
    desk.refusal = InvalidError("classes", "line 1 is not code;category;rule")
    fields = {"format": "portillon_1", "classes": "</textarea><script>"}
    status, text = await signed_in.post(PAGE + "/issuers", fields)
    assert status == 422
    assert 'id="issuer-classes-error"' in text
    assert "&lt;/textarea&gt;&lt;script&gt;" in text
    desk.refusal = ConflictError("too_many_issuers", "…")
    _, text = await signed_in.post(PAGE + "/issuers", fields)
    assert "16 émetteurs au plus" in text


async def test_an_issuer_is_withdrawn(signed_in, desk):
    status, goal = await signed_in.post(PAGE + "/issuers/i1/withdraw", {})
    assert (status, goal) == (303, PAGE + "?done=withdrawn")
    assert desk.asked == [("withdraw", "p1", "i1")]


async def test_rotating_codes_are_switched_on_and_off(signed_in, desk):
    fields = {"on": "yes", "pattern": PATTERN, "period_s": "30", "lengths": "8"}
    status, goal = await signed_in.post(PAGE + "/rotation", fields)
    assert (status, goal) == (303, PAGE + "?done=rotation")
    status, goal = await signed_in.post(PAGE + "/rotation", fields | {"on": ""})
    assert goal == PAGE + "?done=no_rotation"
    rotation = Rotation(PATTERN, 30_000, (8,))
    assert desk.asked == [("rotation", "p1", rotation), ("rotation", "p1", None)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"pattern": "{number}"}, "pattern"),
        ({"period_s": ""}, "lengths"),
        ({"lengths": "x"}, "lengths"),
    ],
)
async def test_rotating_codes_that_cannot_be_are_refused(signed_in, desk, change, field):
    fields = {"on": "yes", "pattern": PATTERN, "period_s": "30", "lengths": "8"} | change
    status, text = await signed_in.post(PAGE + "/rotation", fields)
    assert status == 422
    assert f'<a href="#rotation-{field}">' in text
    assert desk.asked == []


async def test_the_keys_are_taken_as_a_file(signed_in, desk):
    desk.accepted = replace(desk.accepted, rotation=Rotation(PATTERN, 30_000, (8,)))
    _, text = await signed_in.get(PAGE)
    assert "/rotation/export" in text
    status, text = await signed_in.post(PAGE + "/rotation/export", {})
    assert (status, text.splitlines()[0]) == (200, "number,key_0")
    desk.refusal = ConflictError("no_rotation", "…")
    status, text = await signed_in.post(PAGE + "/rotation/export", {})
    assert status == 422
    assert "pas de codes tournants" in text


@pytest.mark.parametrize(("action", "blocked"), [("block", True), ("release", False)])
async def test_numbers_are_blocked_and_released(signed_in, desk, action, blocked):
    fields = {"numbers": "A1\r\nA2", "action": action}
    status, _ = await signed_in.post(PAGE + "/blocked", fields)
    assert status == 303
    assert desk.asked == [("block", "p1", ["A1", "A2"], blocked)]


async def test_no_number_is_nothing_to_block(signed_in, desk):
    status, text = await signed_in.post(PAGE + "/blocked", {"numbers": " "})
    assert status == 422
    assert 'href="#block-numbers"' in text


@pytest.mark.parametrize("path", ["", "/issuers", "/rotation", "/rotation/export", "/blocked"])
async def test_what_is_out_of_reach_is_not_there(signed_in, desk, path):
    desk.refusal = NotFoundError("performance")
    where = PAGE.replace("p1", "p9") + path
    fields = {"format": "portillon_1", "classes": "1;a;single", "numbers": "A1"}
    answer = await (signed_in.post(where, fields) if path else signed_in.get(where))
    assert answer[0] == 404


async def test_who_may_not_set_up_sees_and_blocks_only(browser, accounts, desk):
    await accounts.add_user(
        "organization-1", "bob@theatre.example", "correct horse battery", Role.OPERATOR, "Bob", "fr"
    )
    await browser.sign_in("bob@theatre.example")
    desk.accepted = replace(desk.accepted, issuers=(_known(),))
    _, text = await browser.get(PAGE)
    assert "/withdraw" not in text
    assert "/rotation" not in text
    assert (await browser.post(PAGE + "/issuers/i1/withdraw", {}))[0] == 403
    assert (await browser.post(PAGE + "/rotation/export", {}))[0] == 403
    assert (await browser.post(PAGE + "/blocked", {"numbers": "A1"}))[0] == 303
