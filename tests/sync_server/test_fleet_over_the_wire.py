"""Updates at a real server over real sockets: bundles in, offers and parts of bundles out."""

import hashlib
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from admission.errors import SignatureError
from admission.sync.machine_messages import Machine
from admission.sync.messages import Moment, Status, Subscribe
from admission.sync.update_offer import accept_offer
from admission.trust.root import Role, signers
from appliance.errors import LinkAnswerError, LinkError
from sync_server import main
from sync_server.account_ports import Role as AccountRole
from sync_server.web.ranges import read_range
from trial_gates import furnish

KIND = "portillon-gate-debian-arm64"
BUNDLE = b"hsqs" + bytes(range(256)) * 2000
SHA256 = hashlib.sha256(BUNDLE).hexdigest()
OLD = Machine(version="0.1.0", slot="a", compatible=KIND, update="idle")


@pytest.fixture
async def house(operator):
    """A release for two enrolled gates, both of which run something older."""
    house = await furnish(operator)
    for gate in house.gates:
        await say(house, gate, OLD)
    house.release = await add(house, "0.2.0")
    return house


async def say(house, gate, machine):
    """Have a gate tell the server what it runs, and wait until that is written down."""
    now = Moment(1_780_000_000_000, 1000, b"b" * 16)
    async with gate.link() as link, link.live() as connection:
        await connection.send(Subscribe({}))
        await connection.send(Status("connected", [], 0, {}, now, machine=machine))
        while True:
            _, document, _ = await house.call("GET", "fleet")
            known = {one["id"]: one["machine"] for one in document["gates"]}[gate.id]
            if known and (known["version"], known["update"]) == (machine.version, machine.update):
                return


async def add(house, version, data=BUNDLE, compatible=KIND):
    path = f"releases?version={version}&compatible={compatible}"
    status, document, _ = await house.call("POST", path, data=data)
    assert status == 201, document
    return document


async def start(house, *canaries, **fields):
    body = {"version": "0.2.0", "canaries": [gate.id for gate in canaries], **fields}
    status, document, _ = await house.call("POST", "rollouts", json=body)
    assert status == 201, document
    return document["id"]


async def rollout(house):
    _, document, _ = await house.call("GET", "fleet")
    return document["rollouts"][0]


async def offer_of(gate):
    async with gate.link() as link:
        raw = await link.update_offer()
    if raw is None:
        return None
    now = datetime.now(UTC)
    return accept_offer(raw, trusted=signers(gate.root, Role.STATUS), gate=gate.id, now=now)


# --- offers -----------------------------------------------------------------------------------


async def test_the_canary_gets_a_signed_offer_and_the_other_gate_none(house):
    canary, other = house.gates
    assert await offer_of(canary) is None
    await start(house, canary)
    offer = await offer_of(canary)
    assert (offer.version, offer.compatible, offer.size, offer.sha256) == (
        "0.2.0", KIND, len(BUNDLE), SHA256,
    )  # fmt: skip
    assert offer.install_from <= datetime.now(UTC) < offer.install_until
    assert await offer_of(other) is None


async def test_an_offer_is_no_other_gates_and_of_no_other_key(house):
    canary, other = house.gates
    await start(house, canary)
    async with canary.link() as link:
        raw = await link.update_offer()
    now = datetime.now(UTC)
    with pytest.raises(SignatureError):
        accept_offer(raw, trusted=signers(canary.root, Role.LIST), gate=canary.id, now=now)
    with pytest.raises(Exception, match="for gate"):
        accept_offer(raw, trusted=signers(canary.root, Role.STATUS), gate=other.id, now=now)


async def test_a_rollout_goes_from_canary_to_everybody_and_is_done(house):
    canary, other = house.gates
    made = await start(house, canary, steps=["100"])
    await say(
        house, canary, Machine(version="0.2.0", slot="b", compatible=KIND, update="committed")
    )
    assert (await rollout(house))["state"] == "waiting"
    assert await offer_of(canary) is None
    status, _, _ = await house.call("POST", f"rollouts/{made}/approve")
    assert status == 200
    assert (await offer_of(other)).version == "0.2.0"
    await say(house, other, Machine(version="0.2.0", slot="b", compatible=KIND, update="committed"))
    assert (await rollout(house))["state"] == "done"


async def test_a_canary_that_came_back_stops_it_and_a_person_goes_on_without_it(house):
    canary, other = house.gates
    made = await start(house, canary, other)
    await say(
        house,
        canary,
        Machine("0.1.0", "a", KIND, "rolled_back", "0.2.0", "not ready", 0, ["0.2.0"]),
    )
    told = await rollout(house)
    assert (told["state"], told["reason"], told["culprit"]) == (
        "halted", "rolled_back", canary.id,
    )  # fmt: skip
    assert await offer_of(other) is None
    await house.call("POST", f"rollouts/{made}/resume")
    assert (await offer_of(other)).version == "0.2.0"
    assert await offer_of(canary) is None
    assert (await rollout(house))["left_out"] == [canary.id]


async def test_a_paused_and_an_aborted_rollout_offer_nothing(house):
    canary, _ = house.gates
    made = await start(house, canary)
    assert await offer_of(canary)
    await house.call("POST", f"rollouts/{made}/pause")
    assert await offer_of(canary) is None
    await house.call("POST", f"rollouts/{made}/resume")
    assert await offer_of(canary)
    await house.call("POST", f"rollouts/{made}/abort")
    assert await offer_of(canary) is None
    status, refused, _ = await house.call("POST", f"rollouts/{made}/resume")
    assert (status, refused["error"]["code"]) == (409, "rollout_over")


async def test_while_a_performance_is_near_nothing_is_offered_and_no_byte_goes_out(house):
    canary, _ = house.gates
    await start(house, canary)
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    _, events, _ = await house.call("GET", "events")
    await house.made("performances", event_id=events[0]["id"], name="Soon", starts_at=soon)
    assert await offer_of(canary) is None
    async with canary.link() as link:
        with pytest.raises(LinkAnswerError, match="404"):
            await link.bundle_part(SHA256, 0, 10, len(BUNDLE))


async def test_two_rollouts_never_mean_the_same_gate(house):
    await start(house, house.gates[0])
    body = {"version": "0.2.0", "canaries": [house.gates[1].id]}
    status, refused, _ = await house.call("POST", "rollouts", json=body)
    assert (status, refused["error"]["code"]) == (409, "rollout_under_way")


WRONG = [
    ({"version": "0.3.0"}, "version"),
    ({"canaries": []}, "canaries"),
    ({"canaries": ["nobody"]}, "canaries"),
    ({"steps": ["50"]}, "steps"),
    ({"steps": ["50", "50", "100"]}, "steps"),
    ({"steps": ["x"]}, "steps"),
    ({"healthy_h": 5000}, "healthy_h"),
    ({"night_from": "02:00", "night_until": "02:00"}, "night"),
    ({"night_from": "2 h", "night_until": "06:00"}, "night"),
    ({"colour": "grey"}, "colour"),
]


async def test_a_plan_that_cannot_be_is_refused_by_name(house):
    for wrong, field in WRONG:
        body = {"version": "0.2.0", "canaries": [house.gates[0].id]} | wrong
        status, refused, _ = await house.call("POST", "rollouts", json=body)
        assert (status, refused["error"]["field"]) == (422, field)
    _, document, _ = await house.call("GET", "fleet")
    assert document["rollouts"] == []


# --- bundles ----------------------------------------------------------------------------------


async def test_a_gate_fetches_its_bundle_in_parts_that_are_the_whole(house):
    canary, _ = house.gates
    await start(house, canary)
    got = b""
    async with canary.link() as link:
        while len(got) < len(BUNDLE):
            got += await link.bundle_part(SHA256, len(got), 100_000, len(BUNDLE))
    assert got == BUNDLE


async def test_only_who_is_offered_a_bundle_gets_it(house):
    canary, other = house.gates
    await start(house, canary)
    async with other.link() as link:
        with pytest.raises(LinkAnswerError, match="404"):
            await link.bundle_part(SHA256, 0, 10, len(BUNDLE))
    async with canary.link() as link:
        with pytest.raises(LinkAnswerError, match="404"):
            await link.bundle_part("00" * 32, 0, 10, len(BUNDLE))
    async with house.session.get(f"{house.address}/sync/v1/updates/{SHA256}") as response:
        assert response.status == 401


async def test_a_withdrawn_release_is_offered_to_nobody_and_its_file_is_gone(house, tmp_path):
    canary, _ = house.gates
    await start(house, canary)
    assert list((tmp_path / "bundles").iterdir())
    status, _, _ = await house.call("POST", f"releases/{house.release['id']}/withdraw")
    assert status == 200
    assert list((tmp_path / "bundles").iterdir()) == []
    async with canary.link() as link:
        with pytest.raises(LinkAnswerError, match="404"):
            await link.bundle_part(SHA256, 0, 10, len(BUNDLE))


async def test_ranges_are_answered_as_the_standard_has_them(house):
    canary, _ = house.gates
    await start(house, canary)
    size, tag = len(BUNDLE), f'"{SHA256}"'
    whole = (200, BUNDLE, None)
    cases = [
        ({}, whole),
        ({"Range": "bytes=0-9"}, (206, BUNDLE[:10], f"bytes 0-9/{size}")),
        ({"Range": "bytes=5-"}, (206, BUNDLE[5:], f"bytes 5-{size - 1}/{size}")),
        ({"Range": "bytes=-3"}, (206, BUNDLE[-3:], f"bytes {size - 3}-{size - 1}/{size}")),
        ({"Range": "bytes=0-9", "If-Range": tag}, (206, BUNDLE[:10], f"bytes 0-9/{size}")),
        ({"Range": "bytes=0-9", "If-Range": '"other"'}, whole),
        ({"Range": f"bytes={size}-"}, (416, None, f"bytes */{size}")),
        ({"Range": "bytes=9-5"}, (416, None, f"bytes */{size}")),
        ({"Range": "bytes=0-1,4-5"}, (416, None, f"bytes */{size}")),
        ({"Range": "lines=0-1"}, (416, None, f"bytes */{size}")),
    ]
    target = f"/sync/v1/updates/{SHA256}"
    async with canary.link() as link:
        for headers, (status, body, content_range) in cases:
            async with link._request("GET", target, headers=headers) as response:
                assert (response.status, response.headers.get("Content-Range")) == (
                    status, content_range,
                ), headers  # fmt: skip
                if body is not None:
                    assert await response.read() == body, headers
                    assert response.headers["ETag"] == tag
                    assert response.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-99", (2, 10)),
        ("bytes=9-", (9, 10)),
        ("bytes=-4", (6, 10)),
        ("bytes=-99", (0, 10)),
        (" bytes=1-2 ", (1, 3)),
        ("bytes=-0", None),
        ("bytes=-", None),
        ("bytes=10-", None),
        ("bytes=3-2", None),
        ("bytes=a-b", None),
        ("bytes=0-" + "9" * 30, None),
        ("bytes=٣-٤", None),
        ("", None),
    ],
)
def test_which_part_a_range_means(header, part):
    assert read_range(header, 10) == part


def test_no_part_of_nothing():
    assert read_range("bytes=0-", 0) is None


async def test_what_is_no_bundle_is_not_taken_and_leaves_nothing(house, tmp_path):
    path = f"releases?version=0.3.0&compatible={KIND}"
    before = list((tmp_path / "bundles").iterdir())
    status, refused, _ = await house.call("POST", path, data=b"<html>")
    assert (status, refused["error"]["field"]) == (422, "file")
    status, refused, _ = await house.call("POST", path, data=b"")
    assert (status, refused["error"]["field"]) == (422, "file")
    assert list((tmp_path / "bundles").iterdir()) == before


async def test_a_release_is_named_well_and_once(house):
    for query, field in (
        (f"version=new&compatible={KIND}", "version"),
        ("version=0.3.0&compatible=", "compatible"),
        ("version=0.3.0&compatible=%3Cscript%3E", "compatible"),
        (f"version=0.3.0&compatible={KIND}&note={'x' * 501}", "note"),
    ):
        status, refused, _ = await house.call("POST", f"releases?{query}", data=BUNDLE)
        assert (status, refused["error"]["field"]) == (422, field)
    path = f"releases?version=0.2.0&compatible={KIND}"
    status, refused, _ = await house.call("POST", path, data=BUNDLE)
    assert (status, refused["error"]["code"]) == (409, "release_known")


async def test_a_large_bundle_is_never_whole_in_memory_and_kept_byte_for_byte(house, tmp_path):
    async def large():
        yield b"hsqs"
        for number in range(40):
            yield bytes([number]) * (256 * 1024)

    wanted = hashlib.sha256(b"hsqs" + b"".join(bytes([n]) * (256 * 1024) for n in range(40)))
    made = await add(house, "0.4.0", data=large())
    assert (made["size"], made["sha256"]) == (4 + 40 * 256 * 1024, wanted.hexdigest())
    kept = tmp_path / "bundles" / f"{made['sha256']}.raucb"
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == made["sha256"]


async def test_an_upload_that_breaks_off_leaves_nothing(house, tmp_path):
    async def broken():
        yield b"hsqs" + bytes(300_000)
        raise RuntimeError("the cable")

    before = sorted((tmp_path / "bundles").iterdir())
    with pytest.raises(Exception, match=r".*"):
        await house.call("POST", f"releases?version=0.5.0&compatible={KIND}", data=broken())
    _, releases, _ = await house.call("GET", "releases")
    assert [one["version"] for one in releases] == ["0.2.0"]
    assert sorted((tmp_path / "bundles").iterdir()) == before


async def test_an_older_server_offers_nothing(house):
    canary, _ = house.gates
    async with canary.link() as link:
        link._server += "/nowhere"
        assert await link.update_offer() is None
        with pytest.raises(LinkError):
            await link.bundle_part(SHA256, 0, 10, len(BUNDLE))


async def test_only_a_master_of_the_whole_server_adds_and_withdraws_bundles(house, tmp_path):
    password = await main.add_user(tmp_path, "bob", AccountRole.ADMIN)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        bob = type(house)(session, house.address)
        _, document, _ = await bob.call(
            "POST", "login", json={"login": "bob", "password": password}
        )
        bob.csrf = document["csrf"]
        path = f"releases?version=0.9.0&compatible={KIND}"
        assert (await bob.call("POST", path, data=BUNDLE))[0] == 403
        path = f"releases/{house.release['id']}/withdraw"
        assert (await bob.call("POST", path))[0] == 403
        body = {"version": "0.2.0", "canaries": [house.gates[0].id]}
        assert (await bob.call("POST", "rollouts", json=body))[0] == 201  # of his branch's gates
    _, releases, _ = await house.call("GET", "releases")
    assert [(one["version"], one["withdrawn"]) for one in releases] == [("0.2.0", None)]
