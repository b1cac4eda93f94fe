"""A site server between gates and the central server, all of them real, over real sockets."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import aiohttp
import pytest

from admission import journal
from admission.journal import Kind, Record
from admission.sync.gate_side import Row, Uploader
from admission.sync.messages import Enrol, Feed, Lists, Moment, Status, Subscribe
from admission.sync.sealed_head import seal
from admission.ticketlist.acceptance import accept_manifest, check_list_key
from admission.ticketlist.packed import PackedList
from admission.trust.keys import public_key, sign
from admission.trust.root import Role, first_root, signers
from admission.trust.sealing import agreement_public_key, unseal
from admission.trust.status import accept_status
from appliance.errors import LinkError
from appliance.storage.stored_signer import StoredSigner
from appliance.transport.client import open_link
from cut_wire import CutWire
from sync_server import site_uplink
from sync_server.config import ServerConfig
from sync_server.site_main import join_site, serving_site

AGREEMENT = b"x" * 32
SENT = Moment(1_780_000_000_000, 1000, b"b" * 16)


class TrialGate:
    """A gate's keys, its journal, and the link that it would open."""

    def __init__(self, house, name, secret):
        self.house, self.name, self.secret = house, name, secret * 32
        self.id, self.root = "", None
        self.rows = []
        self.journal = f"journal-{name}"

    async def enrol(self, address, code):
        async with open_link(address, "", StoredSigner(self.secret)) as link:
            agreement = agreement_public_key(AGREEMENT)
            answer = await link.enrol(Enrol(code, public_key(self.secret), agreement, self.name))
        self.id, self.root = answer.gate, first_root(answer.root, None)
        return answer

    def link(self, address):
        return open_link(address, self.id, StoredSigner(self.secret))

    def uploader(self):
        def sealing(sequence, chain):
            return seal(
                lambda text: sign(self.secret, text), self.id, self.journal, sequence, chain
            )

        return Uploader(self.journal, 0, journal.genesis(self.journal), sealing=sealing)

    def write(self, identifier, kind=Kind.PASSED, direction=1):
        sequence = len(self.rows) + 1
        before = self.rows[-1].chain if self.rows else journal.genesis(self.journal)
        blob = journal.encode(
            Record(
                kind=int(kind),
                sequence=sequence,
                wall_ms=1_780_000_000_000 + sequence,
                boot_ms=1000 + sequence,
                boot_id=b"b" * 16,
                checkpoint=self.house.checkpoint,
                performance=self.house.performance,
                identifier=identifier,
                direction=direction,
            )
        )
        self.rows.append(Row(sequence, journal.chain(before, blob), blob))

    async def upload(self, link, uploader=None):
        uploader = uploader or self.uploader()
        batch = uploader.next_batch(self.rows[uploader.acked :], SENT)
        ack = await link.upload(batch)
        uploader.receive(ack)
        return ack


@pytest.fixture
async def house(operator):
    """A published performance with two tickets, a site, and two gates enrolled centrally."""
    operator.venue = await operator.made("venues", name="Hall", timezone="Europe/Paris")
    event = await operator.made("events", venue_id=operator.venue, name="Show")
    operator.performance = await operator.made("performances", event_id=event, name="Tonight")
    operator.other = await operator.made("performances", event_id=event, name="Tomorrow")
    operator.checkpoint = await operator.made(
        "checkpoints", venue_id=operator.venue, name="North", performances=[operator.performance]
    )
    path = f"performances/{operator.performance}"
    await operator.call("POST", f"{path}/imports", data=b"number\nA1\nA2\n")
    await operator.call("POST", f"{path}/publish")
    operator.gates = []
    for name, secret in (("A", b"a"), ("B", b"b")):
        gate = TrialGate(operator, name, secret)
        gate_id = await operator.made(
            "gates", checkpoint_id=operator.checkpoint, name=name, direction="entry"
        )
        _, made, _ = await operator.call("POST", f"gates/{gate_id}/enrolment-code")
        await gate.enrol(operator.address, made["code"])
        operator.gates.append(gate)
    operator.site_id = await operator.made("sites", venue_id=operator.venue, name="Box")
    return operator


class Venue:
    """The site server, which can be stopped and started, and the wire to the central one."""

    def __init__(self, house, folder, port, wire, upstream):
        self.house, self.wire = house, wire
        self.config = ServerConfig(folder, port=port)
        self.upstream = upstream
        self.stack = None
        self.address = f"http://127.0.0.1:{port}"

    async def join(self):
        _, made, _ = await self.house.call("POST", f"sites/{self.house.site_id}/enrolment-code")
        link = made["link"].replace(self.house.address, self.upstream)
        return await join_site(self.config, link)

    async def start(self):
        self.stack = AsyncExitStack()
        await self.stack.enter_async_context(serving_site(self.config, "test"))

    async def stop(self):
        if self.stack is not None:
            stack, self.stack = self.stack, None
            await stack.aclose()


@pytest.fixture
async def venue(house, tmp_path, unused_tcp_port_factory, monkeypatch):
    monkeypatch.setattr(site_uplink, "RETRY_S_MIN", 0.05)
    monkeypatch.setattr(site_uplink, "RETRY_S_MAX", 0.1)
    wire = CutWire(house.address)
    async with wire.open() as upstream:
        venue = Venue(house, tmp_path / "site", unused_tcp_port_factory(), wire, upstream)
        await venue.join()
        await venue.start()
        try:
            yield venue
        finally:
            await venue.stop()


async def until(what, seconds=20):
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not (found := await what()):  # noqa: ASYNC110 (another process would say no more)
            await asyncio.sleep(0.02)
        return found


async def central_line(house):
    _, (line,), _ = await house.call("GET", "sites")
    return line


async def page_of(venue, language="en"):
    url = f"{venue.address}/?language={language}"
    async with aiohttp.request("GET", url) as response:
        assert response.status == 200
        return await response.text()


async def in_stock(venue):
    """Wait until the site has everything that its gates may ask for."""

    async def ready():
        return "All that gates may ask for was fetched" in await page_of(venue)

    await until(ready)


async def fetch_list(gate, link, tmp_path, house):
    """Fetch and believe all that a gate needs to judge, as it would."""
    nonce = "n" * 20
    raw = await link.status(nonce)
    manifest = accept_manifest(
        await link.manifest(house.performance),
        performance=house.performance,
        trusted=signers(gate.root, Role.LIST),
        installed=None,
        now=None,
    )
    sealed = await link.list_key(house.performance)
    list_key = unseal(sealed, AGREEMENT, b"list-key:" + house.performance.encode())
    check_list_key(manifest, list_key)
    path = tmp_path / f"list-{gate.name}"
    ref = manifest.snapshot
    await link.download(house.performance, ref.sha256, ref.size, path)
    PackedList(path.read_bytes(), house.performance)
    return raw


async def test_a_gate_gets_from_the_site_all_that_the_central_server_would_have_given_it(
    venue, tmp_path
):
    await in_stock(venue)
    gate = venue.house.gates[0]
    async with gate.link(venue.address) as link:
        raw = await fetch_list(gate, link, tmp_path, venue.house)
        accept_status(
            raw,
            trusted=signers(gate.root, Role.STATUS),
            nonce="n" * 20,  # it answers the gate's own question: signed time, live
            version_installed=0,
            root_version=1,
            now=None,
        )
        assert await link.root(2) is None


async def test_with_the_wire_cut_gates_are_served_from_stock_also_after_a_restart(venue, tmp_path):
    await in_stock(venue)
    venue.wire.cut()
    await venue.stop()
    await venue.start()
    gate = venue.house.gates[1]
    async with gate.link(venue.address) as link:
        raw = await fetch_list(gate, link, tmp_path, venue.house)
        accept_status(  # one that was signed to be carried: it answers nobody's question
            raw,
            trusted=signers(gate.root, Role.STATUS),
            nonce="",
            version_installed=0,
            root_version=1,
            now=None,
        )


async def next_of(live, kind):
    while not isinstance(message := await live.receive(), kind):
        pass
    return message


async def test_with_the_wire_cut_one_gates_passage_reaches_the_other_and_later_the_center(venue):
    house = venue.house
    await in_stock(venue)
    venue.wire.cut()
    first, second = house.gates
    async with second.link(venue.address) as link, link.live() as live, asyncio.timeout(20):
        await live.send(Subscribe({house.performance: 0}))
        assert (await next_of(live, Lists)).versions == {house.performance: 1}
        first.write(b"i" * 16)
        async with first.link(venue.address) as uploading:
            ack = await first.upload(uploading)
            assert ack.head == 1
        feed = await next_of(live, Feed)
        while not feed.items:
            feed = await next_of(live, Feed)
        assert [item.identifier for item in feed.items] == [b"i" * 16]
    _, report, _ = await house.call("GET", "report")
    assert report["occupancy"] == {house.checkpoint: 0}
    await venue.stop()
    await venue.start()
    venue.wire.mend()

    async def arrived():
        _, report, _ = await house.call("GET", "report")
        return report["occupancy"] == {house.checkpoint: 1}

    await until(arrived)


async def test_what_happens_elsewhere_reaches_the_sites_gates_once(venue):
    house = venue.house
    first, second = house.gates
    first.write(b"i" * 16)
    async with first.link(house.address) as link:
        await first.upload(link)

    async def told():
        async with second.link(venue.address) as link:
            try:
                return (await link.feed(house.performance, 0)).items
            except LinkError:
                return None

    items = await until(told)
    assert [(item.gate, item.sequence) for item in items] == [("journal-A", 1)]
    first.write(b"j" * 16)
    async with first.link(venue.address) as link:  # the gate is moved to the site
        await first.upload(link)

    async def both():
        return len(await told() or []) >= 2

    await until(both)
    assert [(item.gate, item.sequence) for item in await told()] == [
        ("journal-A", 1),
        ("journal-A", 2),
    ]

    async def arrived():
        _, report, _ = await house.call("GET", "report")
        return report["occupancy"] == {house.checkpoint: 2}

    await until(arrived)


async def test_how_a_gate_is_goes_up_with_the_sites_name_and_commands_come_down(venue):
    house = venue.house
    await in_stock(venue)
    gate = house.gates[0]
    async with gate.link(venue.address) as link, link.live() as live, asyncio.timeout(20):
        await live.send(Subscribe({}))
        await live.send(Status("connected", [], 3, {}, SENT))

        async def seen():
            _, document, _ = await house.call("GET", "live")
            found = [one for one in document["gates"] if one["state"] == "online"]
            return found if found and found[0]["queue"] else []

        (line,) = await until(seen)
        assert (line["id"], line["queue"]) == (gate.id, 3)
        status, issued, _ = await house.call(
            "POST", f"gates/{gate.id}/commands", json={"action": "lock", "reason": "leak"}
        )
        assert (status, issued["reached"]) == (201, 1)
        while True:
            message = await live.receive()
            if type(message).__name__ == "Ordered":
                break


async def test_nobody_enrols_through_a_site(venue):
    _, made, _ = await venue.house.call("POST", f"gates/{venue.house.gates[0].id}/enrolment-code")
    with pytest.raises(LinkError, match="enrols with the central server"):
        await TrialGate(venue.house, "C", b"c").enrol(venue.address, made["code"])


async def test_a_site_joins_no_site(venue, tmp_path):
    _, made, _ = await venue.house.call("POST", f"sites/{venue.house.site_id}/enrolment-code")
    link = made["link"].replace(venue.house.address, venue.address)
    config = replace(venue.config, data=tmp_path / "second")
    with pytest.raises(Exception, match="never another site"):
        await join_site(config, link)
