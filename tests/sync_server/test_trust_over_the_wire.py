"""Roots and status over real sockets: a gate follows a rotation at a running server."""

import pytest

from admission.errors import SignatureError
from admission.sync.messages import Enrol
from admission.ticketlist.acceptance import accept_manifest
from admission.trust.keys import public_key
from admission.trust.root import Role, root_digest, signers
from admission.trust.sealing import agreement_public_key
from appliance.errors import LinkAnswerError
from appliance.storage.stored_signer import StoredSigner
from appliance.transport.client import open_link
from appliance.trust_keeper import TrustKeeper
from gate_trust import ForgetfulTrust
from sync_server import trust_main

KEY, AGREEMENT = b"g" * 32, b"x" * 32


class ToldTime:
    """A clock that remembers what it was told."""

    def __init__(self):
        self.told = []

    def now(self):
        from datetime import UTC, datetime

        return datetime.now(UTC)

    def boot_ms(self):
        return 1000

    async def note_signed_time(self, server_time, asked_boot_ms, received_boot_ms):
        self.told.append(server_time)
        return True

    async def forget_signed_time(self):
        self.told.append("forgotten")


@pytest.fixture
async def gate(operator):
    """A published list, and an enrolled gate with its link."""
    venue = await operator.made("venues", name="Hall", timezone="Europe/Paris")
    event = await operator.made("events", venue_id=venue, name="Show")
    operator.performance = await operator.made("performances", event_id=event, name="Tonight")
    checkpoint = await operator.made(
        "checkpoints", venue_id=venue, name="North", performances=[operator.performance]
    )
    path = f"performances/{operator.performance}"
    await operator.call("POST", f"{path}/imports", data=b"number\nA1\n")
    await operator.call("POST", f"{path}/publish")
    gate_id = await operator.made("gates", checkpoint_id=checkpoint, name="A", direction="entry")
    _, made, _ = await operator.call("POST", f"gates/{gate_id}/enrolment-code")
    async with open_link(operator.address, "", StoredSigner(KEY)) as link:
        answer = await link.enrol(
            Enrol(made["code"], public_key(KEY), agreement_public_key(AGREEMENT))
        )
    operator.root, operator.gate = answer.root, gate_id
    async with open_link(operator.address, gate_id, StoredSigner(KEY)) as link:
        operator.link = link
        yield operator


def trusting(gate, time):
    return TrustKeeper(
        root=gate.root,
        root_digest=root_digest(gate.root),
        memory=ForgetfulTrust(),
        time=time,
        fresh_nonce=iter(f"question {n}" for n in range(9)).__next__,
    )


async def test_a_gate_hears_what_is_the_newest_and_what_time_it_is(gate):
    time = ToldTime()
    trust = trusting(gate, time)
    await trust.refresh(gate.link)
    assert trust.status.lists[gate.performance].version == 1
    assert time.told == [trust.status.time]
    before = trust.status.version
    await trust.refresh(gate.link)
    assert trust.status.version > before


async def test_a_gate_follows_a_rotation_at_a_running_server(gate, tmp_path):
    time = ToldTime()
    trust = trusting(gate, time)
    await trust.refresh(gate.link)
    old = trust.signers(Role.LIST)
    for role in (Role.LIST, Role.STATUS):
        _, installed = await trust_main.rotate(tmp_path, role)  # another process would, too
        assert installed
    await trust.refresh(gate.link)
    assert trust.root.version == 3
    assert "forgotten" in time.told
    raw = await gate.link.manifest(gate.performance)
    manifest = accept_manifest(
        raw,
        performance=gate.performance,
        trusted=signers(trust.root, Role.LIST),
        installed=None,
        now=None,
    )
    assert manifest.version == trust.status.lists[gate.performance].version == 2
    with pytest.raises(SignatureError):
        accept_manifest(raw, performance=gate.performance, trusted=old, installed=None, now=None)


async def test_a_question_without_a_nonce_is_not_answered(gate):
    for nonce in ("", "n" * 65):
        with pytest.raises(LinkAnswerError):
            await gate.link.status(nonce)


@pytest.mark.parametrize("version", [2, 999_999_999_999_999_999])
async def test_a_root_that_is_not_there_is_none(gate, version):
    assert await gate.link.root(version) is None
