"""What others' journals mean for this gate's verdicts. Called with what is proven and kept.

A passage that a carried journal states counts as any other, until the server tells it with its own
time. A grant whose end is not there yet is a hint, which the end confirms or takes back.
"""

import logging
from collections.abc import Callable, Collection, Sequence

from admission import journal
from admission.errors import JournalError
from admission.journal import Kind, Record
from admission.passage import History
from admission.sync.hints import hint_of
from admission.sync.messages import Hint
from appliance.errors import StorageError
from appliance.peer_ports import CarriedStore

log = logging.getLogger(__name__)


class PeerFacts:
    """Fills the history with what the local network tells."""

    def __init__(
        self,
        history: History,
        hear: Callable[[Hint], None],
        confirm: Callable[[str, int], object],
        performances: Callable[[], Collection[str]],
    ) -> None:
        """Take where facts go.

        Args:
            history: what the gate judges by.
            hear: takes a hint in, of a grant without an end.
            confirm: forgets the hint of a grant, by journal and sequence: its end is known.
            performances: gives those that the gate holds: facts of others do not concern it.
        """
        self._history = history
        self._hear = hear
        self._confirm = confirm
        self._performances = performances
        self._known_of: frozenset[str] = frozenset()

    def learn(self, journal_id: str, gate: str, blobs: Sequence[bytes]) -> bool:
        """Take records in that are proven and kept; tell whether any of them concerns this gate.

        Args:
            journal_id: of which journal.
            gate: id of the gate that wrote them.
            blobs: in order.
        """
        records = [record for record in map(_read, blobs) if record is not None]
        ended = {record.refers_to for record in records}
        is_news = False
        for record in records:
            if record.kind in {Kind.PASSED, Kind.NOT_PASSED}:
                self._confirm(journal_id, record.refers_to)
            if (
                record.kind == Kind.GRANTED
                and record.sequence not in ended
                and self._is_ours(record)
            ):
                self._hear(hint_of(gate, journal_id, record))
            is_news |= self._add(journal_id, record)
        return is_news

    async def follow(self, store: CarriedStore) -> None:
        """Read what is carried again where the gate holds another performance than before.

        Raises:
            StorageError: if it cannot be read.
        """
        performances = frozenset(self._performances())
        if performances <= self._known_of:
            return
        self._known_of = performances
        count = 0
        try:
            async for journal_id, blobs in store.facts():
                for record in map(_read, blobs):
                    count += record is not None and self._add(journal_id, record)
        except StorageError:
            self._known_of = frozenset()  # read again the next time
            raise
        log.info("facts of carried journals", extra={"count": count})

    def _add(self, journal_id: str, record: Record) -> bool:
        if not self._is_ours(record):
            return False
        try:
            fact = journal.fact_of(journal_id, record)
        except JournalError:
            return False  # it contradicts itself: the server reports it
        return fact is not None and self._history.add(fact)

    def _is_ours(self, record: Record) -> bool:
        return not record.performance or record.performance in self._performances()


def _read(blob: bytes) -> Record | None:
    try:
        return journal.decode(blob)
    except JournalError:
        return None  # carried all the same; the server reports it
