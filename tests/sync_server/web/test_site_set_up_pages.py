"""The venue's page: its site servers, their joining codes, and who may touch them."""

from dataclasses import replace

import pytest


@pytest.fixture
async def signed_in(browser, lea):
    await browser.sign_in()
    return browser


async def test_a_site_server_is_made_and_then_asks_for_its_joining_code(signed_in, desk):
    status, goal = await signed_in.post("/set-up/venues/v1/sites", {"name": "Régie"})
    assert (status, goal) == (303, "/set-up/venues/v1?done=site")
    assert desk.asked == [("site", "v1", "Régie")]
    _, text = await signed_in.get("/set-up/venues/v1?done=site")
    assert "Le serveur de site a été créé" in text
    assert "non raccordé" in text


async def test_a_site_server_without_a_name_is_not_made(signed_in, desk):
    status, text = await signed_in.post("/set-up/venues/v1/sites", {"name": " "})
    assert status == 422
    assert 'href="#site-name"' in text
    assert desk.asked == []


async def test_a_joining_code_is_shown_with_the_command_to_run_and_nowhere_else(signed_in, desk):
    status, text = await signed_in.post("/set-up/venues/v1/sites/s1/code", {})
    assert status == 200
    assert "portillon server join --upstream" in text
    assert "portillon gate enrol" not in text
    assert desk.asked == [("site_code", "s1")]
    _, text = await signed_in.get("/set-up/venues/v1")
    assert "ABCD-EFGH" not in text


async def test_a_site_server_that_has_joined_shows_its_digits_and_can_be_revoked(signed_in, desk):
    joined = replace(
        desk.site_servers[0],
        public_key=b"k" * 32,
        joined_ms=1,
        last_seen_ms=1_780_000_000_000,
        last_status={"queue": 12, "faults": [], "software": "1"},
    )
    desk.site_servers = [joined]
    _, text = await signed_in.get("/set-up/venues/v1")
    assert "305 811" in text
    assert "12 enregistrements à transmettre" in text
    status, goal = await signed_in.post("/set-up/venues/v1/sites/s1/revoke", {})
    assert (status, goal) == (303, "/set-up/venues/v1?done=parted")
    assert desk.asked == [("site_revoked", "s1")]


@pytest.mark.parametrize("what", ["code", "revoke"])
async def test_a_site_server_of_another_venue_is_not_there(signed_in, desk, what):
    status, _ = await signed_in.post(f"/set-up/venues/v1/sites/s9/{what}", {})
    assert status == 404
    assert desk.asked == []
