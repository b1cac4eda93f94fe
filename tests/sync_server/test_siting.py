"""Site servers at the central server: who becomes one, what it is told, what it never gets."""

import aiohttp
import pytest

from admission.sync import codec
from admission.sync.messages import Moment
from admission.sync.request_signing import NONCE_HEADER, authorization
from admission.sync.site_messages import (
    Join,
    Joined,
    Roster,
)
from admission.trust.keys import public_key, sign
from admission.trust.root import root_digest
from sync_server.siting import site_check_string

KEY = b"s" * 32
PIN = b"p" * 32
SENT = Moment(1_780_000_000_000, 1000, b"b" * 16)


class TrialSite:
    """A site's key, and the requests that it would make."""

    def __init__(self, address, secret=KEY):
        self.address, self.secret = address, secret
        self.id, self.nonce, self.counter = "", "", 0

    async def join(self, code, pins=(PIN,)):
        message = Join(code, public_key(self.secret), list(pins), ["https://10.0.0.9:8443"])
        url = self.address + "/sync/v1/site/enrolments"
        async with aiohttp.request("POST", url, data=codec.encode(message)) as response:
            if response.status != 200:
                return response.status
            answer = codec.decode(await response.read(), Joined)
        self.id = answer.site
        return answer

    def headers(self, method, target, body=b""):
        self.counter += 1
        signed = authorization(
            lambda text: sign(self.secret, text),
            method, target, body, self.id, self.nonce, self.counter,
        )  # fmt: skip
        return {"Authorization": signed}

    async def ask(self, target, method="GET", body=b"", headers=None):
        for _ in range(2):
            signed = self.headers(method, target, body) | (headers or {})
            async with aiohttp.request(
                method, self.address + target, data=body or None, headers=signed
            ) as response:
                if response.status == 401:
                    self.nonce = response.headers[NONCE_HEADER]
                    continue
                return response.status, await response.read()
        raise AssertionError("refused twice")

    async def roster(self):
        status, raw = await self.ask("/sync/v1/site/roster")
        assert status == 200
        return codec.decode(raw, Roster)


@pytest.fixture
async def house(operator):
    """A published performance at a hall with a gate, another venue with one, and a site."""
    operator.hall = await operator.made("venues", name="Hall", timezone="Europe/Paris")
    far = await operator.made("venues", name="Far away", timezone="Europe/Paris")
    event = await operator.made("events", venue_id=operator.hall, name="Show")
    operator.performance = await operator.made("performances", event_id=event, name="Tonight")
    operator.checkpoint = await operator.made(
        "checkpoints", venue_id=operator.hall, name="North", performances=[operator.performance]
    )
    elsewhere = await operator.made("checkpoints", venue_id=far, name="South", performances=[])
    await operator.call(
        "POST", f"performances/{operator.performance}/imports", data=b"number\nA1\n"
    )
    await operator.call("POST", f"performances/{operator.performance}/publish")
    operator.gate = await operator.made(
        "gates", checkpoint_id=operator.checkpoint, name="A", direction="entry"
    )
    operator.far_gate = await operator.made(
        "gates", checkpoint_id=elsewhere, name="F", direction="entry"
    )
    operator.site_id = await operator.made("sites", venue_id=operator.hall, name="Box")
    return operator


async def code_of(house):
    status, made, _ = await house.call("POST", f"sites/{house.site_id}/enrolment-code")
    assert status == 201
    return made["code"]


@pytest.fixture
async def site(house):
    joined = TrialSite(house.address)
    assert isinstance(await joined.join(await code_of(house)), Joined)
    return joined


async def test_a_machine_with_the_code_becomes_the_site_and_both_show_the_same_digits(house):
    site, code = TrialSite(house.address), await code_of(house)
    answer = await site.join(code)
    digest = bytes.fromhex(root_digest(answer.root))
    assert (answer.site, answer.name, answer.venue) == (house.site_id, "Box", "Hall")
    assert answer.check == site_check_string(public_key(KEY), [PIN], digest, b"")
    _, (line,), _ = await house.call("GET", "sites")
    assert line["joined"]
    assert line["check_string"] == answer.check
    assert line["pins"] == [PIN.hex()]
    assert await TrialSite(house.address, b"t" * 32).join(code) == 403  # good once
    assert await TrialSite(house.address, b"t" * 32).join("AAAA-BBBB-CCCC-DDDD") == 403


async def test_a_gates_code_makes_no_site_and_a_sites_code_no_gate(house):
    _, made, _ = await house.call("POST", f"gates/{house.gate}/enrolment-code")
    assert await TrialSite(house.address).join(made["code"]) == 403


async def test_a_site_is_told_of_the_gates_of_its_venue_and_of_no_other(house, site):
    roster = await site.roster()
    assert (roster.venue_name, roster.name) == ("Hall", "Box")
    assert [gate.id for gate in roster.gates] == [house.gate]
    assert [one.name for one in roster.checkpoints] == ["North"]
    for kind in ("status", "assignment"):
        status, _ = await site.ask(f"/sync/v1/site/gates/{house.far_gate}/{kind}")
        assert status == 404


async def test_a_gate_that_is_not_enrolled_gets_nothing_through_a_site(house, site):
    for kind in ("status", "assignment", f"performances/{house.performance}/key"):
        status, _ = await site.ask(f"/sync/v1/site/gates/{house.gate}/{kind}")
        assert status == 404


async def test_a_site_that_was_revoked_gets_nothing_and_its_pins_are_gone(house, site):
    await house.call("POST", f"sites/{house.site_id}/revoke")
    status, words = await site.ask("/sync/v1/site/roster")
    assert (status, words) == (403, b"this site was revoked")
    _, (line,), _ = await house.call("GET", "sites")
    assert line["revoked"]
    assert line["pins"] == []


async def test_nobody_but_the_site_is_heard(house, site):
    other = TrialSite(house.address, b"o" * 32)
    other.id = site.id
    with pytest.raises(AssertionError, match="refused twice"):
        await other.ask("/sync/v1/site/roster")
    other.id = "nobody"
    assert (await other.ask("/sync/v1/site/roster"))[0] == 403


async def test_a_venue_has_three_sites_at_the_most(house):
    for name in ("B", "C"):
        await house.made("sites", venue_id=house.hall, name=name)
    status, document, _ = await house.call(
        "POST", "sites", json={"venue_id": house.hall, "name": "D"}
    )
    assert (status, document["error"]["code"]) == (409, "too_many_sites")
    await house.call("POST", f"sites/{house.site_id}/revoke")
    assert await house.made("sites", venue_id=house.hall, name="D")


async def test_a_site_without_a_name_or_of_an_unknown_venue_is_not_made(house):
    for fields, expected in (
        ({"venue_id": house.hall, "name": " "}, 422),
        ({"venue_id": "nowhere", "name": "Box"}, 404),
    ):
        status, _, _ = await house.call("POST", "sites", json=fields)
        assert status == expected


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/sync/v1/site/roots/1", 200),
        ("/sync/v1/site/roots/9", 404),
        ("/sync/v1/site/roots/x", 400),
        ("/sync/v1/site/feed/nothing", 404),
        ("/sync/v1/site/gates/nobody/status", 404),
    ],
)
async def test_what_is_not_there_is_not_found(site, target, status):
    assert (await site.ask(target))[0] == status
