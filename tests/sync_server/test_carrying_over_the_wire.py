"""A gate brings another's journal: the real server over real sockets, and the imagined one."""

from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace as changed

from admission import journal
from admission.journal import Kind, Record
from admission.sync.messages import Batch, Carried, Moment
from admission.sync.sealed_head import seal
from admission.trust.keys import public_key, sign
from appliance.errors import LinkAnswerError
from appliance.simulator.imagined_link import ImaginedLink
from appliance.simulator.imagined_server import ImaginedServer
from appliance.simulator.virtual_clock import VirtualClock
from tests.appliance.conftest import AGREEMENT_KEY, EVENING
from trial_gates import furnish


class Imagined:
    """A gate of an imagined server."""

    def __init__(self, server, gate, secret):
        self.server, self.id, self.private_key = server, gate, secret * 32
        server.device_keys[gate] = public_key(self.private_key)

    @asynccontextmanager
    async def link(self):
        yield ImaginedLink(self.server, self.id, AGREEMENT_KEY)


def batch_of(gate, *numbers, first=1, before=None, name="journal-a"):
    chain = journal.genesis(name) if before is None else before
    blobs, previous = [], chain
    for number in numbers:
        record = Record(
            kind=int(Kind.BOOT), sequence=number, wall_ms=1, boot_ms=0, boot_id=b"b" * 16
        )
        blobs.append(journal.encode(record))
        chain = journal.chain(chain, blobs[-1])
    last = first + len(blobs) - 1
    sealed = seal(lambda text: sign(gate.private_key, text), gate.id, name, last, chain)
    return Batch(name, first, previous, blobs, Moment(1, 1, b"b" * 16), sealed)


async def _bring(first, second):
    async with second.link() as link:
        batch = batch_of(first, 1, 2)
        assert (await link.heads(["journal-a", "journal-b"])).heads == {}
        ack = await link.carry(Carried(first.id, batch))
        assert (ack.head, ack.held, ack.held_chain) == (2, 2, batch.seal.chain)
        heads = (await link.heads(["journal-a", "journal-b"])).heads
        assert heads == {"journal-a": (2, batch.seal.chain)}
        far = batch_of(first, 5, first=5, before=bytes(32))
        ack = await link.carry(Carried(first.id, far))
        assert (ack.conflict, ack.head, ack.held) == (True, 2, 0)
        forged = changed(batch, blobs=batch.blobs[::-1])
        with pytest.raises(LinkAnswerError, match="400"):
            await link.carry(Carried(first.id, forged))
        with pytest.raises(LinkAnswerError, match="400"):
            await link.carry(Carried(second.id, batch))
    async with first.link() as link:
        more = batch_of(first, 3, first=3, before=batch.seal.chain)
        assert (await link.upload(more)).head == 3
        with pytest.raises(LinkAnswerError, match="400"):
            await link.upload(changed(more, seal=changed(more.seal, signature=bytes(64))))


async def test_a_gate_brings_what_another_has_sealed_to_the_real_server(operator):
    await _bring(*(await furnish(operator)).gates)


async def test_the_imagined_server_takes_it_alike():
    server = ImaginedServer(VirtualClock(EVENING))
    await _bring(Imagined(server, "gate-a", b"a"), Imagined(server, "gate-b", b"b"))
