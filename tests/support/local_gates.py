"""Gates of one imagined local network: real journals, real copies of others'; no lane, no list."""

import asyncio
import hashlib
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

from admission import journal
from admission.journal import Kind, Record
from admission.passage import History
from admission.sync.hints import HintBoard, hint_of
from admission.sync.peer import Circle
from admission.sync.peer_proof import Enrolment, Self
from admission.trust.keys import public_key, sign
from admission.trust.root import Role
from admission.trust.sealing import agreement_public_key
from appliance.local_network import LocalNetwork, Revoked
from appliance.simulator.box_office import BoxOffice
from appliance.simulator.imagined_network import (
    ImaginedDatagrams,
    ImaginedNetwork,
    ImaginedWire,
)
from appliance.simulator.virtual_clock import VirtualClock, settle
from appliance.storage.carried_store import open_carried
from appliance.storage.database import open_database
from appliance.storage.journal_store import SqliteJournal

PORT = 7678
SHOW = "show"
HOPS = 5  # a question, its answer, and what is kept of it


class LocalGate:
    """One gate; `open` it on a network."""

    def __init__(self, town, name, number):
        self.town, self.name = town, name
        self.host = f"10.0.0.{number}"
        self.address = f"{self.host}:{PORT}"
        self.folder = town.folder / name
        self.folder.mkdir(exist_ok=True)
        self.key = hashlib.sha256(f"key of {name}".encode()).digest()
        self.own = Self(name, lambda: self.certificate, lambda text: sign(self.key, text))
        agreement = agreement_public_key(hashlib.sha256(b"x" + self.key).digest())
        self.certificate = town.office.certify(name, public_key(self.key), agreement)
        self.told_revoked = None
        self.noted = []
        self.starts = 0
        self.is_open = False

    async def open(self, *, free_bytes_min=0, journal_id=""):
        """Start it, over what is on its disk."""
        self.stack = AsyncExitStack()
        self.starts += 1
        enter = self.stack.enter_async_context
        connection = await enter(open_database(self.folder / "journal.sqlite"))
        self.journal = await SqliteJournal.open(connection, journal_id or f"journal-of-{self.name}")
        self.carried = await enter(
            open_carried(self.folder / "carried.sqlite", free_bytes_min=free_bytes_min)
        )
        self.history, self.board = History(), HintBoard()
        self.grew = asyncio.Event()
        self.revoked = Revoked(self.carried, lambda: self.told_revoked)
        numbers = count(1)
        network = self.town.network
        self.network = LocalNetwork(
            own=self.own,
            enrolment=Enrolment(
                lambda: self.town.office.signers(Role.ENROL), self.town.clock.now, self.revoked
            ),
            revoked=self.revoked,
            circle=Circle([self.journal.id], await self.carried.held()),
            carried=self.carried,
            journals=lambda: [self.journal],
            grew=self.grew,
            wire=ImaginedWire(network, self.address),
            datagrams=ImaginedDatagrams(network, self.address),
            history=self.history,
            hear=self.hear,
            confirm=self.board.confirm,
            performances=lambda: {SHOW},
            note=self._note,
            nonce=lambda: self._nonce(next(numbers)),
            jitter=lambda: 0.5,
            clock=self.town.clock,
            port=PORT,
        )
        await self.network.load()
        network.open(self.address, self.network.answering.answer, self.network.shouting.hear)
        self.task = self.town.group.create_task(self.network.run())
        self.is_open = True

    async def close(self):
        """Stop it, as a power cut would."""
        self.town.network.close(self.address)
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.stack.aclose()
        self.is_open = False

    def certify(self, serial):
        """Give it another key, and a certificate of it."""
        self.key = hashlib.sha256(f"key {serial} of {self.name}".encode()).digest()
        self.certificate = self.town.office.certify(
            self.name, public_key(self.key), bytes(32), serial=serial
        )

    def meet(self, *others):
        for other in others:
            self.network.neighbours.found(other.address)

    def hear(self, hint):
        self.board.hear(hint, self.town.now_ms())

    async def write(self, *drafts):
        records = await self.journal.append(*drafts)
        self.grew.set()
        return records

    async def grant(self, ticket):
        """Grant, as a lane does: on the disk, then told."""
        (granted,) = await self.write(self.draft(Kind.GRANTED, ticket))
        self.network.shouting.offer(hint_of(self.name, self.journal.id, granted))
        return granted

    async def let_through(self, ticket):
        granted = await self.grant(ticket)
        await self.write(journal.ending(granted, Kind.PASSED, granted.sequence))

    def draft(self, kind, ticket):
        return Record(
            kind=int(kind),
            sequence=0,
            wall_ms=journal.wall_ms(self.town.clock.now()),
            boot_ms=0,
            boot_id=b"",
            checkpoint="checkpoint",
            performance=SHOW,
            identifier=ticket if isinstance(ticket, bytes) else ticket.encode(),
            direction=1,
            ticket_class=("standard", "single", None, None),
        )

    def used(self, ticket):
        """Count the passages that it knows of a ticket."""
        return sum(fact.identifier == ticket.encode() for fact in self.history)

    def hinted(self, ticket):
        hinted = (key.identifier == ticket.encode() for key in self.board._of_ticket)
        return any(hinted)

    async def known(self):
        """Everything that it knows, as bytes: its own journal and those that it carries."""
        known = {self.journal.id: [row.blob for row in await self.journal.rows(0, 100_000)]}
        for held in await self.carried.held():
            blobs, after = [], 0
            while (part := await self.carried.following(held.journal, after, 1000)) is not None:
                blobs += [row.blob for row in part.rows]
                after = part.rows[-1].sequence
            known[held.journal] = blobs
        return {name: blobs for name, blobs in known.items() if blobs}

    async def _note(self, code, text):
        self.noted.append((code, text))

    def _nonce(self, number):
        return hashlib.sha256(f"{self.address} {self.starts} {number}".encode()).digest()[:16]


class Town:
    """A network, its gates and its time."""

    def __init__(self, folder, group):
        self.folder, self.group = folder, group
        self.clock, self.network, self.office = VirtualClock(), ImaginedNetwork(), BoxOffice()
        self.gates = {}

    async def gate(self, name, **options):
        """Open a gate that is not known to anybody yet."""
        gate = LocalGate(self, name, len(self.gates) + 1)
        self.gates[name] = gate
        await gate.open(**options)
        return gate

    async def of(self, *names):
        """Open gates that find each other."""
        gates = [await self.gate(name) for name in names]
        for gate in gates:
            gate.meet(*(other for other in gates if other is not gate))
        return gates

    def now_ms(self):
        return self.clock.monotonic_ns() // 1_000_000

    async def settle(self):
        """Let everything happen that can happen without time going on."""
        for _ in range(HOPS):
            await settle()
            for gate in self.gates.values():
                if gate.is_open:
                    await gate.carried.revoked()  # its thread has done all before it
                    await gate.journal.chain_at(1)
        await settle()

    async def later(self, seconds):
        """Let time go on, from deadline to deadline."""
        await self.settle()
        target_ns = self.clock.monotonic_ns() + round(seconds * 1e9)
        while (due_ns := self.clock.next_due_ns) is not None and due_ns <= target_ns:
            self.clock.advance(max(0, due_ns - self.clock.monotonic_ns()) / 1e9)
            await self.settle()
        self.clock.advance((target_ns - self.clock.monotonic_ns()) / 1e9)
        await self.settle()


@asynccontextmanager
async def a_town(folder):
    """Give a network, and close its gates in the end."""
    async with asyncio.TaskGroup() as group:
        town = Town(folder, group)
        try:
            yield town
        finally:
            for gate in town.gates.values():
                if gate.is_open:
                    await gate.close()
