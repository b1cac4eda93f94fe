"""A gate that holds lists with issuers and rotating codes, judged at without hardware or disk."""

import hashlib
from datetime import UTC, datetime, timedelta

from admission import journal
from admission.journal import Flag, Kind, Record, class_code, direction_code
from admission.passage import History, TicketKey
from admission.proof.compact import CompactTicket, number_of, write_ticket
from admission.proof.proving import IssuerFormat
from admission.proof.rotation import Rotation, rotation_keys, totp
from admission.rules import ORDINARY, judge
from admission.scan import Direction
from admission.ticket import Checkpoint, TicketState
from admission.ticketlist.identifiers import identify
from admission.ticketlist.issuers import IssuerClassRow, IssuerRow, RotationRow
from admission.ticketlist.manifest import ClassRow, FileRef, Manifest, Showing, list_key_id
from admission.ticketlist.packed import Entry, pack
from admission.trust.keys import public_key
from appliance.holdings import GateHoldings, open_list

NOON = datetime(2026, 7, 14, 12, 0, tzinfo=UTC)
ISSUER = bytes(range(1, 33))
CLASSES = (
    ClassRow(category="standard", mode="single"),
    ClassRow(category="vip", mode="entry_exit"),
)


def list_key_of(performance):
    return hashlib.sha256(performance.encode()).digest()


def compact_issuer(codes=((0, 0), (1, 1)), key=ISSUER, **fields):
    """Accept our own format; `codes` are pairs of a class code and a place in CLASSES."""
    classes = tuple(IssuerClassRow(code=code, class_index=place) for code, place in codes)
    known = {"format": IssuerFormat.COMPACT, "public_key": public_key(key).hex()}
    return IssuerRow(**{**known, "classes": classes, **fields})


def pretix_issuer(key, codes=((1, None, 0),), **fields):
    """Accept pretix's format; `codes` are item, variation and a place in CLASSES."""
    classes = tuple(
        IssuerClassRow(code=item, variation=variation, class_index=place)
        for item, variation, place in codes
    )
    known = {"format": IssuerFormat.PRETIX, "public_key": key.hex()}
    return IssuerRow(**{**known, "classes": classes, **fields})


def manifest_of(performance, packed, count, **fields):
    digest = hashlib.sha256(packed).hexdigest()
    known = {
        "performance": performance,
        "version": 1,
        "chain": digest,
        "snapshot": FileRef(version=1, size=len(packed), sha256=digest, count=count),
        "list_key_id": list_key_id(list_key_of(performance)),
        "classes": CLASSES,
        "showing": Showing(name=performance, timezone="Europe/Paris"),
        "published_at": NOON,
    }
    return Manifest(**{**known, **fields})


def signed(code=0, *, seed=b"0123456789", performance="show", key=ISSUER, **fields):
    """Issue a ticket of our own format."""
    return write_ticket(key, performance, CompactTicket(number_of(seed), code, **fields))


def rotating_text(rotation, number, at, *, performance="show", keys=None):
    """Show the code that a phone would show at an instant."""
    at_ms = journal.microseconds(at) // 1000
    identifier = identify(list_key_of(performance), number)
    known = rotation_keys(list_key_of(performance), identifier, len(rotation.lengths))
    text = rotation.fill(number).replace("{totp_timestamp_millis}", str(at_ms))
    text = text.replace("{totp_timestamp_seconds}", str(at_ms // 1000))
    for place, (key, digits) in enumerate(zip(keys or known, rotation.lengths, strict=True)):
        value = totp(key, at_ms // rotation.period_ms, digits)
        text = text.replace(f"{{totp_value_{place}}}", value)
    return text


def rotation_row(**fields):
    known = {
        "pattern": "{number}-{totp_timestamp_millis}-{totp_value_0}",
        "period_ms": 30_000,
        "lengths": (8,),
    }
    return RotationRow(**{**known, **fields})


def rotation_of_row(row):
    return Rotation(row.pattern, row.period_ms, row.lengths, row.allows_static)


class ProvingGate:
    """One gate of one checkpoint, which controls `show` unless told otherwise."""

    def __init__(self, *performances, name="north"):
        self.name = name
        self.holdings = GateHoldings()
        self.history = History()
        self.conditions = ORDINARY
        self.now = NOON
        self.records = []
        self.checkpoint = Checkpoint("door", performances or ("show",))

    def hold(self, performance="show", listed=(), **fields):
        """Install a list; `listed` are numbers, or triples of number, place of class and state."""
        key = list_key_of(performance)
        entries = [
            Entry(identify(key, one), 0, TicketState.VALID)
            if isinstance(one, str)
            else Entry(identify(key, one[0]), one[1], one[2])
            for one in listed
        ]
        packed = pack(performance, entries)
        manifest = manifest_of(performance, packed, len(entries), **fields)
        self.holdings.install(open_list(manifest, packed, key))
        return self

    def judge(self, text, direction=Direction.ENTRY, at=None):
        return judge(
            text,
            checkpoint=self.checkpoint,
            direction=direction,
            now=at or self.now,
            holdings=self.holdings,
            history=self.history,
            conditions=self.conditions,
        )

    def answer(self, text, direction=Direction.ENTRY, at=None):
        return self.judge(text, direction, at).answer.value

    def play(self, text, direction=Direction.ENTRY, at=None):
        """Present a text; whoever is granted goes through, and the journal says so."""
        self.now = at or self.now + timedelta(minutes=1)
        verdict = self.judge(text, direction)
        if verdict.answer.value == "granted":
            self.pass_through(verdict, direction)
        return verdict.answer.value

    def pass_through(self, verdict, direction, flags=0):
        ticket = verdict.ticket
        record = Record(
            kind=int(Kind.PASSED),
            sequence=len(self.records) + 1,
            wall_ms=journal.wall_ms(self.now),
            boot_ms=0,
            boot_id=b"",
            flags=flags | (int(Flag.PROVEN) if ticket.proven else 0),
            checkpoint=self.checkpoint.id,
            performance=verdict.performance,
            identifier=ticket.identifier,
            direction=direction_code(direction),
            answer=verdict.answer.value,
            ticket_class=class_code(ticket.ticket_class),
        )
        self.records.append(record)
        self.history.add(journal.fact_of(self.name, record))

    @property
    def facts(self):
        return [journal.fact_of(self.name, record) for record in self.records]

    def uses(self, text, performance="show"):
        identifier = identify(list_key_of(performance), text)
        return len(self.history.facts_of(TicketKey("door", performance, identifier)))
