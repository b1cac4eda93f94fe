"""Gates whose memory cards are cloned and put back from images, and how they hand journals in.

Each works as a real gate does, by the gate's own `HandingIn`; only the card is imagined.
"""

from copy import copy

from admission import journal
from admission.errors import AdmissionError
from admission.journal import Kind, Record
from admission.sync.gate_side import Row
from admission.sync.messages import Moment
from appliance.errors import LinkError
from appliance.handing_in import FORK, HandingIn
from signed_server import SIGNER

BOOT = b"b" * 16
START_MS = 1_780_000_000_000
RECORDS = 4  # of a batch: few, so that journals take several


class WrittenCard:
    """One journal on a card."""

    def __init__(self, name):
        self.id, self.why, self.head = name, "", None
        self.written = []
        self.acknowledged = Row(0, journal.genesis(name), b"")

    def put(self, blob):
        before = self.written[-1].chain if self.written else journal.genesis(self.id)
        self.written.append(Row(len(self.written) + 1, journal.chain(before, blob), blob))

    async def rows(self, after, count_max):
        return self.written[after : after + min(count_max, RECORDS)]

    async def chain_at(self, sequence):
        if sequence > len(self.written):
            return None
        return self.written[sequence - 1].chain if sequence else journal.genesis(self.id)

    async def acknowledge(self, sequence, chain):
        self.acknowledged = Row(sequence, chain, b"")


class Card:
    """A gate's card: the journal that is written, and the former ones."""

    def __init__(self, name):
        self.current, self.former = WrittenCard(name), []

    @property
    def id(self):
        return self.current.id

    @property
    def head(self):
        return len(self.current.written)

    def journals(self):
        return [*self.former, self.current]

    def image(self):
        """Copy it as it is now, to put it back later or into another gate."""
        image = copy(self)
        image.former = [_image_of(one) for one in self.former]
        image.current = _image_of(self.current)
        return image

    def begin_anew(self, name):
        last = self.current
        last.head, last.why = len(last.written), FORK
        self.former.append(last)
        self.current = WrittenCard(name)
        detail = {"previous": last.id, "at": last.head}
        self.current.put(record(1, Kind.JOURNAL_NEW, detail=detail))


def _image_of(one):
    image = copy(one)
    image.written = list(one.written)
    return image


def record(sequence, kind=Kind.PASSED, number=0, checkpoint="c0", **changes):
    values = {
        "kind": int(kind),
        "sequence": sequence,
        "wall_ms": START_MS + number * 1000,
        "boot_ms": number * 1000,
        "boot_id": BOOT,
        "checkpoint": checkpoint,
        "performance": "p0",
        "identifier": bytes([number % 5]) * 16,
        "direction": 1 + number % 2,
        "ticket_class": ("standard", "entry_exit", None, None),
    }
    if kind in (Kind.JOURNAL_NEW, Kind.BOOT):
        values |= {"performance": "", "checkpoint": "", "identifier": b"", "direction": 0}
    return journal.encode(Record(**values | changes))


class Machine:
    """A gate with a card, as far as it hands journals in.

    Args:
        link: takes batches: anything with `upload`.
        card: its memory.
        fresh: makes names of journals.
        gate: its id.
    """

    def __init__(self, link, card, fresh, gate="g0"):
        self.link, self.card, self.fresh, self.gate = link, card, fresh, gate
        self.forks = 0
        self.start()

    def start(self):
        """Begin anew from what is on the card, as after a power cut."""
        self.asked = False
        self.handing = HandingIn(
            self.card,
            lambda: Moment(START_MS, 0, BOOT),
            gate=self.gate,
            signer=SIGNER,
            forked=self._forked,
        )

    def _forked(self, sequence):
        self.asked = True
        self.forks += 1

    def write(self, number, kind=Kind.PASSED):
        self.card.current.put(record(self.card.head + 1, kind, number))

    def rest(self):
        """Do what a gate does between two people."""
        if self.asked:
            self.card.begin_anew(self.fresh())
            self.asked = False

    async def contact(self, batches):
        """Reach the server, and send so many batches of each journal."""
        self.handing.begin_contact()
        for _ in range(batches):
            try:
                if not await self.handing.once(self.link):
                    return
            except (LinkError, AdmissionError):
                return

    async def settle(self):
        """Hand everything in."""
        for _ in range(10):
            self.handing.begin_contact()
            for _ in range(300):
                self.rest()
                if not await self.handing.once(self.link):
                    break
            if not self.asked and self.handing.backlog == 0:
                return
        raise AssertionError("the upload does not come to an end")
