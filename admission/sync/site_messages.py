"""What a site server and its upstream say to each other, besides what gates say.

A site server stands at a venue between gates and the central server. It carries; nobody has to
trust it (docs/adr/0019-site-server.md). Every struct is extended by appending fields with defaults.
"""

from typing import Annotated, Final

import msgspec

from admission.limits import ENVELOPE_BYTES_MAX
from admission.sync.messages import Chain, Live, Status, Text

GATES_MAX: Final = 2000  # of one venue
CHECKPOINTS_MAX: Final = 500
PINS_MAX: Final = 2  # the certificate in use, and the one that will take over
ADDRESSES_MAX: Final = 4
_LISTS_MAX: Final = 1000

Pins = Annotated[list[Chain], msgspec.Meta(max_length=PINS_MAX)]
Addresses = Annotated[list[Text], msgspec.Meta(max_length=ADDRESSES_MAX)]


class Join(msgspec.Struct, frozen=True, tag="join"):
    """Site to upstream: let me be the site server that this one-time code stands for.

    Attributes:
        code: as the operator was shown it.
        public_key: Ed25519, 32 bytes.
        pins: SHA-256 of the certificates that its gates may be shown; none where a web server
            before it has one that machines trust, or where nothing leaves this machine.
        addresses: under which its gates reach it.
    """

    code: Text
    public_key: Chain
    pins: Pins = []
    addresses: Addresses = []


class Joined(msgspec.Struct, frozen=True, tag="joined"):
    """Upstream to site: you are.

    Attributes:
        site: its id.
        name: for people.
        venue: name of the venue, for people.
        root: envelope of the root that its gates' trust began with or follows.
        check: six digits, shown on both ends.
    """

    site: Text
    name: Text
    venue: Text
    root: Annotated[bytes, msgspec.Meta(max_length=ENVELOPE_BYTES_MAX)]
    check: Text


class RosterGate(msgspec.Struct, frozen=True):
    """A gate of the site's venue.

    Attributes:
        id: of the gate.
        name: for people.
        checkpoint: where it stands.
        direction: `entry` or `exit`.
        standing: what it is to the server, see `entities.Standing`.
        public_key: Ed25519; b"" while no machine is this gate.
        agreement_key: X25519; b"" likewise.
        former_keys: Ed25519 keys that it had before, and may have sealed records with.
        streams: feeds that it may follow.
        lists: published list version by performance.
        assignment: version of its assignment.
    """

    id: Text
    name: Text
    checkpoint: Text
    direction: Text
    standing: Text
    public_key: Annotated[bytes, msgspec.Meta(max_length=32)] = b""
    agreement_key: Annotated[bytes, msgspec.Meta(max_length=32)] = b""
    former_keys: Annotated[list[Chain], msgspec.Meta(max_length=64)] = []
    streams: Annotated[list[Text], msgspec.Meta(max_length=_LISTS_MAX)] = []
    lists: Annotated[dict[Text, int], msgspec.Meta(max_length=_LISTS_MAX)] = {}
    assignment: int = 0


class RosterCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint of the site's venue.

    Attributes:
        id: of the checkpoint.
        name: for people.
        performances: which it controls.
        allowed_categories: None for no restriction.
        capacity: None for no limit.
    """

    id: Text
    name: Text
    performances: Annotated[list[Text], msgspec.Meta(max_length=_LISTS_MAX)]
    allowed_categories: Annotated[list[Text], msgspec.Meta(max_length=_LISTS_MAX)] | None = None
    capacity: int | None = None


class Roster(msgspec.Struct, frozen=True, tag="roster"):
    """Upstream to site: whom it serves.

    Attributes:
        site: its own id.
        name: its own name.
        venue: id of its venue.
        venue_name: for people.
        timezone: of the venue.
        gates: of the venue.
        checkpoints: of the venue.
        root: version of the newest root.
        pins: SHA-256 of the certificates by which upstream is known.
    """

    site: Text
    name: Text
    venue: Text
    venue_name: Text
    timezone: Text
    gates: Annotated[list[RosterGate], msgspec.Meta(max_length=GATES_MAX)]
    checkpoints: Annotated[list[RosterCheckpoint], msgspec.Meta(max_length=CHECKPOINTS_MAX)]
    root: int
    pins: Pins = []


class SiteTold(msgspec.Struct, frozen=True, tag="site_told"):
    """Site to upstream: how it is, and by which certificate its gates know it.

    Attributes:
        pins: as in `Join`.
        addresses: likewise.
        queue: records that upstream does not have yet.
        faults: codes of what is wrong.
        software: version of its program.
    """

    pins: Pins
    addresses: Addresses
    queue: int
    faults: Annotated[list[Text], msgspec.Meta(max_length=64)] = []
    software: Text = ""


class GateTold(msgspec.Struct, frozen=True, tag="gate_told"):
    """Site to upstream: how a gate of it is.

    Attributes:
        gate: its id.
        status: as it came from the gate; None: its live connection has ended.
    """

    gate: Text
    status: Status | None = None


class GateOrder(msgspec.Struct, frozen=True, tag="gate_order"):
    """Upstream to site: an operator's signed command for a gate, which checks it like any other.

    Attributes:
        gate: its id.
        raw: the command's envelope.
    """

    gate: Text
    raw: Annotated[bytes, msgspec.Meta(max_length=ENVELOPE_BYTES_MAX)]


class RosterNews(msgspec.Struct, frozen=True, tag="roster_news"):
    """Upstream to site: roster, lists or roots may be others now."""


SiteLive = Live | SiteTold | GateTold | GateOrder | RosterNews
SiteMessage = Join | Joined | Roster | SiteTold | GateTold | GateOrder | RosterNews
