"""Whom a site server serves: the roster as upstream said it last, kept over restarts.

It is mirrored into the tables of venues, checkpoints and gates, so that journals are taken in here
just as they are at the central server.
"""

from dataclasses import replace

from admission.errors import ProtocolError
from admission.rules import ClockPolicy, ExitPolicy
from admission.scan import Direction
from admission.sync import codec
from admission.sync.messages import Lists
from admission.sync.site_messages import Roster, RosterGate
from sync_server.entities import Checkpoint, Gate, Organization, Standing, Venue
from sync_server.errors import NotFoundError
from sync_server.ledger import Ledger
from sync_server.ports import Store, Transaction
from sync_server.site_ports import Document

_KIND = "roster"


class SiteBook:
    """The roster.

    Args:
        store: the database.
        ledger: the time.
    """

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger
        self._lines: dict[str, RosterGate] = {}
        self.roster: Roster | None = None
        self.fetched_ms = 0

    async def open(self) -> None:
        """Read what was kept; a site that never reached upstream serves nobody yet."""
        async with self._store.read() as transaction:
            kept = await transaction.freight.document(_KIND, "")
        if kept is None:
            return
        try:
            roster = codec.decode(kept.raw, Roster)
        except ProtocolError:
            return  # of a later program: upstream is asked again
        self._take(roster, kept.fetched_ms)

    async def renew(self, roster: Roster) -> bool:
        """Take what upstream says now, durably; tell whether it says something else."""
        now_ms = self._ledger.now_ms()
        has_changed = roster != self.roster
        async with self._store.write() as transaction:
            await transaction.freight.keep(_KIND, "", Document(codec.encode(roster), now_ms))
            if has_changed:
                await _mirror(transaction, roster, now_ms)
        self._take(roster, now_ms)
        return has_changed

    def _take(self, roster: Roster, fetched_ms: int) -> None:
        self.roster, self.fetched_ms = roster, fetched_ms
        self._lines = {gate.id: gate for gate in roster.gates}

    @property
    def gates(self) -> list[RosterGate]:
        """All gates of the venue."""
        return list(self._lines.values())

    def line(self, gate: str) -> RosterGate:
        """Give a gate's line.

        Raises:
            NotFoundError: if it is none of this site's.
        """
        if gate not in self._lines:
            raise NotFoundError("gate")
        return self._lines[gate]

    def require_held(self, gate: str, performance: str) -> None:
        """Make sure that a gate holds a performance's list.

        Raises:
            NotFoundError: if it does not.
        """
        if performance not in self.line(gate).streams:
            raise NotFoundError("list")

    def lists(self, gate: str) -> Lists:
        """Give the versions of a gate's lists and assignment, as upstream has said them last."""
        line = self.line(gate)
        root = 0 if self.roster is None else self.roster.root
        return Lists(dict(line.lists), line.assignment, root)

    @property
    def streams(self) -> list[str]:
        """The feeds of all gates."""
        return sorted({stream for gate in self._lines.values() for stream in gate.streams})

    def place(self, stream: str) -> str:
        """Give the feed of what happened at a checkpoint without a performance: its first's."""
        if self.roster is not None:
            for one in self.roster.checkpoints:
                if one.id == stream and one.performances:
                    return one.performances[0]
        return stream

    async def keys_changed(self, gate: str, public_key: bytes, agreement_key: bytes) -> None:
        """Know a gate by its new keys at once: upstream has certified them."""
        async with self._store.write() as transaction:
            known = await transaction.gates.gate(gate)
            if known is not None:
                changed = replace(known, public_key=public_key, agreement_key=agreement_key)
                await transaction.gates.save_gate(changed)
            old = [name for name in await transaction.freight.names("key") if is_of(name, gate)]
            await transaction.freight.drop("key", old)


def is_of(name: str, gate: str) -> bool:
    """Tell whether a document's name is one of a gate's."""
    return name == gate or name.startswith(f"{gate}/")


async def _mirror(transaction: Transaction, roster: Roster, now_ms: int) -> None:
    if await transaction.organizations.root() is None:
        await transaction.organizations.add_organization(
            Organization(roster.venue, None, roster.venue_name)
        )
    if await transaction.organizations.venue(roster.venue) is None:
        root = await transaction.organizations.root()
        owner = roster.venue if root is None else root.id
        await transaction.organizations.add_venue(
            Venue(roster.venue, owner, roster.venue_name, roster.timezone)
        )
    for one in roster.checkpoints:
        allowed = one.allowed_categories
        checkpoint = Checkpoint(
            one.id,
            roster.venue,
            one.name,
            None if allowed is None else tuple(allowed),
            one.capacity,
            (),  # performances are not set up here: their streams are the roster's
        )
        if await transaction.checkpoints.checkpoint(one.id) is None:
            await transaction.checkpoints.add_checkpoint(checkpoint)
        else:
            await transaction.checkpoints.save_checkpoint(checkpoint)
    await _mirror_gates(transaction, roster, now_ms)


async def _mirror_gates(transaction: Transaction, roster: Roster, now_ms: int) -> None:
    """Have the gates here be those of the roster, whose keys may have changed places."""
    known = {line.id: await transaction.gates.gate(line.id) for line in roster.gates}
    for line in roster.gates:
        before = known[line.id]
        if before is not None and before.public_key not in (None, line.public_key):
            await transaction.gates.save_gate(replace(before, public_key=None))
    for line in roster.gates:
        gate = _gate(line, roster.venue, now_ms)
        if known[line.id] is None:
            await transaction.gates.add_gate(gate)
        kept = await transaction.gates.keys(line.id)
        for key in line.former_keys:
            if key not in kept:  # what a gate gives up is kept: records may be sealed by it
                await transaction.gates.save_gate(replace(gate, public_key=key))
        await transaction.gates.save_gate(gate)


def _gate(line: RosterGate, venue: str, now_ms: int) -> Gate:
    standing = Standing(line.standing)
    return Gate(
        id=line.id,
        venue_id=venue,
        name=line.name,
        checkpoint_id=line.checkpoint,
        direction=Direction(line.direction),
        public_key=line.public_key or None,
        agreement_key=line.agreement_key or None,
        enrolled_ms=None if standing is Standing.UNKNOWN else now_ms,
        revoked_ms=now_ms if standing is Standing.REVOKED else None,
        pending_ms=now_ms if standing is Standing.PENDING else None,
        exit_policy=ExitPolicy.LISTED,
        clock_policy=ClockPolicy.ADMIT,
    )
