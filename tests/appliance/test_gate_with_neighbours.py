"""A whole gate with a neighbour and no server: what the neighbour let in, it refuses."""

from contextlib import asynccontextmanager
from itertools import count

import pytest

from admission import journal
from admission.journal import Kind
from admission.sync.peer import Circle
from admission.sync.peer_proof import Enrolment, Self
from admission.trust.root import Role
from admission.verdict import Answer
from appliance.local_network import LocalNetwork, Revoked
from appliance.ports import Look
from appliance.simulator.imagined_network import ImaginedDatagrams, ImaginedWire
from appliance.storage.carried_store import open_carried
from local_gates import PORT, SHOW, a_town

ADDRESS = f"10.0.0.99:{PORT}"


@pytest.fixture
async def town(tmp_path):
    async with a_town(tmp_path / "town") as opened:
        yield opened


@pytest.fixture(autouse=True)
def folder(tmp_path):
    (tmp_path / "town").mkdir()


@asynccontextmanager
async def among_neighbours(open_gate, town, tmp_path, **options):
    """Run a gate that is on the town's network."""
    async with (
        open_gate(clock=town.clock, **options) as gate,
        open_carried(tmp_path / "carried.sqlite", free_bytes_min=0) as carried,
    ):
        numbers = count(1)
        network = LocalNetwork(
            own=Self(gate.vault.gate, lambda: gate.vault.certificate, gate.vault.sign_certified),
            enrolment=Enrolment(lambda: town.office.signers(Role.ENROL), town.clock.now, frozenset),
            revoked=Revoked(carried, lambda: ()),
            circle=Circle([gate.journal.id], await carried.held()),
            carried=carried,
            journals=lambda: [gate.journal],
            grew=gate.recorder.grew,
            wire=ImaginedWire(town.network, ADDRESS),
            datagrams=ImaginedDatagrams(town.network, ADDRESS),
            history=gate.history,
            hear=gate.hinting.hear,
            confirm=gate.hinting.board.confirm,
            performances=lambda: gate.holdings.performances.keys(),
            note=None,
            nonce=lambda: next(numbers).to_bytes(16),
            jitter=lambda: 0.5,
            clock=town.clock,
            port=PORT,
        )
        gate.hinting.lanes.append(network.shouting)
        await network.load()
        town.network.open(ADDRESS, network.answering.answer, network.shouting.hear)
        for other in town.gates.values():
            network.neighbours.found(other.address)
        task = town.group.create_task(network.run())
        gate.network = network
        try:
            await town.later(3)
            await gate.settle()
            yield gate
        finally:
            task.cancel()
            town.network.close(ADDRESS)


async def test_a_ticket_that_a_neighbour_granted_is_refused_at_once(open_gate, town, tmp_path):
    other = await town.gate("other")
    async with among_neighbours(open_gate, town, tmp_path) as gate:
        await other.grant(gate.holdings.identify(SHOW, "T1"))
        await town.settle()
        assert (await gate.scan("T1")).answer is Answer.ALREADY_USED
        assert (await gate.scan("T2")).answer is Answer.GRANTED


async def test_what_the_hint_did_not_tell_the_journal_does_also_after_a_restart(
    open_gate, town, tmp_path
):
    other = await town.gate("other")
    async with among_neighbours(open_gate, town, tmp_path) as gate:
        ticket = gate.holdings.identify(SHOW, "T1")
        granted, _ = await other.write(
            other.draft(Kind.GRANTED, ticket), other.draft(Kind.DENIED, ticket)
        )
        await other.write(journal.ending(granted, Kind.PASSED, granted.sequence))
        await town.later(5)
    await other.close()
    async with among_neighbours(open_gate, town, tmp_path) as gate:
        shown = await gate.scan("T1")
        assert (shown.look, shown.answer) == (Look.DENIED, Answer.ALREADY_USED)


async def test_a_grant_that_nobody_used_frees_the_ticket_for_the_neighbour(
    open_gate, town, tmp_path
):
    other = await town.gate("other")
    async with among_neighbours(open_gate, town, tmp_path) as gate:
        granted = await other.grant(gate.holdings.identify(SHOW, "T1"))
        await other.write(journal.ending(granted, Kind.NOT_PASSED, granted.sequence))
        await town.later(2)
        assert (await gate.scan("T1")).answer is Answer.GRANTED


async def test_what_this_gate_grants_its_neighbour_hears_at_once(open_gate, town, tmp_path):
    other = await town.gate("other")
    async with among_neighbours(open_gate, town, tmp_path) as gate:
        ticket = gate.holdings.identify(SHOW, "T1")
        assert (await gate.scan("T1")).answer is Answer.GRANTED
        await town.settle()
        assert any(key.identifier == ticket for key in other.board._of_ticket)


async def test_what_went_through_here_its_neighbour_knows_for_good(open_gate, town, tmp_path):
    other = await town.gate("other")
    async with among_neighbours(open_gate, town, tmp_path, has_sensor=False) as gate:
        ticket = gate.holdings.identify(SHOW, "T1")
        assert (await gate.scan("T1")).answer is Answer.GRANTED
        await town.later(2)
        assert any(fact.identifier == ticket for fact in other.history)
        assert len(other.board) == 0
