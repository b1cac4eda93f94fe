"""A gate that has a link hands in what others wrote and the server does not have."""

import pytest

from admission import journal
from admission.journal import Kind
from admission.sync.messages import Batch, Moment
from admission.trust.keys import public_key
from appliance.errors import LinkError
from appliance.handing_on import PAUSE_S, HandingOn
from appliance.simulator.imagined_link import ImaginedLink
from appliance.simulator.imagined_server import ImaginedServer
from local_gates import a_town


@pytest.fixture
async def town(tmp_path):
    async with a_town(tmp_path) as opened:
        opened.server = ImaginedServer(opened.clock, opened.office)
        yield opened


def linked(town, gate):
    """Give a gate a link, and what hands in over it."""
    town.server.device_keys = {one.name: public_key(one.key) for one in town.gates.values()}
    link = ImaginedLink(town.server, gate.name, b"a" * 32)
    gate.is_live = True
    handing_on = HandingOn(
        link=link,
        circle=gate.network.circle,
        carried=gate.carried,
        is_live=lambda: gate.is_live,
        clock=town.clock,
        jitter=lambda: 0.5,
    )
    return link, handing_on


def server_has(town, gate):
    stored = town.server.journals.get(gate.journal.id)
    return [] if stored is None else [row.blob for row in stored.rows.values()]


async def test_the_server_gets_byte_for_byte_what_a_gate_without_a_link_wrote(town):
    a, b = await town.of("a", "b")
    await a.write(*(a.draft(Kind.PASSED, f"T{n}") for n in range(700)))
    await a.let_through("T1")
    await town.later(10)
    _, handing_on = linked(town, b)
    task = town.group.create_task(handing_on.run())
    await town.later(PAUSE_S * 2)
    assert server_has(town, a) == (await a.known())[a.journal.id]
    assert [item.sequence for item in town.server.feeds["show"]] == [*range(1, 701), 702]
    task.cancel()


async def test_what_the_server_has_is_not_brought_again(town):
    a, b, c = await town.of("a", "b", "c")
    await a.let_through("T1")
    await town.later(5)
    link, handing_on = linked(town, b)
    other, also = linked(town, c)
    await handing_on.hand_on()
    await also.hand_on()
    await handing_on.hand_on()
    assert len([request for request in link.requests if request.startswith("carry")]) == 1
    assert other.requests == ["heads"]
    assert len(link.requests) == 2  # and nothing is asked of what is known to be there
    await a.let_through("T2")
    await town.later(5)
    await handing_on.hand_on()
    assert server_has(town, a) == (await a.known())[a.journal.id]


async def test_what_its_gate_says_is_acknowledged_is_not_even_asked(town):
    a, b = await town.of("a", "b")
    await a.let_through("T1")
    await a.journal.acknowledge(a.journal.head, await a.journal.chain_at(a.journal.head))
    await town.later(5)
    await town.later(5)
    link, handing_on = linked(town, b)
    await handing_on.hand_on()
    assert link.requests == []


async def test_without_a_link_nothing_is_tried_and_a_failure_is_tried_again(town):
    a, b = await town.of("a", "b")
    await a.let_through("T1")
    await town.later(5)
    link, handing_on = linked(town, b)
    b.is_live = False
    task = town.group.create_task(handing_on.run())
    await town.later(PAUSE_S * 3)
    assert link.requests == []
    b.is_live = True
    link.cut(LinkError("the cable is cut"))
    await town.later(PAUSE_S * 3)
    assert server_has(town, a) == []
    link.mend()
    await town.later(PAUSE_S * 2)
    assert len(server_has(town, a)) == 2
    task.cancel()


async def test_where_the_server_has_another_history_ours_is_brought_beside_it(town):
    a, b = await town.of("a", "b")
    await a.let_through("T1")
    await town.later(5)
    _, handing_on = linked(town, b)
    other = a.draft(Kind.PASSED, "U1")
    blob = journal.encode(journal.placed(other, 1, 1))

    batch = Batch(a.journal.id, 1, journal.genesis(a.journal.id), [blob], Moment(0, 0, b""))
    town.server.take(batch)
    await handing_on.hand_on()
    kept = [row.blob for row in town.server.journals[a.journal.id].forked]
    assert server_has(town, a) == [blob]
    assert kept == (await a.known())[a.journal.id]
