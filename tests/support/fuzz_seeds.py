"""Real documents, made by the code itself, from which the fuzzer starts. The same every time."""

import base64
import hashlib
import struct
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from admission import journal
from admission.journal import Kind, Record
from admission.proof import base45
from admission.proof.compact import CompactTicket, number_of, write_ticket
from admission.sync import codec, messages, peer_messages
from admission.sync.assignment import Assignment, CheckpointRow, encode_assignment
from admission.sync.enrolment_link import EnrolmentLink, write_link
from admission.sync.peer_messages import (
    Grown,
    Heads,
    Hello,
    JournalHead,
    Piece,
    Said,
    Shout,
    Stranger,
    Wanted,
    Welcome,
)
from admission.sync.request_signing import authorization
from admission.sync.sealed_head import seal
from admission.ticket import TicketState
from admission.ticketlist.attributes import Attributes, pack_record
from admission.ticketlist.issuers import IssuerClassRow, IssuerRow, RotationRow
from admission.ticketlist.manifest import ClassRow, Manifest, Showing, encode_manifest
from admission.ticketlist.packed import Entry, pack
from admission.ticketlist.pieces import FileRef, SegmentRef, chain_of
from admission.ticketlist.sealed_file import pack_sealed
from admission.ticketlist.segment import Change, pack_segment
from admission.trust.certificate import DeviceCertificate, encode_certificate
from admission.trust.command import Action, Command, encode_command
from admission.trust.envelope import CERTIFICATE_TYPE, MANIFEST_TYPE, seal_envelope
from admission.trust.keys import key_id, public_key, sign
from admission.trust.root import Role, encode_root, make_root
from admission.trust.sealing import RECORD_OVERHEAD_BYTES
from admission.trust.status import ListLine, ServerStatus, encode_status
from appliance.readers.engines import ENGINES
from appliance.readers.keyboard_layouts import LAYOUTS
from appliance.turnstiles import frame as turnstile
from appliance.turnstiles.frame import ANSWER, Frame, State, Status
from appliance.turnstiles.frame import encode as encode_frame
from fuzz_hardware_report import reports
from fuzz_targets import BASE, CLASSES, KEY, NOW, PUBLIC, ROTATION, SHOW
from typed_keys import typed_as

LATER: Final = NOW + timedelta(hours=6)


def _digest(of: str) -> bytes:
    return hashlib.sha256(of.encode()).digest()


def _numbers() -> dict[str, bytes]:
    return {
        "plain": b"1234567890\r\n",
        "accents": "Ré 42 é\t".encode(),
        "right-to-left": "\u202eABC\u202c123".encode(),
        "ansi": b"\x1b[31mTICKET\x1b[0m",
        "sql": b"1'); DROP TABLE tickets;--",
        "template": b"{{ 7*7 }}<script>alert(1)</script>",
        "not-utf8": b"\xff\xfe\xfd",
        "nul": b"AB\x00CD",
    }


def _proofs() -> dict[str, bytes]:
    number = number_of(_digest("ticket")[:10])
    bare = write_ticket(KEY, SHOW, CompactTicket(number, 1))
    dated = write_ticket(KEY, SHOW, CompactTicket(number, 1, NOW, LATER))
    payload = _pretix_payload()
    raw = struct.pack(">BHH", 1, len(payload), 64) + payload + sign(KEY, payload)
    return {
        "compact": bare.encode(),
        "compact-dated": dated.encode(),
        "pretix": base64.b64encode(raw)[::-1],
        "base45": base45.encode(b"base 45").encode(),
        "rotating": f"{number}-{int(NOW.timestamp())}-123456".encode(),
        "key": base64.b64encode(PUBLIC),
        "pem": b"-----BEGIN PUBLIC KEY-----\n"
        + base64.b64encode(bytes.fromhex("302a300506032b6570032100") + PUBLIC)
        + b"\n-----END PUBLIC KEY-----",
        "pattern": ROTATION.pattern.encode(),
    }


def _pretix_payload() -> bytes:
    until = int(LATER.timestamp())
    varint = b""
    while until:
        varint += bytes([until & 0x7F | (0x80 if until > 0x7F else 0)])
        until >>= 7
    return b"\x0a\x04seed\x10\x05\x18\x07\x20\x09\x30" + varint


def _manifests() -> dict[str, bytes]:
    plain = _manifest()
    snapshot, segment = plain.snapshot, SegmentRef(version=2, size=115, sha256="a" * 64, count=1)
    issuer = IssuerRow(
        format="portillon",
        public_key=PUBLIC.hex(),
        classes=(IssuerClassRow(code=1, class_index=0),),
    )
    full = msgspec.structs.replace(
        plain,
        version=2,
        segments=(segment,),
        chain=chain_of(snapshot, [segment]),
        refresh_by=NOW,
        not_after=LATER,
        issuers=(issuer,),
        rotating=RotationRow(pattern=ROTATION.pattern, period_ms=15_000, lengths=(6,)),
    )
    return {"plain": encode_manifest(plain), "full": encode_manifest(full)}


def _manifest() -> Manifest:
    raw = _snapshots()["three"]
    sha256 = hashlib.sha256(raw).hexdigest()
    return Manifest(
        performance=SHOW,
        version=1,
        chain=sha256,
        snapshot=FileRef(version=1, size=len(raw), sha256=sha256, count=3),
        list_key_id="0" * 32,
        classes=(
            ClassRow(category="standard", mode="single"),
            ClassRow(category="vip", mode="multi", total=3, per_day=1),
            ClassRow(category="staff", mode="entry_exit"),
        ),
        showing=Showing(name="Carmen", timezone="Europe/Paris", starts_at=NOW, admits_from=NOW),
        published_at=NOW,
    )


def _snapshots() -> dict[str, bytes]:
    entries = [
        Entry(_digest(f"T{place}")[:16], place % CLASSES, state)
        for place, state in enumerate((TicketState.VALID, TicketState.CANCELED, TicketState.UNPAID))
    ]
    return {"empty": pack(SHOW, []), "three": pack(SHOW, entries)}


def _segments() -> dict[str, bytes]:
    changes = [
        Change(_digest("T1")[:16], 0, None),
        Change(_digest("T2")[:16], 2, TicketState.BLOCKED),
    ]
    return {"two": pack_segment(SHOW, BASE, changes), "one": pack_segment(SHOW, BASE, changes[1:])}


def _sealed() -> dict[str, bytes]:
    record = pack_record(Attributes(zone="Parterre", row="K", seat="12", extra={"coat": "yes"}))
    sealed = bytes(len(record) + RECORD_OVERHEAD_BYTES)
    rows = [(_digest(f"T{place}")[:16], sealed) for place in range(2)]
    return {"record": record, "file": pack_sealed(SHOW, rows), "empty": pack_sealed(SHOW, [])}


def _roots() -> dict[str, bytes]:
    keys = {role: (public_key(_digest(role.value)),) for role in Role}
    root = make_root(
        version=1,
        organization="Opéra",
        issued_at=NOW,
        expires_at=LATER,
        keys=keys,
        thresholds={},
    )
    return {"root": encode_root(root)}


def _statuses() -> dict[str, bytes]:
    status = ServerStatus(
        version=4,
        time=NOW,
        expires_at=LATER,
        nonce="n",
        root_version=1,
        lists={SHOW: ListLine(version=1, sha256="0" * 64)},
        revoked_gates=("g2",),
        tls_pins=("0" * 64,),
    )
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    return {
        "status": encode_status(status),
        "unasked": encode_status(msgspec.structs.replace(status, nonce="")),
        "end-of-time": encode_status(
            msgspec.structs.replace(status, time=last - timedelta(hours=1), expires_at=last)
        ),
    }


def _certificates() -> dict[str, bytes]:
    certificate = DeviceCertificate(
        gate="g",
        gate_name="Porte A",
        device_key=PUBLIC,
        agreement_key=_digest("agreement"),
        serial=1,
        issued_at=NOW,
        not_after=LATER,
    )
    return {"certificate": encode_certificate(certificate)}


def _commands() -> dict[str, bytes]:
    command = Command(
        key=key_id(PUBLIC),
        counter=3,
        action=Action.ADMIT,
        gates=("g",),
        operator="Ada",
        reason="wheelchair",
        issued_at=NOW,
        not_after=LATER,
        performance=SHOW,
        identifier=_digest("T1")[:16],
    )
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    ending = msgspec.structs.replace(command, issued_at=last - timedelta(hours=1), not_after=last)
    return {"admit": encode_command(command), "end-of-time": encode_command(ending)}


def _assignments() -> dict[str, bytes]:
    assignment = Assignment(
        gate="g",
        gate_name="Porte A",
        version=1,
        checkpoint=CheckpointRow(
            id="c", name="Nord", performances=(SHOW,), allowed_categories=("vip",), capacity=9
        ),
        held=("matinee",),
    )
    return {"assignment": encode_assignment(assignment)}


def _authorizations() -> dict[str, bytes]:
    header = authorization(lambda text: sign(KEY, text), "GET", "/", b"", "g", "n", 7)
    return {"header": header.encode()}


def _record() -> Record:
    return Record(
        kind=int(Kind.PASSED),
        sequence=2,
        wall_ms=1_780_336_800_000,
        boot_ms=5_000,
        boot_id=bytes(16),
        checkpoint="c",
        performance=SHOW,
        identifier=_digest("T1")[:16],
        direction=1,
        answer="granted",
        ticket_class=("vip", "multi", 3, 1),
        refers_to=1,
        detail={"code": "GT-DSK", "count": 2},
        trusted_ms=1_780_336_800_000,
    )


def _messages() -> dict[str, bytes]:
    moment = messages.Moment(1, 2, bytes(16))
    item = messages.FeedItem(1, 12, "j", 2, 3, "c", SHOW, bytes(16), 1, 0, ("", "single", None, 1))
    made: list[messages.Message] = [
        messages.Batch("j", 1, bytes(32), [journal.encode(_record())], moment),
        messages.Ack("j", 1, bytes(32), 4, malformed=[messages.Malformed(1, "no record")]),
        messages.Feed(SHOW, 0, [item], 1),
        messages.Status("connected", ["link"], 0, {SHOW: 1}, moment, "0.1.0", ["GT-CLK"]),
        messages.Subscribe({SHOW: 1}),
        messages.Lists({SHOW: 1}, 2),
        messages.Enrol("ABCD-EFGH", bytes(32), bytes(32)),
        messages.Enrolled("g", "Porte A", [bytes(32)], "123456", 1),
        messages.Poll("s", 3, 2, [codec.encode(messages.Beat())], 1000),
        messages.Polled(4, [codec.encode(messages.Lists({SHOW: 1}, 2))], 2),
    ]
    return {
        type(message).__name__.lower(): bytes([place]) + codec.encode(message)
        for place, message in enumerate(made)
    }


def _links() -> dict[str, bytes]:
    full = EnrolmentLink(
        ("https://10.0.0.5:8080", "https://[fe80::1]"), "ABCD-EFGH", (bytes(32),), "0" * 64
    )
    bare = EnrolmentLink(("http://localhost:8080",), "ABCD-EFGH-JKMN")
    return {"full": write_link(full).encode(), "bare": write_link(bare).encode()}


def _persons_files() -> dict[str, bytes]:
    text = (
        'language = "fr"\ntimezone = “Europe/Paris”\n[[readers]]\nkind = "folder"  # pictures\n'
        '[machine]\nname = "porte-1"\nenrol = "ABCD-EFGH"\nrtc = "auto"\nreset_pin = 26\n'
        '[machine.network]\naddress = "10.0.0.2/24"\ndns = ["10.0.0.1"]\n'
        '[machine.wifi]\ncountry = "FR"\nssid = « Café »\npassphrase = "hunter2 22"\n'
    )
    return {
        "utf8": text.encode(),
        "notepad": text.replace("\n", "\r\n").encode("utf-16"),
        "mark": text.replace('"', "”").encode("utf-8-sig"),
    }


def _peer_messages() -> dict[str, bytes]:
    blob = journal.encode(_record())
    chain = journal.chain(journal.genesis("j"), blob)
    sealed = seal(lambda text: sign(KEY, text), "g", "j", 1, chain)
    batch = messages.Batch(
        "j", 1, journal.genesis("j"), [blob], messages.Moment(0, 0, b""), seal=sealed
    )
    certificate = seal_envelope(CERTIFICATE_TYPE, _certificates()["certificate"], [KEY])
    head = JournalHead("j", "g", 1, chain)
    hint = messages.Hint("gate", "j", 1, "c", SHOW, bytes(16), 1, 0, ("", "single", None, 1))
    made = [
        (0, Hello(b"certificate", bytes(16))),
        (0, Welcome(b"certificate", bytes(16), 7, bytes(64))),
        (0, Said("gate", bytes(16), 1, b"body", bytes(64))),
        (0, Stranger()),
        (1, Heads([head], 7678)),
        (1, Wanted("j", 0)),
        (1, Piece(batch, certificate)),
        (2, Shout("gate", b"body", bytes(64))),
        (3, Grown("j", 1)),
        (3, hint),
    ]
    return {
        type(message).__name__.lower(): bytes([place]) + peer_messages.encode(message)
        for place, message in made
    }


def _carried() -> dict[str, bytes]:
    """Write what another gate or a stick brings: sealed as it must be, and at another place."""
    blob = journal.encode(_record())
    chain = journal.chain(journal.genesis("j"), blob)
    sealed = seal(lambda text: sign(KEY, text), "g", "j", 1, chain)
    moment = messages.Moment(0, 0, b"")
    whole = messages.Batch("j", 1, journal.genesis("j"), [blob], moment, sealed)
    beside = messages.Batch("j", 7, bytes(32), [blob, b"no record"], moment, sealed)
    return {
        name: codec.encode(messages.Carried("g", batch))
        for name, batch in (("sealed", whole), ("beside", beside))
    }


def _sent_by_scanners() -> dict[str, bytes]:
    place = {name: bytes([number]) for number, name in enumerate(ENGINES)}
    sent = {
        "plain": b"TICKET-1\r\nTICKET-2\r",
        "honeywell": b"BEPBEP0\x06!TICKET-1\r",
        "zebra": bytes.fromhex("04d00000ff2c") + b"TICKET-1\r",
        "newland": b"\x02\x010000#GRBENA0\x06;\x03TICKET-1\r",
        "gm65": bytes.fromhex("02000001003331") * 2 + b"TICKET-1\r",
        "de2120": b"\x06TICKET-1\r",
    }
    framed = {
        "prefix": bytes([0x40]) + b"<TICKET-1\rTICKET-2\r",
        "aim": bytes([0xC0]) + b"<]Q1TICKET-1\r<]d201040\x1d99\r",
    }
    return {name: place[name] + data for name, data in sent.items()} | framed


def _typed_by_scanners() -> dict[str, bytes]:
    def of(layout: str, text: str) -> bytes:
        typed = [bytes([event.type, event.code, event.value]) for event in typed_as(text, layout)]
        return bytes([list(LAYOUTS).index(layout)]) + b"".join(typed)

    return {"us": of("us", "Ticket-1"), "fr": of("fr", "AZ@12é^"), "de": of("de", "ZY@ß~`")}


def _sent_by_controllers() -> dict[str, bytes]:
    status = Status(7, 1200, 34, State.OPEN_ENTRY | State.TURNING, 5)
    return {
        "request": encode_frame(Frame(1, 0x7E, turnstile.Command.OPEN_ENTRY)),
        "answer": encode_frame(Frame(1, 5, turnstile.Command.POLL | ANSWER, status.pack())),
        "noise": b"\x00\x7d\x7e\xff" + encode_frame(Frame(9, 0x7D, turnstile.Command.HELLO)) * 2,
    }


def seeds() -> dict[str, dict[str, bytes]]:
    """Give every target's documents by name."""
    manifests = _manifests()
    return {
        "number": _numbers(),
        "proofs": _proofs(),
        "pretix_payload": {"payload": _pretix_payload()},
        "envelope": {"manifest": seal_envelope(MANIFEST_TYPE, manifests["plain"], [KEY])},
        "manifest": manifests,
        "root": _roots(),
        "status": _statuses(),
        "certificate": _certificates(),
        "command": _commands(),
        "assignment": _assignments(),
        "snapshot": _snapshots(),
        "segment": _segments(),
        "sealed_records": _sealed(),
        "authorization": _authorizations(),
        "protocol": _messages(),
        "peer": _peer_messages(),
        "carried": _carried(),
        "record": {"passed": journal.encode(_record())},
        "link": _links(),
        "persons_file": _persons_files(),
        "hardware_report": reports(),
        "serial_bytes": _sent_by_scanners(),
        "typed_keys": _typed_by_scanners(),
        "turnstile_frames": _sent_by_controllers(),
    }
