"""Commands from the operators' API to gates at a real server, over real sockets."""

import asyncio

import pytest

from admission.sync.messages import Enrol, Moment, Ordered, Status, Subscribe
from admission.trust.sealing import agreement_public_key
from appliance.storage.stored_signer import StoredSigner
from appliance.transport.client import open_link


class TrialGate:
    """A gate's key, and the link that it would open."""

    def __init__(self, address, gate_id, secret):
        self.address, self.id, self.signer = address, gate_id, StoredSigner(secret * 32)

    async def enrol(self, code):
        async with open_link(self.address, "", self.signer) as link:
            own = self.signer.public_key
            await link.enrol(Enrol(code, own, agreement_public_key(b"x" * 32)))

    def link(self):
        return open_link(self.address, self.id, self.signer)


@pytest.fixture
async def house(operator):
    """A checkpoint with two enrolled gates."""
    venue = await operator.made("venues", name="Hall", timezone="Europe/Paris")
    operator.checkpoint = await operator.made(
        "checkpoints", venue_id=venue, name="North", performances=[]
    )
    operator.gates = []
    for name, secret in (("A", b"a"), ("B", b"b")):
        gate_id = await operator.made(
            "gates", checkpoint_id=operator.checkpoint, name=name, direction="entry"
        )
        _, made, _ = await operator.call("POST", f"gates/{gate_id}/enrolment-code")
        gate = TrialGate(operator.address, gate_id, secret)
        await gate.enrol(made["code"])
        operator.gates.append(gate)
    return operator


async def _next_order(connection):
    async with asyncio.timeout(5):
        while not isinstance(message := await connection.receive(), Ordered):
            pass
    return message.raw


async def test_a_connected_gate_is_commanded_at_once_and_one_that_comes_back_is_told_of_a_lock(
    house,
):
    gate, other = house.gates
    status = Status("connected", [], 0, {}, Moment(0, 0, b""))
    async with gate.link() as link:
        async with link.live() as connection:
            await connection.send(Subscribe({}))
            await connection.send(status)
            await connection.receive()
            body = {"action": "lock", "reason": "a fight", "minutes": 60}
            code, issued, _ = await house.call("POST", f"gates/{gate.id}/commands", json=body)
            assert (code, issued["gates"], issued["reached"]) == (201, [gate.id], 1)
            assert issued["qr"].startswith("<svg")
            first = await _next_order(connection)
        async with link.live() as connection:
            await connection.send(Subscribe({}))
            assert await _next_order(connection) == first
    path = f"checkpoints/{house.checkpoint}/commands"
    code, issued, _ = await house.call("POST", path, json=body)
    assert (code, sorted(issued["gates"])) == (201, sorted([gate.id, other.id]))
    assert issued["reached"] == 0


async def test_the_api_refuses_what_is_no_command(house):
    path = f"gates/{house.gates[0].id}/commands"
    good = {"action": "lock", "reason": "r"}
    for body in (
        {"action": "explode", "reason": "r"},
        {"action": "lock"},
        {"action": "lock", "reason": ""},
    ):
        code, _, _ = await house.call("POST", path, json=body)
        assert code in (400, 422)
    code, _, _ = await house.call("POST", "gates/nobody/commands", json=good)
    assert code == 404
    code, _, _ = await house.call("POST", path, json=good, csrf="x")
    assert code == 403
