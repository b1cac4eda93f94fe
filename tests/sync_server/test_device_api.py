"""Gates at a real server, over real sockets: what they get, and what is refused to whom."""

import asyncio
import io

import aiohttp
import pytest

from admission import journal
from admission.journal import Kind, Record
from admission.sync import codec
from admission.sync.assignment import accept_assignment
from admission.sync.messages import Batch, Enrol, Feed, Lists, Moment, Renew, Status, Subscribe
from admission.sync.renewal import proof_text
from admission.sync.request_signing import NONCE_HEADER, authorization
from admission.ticketlist.acceptance import accept_manifest, check_list_key
from admission.ticketlist.identifiers import identify
from admission.ticketlist.packed import PackedList
from admission.trust.envelope import STATUS_TYPE, unverified_body
from admission.trust.keys import public_key, sign
from admission.trust.reading import read_document
from admission.trust.root import Role, signers
from admission.trust.sealing import agreement_public_key, unseal
from admission.trust.status import ServerStatus
from appliance.errors import LinkAnswerError, LinkError, LinkRefusedError
from appliance.storage.stored_signer import StoredSigner
from live_house import network
from trial_gates import AGREEMENT, TrialGate, furnish

BOOT = b"b" * 16


@pytest.fixture
async def house(operator):
    """A published performance with two tickets, and two enrolled gates."""
    return await furnish(operator)


def _passage(house, identifier, sequence=1):
    return journal.encode(
        Record(
            kind=int(Kind.PASSED),
            sequence=sequence,
            wall_ms=1_780_000_000_000,
            boot_ms=1000,
            boot_id=BOOT,
            checkpoint=house.checkpoint,
            performance=house.performance,
            identifier=identifier,
            direction=1,
        )
    )


def _batch(name, *blobs):
    return Batch(name, 1, journal.genesis(name), list(blobs), Moment(1_780_000_000_000, 1000, BOOT))


async def test_a_gate_fetches_believes_and_opens_its_list(house, tmp_path):
    gate = house.gates[0]
    async with gate.link() as link:
        assignment = accept_assignment(
            await link.assignment(),
            gate=gate.id,
            trusted=signers(gate.root, Role.STATUS),
            version_installed=0,
        )
        assert assignment.checkpoint.id == house.checkpoint
        (performance,) = assignment.performances
        manifest = accept_manifest(
            await link.manifest(performance),
            performance=performance,
            trusted=signers(gate.root, Role.LIST),
            installed=None,
            now=None,
        )
        sealed = await link.list_key(performance)
        list_key = unseal(sealed, AGREEMENT, b"list-key:" + performance.encode())
        check_list_key(manifest, list_key)
        path = tmp_path / "list"
        ref = manifest.snapshot
        await link.download(performance, ref.sha256, ref.size, path)
        packed = PackedList(path.read_bytes(), performance)
        assert packed.find(identify(list_key, "A1")) is not None
        assert packed.find(identify(list_key, "A9")) is None
        assert await link.assignment() is None  # unchanged
        assert await link.manifest(performance) is None


async def test_what_one_gate_uploads_the_other_reads_in_the_feed(house):
    first, second = house.gates
    async with first.link() as link:
        ack = await link.upload(_batch("journal-a", _passage(house, b"i" * 16)))
        assert (ack.head, ack.conflict) == (1, False)
        again = await link.upload(_batch("journal-a", _passage(house, b"i" * 16)))
        assert (again.head, again.chain) == (1, ack.chain)
        forked = await link.upload(_batch("journal-a", _passage(house, b"j" * 16)))
        assert forked.conflict
    async with second.link() as link:
        feed = await link.feed(house.performance, 0)
    assert [(item.number, item.gate) for item in feed.items] == [
        (1, "journal-a"),
        (2, "journal-a"),
    ]
    _, report, _ = await house.call("GET", "report")
    assert report["occupancy"] == {house.checkpoint: 2}


async def test_a_passage_is_pushed_to_the_other_gate_while_it_is_connected(house):
    first, second = house.gates
    async with second.link() as link, link.live() as live, asyncio.timeout(20):
        await live.send(Subscribe({house.performance: 0}))
        announced = await _next(live, Lists)
        assert announced.versions == {house.performance: 1}
        async with first.link() as uploading:
            await uploading.upload(_batch("journal-a", _passage(house, b"i" * 16)))
        feed = await _next(live, Feed)
        while not feed.items:
            feed = await _next(live, Feed)
        assert [item.identifier for item in feed.items] == [b"i" * 16]


async def test_a_gate_that_knows_anothers_numbers_is_given_all_from_the_first(house):
    first, second = house.gates
    async with first.link() as link, asyncio.timeout(20):
        await link.upload(
            _batch("journal-a", _passage(house, b"a" * 16), _passage(house, b"b" * 16, 2))
        )
        numbering = (await link.feed(house.performance, 0)).numbering
    assert len(numbering) == 32
    for cursors, known, expected in (
        ({house.performance: 2}, "", [1, 2]),
        ({house.performance: 2}, "another server's", [1, 2]),
        ({house.performance: 1}, numbering, [2]),
    ):
        async with second.link() as link, link.live() as live, asyncio.timeout(20):
            await live.send(Subscribe(cursors, known))
            feed = await _next(live, Feed)
            assert [item.number for item in feed.items] == expected
            assert feed.numbering == numbering


async def test_a_gate_behind_a_proxy_that_refuses_web_sockets_misses_nothing(house):
    first, second = house.gates
    async with network(second.address) as between, asyncio.timeout(20):
        between.sockets = "refuse"
        second.address = between.url
        async with second.link() as link, link.live() as live:
            await live.send(Subscribe({house.performance: 0}))
            assert (await _next(live, Lists)).versions == {house.performance: 1}
            between.answers_lost = 1
            async with first.link() as uploading:
                await uploading.upload(_batch("journal-a", _passage(house, b"i" * 16)))
            sent = Moment(1_780_000_000_000, 1000, BOOT)
            await live.send(Status("connected", [], 3, {house.performance: 1}, sent))
            feed = await _next(live, Feed)
            while not feed.items:
                feed = await _next(live, Feed)
            assert [item.identifier for item in feed.items] == [b"i" * 16]
            assert "online" in [line["state"] for line in await _gate_lines(house)]
            await house.call("POST", f"gates/{second.id}/revoke")
            with pytest.raises(LinkError):
                await _next(live, type(None))


async def test_a_new_list_is_announced_and_a_gate_shows_as_there_while_it_speaks(house):
    gate = house.gates[0]
    async with gate.link() as link, asyncio.timeout(20):
        async with link.live() as live:
            await live.send(Subscribe({}))
            assert (await _next(live, Lists)).versions == {house.performance: 1}
            sent = Moment(1_780_000_000_000, 1000, BOOT)
            await live.send(Status("connected", [], 3, {house.performance: 1}, sent))
            await house.call("POST", f"performances/{house.other}/publish")
            announced = await _next(live, Lists)
            assert announced.versions == {house.performance: 1, house.other: 1}
            line = await _gate_line(house)
            assert (line["state"], line["mode"], line["queue"]) == ("online", "connected", 3)
            assert line["list_versions"] == {house.performance: 1}
        states = [line["state"]]
        while states[-1] == "online":
            states.append((await _gate_line(house))["state"])
        assert states[-1] == "offline"


async def _gate_line(house):
    return (await _gate_lines(house))[0]


async def _gate_lines(house):
    _, live, _ = await house.call("GET", "live")
    return live["gates"]


async def _next(live, kind):
    while not isinstance(message := await live.receive(), kind):
        pass
    return message


async def test_a_revoked_gate_is_out_at_once_and_may_still_bring_its_journal(house):
    gate = house.gates[0]
    async with gate.link() as link, asyncio.timeout(20):
        async with link.live() as live:
            await live.send(Subscribe({}))
            await _next(live, Lists)
            await house.call("POST", f"gates/{gate.id}/revoke")
            with pytest.raises(LinkError):
                await _next(live, type(None))
        for ask in (
            link.assignment(),
            link.manifest(house.performance),
            link.list_key(house.performance),
            link.feed(house.performance, 0),
        ):
            with pytest.raises(LinkRefusedError, match="revoked: its journal is taken"):
                await ask
        with pytest.raises(LinkRefusedError):
            async with link.live():
                pass
        ack = await link.upload(_batch("journal-a", _passage(house, b"i" * 16)))
        assert (ack.head, ack.conflict) == (1, False)
    async with house.gates[1].link() as link:
        assert (await link.feed(house.performance, 0)).items == []
    _, report, _ = await house.call("GET", "report")
    assert report["occupancy"] == {house.checkpoint: 0}
    _, held, _ = await house.call("GET", "quarantine")
    assert [(line["gate_id"], line["records"]) for line in held] == [(gate.id, 1)]
    await house.call("POST", f"gates/{gate.id}/release")
    async with house.gates[1].link() as link:
        assert len((await link.feed(house.performance, 0)).items) == 1
    _, report, _ = await house.call("GET", "report")
    assert report["occupancy"] == {house.checkpoint: 1}


async def test_a_machine_that_came_by_a_group_code_gets_nothing_before_it_is_confirmed(house):
    path = f"checkpoints/{house.checkpoint}/enrolment-code"
    _, made, _ = await house.call("POST", path, json={"uses": 2, "minutes": 30})
    begins = f"portillon:enrol?v=1&server={house.address}&code={made['code']}&root="
    assert made["link"].startswith(begins)
    gate = TrialGate(house.address, "new", b"n")
    await gate.enrol(made["code"])
    async with gate.link() as link:
        for ask in (link.assignment(), link.upload(_batch("journal-n"))):
            with pytest.raises(LinkRefusedError, match="has to confirm"):
                await ask
        _, gates, _ = await house.call("GET", "gates")
        (line,) = [one for one in gates if one["pending"]]
        assert (line["id"], line["name"]) == (gate.id, "unnamed machine")
        assert (await house.call("POST", f"gates/{gate.id}/confirm"))[0] == 200
        assert await link.assignment()
    assert (await house.call("POST", f"gates/{gate.id}/confirm"))[0] == 409


async def test_a_journal_belongs_to_the_gate_that_began_it(house):
    first, second = house.gates
    async with first.link() as link:
        await link.upload(_batch("journal-a", _passage(house, b"i" * 16)))
    async with second.link() as link:
        with pytest.raises(LinkError):
            await link.upload(_batch("journal-a", _passage(house, b"i" * 16)))


async def test_what_a_gate_does_not_hold_is_not_there(house):
    async with house.gates[0].link() as link:
        for attempt in (
            link.manifest(house.other),
            link.list_key(house.other),
            link.feed(house.other, 0),
            link.feed("nothing", 0),
        ):
            with pytest.raises(LinkError):
                await attempt


class Raw:
    """Requests as somebody else might make them."""

    def __init__(self, house):
        self.house = house
        self.gate = house.gates[0]
        self.nonce = ""

    async def ask(self, method, target, body=b"", header=None, signed_body=None, **changes):
        """Send a request signed as the gate would, with some of it changed."""
        url = self.house.address + target
        if header is None and not self.nonce:
            async with aiohttp.request("GET", f"{self.house.address}/sync/v1/assignment") as first:
                self.nonce = first.headers[NONCE_HEADER]
        if header is None:
            values = {"gate": self.gate.id, "nonce": self.nonce, "counter": 1} | changes
            header = authorization(
                StoredSigner(self.gate.private_key).sign,
                method,
                target,
                body if signed_body is None else signed_body,
                **values,
            )
        headers = {"Authorization": header} if header else {}
        async with aiohttp.request(method, url, data=io.BytesIO(body), headers=headers) as response:
            return response.status, await response.read()


async def test_an_unsigned_or_wrongly_signed_request_is_refused(house):
    raw = Raw(house)
    assert (await raw.ask("GET", "/sync/v1/assignment", header=""))[0] == 401
    assert (await raw.ask("GET", "/sync/v1/assignment", header="Bearer x"))[0] == 401
    assert (await raw.ask("GET", "/sync/v1/assignment", nonce="old"))[0] == 401
    assert (await raw.ask("GET", "/sync/v1/assignment", gate="nobody"))[0] == 403
    assert (await raw.ask("GET", "/sync/v1/assignment", gate=house.gates[1].id))[0] == 401
    body = codec.encode(_batch("j", _passage(house, b"i" * 16)))
    altered = await raw.ask("POST", "/sync/v1/journals/j", body, signed_body=body + b"x")
    assert altered[0] == 401
    assert (await raw.ask("GET", "/sync/v1/assignment"))[0] == 200


async def test_a_request_is_good_once(house):
    raw = Raw(house)
    assert (await raw.ask("GET", "/sync/v1/assignment", counter=7))[0] == 200
    assert (await raw.ask("GET", "/sync/v1/assignment", counter=7))[0] == 401
    assert (await raw.ask("GET", "/sync/v1/assignment", counter=8))[0] == 200


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("POST", "/sync/v1/journals/j", b"\xc1", 400),
        ("POST", "/sync/v1/journals/j", b"x" * (5 * 1024 * 1024), 413),
        ("POST", "/sync/v1/journals/j", b"", 400),
        ("GET", "/sync/v1/feed/x?after=-1", b"", 400),
        ("GET", "/sync/v1/feed/x?after=%C2%B2", b"", 400),
        ("GET", "/sync/v1/performances/x/lists/..%2F..%2Fkeys", b"", 404),
        ("GET", "/sync/v1/nothing", b"", 404),
    ],
)
async def test_what_no_gate_would_send_is_refused(house, method, target, body, status):
    assert (await Raw(house).ask(method, target, body))[0] == status


async def test_a_batch_at_another_journals_address_is_refused(house):
    body = codec.encode(_batch("j", _passage(house, b"i" * 16)))
    assert (await Raw(house).ask("POST", "/sync/v1/journals/k", body))[0] == 400


@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"\xc1", 400), (b"x" * 5000, 413)])
async def test_what_is_no_enrolment_is_refused(client, body, status):
    url = f"{client.address}/sync/v1/enrolments"
    async with aiohttp.request("POST", url, data=body) as response:
        assert response.status == status


async def test_guessing_codes_is_slowed_down(client):
    body = codec.encode(Enrol("0000-0000-0000-0000", b"k" * 32, b"a" * 32))
    url = f"{client.address}/sync/v1/enrolments"
    statuses = []
    for _ in range(6):
        async with aiohttp.request("POST", url, data=body) as response:
            statuses.append(response.status)
            retry = response.headers.get("Retry-After")
    assert statuses == [403] * 5 + [429]
    assert int(retry) >= 1


async def test_a_gate_changes_its_key_and_the_old_one_opens_nothing_any_more(house):
    gate = house.gates[0]
    new, present = b"z" * 32, public_key(gate.private_key)
    agreement = agreement_public_key(b"y" * 32)
    text = proof_text(gate.id, present, public_key(new), agreement)
    async with gate.link() as link:
        wrong = Renew(public_key(new), agreement, sign(gate.private_key, text))
        with pytest.raises(LinkAnswerError, match="did not sign for itself"):
            await link.renew(wrong)
        answer = await link.renew(Renew(public_key(new), agreement, sign(new, text)))
        assert answer.certificate
        with pytest.raises(LinkRefusedError):
            await link.assignment()
    gate.private_key = new
    async with gate.link() as link:
        assert await link.assignment()


async def test_a_revoked_gate_is_told_so_by_a_signed_status_and_nothing_more(house):
    gate, other = house.gates
    await house.call("POST", f"gates/{gate.id}/revoke")
    said = []
    for one in (gate, other):
        async with one.link() as link:
            raw = await link.status("question")
        body = unverified_body(raw, STATUS_TYPE)
        said.append(read_document("status", body, ServerStatus))
    assert said[0].revoked_gates[0] == gate.id
    assert said[0].lists == {}
    assert gate.id in said[1].revoked_gates
    assert list(said[1].lists) == [house.performance]
