"""What is fuzzed, and what must hold for any bytes: only declared errors, and round trips.

A target is a function of some bytes. It returns, or it raises what stops the fuzzer: an error that
the parser does not declare, or an AssertionError for a broken property. Bodies of signed documents
are signed here first, so that the fuzzer comes past the envelope.
"""

import hashlib
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from admission import journal
from admission.errors import (
    JournalError,
    ListError,
    PayloadError,
    RemoteProtocolError,
    SignatureError,
)
from admission.limits import (
    ENVELOPE_BYTES_MAX,
    IDENTIFIER_BYTES,
    NUMBER_CODE_POINTS_MAX,
    SCAN_PAYLOAD_BYTES_MAX,
)
from admission.proof import base45, compact, pretix
from admission.proof.public_keys import read_public_key
from admission.proof.rotation import Rotation
from admission.scan import is_well_formed, mask, normalise, strip
from admission.sync import codec, enrolment_link, messages, peer_messages, request_signing
from admission.sync.assignment import accept_assignment, encode_assignment
from admission.sync.peer import check_piece
from admission.sync.peer_proof import Enrolment
from admission.sync.sealed_head import check_carried
from admission.sync.server_side import Head, take_in
from admission.sync.stick import decode_carried
from admission.ticketlist import manifest as manifests
from admission.ticketlist.attributes import pack_record, read_record
from admission.ticketlist.overlay import NO_CHANGES, layered
from admission.ticketlist.packed import HEADER_BYTES, PackedList, pack
from admission.ticketlist.sealed_file import SealedFile, pack_sealed
from admission.ticketlist.segment import (
    REMOVED,
    Base,
    Change,
    pack_segment,
    read_segment,
)
from admission.trust import certificate, command, envelope, root, status
from admission.trust.keys import key_id, public_key
from admission.trust.root import Signers
from appliance.readers.engines import ENGINES
from appliance.readers.framing import Code, Framer, Framing
from appliance.readers.keyboard import Typing
from appliance.readers.keyboard_layouts import LAYOUTS
from appliance.readers.noise import NoiseGate
from appliance.readers.setup_codes import is_setup_code
from appliance.turnstiles.frame import Deframer, Frame, FrameError, encode, unpack_status
from fuzz_hardware_report import hardware_report
from fuzz_persons_file import persons_file

Target = Callable[[bytes], None]

KEY: Final = hashlib.sha256(b"the fuzzer's key").digest()
PUBLIC: Final = public_key(KEY)
TRUSTED: Final = Signers((PUBLIC,), 1)
SHOW: Final = "show"
BASE: Final = Base(3, hashlib.sha256(b"snapshot").digest())
NOW: Final = datetime(2026, 6, 1, 18, 0, tzinfo=UTC)
CLASSES: Final = 3
ROTATION: Final = Rotation("{number}-{totp_timestamp_seconds}-{totp_value_0}", 15_000, (6,))
_BODY_BYTES_MAX: Final = ENVELOPE_BYTES_MAX // 2  # what still fits an envelope, in base 64
_GENESIS: Final = journal.genesis("j")
_PEERS: Final = Enrolment(lambda: TRUSTED, lambda: NOW, frozenset)
_MESSAGES: Final = (
    messages.Batch,
    messages.Ack,
    messages.Feed,
    messages.Status,
    messages.Subscribe,
    messages.Lists,
    messages.Enrol,
    messages.Enrolled,
    messages.Poll,
    messages.Polled,
    messages.AskHeads,
    messages.Heads,
)


def attempt(
    errors: type[Exception] | tuple[type[Exception], ...],
    parse: Callable[..., Any],
    *given: Any,
    **named: Any,
) -> Any:
    """Give what a parser makes of something; None where it refuses it as it says it does."""
    try:
        return parse(*given, **named)
    except errors:
        return None


# --- numbers ----------------------------------------------------------------------------------


def number(data: bytes) -> None:
    """A payload becomes one number or none, and stays it; its mask hides it."""
    text = attempt(PayloadError, normalise, data)
    if text is None:
        return
    assert strip(text) == text
    assert normalise(text.encode()) == text
    assert normalise(b" \t\r\n" + data + b"\n") == text
    if is_well_formed(text):
        assert 0 < len(text) <= NUMBER_CODE_POINTS_MAX
        assert text.encode("utf-8") == text.encode("utf-8", "strict")
        assert not any(ord(one) < 0x20 or one == "\x7f" for one in text)
    shown = mask(text)
    assert shown.isprintable()
    assert len(shown) <= 6
    assert len(text) <= 6 or text[:-3] not in shown


def proofs(data: bytes) -> None:
    """Texts that may prove themselves: read alike each time, and only as they are written."""
    text = attempt(PayloadError, normalise, data)
    if text is None:
        return
    ticket = compact.read_ticket(text)
    if ticket is not None:
        assert compact.PREFIX + base45.encode(ticket.body + ticket.signature) == text
        assert compact.ticket_number(text) == ticket.ticket.number
    raw = base45.decode(text)
    assert raw is None or base45.encode(raw) == text
    sig1 = pretix.read_text(text)
    if sig1 is not None:
        pretix.read_payload(sig1.payload)
    code = ROTATION.read(text)
    if code is not None:
        assert code.number in text
        ROTATION.proven_step(code, (bytes(20),))
        ROTATION.window(code.at_ms // ROTATION.period_ms)
    key = attempt(ValueError, read_public_key, text)
    assert key is None or len(key) == 32


def pretix_payload(data: bytes) -> None:
    """What stands inside a pretix ticket, before anybody looked at its signature."""
    pretix.read_payload(data)


# --- signed documents -------------------------------------------------------------------------


def signed_envelope(data: bytes) -> None:
    """Any bytes as an envelope, and any bytes in one."""
    kind = envelope.MANIFEST_TYPE
    attempt(ListError, envelope.open_envelope, data, kind, [PUBLIC])
    attempt(ListError, envelope.signers_of, data, kind, [PUBLIC])
    signed = attempt(ListError, envelope.add_signature, data, kind, KEY)
    if signed is not None and len(signed) <= ENVELOPE_BYTES_MAX:
        body = envelope.unverified_body(data, kind)
        assert envelope.open_envelope(signed, kind, [PUBLIC]) == body
    if len(data) <= _BODY_BYTES_MAX:
        sealed = envelope.seal_envelope(kind, data, [KEY])
        assert envelope.open_envelope(sealed, kind, [PUBLIC]) == data


def manifest(data: bytes) -> None:
    """A manifest's body; what is believed can be written, read again, and judged by."""
    read = attempt(ListError, manifests.decode_manifest, data)
    if read is None:
        return
    assert manifests.decode_manifest(manifests.encode_manifest(read)) == read
    performance = attempt(ListError, manifests.performance_of, read)
    attempt(ListError, manifests.classes_of, read)
    if performance is not None:
        performance.civil_day(NOW)
    assert read.not_after is None or (read.not_after <= NOW) in (True, False)


def _signed(kind: str, data: bytes) -> bytes:
    return envelope.seal_envelope(kind, data[:_BODY_BYTES_MAX], [KEY])


def root_document(data: bytes) -> None:
    """A root, as the first one and as one that follows."""
    read = attempt(ListError, root.decode_root, data)
    if read is not None:
        assert root.decode_root(root.encode_root(read)) == read
        attempt(ListError, root.require_in_force, read, NOW)
        for role in root.Role:
            root.signers(read, role)
    attempt(ListError, root.first_root, _signed(envelope.ROOT_TYPE, data), None)


def status_document(data: bytes) -> None:
    """A status, asked for and not."""
    raw = _signed(envelope.STATUS_TYPE, data)
    for nonce in ("", "n"):
        read = attempt(
            ListError,
            status.accept_status,
            raw,
            trusted=TRUSTED,
            nonce=nonce,
            version_installed=0,
            root_version=1,
            now=NOW,
        )
        if read is not None:
            again = _signed(envelope.STATUS_TYPE, status.encode_status(read))
            assert envelope.open_envelope(again, envelope.STATUS_TYPE, [PUBLIC])
            journal.wall_ms(read.time)


def certificate_document(data: bytes) -> None:
    """A device certificate."""
    raw = _signed(envelope.CERTIFICATE_TYPE, data)
    accept = certificate.accept_certificate
    read = attempt(ListError, accept, raw, trusted=TRUSTED, gate=None, now=None)
    if read is not None:
        again = _signed(envelope.CERTIFICATE_TYPE, certificate.encode_certificate(read))
        assert accept(again, trusted=TRUSTED, gate=None, now=None) == read
        attempt(ListError, accept, raw, trusted=TRUSTED, gate="g", now=NOW)


def command_document(data: bytes) -> None:
    """An operator's command."""
    raw = _signed(envelope.COMMAND_TYPE, data)
    counters = {key_id(PUBLIC): 2}
    attempt(
        ListError,
        command.accept_command,
        raw,
        trusted=TRUSTED,
        gate="g",
        counters=counters,
        now=NOW,
    )


def assignment(data: bytes) -> None:
    """A gate's assignment."""
    raw = _signed(envelope.ASSIGNMENT_TYPE, data)
    given: dict[str, Any] = {"gate": "g", "trusted": TRUSTED, "version_installed": 0}
    read = attempt(ListError, accept_assignment, raw, **given)
    if read is not None:
        again = _signed(envelope.ASSIGNMENT_TYPE, encode_assignment(read))
        assert accept_assignment(again, **given) == read


# --- files of a list --------------------------------------------------------------------------


def snapshot(data: bytes) -> None:
    """A packed list as it lies in a file."""
    packed = attempt(ListError, PackedList, data, SHOW)
    if packed is None:
        return
    attempt(ListError, packed.check_columns, CLASSES)
    wanted = [packed[place] for place in range(min(len(packed), 20))]
    for identifier in [*wanted, bytes(IDENTIFIER_BYTES), b"\xff" * IDENTIFIER_BYTES]:
        found = attempt(ListError, packed.find, identifier)
        assert found is None or found.identifier == identifier
    entries = attempt(ListError, list, packed)
    identifiers = [packed[place] for place in range(len(packed))]
    if identifiers == sorted(set(identifiers)) and entries is not None:
        assert all(packed.find(entry.identifier) == entry for entry in entries[:50])
        if all(entry.class_index < CLASSES for entry in entries):
            body = data[HEADER_BYTES:]
            assert pack(SHOW, entries)[HEADER_BYTES:] == body


def segment(data: bytes) -> None:
    """A segment, and what it makes of the list below."""
    columns = attempt(ListError, read_segment, data, SHOW, BASE)
    if columns is None:
        return
    overlay = NO_CHANGES.under([columns])
    assert len(overlay) == len(columns)
    attempt(ListError, overlay.check_columns, CLASSES)
    entries = layered(PackedList(pack(SHOW, []), SHOW), overlay)
    changes = list(overlay)
    for identifier, entry in changes[:50]:
        assert entries.find(identifier) == entry
    indexes = struct.unpack(f">{len(columns)}H", columns.classes)
    if (
        not any(
            state == REMOVED and index for state, index in zip(columns.states, indexes, strict=True)
        )
        and max(indexes) < CLASSES
    ):
        again = [
            Change(identifier, entry.class_index if entry else 0, entry.state if entry else None)
            for identifier, entry in changes
        ]
        assert read_segment(pack_segment(SHOW, BASE, again), SHOW, BASE) == columns


def sealed_records(data: bytes) -> None:
    """A file of sealed records, and a record that was opened."""
    attributes = attempt(ListError, read_record, data)
    if attributes is not None:
        assert read_record(pack_record(attributes)) is not None
    file = attempt(ListError, SealedFile, data, SHOW)
    if file is None:
        return
    for identifier in (bytes(IDENTIFIER_BYTES), b"\xff" * IDENTIFIER_BYTES):
        attempt(ListError, file.find, identifier)
    records = attempt(ListError, list, file)
    if records and [one for one, _ in records] == sorted({one for one, _ in records}):
        again = SealedFile(pack_sealed(SHOW, records), SHOW)
        assert list(again) == records


# --- what travels -----------------------------------------------------------------------------


def authorization(data: bytes) -> None:
    """The header that signs a request."""
    header = data.decode("latin-1")
    read = attempt(RemoteProtocolError, request_signing.read_authorization, header)
    if read is not None:
        attempt(SignatureError, request_signing.ReplayWindow().take, read.counter)
        request_signing.signed_text("GET", "/", b"", read.gate, read.nonce, read.counter)


def protocol(data: bytes) -> None:
    """A message of the sync protocol: the first byte says as which kind it is read."""
    if not data:
        return
    attempt(RemoteProtocolError, codec.decode_live, data[1:])
    kind = _MESSAGES[data[0] % len(_MESSAGES)]
    read = attempt(RemoteProtocolError, codec.decode, data[1:], kind)
    if read is not None:
        assert codec.decode(codec.encode(read), kind) == read


def peer(data: bytes) -> None:
    """What comes over the local network: a message, what somebody said in one, or a datagram."""
    readers = (
        peer_messages.decode_spoken,
        peer_messages.decode_told,
        peer_messages.decode_shout,
        peer_messages.decode_shouted,
    )
    if not data:
        return
    reader = readers[data[0] % len(readers)]
    read = attempt(RemoteProtocolError, reader, data[1:])
    if read is not None:
        assert reader(peer_messages.encode(read)) == read
    if isinstance(read, peer_messages.Piece):
        wanted = peer_messages.Wanted("j", 0)
        attempt((RemoteProtocolError, ListError), check_piece, read, wanted, None, _GENESIS, _PEERS)


def carried(data: bytes) -> None:
    """Part of a journal that somebody brings, over the network or on a stick, and its seal."""
    read = attempt(RemoteProtocolError, decode_carried, data)
    if read is None:
        return
    assert decode_carried(codec.encode(read)) == read
    attempt(RemoteProtocolError, check_carried, read.batch, gate=read.gate, keys=[PUBLIC])
    place = Head(read.batch.first - 1, read.batch.previous_chain)
    side = {place.sequence: {place.chain}}
    intake = take_in(read.batch, Head(0, journal.genesis(read.batch.journal)), {}, side)
    assert intake.held.sequence in (0, place.sequence + len(read.batch.blobs))


def record(data: bytes) -> None:
    """A journal's record, as a server takes it in."""
    read = attempt(JournalError, journal.decode, data)
    if read is None:
        return
    attempt(JournalError, journal.fact_of, "j", read)
    attempt(JournalError, journal.pending_of, "j", read)
    again = attempt(ValueError, journal.encode, read)
    assert again is None or journal.decode(again) == read


def link(data: bytes) -> None:
    """An enrolment link, as somebody pasted it."""
    text = data.decode("utf-8", "replace")
    read = attempt(RemoteProtocolError, enrolment_link.read_link, text)
    if read is not None:
        assert enrolment_link.read_link(enrolment_link.write_link(read)) == read


# --- scanners ---------------------------------------------------------------------------------


def serial_bytes(data: bytes) -> None:
    """What a scanner sends: the same codes however the line cuts it, none over the bound.

    The first byte says which make it is and what it puts around its codes.
    """
    if not data:
        return
    engines, flags = list(ENGINES.values()), data[0]
    framing = Framing(
        prefix=b"<" if flags & 0x40 else b"",
        answers=engines[flags % len(engines)].answers,
        has_aim=bool(flags & 0x80),
    )
    stream = data[1:] + b"\r"
    whole, bytewise = Framer(framing), Framer(framing)
    codes: list[Code] = attempt((), whole.feed, stream, 0)
    assert codes == [code for byte in stream for code in bytewise.feed(bytes([byte]), 0)]
    assert (whole.overruns, whole.unframed) == (bytewise.overruns, bytewise.unframed)
    noise = NoiseGate()
    for code in codes:
        assert 0 < len(code.data) <= SCAN_PAYLOAD_BYTES_MAX
        assert b"\r" not in code.data
        is_setup_code(code.data)
        noise.admit(code.data, 0)


def typed_keys(data: bytes) -> None:
    """What a scanner presses: three bytes an event, and the code that follows is read whole."""
    if not data:
        return
    typing = Typing(list(LAYOUTS.values())[data[0] % len(LAYOUTS)])
    now_ns = 0
    for kind, key, value in zip(data[1::3], data[2::3], data[3::3], strict=False):
        now_ns += (value >> 2) * 2_000_000
        for code in attempt((), typing.feed, kind & 3, key, value & 3, now_ns):
            assert 0 < len(code.data) <= SCAN_PAYLOAD_BYTES_MAX
            assert code.data.decode("utf-8").encode() == code.data
    typing.reset()
    digits = [event for key in (2, 11, 28) for event in ((1, key, 1), (1, key, 0))]
    layout = list(LAYOUTS)[data[0] % len(LAYOUTS)]
    (code,) = [code for event in digits for code in typing.feed(*event, now_ns=now_ns)]
    assert code.data.decode() == ("&à" if layout == "fr" else "10")


# --- turnstiles -------------------------------------------------------------------------------


def turnstile_frames(data: bytes) -> None:
    """What comes over a controller's line: the same frames however it is cut, and then the next."""
    whole, bytewise = Deframer(), Deframer()
    frames = attempt((), whole.feed, data)
    assert frames == [frame for byte in data for frame in bytewise.feed(bytes([byte]))]
    assert whole.damaged == bytewise.damaged
    for frame in frames:
        assert Deframer().feed(encode(frame)) == [frame]
        status = attempt((FrameError,), unpack_status, frame.data)
        assert status is None or unpack_status(status.pack()) == status
    after = Frame(1, 2, 3, b"after")
    assert whole.feed(encode(after))[-1:] == [after]


TARGETS: Final[dict[str, Target]] = {
    "number": number,
    "proofs": proofs,
    "pretix_payload": pretix_payload,
    "envelope": signed_envelope,
    "manifest": manifest,
    "root": root_document,
    "status": status_document,
    "certificate": certificate_document,
    "command": command_document,
    "assignment": assignment,
    "snapshot": snapshot,
    "segment": segment,
    "sealed_records": sealed_records,
    "authorization": authorization,
    "protocol": protocol,
    "peer": peer,
    "carried": carried,
    "record": record,
    "link": link,
    "persons_file": lambda data: persons_file(data, attempt),
    "hardware_report": lambda data: hardware_report(data, attempt),
    "serial_bytes": serial_bytes,
    "typed_keys": typed_keys,
    "turnstile_frames": turnstile_frames,
}
