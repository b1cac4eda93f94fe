"""Programs say whose signed tickets count, block numbers, issue tickets, take rotating codes."""

import csv

import pytest

import pretix_tokens
from admission.proof.compact import read_ticket

PATTERN = "{number}-{totp_timestamp_seconds}-{totp_value_0}"


@pytest.fixture
async def performance(operator):
    venue = await operator.made("venues", name="Hall", timezone="Europe/Paris")
    event = await operator.made("events", venue_id=venue, name="Show")
    return await operator.made("performances", event_id=event, name="Sunday")


async def _ask(operator, method, performance, path, **options):
    status, document, _ = await operator.call(
        method, f"performances/{performance}/{path}", **options
    )
    return status, document


async def test_a_program_accepts_pretixs_tickets_and_withdraws_that(operator, performance):
    body = {
        "format": "pretix_sig1",
        "public_key": pretix_tokens.DEMO_KEY,
        "classes": ["1;standard;single", "1/2;vip;multi;3"],
        "subevents": ["14"],
    }
    status, made = await _ask(operator, "POST", performance, "issuers", json=body)
    assert status == 201
    _, shown = await _ask(operator, "GET", performance, "proving")
    (issuer,) = shown["issuers"]
    assert issuer["id"] == made["id"]
    assert issuer["public_key"].startswith("ec00fbfef140df71")
    assert (issuer["subevents"], issuer["accepted"]) == ([14], True)
    assert [one["variation"] for one in issuer["classes"]] == [None, 2]
    status, _ = await _ask(operator, "DELETE", performance, f"issuers/{made['id']}")
    assert status == 200
    _, shown = await _ask(operator, "GET", performance, "proving")
    assert not shown["issuers"][0]["accepted"]


async def test_a_program_issues_tickets(operator, performance):
    own = {"format": "portillon_1", "classes": ["7;standard;single"]}
    assert (await _ask(operator, "POST", performance, "issuers", json=own))[0] == 201
    body = {"class_code": 7, "count": 2, "valid_until": "2030-01-01T00:00:00+00:00"}
    status, issued = await _ask(operator, "POST", performance, "signed-tickets", json=body)
    assert status == 201
    for one in issued["tickets"]:
        assert read_ticket(one["text"]).ticket.number == one["number"]
    status, refused = await _ask(
        operator, "POST", performance, "signed-tickets", json={"class_code": 8}
    )
    assert (status, refused["error"]["code"]) == (409, "not_accepted")
    status, _ = await _ask(operator, "POST", performance, "signed-tickets", json={})
    assert status == 422


async def test_a_program_blocks_and_releases_numbers(operator, performance):
    data = "\ufeffB1\r\nB2\r\n".encode()
    status, done = await _ask(operator, "POST", performance, "blocked", data=data)
    assert (status, done) == (200, {"changed": 2, "listed": 0})
    release = "blocked?action=release"
    assert (await _ask(operator, "POST", performance, release, data=b"B1"))[1]["changed"] == 1
    assert (await _ask(operator, "GET", performance, "proving"))[1]["blocked"] == 1
    assert (await _ask(operator, "POST", performance, "blocked", data=b"\xff"))[0] == 422
    assert (await _ask(operator, "POST", performance, "blocked?action=x", data=b""))[0] == 422


async def test_a_program_takes_the_keys_of_rotating_codes(operator, performance):
    await _ask(operator, "POST", performance, "imports", data=b"number\nA1\n")
    body = {"pattern": PATTERN, "period_ms": 30000, "lengths": ["8"], "allows_static": True}
    assert (await _ask(operator, "PUT", performance, "rotation", json=body))[0] == 200
    _, shown = await _ask(operator, "GET", performance, "proving")
    assert shown["rotation"] == body | {"lengths": [8]}
    url = f"{operator.address}/api/v1/performances/{performance}/rotation/export"
    headers = {"X-CSRF-Token": operator.csrf}
    async with operator.session.post(url, headers=headers) as response:
        (row,) = csv.DictReader((await response.text()).splitlines())
        assert response.headers["Cache-Control"] == "no-store"
    assert row["value_pattern"] == PATTERN.replace("{number}", "A1")
    assert len(bytes.fromhex(row["key_0"])) == 20
    async with operator.session.post(url) as response:
        assert response.status == 403
    assert (await _ask(operator, "DELETE", performance, "rotation"))[0] == 200
    assert (await _ask(operator, "GET", performance, "proving"))[1]["rotation"] is None


@pytest.mark.parametrize(
    "change", [{"pattern": "{number}"}, {"period_ms": 5}, {"lengths": ["x"]}, {"period_ms": None}]
)
async def test_rotating_codes_that_cannot_be_are_refused(operator, performance, change):
    body = {"pattern": PATTERN, "period_ms": 30000, "lengths": ["8"], "allows_static": False}
    status, _ = await _ask(operator, "PUT", performance, "rotation", json=body | change)
    assert status == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "proving"),
        ("POST", "issuers"),
        ("DELETE", "issuers/x"),
        ("PUT", "rotation"),
        ("DELETE", "rotation"),
        ("POST", "rotation/export"),
        ("POST", "blocked"),
        ("POST", "signed-tickets"),
    ],
)
async def test_nobody_asks_without_a_login(client, method, path):
    status, _, _ = await client.call(method, f"performances/x/{path}", json={})
    assert status == 401
