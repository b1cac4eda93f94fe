"""The operators' JSON API over a real server: what programs send, get, and are refused."""

import asyncio
import json
from dataclasses import replace

import pytest

from sync_server import main
from sync_server.config import ServerConfig
from sync_server.password_hashing import Argon2id
from sync_server.web import live_events, public_api
from sync_server.web.back_office import live_board

LOGIN = "anna"


@pytest.fixture
async def house(operator):
    """A venue with one of everything."""
    ids = {"venue": await operator.made("venues", name="Hall", timezone="Europe/Paris")}
    ids["event"] = await operator.made("events", venue_id=ids["venue"], name="Show")
    ids["performance"] = await operator.made(
        "performances",
        event_id=ids["event"],
        name="Tonight",
        starts_at="2026-11-22T20:30:00+01:00",
    )
    ids["checkpoint"] = await operator.made(
        "checkpoints",
        venue_id=ids["venue"],
        name="North",
        performances=[ids["performance"]],
        capacity=5,
    )
    ids["gate"] = await operator.made(
        "gates", checkpoint_id=ids["checkpoint"], name="Gate A", direction="entry"
    )
    return ids


async def test_what_was_set_up_is_listed(operator, house):
    _, venues, _ = await operator.call("GET", "venues")
    assert [one["name"] for one in venues] == ["Hall"]
    _, (performance,), _ = await operator.call("GET", "performances")
    assert performance == {
        "id": house["performance"],
        "event_id": house["event"],
        "name": "Tonight",
        "starts_at": "2026-11-22T19:30:00+00:00",
        "timezone": "Europe/Paris",
        "day_starts_at": "00:00",
        "excluded_categories": [],
        "admits_from": None,
        "admits_until": None,
        "canceled": False,
        "gate_fields": ["zone", "row", "seat", "entrance", "attention"],
        "published_version": 0,
        "guessability": None,
        "key_storage": "sealed",
        "key_storage_in_force": "sealed",
    }
    _, (checkpoint,), _ = await operator.call("GET", "checkpoints")
    assert (checkpoint["capacity"], checkpoint["allowed_categories"]) == (5, None)
    _, (gate,), _ = await operator.call("GET", "gates")
    assert (gate["direction"], gate["exit_policy"], gate["enrolled"]) == ("entry", "listed", False)
    for kind in ("organizations", "events"):
        _, things, _ = await operator.call("GET", kind)
        assert len(things) == 1


async def test_tickets_are_imported_and_published(operator, house):
    path = f"performances/{house['performance']}"
    query = "source=box&filename=a.csv&mode=add"
    status, report, _ = await operator.call(
        "POST", f"{path}/imports?{query}", data=b"number;status\nA1;\nA2;perdu\nA1;\n"
    )
    assert status == 200
    assert (report["rows"], report["added"], report["refused"], report["conflicts"]) == (3, 1, 1, 1)
    assert [(one["line"], one["code"]) for one in report["problems"]] == [
        (3, "status_unknown"),
        (4, "number_repeated"),
    ]
    assert await _version(operator, path) == 1
    assert await _version(operator, path) == 2


async def _version(operator, path):
    status, document, _ = await operator.call("POST", f"{path}/publish")
    assert status == 200
    return document["version"]


async def test_a_refused_file_names_the_line(operator, house):
    path = f"performances/{house['performance']}/imports"
    status, document, _ = await operator.call("POST", path, data=b'number;x\nA1;"cut')
    assert status == 422
    assert (document["error"]["code"], document["error"]["line"]) == ("cut_off", 2)
    status, document, _ = await operator.call("POST", f"{path}?mode=merge", data=b"number\nA1\n")
    assert (status, document["error"]["field"]) == (422, "mode")


async def test_a_file_over_the_bound_is_not_read_to_its_end(operator, house, monkeypatch):
    monkeypatch.setattr(public_api, "TICKET_FILE_BYTES_MAX", 1000)
    path = f"performances/{house['performance']}/imports"
    status, document, _ = await operator.call("POST", path, data=b"number\n" + b"1\n" * 1000)
    assert (status, document["error"]["code"]) == (413, "too_large")


async def test_one_ticket_is_blocked_and_reset(operator, house):
    path = f"performances/{house['performance']}"
    await operator.call("POST", f"{path}/imports", data=b"number\nA1\n")
    body = {"number": "A1", "state": "blocked"}
    assert (await operator.call("POST", f"{path}/tickets/state", json=body))[1] == {"changed": True}
    assert (await operator.call("POST", f"{path}/tickets/state", json=body))[1] == {
        "changed": False
    }
    status, document, _ = await operator.call(
        "POST", f"{path}/tickets/state", json=body | {"state": "lost"}
    )
    assert (status, document["error"]["field"]) == (422, "state")
    body = {"number": "A1", "performance": house["performance"], "reason": "mistake"}
    status, _, _ = await operator.call(
        "POST", f"checkpoints/{house['checkpoint']}/resets", json=body
    )
    assert status == 200


async def test_a_performance_and_a_checkpoint_are_changed_field_by_field(operator, house):
    path = f"performances/{house['performance']}"
    change = {"excluded_categories": ["press"], "admits_from": "2026-11-22T18:00:00+01:00"}
    status, document, _ = await operator.call("PATCH", path, json=change)
    assert status == 200
    assert document["admits_from"] == "2026-11-22T17:00:00+00:00"
    _, document, _ = await operator.call("PATCH", path, json={"admits_from": None})
    assert (document["admits_from"], document["excluded_categories"]) == (None, ["press"])
    place = f"checkpoints/{house['checkpoint']}"
    _, document, _ = await operator.call("PATCH", place, json={"capacity": None})
    assert (document["capacity"], document["performances"]) == (None, [house["performance"]])


async def test_a_code_is_made_and_a_gate_is_moved_and_revoked(operator, house):
    path = f"gates/{house['gate']}"
    status, document, _ = await operator.call("POST", f"{path}/enrolment-code")
    assert (status, len(document["code"])) == (200, 19)
    south = await operator.made("checkpoints", venue_id=house["venue"], name="South")
    assert (await operator.call("PATCH", path, json={"checkpoint_id": south}))[0] == 200
    assert (await operator.call("POST", f"{path}/revoke"))[0] == 200
    _, (gate,), _ = await operator.call("GET", "gates")
    assert (gate["checkpoint_id"], gate["revoked"]) == (south, True)


async def test_the_reports_have_the_shape_that_programs_rely_on(operator, house):
    _, report, _ = await operator.call("GET", "report")
    assert report == {
        "anomalies": [],
        "occupancy": {house["checkpoint"]: 0},
        "attendance": {house["performance"]: 0},
    }
    _, live, _ = await operator.call("GET", "live")
    assert live["gates"][0]["state"] == "never"
    assert live["performances"][0]["status"] == "draft"
    assert len(live["entries_per_minute"]) == 60


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "live"),
        ("GET", "report"),
        ("GET", "live/events"),
        ("GET", "venues"),
        ("POST", "venues"),
        ("POST", "logout"),
        ("POST", "performances/x/publish"),
        ("POST", "performances/x/imports"),
        ("POST", "gates/x/enrolment-code"),
        ("PATCH", "performances/x"),
    ],
)
async def test_nothing_is_answered_without_a_session(client, method, path):
    status, document, _ = await client.call(method, path)
    assert (status, document["error"]["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize("csrf", ["", "made up"])
async def test_nothing_is_changed_without_the_sessions_token(operator, csrf):
    body = {"name": "x", "timezone": "Europe/Paris"}
    status, document, _ = await operator.call("POST", "venues", json=body, csrf=csrf)
    assert (status, document["error"]["code"]) == (403, "csrf")
    assert (await operator.call("GET", "venues"))[1] == []


async def test_a_wrong_password_is_refused_and_many_are_locked_out(client):
    body = {"login": LOGIN, "password": "wrong wrong wrong"}
    for _ in range(5):
        status, document, _ = await client.call("POST", "login", json=body)
        assert (status, document["error"]["code"]) == (401, "login_refused")
    status, document, headers = await client.call("POST", "login", json=body)
    assert (status, document["error"]["code"]) == (429, "locked_out")
    assert int(headers["Retry-After"]) >= 1


async def test_signing_out_ends_the_session(operator):
    assert (await operator.call("POST", "logout"))[0] == 200
    assert (await operator.call("GET", "live"))[0] == 401


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "not_json"),
        (b"[1]", 400, "not_json"),
        (b"\xff", 400, "not_json"),
        (b"[" * 100_000, 400, "not_json"),
        (b'{"name": "' + b"x" * 300_000 + b'"}', 413, "too_large"),
        (b"{}", 422, "invalid"),
        (b'{"name": 5, "timezone": "Europe/Paris"}', 422, "invalid"),
        (b'{"name": "x", "timezone": "Mars"}', 422, "invalid"),
        (b'{"name": "x", "timezone": "Europe/Paris", "tz": 1}', 422, "invalid"),
        (b'{"name": "x", "timezone": "Europe/Paris", "organization_id": "no"}', 422, "invalid"),
    ],
)
async def test_a_body_that_cannot_be_is_refused(operator, body, status, code):
    got, document, _ = await operator.call("POST", "venues", data=body)
    assert (got, document["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"admits_from": "tomorrow"}, "admits_from"),
        ({"admits_from": "2026-11-22T18:00:00"}, "admits_from"),
        ({"admits_from": 5}, "admits_from"),
        ({"canceled": 1}, "canceled"),
        ({"excluded_categories": "press"}, "excluded_categories"),
        ({"excluded_categories": [1]}, "excluded_categories"),
        ({"timezone": "Europe/Paris"}, "timezone"),
        ({"list_key": "x"}, "list_key"),
    ],
)
async def test_a_wrong_field_is_named(operator, house, change, field):
    path = f"performances/{house['performance']}"
    status, document, _ = await operator.call("PATCH", path, json=change)
    assert (status, document["error"]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nothing", 404),
        ("DELETE", "venues", 405),
        ("POST", "performances/no/publish", 404),
        ("POST", "gates/no/enrolment-code", 404),
    ],
)
async def test_what_is_not_there_is_said_in_json(operator, method, path, status):
    got, document, _ = await operator.call(method, path)
    assert got == status
    assert document["error"]["message"]


async def test_the_report_is_sent_as_it_changes_and_ends_with_the_session(
    operator, house, monkeypatch
):
    monkeypatch.setattr(live_events, "GAP_S", 0.0)
    monkeypatch.setattr(live_board, "REPORT_AGE_S_MAX", -1.0)
    url = f"{operator.address}/api/v1/live/events"
    async with operator.session.get(url) as stream, asyncio.timeout(20):
        assert stream.content_type == "text/event-stream"
        assert [one["name"] for one in (await _event(stream, "live"))["gates"]] == ["Gate A"]
        await operator.made(
            "gates", checkpoint_id=house["checkpoint"], name="Gate B", direction="exit"
        )
        assert [one["name"] for one in (await _event(stream, "live"))["gates"]] == [
            "Gate A",
            "Gate B",
        ]
        await operator.call("POST", "logout")
        assert await _event(stream, "ended") == {}
        assert await stream.content.read() == b""


def test_two_reports_stand_further_apart_than_one_is_kept():
    assert live_events.GAP_S > live_board.REPORT_AGE_S_MAX


async def _event(stream, name):
    lines = []
    while (line := await stream.content.readline()) not in (b"\n", b""):
        lines.append(line.decode().rstrip("\n"))
    assert lines[0] == f"event: {name}"
    return json.loads(lines[1].removeprefix("data: "))


async def test_setting_up_twice_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(main, "Argon2id", lambda: Argon2id(memory_kib=64, passes=1))
    data = tmp_path / "deep" / "server"
    assert await main.init_server(data, LOGIN)
    before = {path.name: path.read_bytes() for path in data.rglob("*.key")}
    assert await main.init_server(data, "bob") is None
    assert {p.name: p.read_bytes() for p in data.rglob("*.key")} == before
    for path in data.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert data.stat().st_mode & 0o077 == 0


async def test_a_lost_key_that_gates_trust_is_not_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(main, "Argon2id", lambda: Argon2id(memory_kib=64, passes=1))
    await main.init_server(tmp_path, LOGIN)
    next((tmp_path / main.KEYS).glob("status-*.key")).unlink()
    with pytest.raises(main.ConfigError, match="gates trust them; bring them back from a backup"):
        await main.init_server(tmp_path, LOGIN)


async def test_a_port_that_is_taken_is_said_to_be(client, tmp_path):
    port = int(client.address.rpartition(":")[2])
    config = replace(ServerConfig(tmp_path), port=port)
    with pytest.raises(main.ConfigError, match=f"127.0.0.1:{port} cannot be had"):
        async with main.serving(config):
            pass


async def test_a_gate_is_given_other_policies_and_keeps_what_is_not_named(operator, house):
    path = f"gates/{house['gate']}"
    status, _, _ = await operator.call("PATCH", path, json={"clock_policy": "refuse"})
    assert status == 200
    _, (gate,), _ = await operator.call("GET", "gates")
    assert (gate["clock_policy"], gate["exit_policy"]) == ("refuse", "listed")
    assert gate["checkpoint_id"] == house["checkpoint"]
    status, problem, _ = await operator.call("PATCH", path, json={"clock_policy": "guess"})
    assert (status, problem["error"]["field"]) == (422, "clock_policy")
