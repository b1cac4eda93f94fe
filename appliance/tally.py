"""Counts what the gate answers, for whoever stands at it. Told of every record that was written."""

from collections import Counter, deque
from dataclasses import replace
from datetime import datetime
from typing import Final

from admission import journal
from admission.journal import Flag, Kind, Record
from appliance.steward_ports import GrantEnd, LastGrant, Statistics

MINUTES: Final = 30  # shown one by one
_MINUTE_MS: Final = 60_000
_ENDS: Final = {Kind.PASSED: GrantEnd.PASSED, Kind.NOT_PASSED: GrantEnd.NOT_PASSED}


class Tally:
    """One gate's counts since its start, and its last admission."""

    def __init__(self, since: datetime) -> None:
        """Begin to count.

        Args:
            since: aware instant of the start.
        """
        self._since = since
        self._granted = self._overrides = self._not_passed = 0
        self._refused: Counter[str] = Counter()
        self._minutes: deque[tuple[int, int]] = deque(maxlen=MINUTES)
        self._last: LastGrant | None = None
        self._record: Record | None = None

    @property
    def last(self) -> LastGrant | None:
        """The last admission, None before the first."""
        return self._last

    @property
    def last_record(self) -> Record | None:
        """Its record."""
        return self._record

    def begin_anew(self) -> None:
        """Forget the last admission: the journal that names it is written no more."""
        self._last = self._record = None

    def recall(self, record: Record) -> None:
        """Take a record of before the start: it names the last admission and counts nothing."""
        if record.kind == Kind.GRANTED:
            self._grant(record)
        else:
            self._end(record)

    def take(self, record: Record) -> None:
        """Count a record that was just written."""
        self.recall(record)
        match record.kind:
            case Kind.JOURNAL_NEW:
                self.begin_anew()
            case Kind.GRANTED if record.flags & Flag.OVERRIDE:
                self._overrides += 1
                self._count_minute(record)
            case Kind.GRANTED:
                self._granted += 1
                self._count_minute(record)
            case Kind.NOT_PASSED:
                self._not_passed += 1
            case Kind.DENIED:
                self._refused[record.answer] += 1

    def statistics(self, now: datetime, occupancy: int | None) -> Statistics:
        """Give the counts.

        Args:
            now: aware.
            occupancy: of the checkpoint, None where there is none.
        """
        counted = dict(self._minutes)
        this = journal.wall_ms(now) // _MINUTE_MS
        return Statistics(
            since=self._since,
            granted=self._granted,
            overrides=self._overrides,
            not_passed=self._not_passed,
            refused=dict(self._refused.most_common()),
            per_minute=tuple(
                counted.get(minute, 0) for minute in range(this - MINUTES + 1, this + 1)
            ),
            occupancy=occupancy,
        )

    def _grant(self, record: Record) -> None:
        self._record = record
        self._last = LastGrant(
            grant=record.sequence,
            at=journal.own_instant(record),
            direction=journal.direction_of(record.direction),
            category="" if record.ticket_class is None else record.ticket_class[0],
            is_override=bool(record.flags & Flag.OVERRIDE),
            end=GrantEnd.PENDING,
        )

    def _end(self, record: Record) -> None:
        last = self._last
        if last is None:
            return
        if record.kind in _ENDS and record.refers_to == last.grant:
            self._last = replace(last, end=_ENDS[Kind(record.kind)])
        elif record.kind == Kind.RESET and record.detail.get("grant") == last.grant:
            self._last = replace(last, end=GrantEnd.RESET)

    def _count_minute(self, record: Record) -> None:
        minute = (record.trusted_ms or record.wall_ms) // _MINUTE_MS
        if self._minutes and self._minutes[-1][0] == minute:
            self._minutes[-1] = (minute, self._minutes[-1][1] + 1)
        else:
            self._minutes.append((minute, 1))
