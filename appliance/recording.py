"""Writes what happened: fills in the clocks, the boot and the circumstances of every record.

Called by the gate and the list keeper. The journal itself is behind `ports.Journal`.
"""

import asyncio
from collections.abc import Callable, Mapping

from admission import journal
from admission.journal import Flag, Kind, Record
from admission.scan import KEYED_READER, Direction, Scan
from admission.sync.gate_side import Row
from admission.ticket import TicketClass
from admission.trust.trusted_time import TrustedInstant
from admission.verdict import Answer, Verdict
from appliance.commit_times import CommitTimes
from appliance.journal_ports import Journal
from appliance.trusted_clock import TrustedClock


class Recorder:
    """The pen of the gate.

    Attributes:
        journal: where it writes.
        grew: set whenever the journal has grown; the uplink clears and awaits it.
        followers: set likewise, each for somebody else who clears and awaits it.
        watchers: told of every record that was written.
        circumstances: flags that hold for the gate as a whole now; set by the gate.
        times: how long commits take.
    """

    def __init__(self, store: Journal, clock: TrustedClock, boot_id: bytes) -> None:
        """Take the journal and the clocks.

        Args:
            store: the journal.
            clock: trusted time, and what the machine's clocks say.
            boot_id: names this start of the machine.
        """
        self.journal = store
        self.grew = asyncio.Event()
        self.followers: list[asyncio.Event] = []
        self.watchers: list[Callable[[Record], None]] = []
        self.circumstances = Flag(0)
        self.times = CommitTimes(clock.monotonic_ns)
        self._clock = clock
        self._boot_id = boot_id

    async def write(self, *drafts: Record, is_awaited: bool = False) -> tuple[Record, ...]:
        """Write records in one commit.

        Args:
            drafts: what is written.
            is_awaited: whether somebody stands at the gate and waits for it.

        Raises:
            StorageError: if they could not be written.
        """
        commit = self.times.begin(is_awaited=is_awaited)
        try:
            records = await self.journal.append(*drafts)
        finally:
            self.times.end(commit)
        self.grew.set()
        for follower in self.followers:
            follower.set()
        for record in records:
            for watcher in self.watchers:
                watcher(record)
        return records

    async def begin_journal(self, new_id: str, why: str, opening: Callable[[Row], Record]) -> None:
        """Begin another journal; see `ports.Journal.begin_anew`.

        Raises:
            StorageError: if it could not be begun.
        """
        await self.journal.begin_anew(new_id, why, opening)
        self.grew.set()
        await self._clock.remember()

    async def note(
        self,
        kind: Kind,
        *,
        performance: str = "",
        checkpoint: str = "",
        list_version: int = 0,
        detail: Mapping[str, str | int] | None = None,
    ) -> Record:
        """Write something that is no scan, at this moment.

        Raises:
            StorageError: if it could not be written.
        """
        draft = self.event(
            kind,
            performance=performance,
            checkpoint=checkpoint,
            list_version=list_version,
            detail=detail,
        )
        (record,) = await self.write(draft)
        return record

    def event(
        self,
        kind: Kind,
        *,
        performance: str = "",
        checkpoint: str = "",
        list_version: int = 0,
        detail: Mapping[str, str | int] | None = None,
        direction: Direction | None = None,
    ) -> Record:
        """Make the record of something that is no scan; its moment is now."""
        instant = self._clock.look()
        return Record(
            kind=int(kind),
            sequence=0,
            wall_ms=instant.reading.wall_ms,
            boot_ms=instant.reading.boot_ms,
            boot_id=self._boot_id,
            flags=int(self.circumstances | _of_clock(instant)),
            checkpoint=checkpoint,
            performance=performance,
            direction=0 if direction is None else journal.direction_code(direction),
            list_version=list_version,
            detail=dict(detail or {}),
            trusted_ms=instant.now_ms,
        )

    def draft(
        self,
        kind: Kind,
        scan: Scan,
        *,
        checkpoint: str,
        verdict: Verdict,
        list_version: int,
        flags: Flag,
        instant: TrustedInstant,
    ) -> Record:
        """Make the record of what became of a scan; its moment is the scan's, `instant`."""
        ticket = verdict.ticket
        if ticket is not None and ticket.proven:
            flags |= Flag.PROVEN
        if scan.reader == KEYED_READER:
            flags |= Flag.KEYED
        return Record(
            kind=int(kind),
            sequence=0,
            wall_ms=scan.wall_ms,
            boot_ms=scan.boot_ms,
            boot_id=self._boot_id,
            flags=int(self.circumstances | flags | _of_clock(instant)),
            checkpoint=checkpoint,
            performance=verdict.performance or "",
            identifier=b"" if ticket is None else ticket.identifier,
            direction=journal.direction_code(scan.direction),
            answer=verdict.answer.value,
            list_version=list_version,
            ticket_class=None if ticket is None else journal.class_code(ticket.ticket_class),
            reader=scan.reader,
            trusted_ms=journal.wall_ms(scan.at),
        )

    def override(
        self,
        *,
        checkpoint: str,
        direction: Direction,
        performance: str,
        identifier: bytes,
        ticket_class: TicketClass | None,
        list_version: int,
        detail: Mapping[str, str | int],
    ) -> Record:
        """Make the record of a grant that an operator gave, whatever the rules say; it is now."""
        event = self.event(
            Kind.GRANTED,
            performance=performance,
            checkpoint=checkpoint,
            list_version=list_version,
            detail=detail,
        )
        code = None if ticket_class is None else journal.class_code(ticket_class)
        about = journal.about_ticket(event, identifier, code)
        return journal.answering(about, Answer.GRANTED.value, direction, Flag.OVERRIDE)

    def reset(self, grant: Record, detail: Mapping[str, str | int]) -> Record:
        """Make the record that forgets the passages of a ticket that was admitted; it is now."""
        event = self.event(
            Kind.RESET,
            performance=grant.performance,
            checkpoint=grant.checkpoint,
            list_version=grant.list_version,
            detail=detail,
        )
        return journal.about_ticket(event, grant.identifier, grant.ticket_class)


def _of_clock(instant: TrustedInstant) -> Flag:
    return Flag(0) if instant.is_trusted else Flag.CLOCK_SUSPECT
