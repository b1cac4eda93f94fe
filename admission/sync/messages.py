"""What gate and server say to each other. The codec writes them; both machines read them.

Tickets appear only as identifiers. Every struct is extended by appending fields with defaults.
"""

from typing import Annotated

import msgspec

from admission.limits import (
    ENVELOPE_BYTES_MAX,
    FEED_ITEMS_MAX,
    JOURNAL_BATCH_RECORDS_MAX,
    JOURNAL_RECORD_BYTES_MAX,
    JOURNALS_ASKED_MAX,
    MESSAGE_BYTES_MAX,
)
from admission.sync.machine_messages import Machine

Text = Annotated[str, msgspec.Meta(max_length=200)]
Chain = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Blob = Annotated[bytes, msgspec.Meta(max_length=JOURNAL_RECORD_BYTES_MAX)]
Cursor = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Sequence = Annotated[int, msgspec.Meta(ge=1, le=(1 << 63) - 1)]


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """One moment on the gate's clocks, so that the server can tell their offset.

    Attributes:
        wall_ms: wall clock, milliseconds since 1970.
        boot_ms: milliseconds since the machine started.
        boot_id: names that start.
    """

    wall_ms: int
    boot_ms: int
    boot_id: Annotated[bytes, msgspec.Meta(max_length=16)]


class Seal(msgspec.Struct, frozen=True, array_like=True):
    """A gate's own word on how its journal stood: see `sealed_head`.

    Attributes:
        gate: id of the gate that writes the journal.
        journal: its id.
        sequence: of a record.
        chain: chain value after it: it stands for every record up to there.
        signature: by the gate's device key.
    """

    gate: Text
    journal: Text
    sequence: Cursor
    chain: Chain
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class Batch(msgspec.Struct, frozen=True, tag="batch"):
    """Gate to server: the next records of a journal, with proof of what came before.

    Attributes:
        journal: its id.
        first: sequence of the first blob.
        previous_chain: chain value at `first - 1`.
        blobs: in order, without gaps.
        sent: when, by the gate.
        seal: of the last blob, or of one before it; so that whoever carries it on can prove it.
    """

    journal: Text
    first: Sequence
    previous_chain: Chain
    blobs: Annotated[list[Blob], msgspec.Meta(max_length=JOURNAL_BATCH_RECORDS_MAX)]
    sent: Moment
    seal: Seal | None = None


class Malformed(msgspec.Struct, frozen=True, array_like=True):
    """A record that was stored but could not be read.

    Attributes:
        sequence: of the record.
        reason: for people.
    """

    sequence: int
    reason: Text


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """Server to gate: what it holds of the journal now, durably.

    Attributes:
        journal: its id.
        head: greatest sequence up to which it has everything.
        chain: chain value there.
        server_ms: server time, milliseconds since 1970.
        conflict: the batch did not fit what is held; nothing of it was taken as history.
        malformed: records of the batch that could not be read.
        held: greatest sequence of the batch's own line of history that is held, durably; after a
            fork that line is another than the one that `head` speaks of. 0 for none.
        held_chain: chain value there; b"" for none.
    """

    journal: Text
    head: Cursor
    chain: Chain
    server_ms: int
    conflict: bool = False
    malformed: list[Malformed] = []
    held: Cursor = 0
    held_chain: Annotated[bytes, msgspec.Meta(max_length=32)] = b""


class Carried(msgspec.Struct, frozen=True, tag="carried"):
    """Part of a journal, brought by somebody else than the gate that wrote it.

    Attributes:
        gate: id of the gate that wrote it.
        batch: as the gate would have sent it; its seal is of its last blob.
    """

    gate: Text
    batch: Batch


class AskHeads(msgspec.Struct, frozen=True, tag="ask_heads"):
    """Gate to server: how far do you have these journals?

    Attributes:
        journals: their ids.
    """

    journals: Annotated[list[Text], msgspec.Meta(max_length=JOURNALS_ASKED_MAX)]


class Heads(msgspec.Struct, frozen=True, tag="heads"):
    """Server to gate: as far as this.

    Attributes:
        heads: head and chain value there of each journal that is held; one that is not, or that
            is none of the asking gate's venue, is left out.
    """

    heads: Annotated[dict[Text, tuple[Cursor, Chain]], msgspec.Meta(max_length=JOURNALS_ASKED_MAX)]


class FeedItem(msgspec.Struct, frozen=True, array_like=True):
    """A fact of some gate, as the server knows it.

    Attributes:
        number: gap-free within its stream.
        kind: `journal.Kind` of the record: PASSED, RESET or FREE.
        gate: id of the journal that holds it.
        sequence: its place there.
        at_us: corrected instant, microseconds since 1970.
        checkpoint: where.
        performance: which, or "".
        identifier: the ticket, or b"".
        direction: 0 none, 1 entry, 2 exit.
        flags: `journal.Flag` set.
        ticket_class: as in the record.
        refers_to: sequence of the grant that a passage ended, 0 for none: what a hint of that
            grant is confirmed by.
        variant: 0, or the number of another content of the same record: its card was copied.
    """

    number: Sequence
    kind: int
    gate: Text
    sequence: int
    at_us: int
    checkpoint: Text
    performance: Text
    identifier: Annotated[bytes, msgspec.Meta(max_length=64)]
    direction: int
    flags: int
    ticket_class: tuple[str, str, int | None, int | None] | None = None
    refers_to: int = 0
    variant: int = 0


class Feed(msgspec.Struct, frozen=True, tag="feed"):
    """Server to gate: the items that follow a cursor.

    Attributes:
        stream: id of the performance.
        after: the cursor that they follow.
        items: numbered `after + 1`, `after + 2` …
        head: greatest number the stream has.
        numbering: names whose numbers these are; those of another server mean other facts.
    """

    stream: Text
    after: Cursor
    items: Annotated[list[FeedItem], msgspec.Meta(max_length=FEED_ITEMS_MAX)]
    head: Cursor
    numbering: Text = ""


class Lists(msgspec.Struct, frozen=True, tag="lists"):
    """Server to gate: there are newer lists or another assignment.

    Attributes:
        versions: published list version by performance.
        assignment: version of the gate's assignment.
        root: version of the newest root.
    """

    versions: dict[Text, int]
    assignment: int
    root: int = 0


class Subscribe(msgspec.Struct, frozen=True, tag="subscribe"):
    """Gate to server, first on a live connection: where its cursors stand.

    Attributes:
        cursors: greatest feed number applied, by stream.
        numbering: whose numbers they are; "" for none yet.
    """

    cursors: Annotated[dict[Text, Cursor], msgspec.Meta(max_length=1000)]
    numbering: Text = ""


class Hint(msgspec.Struct, frozen=True, tag="hint"):
    """Either way, ahead of all else, and lossy: a gate has just granted, or takes that back.

    It makes whoever hears it stricter and never milder, and is forgotten unless the journal
    confirms it (docs/adr/0017-hints-and-claims.md).

    Attributes:
        gate: id of the gate.
        journal: id of its journal.
        sequence: of the grant there.
        checkpoint: where.
        performance: which.
        identifier: the ticket.
        direction: 1 entry, 2 exit.
        at_ms: moment of the scan by the gate's trusted time, milliseconds since 1970.
        ticket_class: as in the record.
        withdrawn: whether nobody went through: the grant used nothing up.
    """

    gate: Text
    journal: Text
    sequence: Sequence
    checkpoint: Text
    performance: Text
    identifier: Annotated[bytes, msgspec.Meta(max_length=64)]
    direction: int
    at_ms: int
    ticket_class: tuple[Text, Text, int | None, int | None] | None = None
    withdrawn: bool = False


class Claim(msgspec.Struct, frozen=True, tag="claim"):
    """Gate to server, before it opens, where the checkpoint is strict: is this ticket free?

    Attributes:
        number: of the claim, repeated in the answer.
        checkpoint: where.
        performance: which.
        identifier: the ticket.
        direction: 1 entry, 2 exit.
        at_ms: moment of the scan by the gate's trusted time, milliseconds since 1970.
        ticket_class: as the gate's list has it.
    """

    number: Sequence
    checkpoint: Text
    performance: Text
    identifier: Annotated[bytes, msgspec.Meta(max_length=64)]
    direction: int
    at_ms: int
    ticket_class: tuple[Text, Text, int | None, int | None] | None = None


class Claimed(msgspec.Struct, frozen=True, tag="claimed"):
    """Server to gate: what became of a claim.

    Attributes:
        number: of the claim.
        answer: `granted`, or the code of the refusal.
    """

    number: Sequence
    answer: Text


class Status(msgspec.Struct, frozen=True, tag="status"):
    """Gate to server: how it is.

    Attributes:
        mode: connected or degraded, as the gate sees itself.
        causes: of the degradation.
        queue: records not yet acknowledged.
        lists: installed list version by performance.
        sent: when, by the gate.
        software: version of its program.
        faults: device fault codes.
        pins: SHA-256 of each certificate that it takes for the server's, hexadecimal.
        clock: by whose word it knows the time, a `TimeQuality`; "" from one that does not say.
        keys: what it does with each list key, by performance: `file`, `sealed_otp`,
            `sealed_file_beside` or `memory`.
        peers: how many gates of its local network it hears.
        commit_ms: 99th percentile of the time that its card took to keep what was written.
        free_mb: room on its card in mebibytes, -1 where it is not known.
        list_age_s: how old is what it knows of its oldest controlled list, -1 without any.
        queued_s: for how long the oldest of its records has waited to be acknowledged.
        clock_error_ms: how far off its clock is at the most, -1 where nobody can say.
        heard_s: since when it has heard nothing of others through its server.
        battery: percent left in it, -1 where there is none or nobody knows.
        charging: whether its charger gives power.
        machine: what its machine runs; None from one that has no caretaker.
        checkpoint: where it works: its own, or the one that a supervisor moved it to; "" from a
            gate that does not say.
    """

    mode: Text
    causes: list[Text]
    queue: int
    lists: Annotated[dict[Text, int], msgspec.Meta(max_length=1000)]
    sent: Moment
    software: Text = ""
    faults: list[Text] = []
    pins: Annotated[list[Text], msgspec.Meta(max_length=8)] = []
    clock: Text = ""
    keys: Annotated[dict[Text, Text], msgspec.Meta(max_length=1000)] = {}
    peers: int = 0
    commit_ms: int = 0
    free_mb: int = -1
    list_age_s: int = -1
    queued_s: int = 0
    clock_error_ms: int = -1
    heard_s: int = 0
    battery: Annotated[int, msgspec.Meta(ge=-1, le=100)] = -1
    charging: bool = False
    machine: Machine | None = None
    checkpoint: Text = ""


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """Either way on a live connection: still here.

    Attributes:
        server_ms: server time, 0 from a gate.
    """

    server_ms: int = 0


class Enrol(msgspec.Struct, frozen=True, tag="enrol"):
    """Gate to server: let me be the gate that this one-time code stands for.

    Attributes:
        code: as the operator was shown it.
        public_key: Ed25519, 32 bytes.
        agreement_key: X25519, 32 bytes.
        name: what the machine calls itself, for people; "" if it has none.
    """

    code: Text
    public_key: Chain
    agreement_key: Chain
    name: Text = ""


class Enrolled(msgspec.Struct, frozen=True, tag="enrolled"):
    """Server to gate: you are.

    Attributes:
        gate: its id.
        gate_name: for people.
        root: envelope of the root document that trust begins with.
        check: six digits, shown on both ends.
        server_ms: server time.
        pending: whether it gets nothing until an operator has compared the digits.
        certificate: envelope of its device certificate; b"" while it is pending.
    """

    gate: Text
    gate_name: Text
    root: Annotated[bytes, msgspec.Meta(max_length=ENVELOPE_BYTES_MAX)]
    check: Text
    server_ms: int
    pending: bool = False
    certificate: Annotated[bytes, msgspec.Meta(max_length=ENVELOPE_BYTES_MAX)] = b""


class Renew(msgspec.Struct, frozen=True, tag="renew"):
    """Gate to server: certify these keys; the request is signed by those that you know.

    Attributes:
        public_key: Ed25519, 32 bytes.
        agreement_key: X25519, 32 bytes.
        proof: signature of that key, see `renewal`.
    """

    public_key: Chain
    agreement_key: Chain
    proof: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class Renewed(msgspec.Struct, frozen=True, tag="renewed"):
    """Server to gate: they are certified, and the only ones of this gate.

    Attributes:
        certificate: envelope of the device certificate.
    """

    certificate: Annotated[bytes, msgspec.Meta(max_length=ENVELOPE_BYTES_MAX)]


class Ordered(msgspec.Struct, frozen=True, tag="ordered"):
    """Server to gate: an operator's signed command, which the gate checks like any other.

    Attributes:
        raw: its envelope.
    """

    raw: Annotated[bytes, msgspec.Meta(max_length=ENVELOPE_BYTES_MAX)]


POLL_FRAMES_MAX = 64  # messages of one poll, or of its answer
POLL_MS_MAX = 25_000  # so long a poll is held; proxies cut what is silent for 30 s or more
Frames = Annotated[
    list[Annotated[bytes, msgspec.Meta(max_length=MESSAGE_BYTES_MAX)]],
    msgspec.Meta(max_length=POLL_FRAMES_MAX),
]


class Poll(msgspec.Struct, frozen=True, tag="poll"):
    """Gate to server, where there is no WebSocket: what would have been said on it.

    Attributes:
        session: names the gate's live connection; another name begins another one.
        seen: greatest number of the server's messages that has arrived.
        first: number of the first message here; what the server has already is dropped.
        frames: messages, each as it would go over the socket.
        wait_ms: how long the answer may wait for something to say; 0 gives it at once and empty.
    """

    session: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    seen: Cursor
    first: Sequence
    frames: Frames = []
    wait_ms: Annotated[int, msgspec.Meta(ge=0, le=POLL_MS_MAX)] = 0


class Polled(msgspec.Struct, frozen=True, tag="polled"):
    """Server to gate: the answer to a poll.

    Attributes:
        number: of the last message here; of the last one seen if there is none.
        frames: messages, numbered up to that.
        received: greatest number of the gate's messages that has arrived.
    """

    number: Cursor
    frames: Frames = []
    received: Cursor = 0


Live = Feed | Lists | Subscribe | Status | Beat | Ordered | Hint | Claim | Claimed
Message = (
    Batch
    | Ack
    | Carried
    | AskHeads
    | Heads
    | Live
    | Enrol
    | Enrolled
    | Renew
    | Renewed
    | Poll
    | Polled
)
