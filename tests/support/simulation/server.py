"""The server: its own services over its own tables, crashing and coming back from backups."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from admission import journal
from admission.sync import codec
from admission.sync.hint_guard import HintGuard
from admission.sync.messages import Ack, Batch, Beat, Feed, Hint, Lists
from admission.sync.server_side import ForwardHint, LiveSide, ReadFeed, Send
from admission.ticket import TicketState
from simulation.network import LiveConnection, Road
from simulation.office import Database, identifier_of
from simulation.office import Lists as Published
from simulation.plan import Plan
from simulation.scheduler import BEGIN_MS, Cut, Scheduler, finish
from sync_server.reconciling import Reconciling, fresh_numbering, refold_tickets

BEAT_MS: Final = 5_000
_READ_MS_MAX: Final = 40


class Server:
    """The house of record.

    Attributes:
        is_up: whether it answers.
        took: told of every batch that was committed.
        fed: told of streams that have grown.
    """

    def __init__(self, scheduler: Scheduler, plan: Plan) -> None:
        self.scheduler = scheduler
        self.database = Database()
        self.lists = Published(plan)
        finish(self.lists.write(self.database))
        self.reconciling = Reconciling(self.database, self)
        self.is_up = True
        self.backup: bytes | None = None
        self.restores = 0
        self.took: Callable[[str, Batch, Ack | None], None] = lambda _gate, _batch, _ack: None
        self.fed: Callable[[Sequence[str]], None] = lambda _streams: None
        self._chance = scheduler.chance("server")
        self._live: dict[LiveConnection, LiveSide] = {}
        self._guards: dict[LiveConnection, tuple[str, HintGuard]] = {}
        scheduler.at(BEAT_MS, self._beat)

    def now_us(self) -> int:
        """The server's clock, which is right."""
        return (BEGIN_MS + self.scheduler.now_ms) * 1000

    # what gates ask

    def upload(self, gate: str, raw: bytes) -> Callable[[Callable[[Any], None]], None]:
        """Take a batch in."""

        def take(answer: Callable[[Any], None]) -> None:
            batch = codec.decode(raw, Batch)
            taken = self._do_or_die(self.reconciling.take(gate, batch))
            if taken is None:
                self.took(gate, batch, None)
                return
            self.scheduler.note("took", gate, batch.journal, batch.first, taken.ack.head)
            self.took(gate, batch, taken.ack)
            self._grown(taken.streams)
            answer(codec.decode(codec.encode(taken.ack), Ack))

        return self._if_up(take)

    def feed(self, stream: str, after: int) -> Callable[[Callable[[Any], None]], None]:
        """Give a page of a feed."""
        return self._if_up(lambda answer: answer(finish(self.reconciling.feed(stream, after))))

    def news(self) -> Callable[[Callable[[Any], None]], None]:
        """Give the time and the newest lists, as a signed status does."""
        return self._if_up(lambda answer: answer((self.now_us() // 1000, dict(self.lists.now))))

    def connect(self, gate: str, road: Road, performances: Sequence[str]) -> Any:
        """Give the call that opens a live connection."""

        def open_one(answer: Callable[[Any], None]) -> None:
            numbering = finish(self.reconciling.numbering())
            side = LiveSide(frozenset(performances), numbering)
            connection = LiveConnection(
                road,
                lambda message: self._heard(connection, message),
                lambda: self._forget(connection),
            )
            self._live[connection] = side
            self._guards[connection] = (gate, HintGuard(gate, self._journals_of(gate)))
            answer(connection)

        return self._if_up(open_one)

    def _if_up(self, call: Callable[..., None]) -> Callable[[Callable[[Any], None]], None]:
        def asked(answer: Callable[[Any], None]) -> None:
            if self.is_up:
                call(answer)

        return asked

    # what the venue's staff does

    def change(self, show: str, number: str, state: TicketState) -> None:
        """Change a ticket, and publish it."""

        async def write() -> None:
            async with self.database.write() as transaction:
                identifier = identifier_of(show, number)
                await transaction.tickets.set_state(show, identifier, state, self.now_us())
                await refold_tickets(transaction, show, [identifier])

        if not self.is_up or self.lists.states[show].get(number, state) is state:
            return
        self._do_or_die(write())
        if self.is_up:
            self.lists.change(show, number, state)
            versions = {name: one.manifest.version for name, one in self.lists.now.items()}
            for connection, side in list(self._live.items()):
                self._do(connection, side, side.announce(Lists(versions, 1)))

    def reset(self, show: str, number: str, checkpoint: str) -> None:
        """Have a checkpoint forget a ticket."""

        async def write() -> frozenset[str]:
            async with self.database.write() as transaction:
                return await self.reconciling.reset_within(
                    transaction, checkpoint, show, identifier_of(show, number), {}
                )

        if self.is_up:
            self._grown(self._do_or_die(write()) or ())

    # what goes wrong

    def crash(self, for_ms: int) -> None:
        """Die, and come back; every connection is gone."""
        if not self.is_up:
            return
        self.is_up = False
        for connection in list(self._live):
            connection.close()
        self.scheduler.at(for_ms, self.start)

    def start(self) -> None:
        """Come back with what was committed."""
        self.is_up = True

    def copy(self) -> None:
        """Make a backup."""
        self.backup = self.database.backup()

    def restore(self, for_ms: int) -> bool:
        """Come back from the backup; tell whether there was one."""
        if self.backup is None or not self.is_up:
            return False
        self.crash(for_ms)
        self.database.cut_before_commit = self.database.cut_after_commit = False
        self.database.restore(self.backup)
        self.restores += 1
        finish(self._renumber())
        return True

    async def _renumber(self) -> None:
        """Do what an operator does after a restore (`portillon server renumber`)."""
        async with self.database.write() as transaction:
            await transaction.facts.renumber(fresh_numbering(self._chance.randbytes))

    def _do_or_die(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Write something; None where the server died over it, before or after its commit."""
        try:
            return finish(coroutine)
        except Cut:
            self.scheduler.note("server cut off")
            self.database.cut_before_commit = self.database.cut_after_commit = False
            self.crash(self._chance.randint(500, 20_000))
            return None

    # the live lane

    def _grown(self, streams: Sequence[str] | frozenset[str]) -> None:
        names = sorted(streams)
        if not names:
            return
        self.fed(names)
        for connection, side in list(self._live.items()):
            self._do(connection, side, side.wake(names))

    def _heard(self, connection: LiveConnection, message: Any) -> None:
        side = self._live.get(connection)
        if side is not None:
            self._do(connection, side, side.receive(message))

    def _do(self, connection: LiveConnection, side: LiveSide, commands: Sequence[Any]) -> None:
        for command in commands:
            match command:
                case ReadFeed(stream, after):
                    wait_ms = self._chance.randint(1, _READ_MS_MAX)
                    self.scheduler.at(wait_ms, self._read, connection, side, stream, after)
                case Send(message):
                    connection.push(message)
                case ForwardHint(hint):
                    self._forward(connection, hint)
                case _:
                    pass  # nothing here notes a status, or claims

    def _forward(self, connection: LiveConnection, hint: Hint) -> None:
        """Hand a hint on, as the live room does."""
        gate, guard = self._guards[connection]
        if guard.passes(hint, self.scheduler.now_ms):
            for other, side in list(self._live.items()):
                if self._guards[other][0] != hint.gate and side.may_hear(hint.performance):
                    other.push(hint)
        if guard.wants_journals(self.scheduler.now_ms):
            guard.know(self._journals_of(gate))

    def _journals_of(self, gate: str) -> list[str]:
        rows = self.database.rows("SELECT id FROM journals WHERE gate_id = ?", gate)
        return [name for (name,) in rows]

    def _forget(self, connection: LiveConnection) -> None:
        self._live.pop(connection, None)
        self._guards.pop(connection, None)

    def _read(self, connection: LiveConnection, side: LiveSide, stream: str, after: int) -> None:
        if self._live.get(connection) is not side or not self.is_up:
            return
        page: Feed = finish(self.reconciling.feed(stream, after))
        wait_ms = self._chance.randint(0, _READ_MS_MAX)
        self.scheduler.at(wait_ms, self._read_done, connection, side, page)

    def _read_done(self, connection: LiveConnection, side: LiveSide, page: Feed) -> None:
        if self._live.get(connection) is side:
            self._do(connection, side, side.page(page))

    def _beat(self) -> None:
        for connection in list(self._live):
            connection.push(Beat(self.now_us() // 1000))
        self.scheduler.at(BEAT_MS, self._beat)


def at_server(at_ms: int) -> int:
    """Give the wall-clock milliseconds of an instant of the run."""
    return journal.wall_ms(journal.instant(BEGIN_MS + at_ms))
