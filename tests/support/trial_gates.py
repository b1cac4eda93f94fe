"""Gates' keys and links at a real server, and a small venue for them."""

from admission.sync.messages import Enrol
from admission.trust.keys import check_string, public_key
from admission.trust.root import first_root, root_digest
from admission.trust.sealing import agreement_public_key
from appliance.storage.stored_signer import StoredSigner
from appliance.transport.client import open_link

AGREEMENT = b"x" * 32


class TrialGate:
    """A gate's keys, and the link that it would open."""

    def __init__(self, address, name, secret):
        self.address, self.name, self.private_key = address, name, secret * 32
        self.id = ""
        self.root = None

    async def enrol(self, code):
        async with open_link(self.address, "", StoredSigner(self.private_key)) as link:
            agreement = agreement_public_key(AGREEMENT)
            own = public_key(self.private_key)
            answer = await link.enrol(Enrol(code, own, agreement, "unnamed machine"))
        digest = bytes.fromhex(root_digest(answer.root))
        assert answer.check == check_string(own, agreement, digest, b"")
        self.id, self.root = answer.gate, first_root(answer.root, None)

    def link(self):
        return open_link(self.address, self.id, StoredSigner(self.private_key))


async def furnish(operator):
    """Make a published performance with two tickets, and two enrolled gates."""
    venue = await operator.made("venues", name="Hall", timezone="Europe/Paris")
    event = await operator.made("events", venue_id=venue, name="Show")
    operator.performance = await operator.made("performances", event_id=event, name="Tonight")
    operator.other = await operator.made("performances", event_id=event, name="Tomorrow")
    operator.checkpoint = await operator.made(
        "checkpoints", venue_id=venue, name="North", performances=[operator.performance]
    )
    path = f"performances/{operator.performance}"
    await operator.call("POST", f"{path}/imports", data=b"number\nA1\nA2\n")
    await operator.call("POST", f"{path}/publish")
    operator.gates = []
    for name, secret in (("A", b"a"), ("B", b"b")):
        gate = TrialGate(operator.address, name, secret)
        gate_id = await operator.made(
            "gates", checkpoint_id=operator.checkpoint, name=name, direction="entry"
        )
        _, made, _ = await operator.call("POST", f"gates/{gate_id}/enrolment-code")
        await gate.enrol(made["code"])
        assert gate.id == gate_id
        operator.gates.append(gate)
    return operator
