"""Gates of one local network without disk, clock or socket: only what they tell each other."""

import hashlib
from datetime import UTC, datetime

from admission import journal
from admission.errors import AdmissionError, ProtocolError
from admission.journal import Kind, Record
from admission.sync.gate_side import Row
from admission.sync.peer import Circle, ForkProven, Taken, UnprovenError, check_piece, piece_of
from admission.sync.peer_messages import (
    PIECE_RECORDS_MAX,
    Heads,
    Hello,
    JournalHead,
    Piece,
    Said,
    Stranger,
    Wanted,
    decode_spoken,
    encode,
)
from admission.sync.peer_proof import Doorkeeper, Enrolment, Self, StrangerError, Visitor
from admission.sync.sealed_head import seal
from admission.trust.keys import public_key, sign
from admission.trust.root import Role
from admission.trust.sealing import agreement_public_key
from appliance.simulator.box_office import BoxOffice

EVENING = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)


class LostError(Exception):
    """What was said did not arrive."""


class PaperGate:
    """One gate, as its peers see it."""

    def __init__(self, name: str, office: BoxOffice, enrolled_by: BoxOffice | None = None) -> None:
        self.name, self.journal = name, f"journal-of-{name}"
        self.key = hashlib.sha256(name.encode()).digest()
        agreement = agreement_public_key(hashlib.sha256(b"x" + self.key).digest())
        self.certificate = (enrolled_by or office).certify(name, public_key(self.key), agreement)
        self.now, self.revoked, self.starts = EVENING, set(), 0
        self.enrolment = Enrolment(
            lambda: office.signers(Role.ENROL), lambda: self.now, lambda: self.revoked
        )
        self.own = Self(name, lambda: self.certificate, lambda text: sign(self.key, text))
        self.rows: list[Row] = []
        self.acknowledged = 0
        self.carried: dict[str, list[Row]] = {}
        self.seals: dict[str, dict[int, tuple]] = {}
        self.noted: list[object] = []
        self.lies = {}  # what it makes of an answer, by the question's type
        self.start()

    def start(self) -> None:
        """Begin, or begin anew after a crash: what is on the disk is all that is left."""
        self.starts += 1
        nonce = hashlib.sha256(f"{self.name} {self.starts}".encode()).digest()[:16]
        self.door = Doorkeeper(self.own, self.enrolment, nonce)
        held = [self.held(name) for name in self.carried]
        self.circle = Circle([self.journal], held)
        self.visitors: dict[str, Visitor] = {}
        self.greetings = 0

    def held(self, name: str):
        rows, seals = self.carried[name], self.seals[name]
        proof = seals[rows[-1].sequence][0]
        return Taken(name, tuple(rows), proof, None, b"").held

    def write(self, count: int = 1, note: str = "") -> None:
        for _ in range(count):
            sequence = len(self.rows) + 1
            before = self.rows[-1].chain if self.rows else journal.genesis(self.journal)
            record = Record(
                kind=int(Kind.CLOCK_STEP),
                sequence=sequence,
                wall_ms=0,
                boot_ms=0,
                boot_id=b"",
                detail={"note": note},
            )
            blob = journal.encode(record)
            self.rows.append(Row(sequence, journal.chain(before, blob), blob))

    def known(self) -> dict[str, list[bytes]]:
        """Everything that this gate knows: its own journal and what it carries, as bytes."""
        everything = {name: rows for name, rows in self.carried.items() if rows}
        everything |= {self.journal: self.rows} if self.rows else {}
        return {name: [row.blob for row in rows] for name, rows in everything.items()}

    def heads(self) -> Heads:
        heads = [
            JournalHead(one.journal, one.gate, one.head, one.chain, one.acknowledged)
            for one in self.circle.held.values()
        ]
        if self.rows:
            last = self.rows[-1]
            mine = (self.journal, self.name, last.sequence, last.chain, self.acknowledged)
            heads.append(JournalHead(*mine))
        return Heads(heads)

    def piece(self, wanted: Wanted) -> Piece:
        rows = self.rows if wanted.journal == self.journal else self.carried.get(wanted.journal, [])
        following = rows[wanted.after : wanted.after + PIECE_RECORDS_MAX]
        if not following:
            return Piece()
        chain = rows[wanted.after - 1].chain if wanted.after else journal.genesis(wanted.journal)
        if wanted.journal == self.journal:
            last = following[-1]
            mine = (self.name, self.journal, last.sequence, last.chain)
            proof = seal(self.own.sign, *mine), self.certificate
        else:
            sealed = max(
                at
                for at in self.seals[wanted.journal]
                if wanted.after < at <= following[-1].sequence
            )
            following = following[: sealed - wanted.after]
            proof = self.seals[wanted.journal][sealed]
        return piece_of(wanted.journal, wanted.after, chain, following, *proof)

    def answer(self, raw: bytes) -> bytes:
        """Answer whatever comes over the network."""
        message = decode_spoken(raw)
        if isinstance(message, Hello):
            return self.door.welcome(message)
        if not isinstance(message, Said):
            raise LostError
        try:
            question = self.door.question(message)
        except StrangerError:
            return encode(Stranger())
        if isinstance(question.message, Heads):
            self.circle.heard(question.gate, question.gate, question.message.heads)
            answer = self.heads()
        else:
            answer = self.piece(question.message)
        lie = self.lies.get(type(answer))
        return self.door.answer(question, lie(answer) if lie else answer)

    def visit(self, other: str, wire, now_s: float = 0.0) -> None:
        """Ask another gate for all that is missing here; `wire` brings questions and answers."""
        if self.circle.is_aside(other, now_s):
            return
        try:
            self._visit(other, wire, now_s)
        except LostError:
            self.visitors.pop(other, None)
        except AdmissionError as exc:
            self.visitors.pop(other, None)
            self.circle.lied(other, now_s)
            self.noted.append(exc)

    def _visit(self, other: str, wire, now_s: float) -> None:
        heads = self._ask(other, wire, self.heads())
        if not isinstance(heads, Heads):
            raise ProtocolError("asked for heads")
        gate = self.visitors[other].gate
        self.circle.heard(other, gate, heads.heads)
        while (wanted := self.circle.next_wanted(other, now_s)) is not None:
            try:
                self._pull(other, wire, wanted, now_s)
            finally:
                self.circle.given_up(wanted)

    def _pull(self, other: str, wire, wanted: Wanted, now_s: float) -> None:
        piece = self._ask(other, wire, wanted)
        if not isinstance(piece, Piece):
            raise ProtocolError("asked for a piece")
        held = self.circle.held.get(wanted.journal)
        chain = self.circle.chain_of(wanted)
        try:
            taken = check_piece(piece, wanted, held, chain, self.enrolment)
        except UnprovenError as exc:
            self.noted.append(exc)
            taken = None
        if not isinstance(taken, Taken):
            self.circle.doubt(other, wanted.journal, now_s)
            self.noted += [taken] if isinstance(taken, ForkProven) else []
            return
        self.carried.setdefault(taken.journal, []).extend(taken.rows)
        proofs = self.seals.setdefault(taken.journal, {})
        proofs[taken.seal.sequence] = (taken.seal, taken.envelope)
        self.circle.took(taken)

    def _ask(self, other: str, wire, message):
        for _ in range(2):
            visitor = self.visitors.get(other)
            if visitor is None:
                visitor = Visitor(self.own, self.enrolment)
                self.greetings += 1
                nonce = f"{self.name} {self.starts} {self.greetings}".encode()
                visitor.welcomed(wire(visitor.greet(hashlib.sha256(nonce).digest()[:16])))
                self.visitors[other] = visitor
            try:
                return visitor.answered(wire(visitor.ask(message)))
            except StrangerError:
                del self.visitors[other]
        raise LostError
