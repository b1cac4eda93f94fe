"""A site server that lies: what it brings is proven by the gate, or it is not taken."""

import io

import aiohttp
import pytest

from admission import journal
from admission.journal import Kind, Record
from admission.sync import codec
from admission.sync.messages import Ack, Batch, Carried, Enrol, Moment, Renew
from admission.sync.renewal import proof_text
from admission.sync.request_signing import NONCE_HEADER, authorization
from admission.sync.sealed_head import seal
from admission.sync.site_messages import Join, Joined
from admission.trust.keys import public_key, sign
from admission.trust.sealing import agreement_public_key

SITE, GATE, THIEF = b"s" * 32, b"g" * 32, b"t" * 32
AGREEMENT = agreement_public_key(b"x" * 32)
SENT = Moment(1_780_000_000_000, 1000, b"b" * 16)


class Liar:
    """Whoever has a site's key, and a gate's requests as they came by."""

    def __init__(self, house):
        self.house, self.id, self.nonce, self.counter = house, "", "", 0

    async def send(self, target, body, headers=None):
        for _ in range(2):
            self.counter += 1
            signed = authorization(
                lambda text: sign(SITE, text), "POST", target, body, self.id, self.nonce,
                self.counter,
            )  # fmt: skip
            async with aiohttp.request(
                "POST",
                self.house.address + target,
                data=io.BytesIO(body),
                headers={"Authorization": signed} | (headers or {}),
            ) as response:
                if response.status != 401:
                    return response.status, await response.read()
                self.nonce = response.headers[NONCE_HEADER]
        raise AssertionError("refused twice")

    async def carry(self, gate, batch):
        target = f"/sync/v1/site/carried/{batch.journal}"
        return await self.send(target, codec.encode(Carried(gate, batch)))


@pytest.fixture
async def house(operator):
    venue = await operator.made("venues", name="Hall", timezone="Europe/Paris")
    far = await operator.made("venues", name="Far", timezone="Europe/Paris")
    operator.checkpoint = await operator.made(
        "checkpoints", venue_id=venue, name="North", performances=[]
    )
    elsewhere = await operator.made("checkpoints", venue_id=far, name="South", performances=[])
    operator.gate = await enrolled(operator, operator.checkpoint, GATE)
    operator.far_gate = await enrolled(operator, elsewhere, b"f" * 32)
    return operator


async def enrolled(house, checkpoint, secret):
    gate = await house.made("gates", checkpoint_id=checkpoint, name="A", direction="entry")
    _, made, _ = await house.call("POST", f"gates/{gate}/enrolment-code")
    body = codec.encode(Enrol(made["code"], public_key(secret), AGREEMENT, ""))
    async with aiohttp.request(
        "POST", f"{house.address}/sync/v1/enrolments", data=body
    ) as response:
        assert response.status == 200
    return gate


@pytest.fixture
async def liar(house):
    (_, venues, _) = await house.call("GET", "venues")
    hall = next(one["id"] for one in venues if one["name"] == "Hall")
    site = await house.made("sites", venue_id=hall, name="Box")
    _, made, _ = await house.call("POST", f"sites/{site}/enrolment-code")
    body = codec.encode(Join(made["code"], public_key(SITE)))
    url = f"{house.address}/sync/v1/site/enrolments"
    async with aiohttp.request("POST", url, data=body) as response:
        liar = Liar(house)
        liar.id = codec.decode(await response.read(), Joined).site
        return liar


def batch_of(house, gate, secret, *identifiers, sealed=True, name="journal-a"):
    blobs, chain = [], journal.genesis(name)
    for sequence, identifier in enumerate(identifiers, 1):
        record = Record(
            kind=int(Kind.PASSED),
            sequence=sequence,
            wall_ms=1_780_000_000_000,
            boot_ms=1000,
            boot_id=b"b" * 16,
            checkpoint=house.checkpoint,
            performance="p",
            identifier=identifier,
            direction=1,
        )
        blobs.append(journal.encode(record))
        chain = journal.chain(chain, blobs[-1])
    own = seal(lambda text: sign(secret, text), gate, name, len(blobs), chain) if sealed else None
    return Batch(name, 1, journal.genesis(name), blobs, SENT, own)


async def test_what_a_gate_has_sealed_is_taken_from_a_site_as_from_the_gate(house, liar):
    batch = batch_of(house, house.gate, GATE, b"i" * 16)
    status, raw = await liar.carry(house.gate, batch)
    ack = codec.decode(raw, Ack)
    assert (status, ack.held, ack.held_chain) == (200, 1, batch.seal.chain)
    assert codec.decode((await liar.carry(house.gate, batch))[1], Ack).head == 1  # and only once
    _, report, _ = await house.call("GET", "report")
    assert report["occupancy"][house.checkpoint] == 1


async def test_rows_that_a_site_has_altered_are_refused(house, liar):
    good = batch_of(house, house.gate, GATE, b"i" * 16, b"j" * 16)
    other = batch_of(house, house.gate, GATE, b"i" * 16, b"k" * 16)
    unsealed = batch_of(house, house.gate, GATE, b"i" * 16, sealed=False)
    forged = batch_of(house, house.gate, THIEF, b"i" * 16)
    altered = Batch(good.journal, 1, good.previous_chain, other.blobs, SENT, good.seal)
    shorter = Batch(good.journal, 1, good.previous_chain, good.blobs[:1], SENT, good.seal)
    for bad in (altered, shorter, unsealed, forged):
        status, _ = await liar.carry(house.gate, bad)
        assert status == 400
    _, report, _ = await house.call("GET", "report")
    assert report["occupancy"][house.checkpoint] == 0


async def test_a_site_brings_nothing_of_another_venues_gate(house, liar):
    batch = batch_of(house, house.far_gate, b"f" * 32, b"i" * 16)
    assert (await liar.carry(house.far_gate, batch))[0] == 404


async def test_a_site_cannot_have_itself_certified_as_one_of_its_gates(house, liar):
    target = f"/sync/v1/site/gates/{house.gate}/certificate"
    mine = public_key(THIEF)
    proof = sign(THIEF, proof_text(house.gate, public_key(GATE), mine, AGREEMENT))
    body = codec.encode(Renew(mine, AGREEMENT, proof))
    own_word = authorization(
        lambda text: sign(THIEF, text), "POST", "/sync/v1/certificate", body, house.gate, "n", 1
    )
    for word in ("", own_word):
        headers = {"Portillon-Gate-Authorization": word} if word else {}
        assert (await liar.send(target, body, headers))[0] == 400


async def test_a_gates_own_word_has_its_keys_renewed_through_a_site_and_once_only(house, liar):
    target = f"/sync/v1/site/gates/{house.gate}/certificate"
    fresh = public_key(b"n" * 32)
    proof = sign(b"n" * 32, proof_text(house.gate, public_key(GATE), fresh, AGREEMENT))
    body = codec.encode(Renew(fresh, AGREEMENT, proof))
    word = authorization(
        lambda text: sign(GATE, text), "POST", "/sync/v1/certificate", body, house.gate, "n", 1
    )
    headers = {"Portillon-Gate-Authorization": word}
    assert (await liar.send(target, body, headers))[0] == 200
    assert (await liar.send(target, body, headers))[0] == 400  # the key that signed it has gone
