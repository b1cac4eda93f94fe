"""A gate to judge at, built up fact by fact, and a list's manifest to be signed."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from admission.passage import FreeCrossing, History, Passage, Reset
from admission.rules import ORDINARY, judge
from admission.scan import Direction
from admission.ticket import Checkpoint, Performance, Single, Ticket, TicketClass, TicketState
from admission.ticketlist.manifest import ClassRow, Manifest, Showing, list_key_id
from admission.ticketlist.packed import ENTRY_BYTES, HEADER_BYTES
from admission.ticketlist.pieces import FileRef
from portillon.conformance import PlainHoldings, as_identifier

NOON = datetime(2026, 7, 14, 12, 0, tzinfo=UTC)


class Scene:
    """One gate: its lists, its checkpoint `door`, what it knows, and a clock that only tests move.

    Identifiers are the numbers' own bytes.

    Every scan and every fact comes a minute after the one before, unless it says when.
    """

    def __init__(self, *performances, **checkpoint):
        self.holdings = PlainHoldings({})
        self.history = History()
        self.now = NOON
        self.conditions = ORDINARY
        self.sequence = 0
        for name in performances or ("show",):
            self.hold(name)
        controlled = tuple(performances[:1]) or ("show",)
        self.checkpoint = Checkpoint(**{"id": "door", "performances": controlled, **checkpoint})

    def hold(self, name, **fields):
        """Hold a performance's list, or change what it says of the performance."""
        known = self.holdings.performances.get(name, Performance(name, ZoneInfo("Europe/Paris")))
        self.holdings.performances[name] = replace(known, **fields)

    def change_door(self, **fields):
        """Change the checkpoint."""
        self.checkpoint = replace(self.checkpoint, **fields)

    def list_ticket(
        self,
        number="T1",
        rule=None,
        *,
        performance="show",
        category="standard",
        state=TicketState.VALID,
    ):
        """Put a ticket on a performance's list, or another entry in its place."""
        ticket = Ticket(as_identifier(number), TicketClass(category, rule or Single()), state)
        self.holdings.tickets[(performance, ticket.identifier)] = ticket

    def drop_ticket(self, number="T1", *, performance="show"):
        """Leave a ticket out of the new list."""
        del self.holdings.tickets[(performance, as_identifier(number))]

    def judge(self, presented="T1", direction=Direction.ENTRY, *, at=None):
        """Present a text; nobody goes through."""
        return judge(
            presented,
            checkpoint=self.checkpoint,
            direction=direction,
            now=self._at(at),
            holdings=self.holdings,
            history=self.history,
            conditions=self.conditions,
        )

    def answer(self, presented="T1", direction=Direction.ENTRY, *, at=None):
        """Present a text and give the answer's code."""
        return self.judge(presented, direction, at=at).answer.value

    def passage(self, number="T1", direction=Direction.ENTRY, *, at=None, **fields):
        """Make a passage, not yet known to the gate."""
        performance = fields.pop("performance", "show")
        ticket = self.holdings.tickets.get((performance, as_identifier(number)))
        known = {
            **self._place(at),
            "performance": performance,
            "identifier": as_identifier(number),
            "direction": direction,
            "ticket_class": None if ticket is None else ticket.ticket_class,
        }
        return Passage(**{**known, **fields})

    def passed(self, number="T1", direction=Direction.ENTRY, *, at=None, **fields):
        """Let the gate know that somebody passed."""
        passage = self.passage(number, direction, at=at, **fields)
        self.history.add(passage)
        return passage

    def reset(self, number="T1", *, at=None, performance="show", **fields):
        """Let the gate know that an operator reset a ticket."""
        identifier = as_identifier(number)
        known = {**self._place(at), "performance": performance, "identifier": identifier}
        self.history.add(Reset(**{**known, **fields}))

    def free(self, direction=Direction.ENTRY, *, at=None):
        """Let the gate know that somebody crossed while the lane stood free."""
        self.history.add(FreeCrossing(**self._place(at), direction=direction))

    def play(self, presented="T1", direction=Direction.ENTRY, *, at=None):
        """Present a text; whoever is granted goes through. Give the answer's code."""
        at = self._at(at)
        verdict = self.judge(presented, direction, at=at)
        if verdict.answer.value == "granted":
            self.passed(presented.strip(), direction, at=at, performance=verdict.performance)
        return verdict.answer.value

    def _at(self, at):
        if at is None:
            self.now += timedelta(minutes=1)
            return self.now
        return at

    def _place(self, at):
        self.sequence += 1
        return {
            "gate": "north",
            "sequence": self.sequence,
            "at": self._at(at),
            "checkpoint": self.checkpoint.id,
        }


@pytest.fixture(scope="session")
def new_scene():
    """Give what makes scenes; a scene holds the list of `show` and controls it."""
    return Scene


def _new_manifest(snapshot=b"", **fields):
    digest = hashlib.sha256(snapshot).hexdigest()
    count = max(0, (len(snapshot) - HEADER_BYTES) // ENTRY_BYTES)
    known = {
        "performance": "show",
        "version": 5,
        "chain": digest,
        "snapshot": FileRef(
            version=5, size=max(HEADER_BYTES, len(snapshot)), sha256=digest, count=count
        ),
        "list_key_id": list_key_id(bytes(32)),
        "classes": (ClassRow(category="standard", mode="single"),),
        "showing": Showing(name="The Show", timezone="Europe/Paris"),
        "published_at": NOON,
    }
    return Manifest(**{**known, **fields})


@pytest.fixture(scope="session")
def new_manifest():
    """Give what makes version 5 of the list of `show`, answering for a snapshot."""
    return _new_manifest
