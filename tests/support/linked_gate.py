"""A gate with its uplink to an imagined server, and other gates of that server."""

import asyncio
from contextlib import asynccontextmanager

from admission import journal
from admission.journal import Kind, Record
from admission.scan import Direction
from admission.sync.messages import Batch, Moment
from appliance.uplink import Uplink
from signed_server import GATE, SIGNER

OWN = "journal-a"
NUMBERS = [f"T{n}" for n in range(12)]


@asynccontextmanager
async def linked(open_gate, tickets=NUMBERS, *, jitter=0.0, prepare=None, **options):
    """Run a gate with its uplink; `prepare` sees it before the link is tried."""
    async with open_gate(tickets, **options) as gate:
        gate.uplink = Uplink(
            link=gate.link,
            keeper=gate.keeper,
            identity=gate.identity,
            commanding=gate.commanding,
            hinting=gate.hinting,
            claiming=gate.claiming,
            memory=gate.memory,
            recorder=gate.recorder,
            history=gate.history,
            holdings=gate.holdings,
            clock=gate.time,
            boot_id=bytes(16),
            jitter=lambda: jitter,
            changed=gate.health.changed,
            software="1.2.3",
            gate=GATE,
            signer=SIGNER,
            forked=gate.succession.ask,
        )
        gate.health.situation = gate.uplink.situation
        gate.health.changed()
        if prepare is not None:
            prepare(gate)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(gate.uplink.run())
            await gate.settle()
            yield gate
            task.cancel()


async def live(gate) -> None:
    """Wait for the first beat."""
    await gate.later(2.5)
    assert gate.uplink.live


class OtherGate:
    """Another gate's journal, written and handed in behind our gate's back."""

    def __init__(self, gate, name: str = "journal-b") -> None:
        self.gate, self.name = gate, name
        self.head, self.chain = 0, journal.genesis(name)

    def write(self, *drafts: Record) -> None:
        blobs = []
        first, previous = self.head + 1, self.chain
        for draft in drafts:
            self.head += 1
            blobs.append(journal.encode(journal.placed(draft, self.head, self.head)))
            self.chain = journal.chain(self.chain, blobs[-1])
        batch = Batch(self.name, first, previous, blobs, Moment(0, 0, b""))
        assert not self.gate.server.take(batch).conflict

    def pass_through(self, *numbers: str) -> None:
        self.write(*(self.passage(number) for number in numbers))

    def passage(self, number: str) -> Record:
        return Record(
            kind=int(Kind.PASSED),
            sequence=0,
            wall_ms=journal.wall_ms(self.gate.clock.now()),
            boot_ms=0,
            boot_id=b"",
            checkpoint="checkpoint",
            performance="show",
            identifier=self.gate.holdings.identify("show", number),
            direction=journal.direction_code(Direction.ENTRY),
            ticket_class=("standard", "single", None, None),
        )


def known_to(gate, number: str) -> int:
    """Count the facts that the gate knows of a ticket."""
    identifier = gate.holdings.identify("show", number)
    return sum(fact.identifier == identifier for fact in gate.history)


def uploaded(gate) -> list[Record]:
    stored = gate.server.journals.get(OWN)
    return [] if stored is None else stored.records()


async def own_records(gate) -> list[Record]:
    return [journal.decode(row.blob) for row in await gate.journal.rows(0, 10_000)]
