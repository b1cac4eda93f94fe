"""What gates of one local network pull from each other, and what of it is proven. No socket.

A journal comes in pieces, each up to a record that the journal's own gate has sealed: whoever hands
it on may hold it back, but can neither invent nor alter nor reorder. `Circle` says what to ask of
whom; `check_piece` judges the answer against what is held.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from admission import journal
from admission.errors import ListError, RemoteProtocolError
from admission.sync.gate_side import Row
from admission.sync.messages import Batch, Moment, Seal
from admission.sync.peer_messages import (
    JOURNALS_MAX,
    PIECE_RECORDS_MAX,
    JournalHead,
    Piece,
    Wanted,
)
from admission.sync.peer_proof import Enrolment
from admission.sync.sealed_head import check_seal
from admission.trust.certificate import DeviceCertificate

ASIDE_S: Final = 60.0  # a peer that lied is not listened to for so long; doubled each time,
ASIDE_S_MAX: Final = 3600.0  # up to here
_NOWHERE: Final = Moment(0, 0, b"")  # who hands on knows nothing of the writer's clocks


class UnprovenError(RemoteProtocolError):
    """The certificate behind a seal is not believed here: no fault of whoever hands it on."""


@dataclass(frozen=True, slots=True)
class Held:
    """How far a journal of another gate is held.

    Attributes:
        journal: its id.
        gate: id of the gate that writes it.
        head: greatest sequence, sealed.
        chain: chain value there.
        acknowledged: greatest sequence that the server has, by the writing gate's own word.
    """

    journal: str
    gate: str
    head: int
    chain: bytes
    acknowledged: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A piece that continues what is held, proven.

    Attributes:
        journal: its id.
        rows: in order.
        seal: of the last.
        certificate: whose key made the seal.
        envelope: of that certificate.
    """

    journal: str
    rows: tuple[Row, ...]
    seal: Seal
    certificate: DeviceCertificate
    envelope: bytes

    @property
    def held(self) -> Held:
        """How far the journal is held with it."""
        return Held(self.journal, self.seal.gate, self.seal.sequence, self.seal.chain)


@dataclass(frozen=True, slots=True)
class ForkProven:
    """The journal's gate has sealed another history than the one that is held: its card is a copy.

    Attributes:
        journal: its id.
        gate: id of the gate that writes it.
        after: where both differ at the latest.
    """

    journal: str
    gate: str
    after: int


def piece_of(
    journal_id: str, after: int, chain: bytes, rows: Sequence[Row], seal: Seal, envelope: bytes
) -> Piece:
    """Make a piece to hand on.

    Args:
        journal_id: of which journal.
        after: sequence that the rows follow.
        chain: chain value there.
        rows: up to the one that is sealed.
        seal: of the last.
        envelope: of the certificate whose key made the seal.
    """
    blobs = [row.blob for row in rows]
    return Piece(Batch(journal_id, after + 1, chain, blobs, _NOWHERE, seal), envelope)


def check_piece(
    piece: Piece, wanted: Wanted, held: Held | None, chain: bytes, enrolment: Enrolment
) -> Taken | ForkProven | None:
    """Judge a piece.

    Args:
        piece: as a peer has given it.
        wanted: what was asked.
        held: how far the journal is held, None for not at all.
        chain: our chain value at `wanted.after`.
        enrolment: what is believed of certificates.

    Returns:
        None if there is nothing in it.

    Raises:
        UnprovenError: if the certificate behind it is not believed here.
        AdmissionError: if whoever gave it lies.
    """
    batch, seal = piece.batch, None if piece.batch is None else piece.batch.seal
    if batch is None:
        return None
    if seal is None:
        raise RemoteProtocolError(f"a piece of journal {batch.journal} is not sealed")
    rows = _rows(batch, wanted)
    if (rows[-1].sequence, rows[-1].chain) != (seal.sequence, seal.chain):
        raise RemoteProtocolError(f"journal {batch.journal}: records do not lead to their seal")
    try:
        certificate = enrolment.accept(piece.certificate)
    except ListError as exc:
        raise UnprovenError(f"journal {batch.journal}: {exc}") from exc
    writer = certificate.gate if held is None else held.gate
    if certificate.gate != writer:
        raise UnprovenError(f"journal {batch.journal} is {writer}'s, not {certificate.gate}'s")
    check_seal(seal, gate=writer, journal=batch.journal, public_key=certificate.device_key)
    if batch.previous_chain != chain:
        return ForkProven(batch.journal, writer, wanted.after)
    return Taken(batch.journal, tuple(rows), seal, certificate, piece.certificate)


def _rows(batch: Batch, wanted: Wanted) -> list[Row]:
    if (batch.journal, batch.first) != (wanted.journal, wanted.after + 1):
        raise RemoteProtocolError(f"asked {wanted}, got {batch.journal} from {batch.first}")
    if not 0 < len(batch.blobs) <= PIECE_RECORDS_MAX:
        raise RemoteProtocolError(f"a piece of {len(batch.blobs)} records")
    rows = []
    value = batch.previous_chain
    for sequence, blob in enumerate(batch.blobs, start=batch.first):
        value = journal.chain(value, blob)
        rows.append(Row(sequence, value, blob))
    return rows


@dataclass(slots=True)
class _Standing:
    lies: int = 0
    aside_until_s: float = 0.0


class Circle:
    """The gates around: who has what, what is missing here, and whom to ask for it.

    A journal is asked of one peer at a time. Peers are named by the caller, by address.
    """

    def __init__(self, own: Iterable[str], held: Iterable[Held]) -> None:
        """Begin with what is held.

        Args:
            own: ids of the journals that this gate writes, or keeps as its own former ones.
            held: journals of others.
        """
        self._own = set(own)
        self._held = {one.journal: one for one in held}
        self._offers: dict[str, dict[str, JournalHead]] = {}
        self._under_way: set[str] = set()
        self._standings: dict[str, _Standing] = {}
        self._doubted: dict[tuple[str, str], float] = {}

    @property
    def held(self) -> dict[str, Held]:
        """Others' journals, by id."""
        return dict(self._held)

    def own(self, journal_id: str) -> None:
        """Take a journal for one of this gate's own from now on."""
        self._own.add(journal_id)

    def heard(self, peer: str, gate: str, heads: Iterable[JournalHead]) -> list[JournalHead]:
        """Take what a peer tells of what it has.

        Args:
            peer: who tells it.
            gate: id of the gate that it has proven to be.
            heads: what it has.

        Returns:
            What it says of this gate's own journals.
        """
        offers = {one.journal: one for one in heads}
        self._offers[peer] = offers
        for one in offers.values():
            held = self._held.get(one.journal)
            if held is not None and held.gate == gate == one.gate:  # its own word on its own
                acknowledged = max(held.acknowledged, min(one.acknowledged, held.head))
                self._held[one.journal] = _acknowledged(held, acknowledged)
        return [one for one in offers.values() if one.journal in self._own]

    def grown(self, peer: str, journal_id: str, head: int) -> None:
        """Take a peer's word that a journal has grown; it says nothing of its chain."""
        known = self._offers.get(peer, {}).get(journal_id)
        if known is not None and known.head < head:
            self._offers[peer][journal_id] = JournalHead(
                journal_id, known.gate, head, bytes(32), known.acknowledged
            )

    def lost(self, peer: str) -> None:
        """Forget what a peer has: it is not to be reached."""
        self._offers.pop(peer, None)

    def misses(self, peer: str, now_s: float) -> bool:
        """Tell whether a peer has something that is missing here and not asked for yet."""
        return bool(self._missing(peer, now_s))

    def next_wanted(self, peer: str, now_s: float) -> Wanted | None:
        """Say what to ask of a peer next; it is under way from then on.

        The journals that are furthest behind come first, so that none waits for a talkative one.
        """
        missing = self._missing(peer, now_s)
        if not missing:
            return None
        after, journal_id = min(missing)
        self._under_way.add(journal_id)
        return Wanted(journal_id, after)

    def _missing(self, peer: str, now_s: float) -> list[tuple[int, str]]:
        if self.is_aside(peer, now_s):
            return []
        is_room = len(self._held.keys() | self._under_way) < JOURNALS_MAX
        return [
            (0 if held is None else held.head, one.journal)
            for one in self._offers.get(peer, {}).values()
            for held in (self._held.get(one.journal),)
            if one.journal not in self._own
            and one.journal not in self._under_way
            and one.head > (0 if held is None else held.head)
            and (held is not None or is_room)
            and self._doubted.get((peer, one.journal), 0.0) <= now_s
        ]

    def given_up(self, wanted: Wanted) -> None:
        """Note that a question is not under way any more, whatever became of it."""
        self._under_way.discard(wanted.journal)

    def chain_of(self, wanted: Wanted) -> bytes:
        """Give our chain value where a question begins."""
        held = self._held.get(wanted.journal)
        return journal.genesis(wanted.journal) if held is None else held.chain

    def took(self, taken: Taken) -> None:
        """Note that a piece is on the disk."""
        before = self._held.get(taken.journal)
        now = taken.held
        self._held[taken.journal] = (
            now if before is None else _acknowledged(now, before.acknowledged)
        )

    def doubt(self, peer: str, journal_id: str, now_s: float) -> None:
        """Ask a peer no more of a journal for a while: it has nothing of it that fits here."""
        self._doubted[peer, journal_id] = now_s + ASIDE_S
        self._doubted = {key: due for key, due in self._doubted.items() if due > now_s}

    def lied(self, peer: str, now_s: float) -> float:
        """Put a peer aside; give for how long, seconds."""
        standing = self._standings.setdefault(peer, _Standing())
        aside_s: float = min(ASIDE_S_MAX, ASIDE_S * 2.0 ** min(standing.lies, 10))
        standing.lies += 1
        standing.aside_until_s = now_s + aside_s
        self.lost(peer)
        return aside_s

    def is_aside(self, peer: str, now_s: float) -> bool:
        """Tell whether a peer is not listened to now."""
        standing = self._standings.get(peer)
        return standing is not None and now_s < standing.aside_until_s


def _acknowledged(held: Held, sequence: int) -> Held:
    return Held(held.journal, held.gate, held.head, held.chain, sequence)
