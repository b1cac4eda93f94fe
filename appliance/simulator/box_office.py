"""Draws up roots, signed lists and assignments as a sync server does. Bound by tests.

Everything is made of what it is given and of the performance's id, so that a run is the same every
time; its keys are for play only.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from admission.sync.assignment import Assignment, CheckpointRow, encode_assignment
from admission.ticket import TicketState
from admission.ticketlist.attributes import NOTHING, Attributes, pack_record
from admission.ticketlist.identifiers import identify
from admission.ticketlist.manifest import (
    ClassRow,
    Manifest,
    Showing,
    encode_manifest,
    list_key_id,
)
from admission.ticketlist.packed import Entry, pack
from admission.ticketlist.pieces import AttributesRef, FileRef, SegmentRef, bases, chain_of
from admission.ticketlist.sealed_file import SealedFile, pack_sealed
from admission.ticketlist.segment import Change, pack_segment
from admission.trust.certificate import DeviceCertificate, encode_certificate
from admission.trust.command import Action, Command, encode_command
from admission.trust.envelope import (
    ASSIGNMENT_TYPE,
    CERTIFICATE_TYPE,
    COMMAND_TYPE,
    MANIFEST_TYPE,
    ROOT_TYPE,
    STATUS_TYPE,
    seal_envelope,
)
from admission.trust.keys import key_id, public_key
from admission.trust.root import Role, Signers, encode_root, make_root
from admission.trust.sealing import seal_record
from admission.trust.status import ListLine, ServerStatus, encode_status

_PUBLISHED_AT: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
_ROOT_LIFE: Final = timedelta(days=365)
_COMMAND_LIFE: Final = timedelta(hours=12)
_STATUS_LIFE: Final = timedelta(hours=24)
SINGLE: Final = ClassRow(category="standard", mode="single")
ENTRY_EXIT: Final = ClassRow(category="standard", mode="entry_exit")


def multi(total: int | None = None, per_day: int | None = None) -> ClassRow:
    """Give the class of tickets for several passages."""
    return ClassRow(category="standard", mode="multi", total=total, per_day=per_day)


@dataclass(frozen=True, slots=True)
class ListedNumber:
    """One ticket of a list.

    Attributes:
        number: what is printed on it.
        row: its class.
        state: its state.
        said: what it says besides; travels where any ticket of the list says something.
    """

    number: str
    row: ClassRow = SINGLE
    state: TicketState = TicketState.VALID
    said: Attributes = NOTHING


@dataclass(frozen=True, slots=True)
class SignedList:
    """One version of a performance's list, as it is handed out.

    Attributes:
        manifest: what was signed.
        envelope: the same, signed.
        snapshot: the packed file.
        list_key: what its identifiers were made with.
        segments: files of what has changed since, in order.
        sealed: files of what tickets say, in order.
    """

    manifest: Manifest
    envelope: bytes
    snapshot: bytes
    list_key: bytes
    segments: tuple[bytes, ...] = ()
    sealed: tuple[bytes, ...] = ()

    def piece(self, sha256: str) -> bytes:
        """Give the file that is handed out for a digest; it need not be the one of that digest.

        Raises:
            KeyError: if the manifest names none such.
        """
        if sha256 == self.manifest.snapshot.sha256:
            return self.snapshot
        segments = zip(self.manifest.segments, self.segments, strict=False)
        found = {ref.sha256: raw for ref, raw in segments}
        sealed = zip(self.manifest.attributes, self.sealed, strict=False)
        return (found | {ref.sha256: raw for ref, raw in sealed})[sha256]

    @property
    def line(self) -> ListLine:
        """What a status document says of it."""
        digest = hashlib.sha256(encode_manifest(self.manifest)).hexdigest()
        return ListLine(version=self.manifest.version, sha256=digest)


class BoxOffice:
    """Whoever may sign, for every role.

    Args:
        name: another name is another set of keys.

    Attributes:
        roots: envelopes of its roots, the first one first.
        statuses: how many status documents it has signed.
    """

    def __init__(self, name: str = "box office") -> None:
        self._name = name
        self._generations = dict.fromkeys(Role, 0)
        self.statuses = 0
        self.roots: list[bytes] = []
        self.rotate()

    def key(self, role: Role) -> bytes:
        """Give a role's private key of now."""
        text = f"{self._name} {role.value} {self._generations[role]}"
        return hashlib.sha256(text.encode()).digest()

    def signers(self, role: Role) -> Signers:
        """Give who may sign for a role now."""
        return Signers((public_key(self.key(role)),), 1)

    def rotate(self, *roles: Role, **fields: Any) -> bytes:
        """Sign the next root, with new keys for some roles.

        Args:
            roles: whose keys are replaced.
            fields: of the root, others than would be.
        """
        former = self.key(Role.ROOT)
        for role in roles:
            self._generations[role] += 1
        plain: dict[str, Any] = {
            "version": len(self.roots) + 1,
            "organization": self._name,
            "issued_at": _PUBLISHED_AT,
            "expires_at": _PUBLISHED_AT + _ROOT_LIFE,
            "keys": {role: (public_key(self.key(role)),) for role in Role},
            "thresholds": {},
        }
        body = encode_root(make_root(**plain | fields))
        raw = seal_envelope(ROOT_TYPE, body, {former: 0, self.key(Role.ROOT): 0})
        self.roots.append(raw)
        return raw

    def status(self, nonce: str, lists: Mapping[str, SignedList], **fields: Any) -> bytes:
        """Sign what is the newest now.

        Args:
            nonce: the asker's.
            lists: the newest by performance.
            fields: further ones of the status, or others than would be.
        """
        self.statuses += 1
        time = fields.get("time", _PUBLISHED_AT)
        plain: dict[str, Any] = {
            "version": self.statuses,
            "time": time,
            "expires_at": time + _STATUS_LIFE,
            "nonce": nonce,
            "root_version": len(self.roots),
            "lists": {name: signed.line for name, signed in lists.items()},
        }
        body = encode_status(ServerStatus(**plain | fields))
        return seal_envelope(STATUS_TYPE, body, [self.key(Role.STATUS)])

    def certify(
        self, gate: str, device_key: bytes, agreement_key: bytes, serial: int = 1, **fields: Any
    ) -> bytes:
        """Sign a device certificate.

        Args:
            gate: its id.
            device_key: Ed25519 public key.
            agreement_key: X25519 public key.
            serial: of the certificate.
            fields: others than would be.
        """
        plain: dict[str, Any] = {
            "gate": gate,
            "gate_name": f"Name of {gate}",
            "device_key": device_key,
            "agreement_key": agreement_key,
            "serial": serial,
            "issued_at": _PUBLISHED_AT,
            "not_after": _PUBLISHED_AT + _ROOT_LIFE,
        }
        body = encode_certificate(DeviceCertificate(**plain | fields))
        return seal_envelope(CERTIFICATE_TYPE, body, [self.key(Role.ENROL)])

    def command(self, action: Action, counter: int, **fields: Any) -> bytes:
        """Sign an operator's command.

        Args:
            action: what to do.
            counter: of this command.
            fields: further ones, or others than would be.
        """
        plain: dict[str, Any] = {
            "key": key_id(public_key(self.key(Role.OPERATOR))),
            "counter": counter,
            "action": action,
            "operator": "Anna",
            "reason": "a wheelchair",
            "issued_at": _PUBLISHED_AT,
            "not_after": _PUBLISHED_AT + _COMMAND_LIFE,
        }
        body = encode_command(Command(**plain | fields))
        return seal_envelope(COMMAND_TYPE, body, [self.key(Role.OPERATOR)])

    def draw_up(
        self,
        performance: str,
        tickets: Iterable[ListedNumber | str],
        version: int = 1,
        *,
        list_key: bytes | None = None,
        showing: Showing | None = None,
        **fields: Any,
    ) -> SignedList:
        """Draw a list up and sign it.

        Args:
            performance: its id.
            tickets: a bare number is a valid ticket for one entry.
            version: of the list.
            list_key: what identifiers are made with; None is the performance's own.
            showing: what the performance is like; None is a plain one in UTC.
            fields: further ones of the manifest, or others than would be.
        """
        key = list_key or self.list_key(performance)
        listed = [one if isinstance(one, ListedNumber) else ListedNumber(one) for one in tickets]
        rows = list(dict.fromkeys(one.row for one in listed))
        snapshot = pack(
            performance,
            [Entry(identify(key, one.number), rows.index(one.row), one.state) for one in listed],
        )
        digest = hashlib.sha256(snapshot).hexdigest()
        size, count = len(snapshot), len(listed)
        sealed = _sealed(performance, key, listed)
        plain: dict[str, Any] = {
            "performance": performance,
            "version": version,
            "chain": digest,
            "snapshot": FileRef(version=version, size=size, sha256=digest, count=count),
            "list_key_id": list_key_id(key),
            "classes": tuple(rows) or (SINGLE,),
            "showing": showing or Showing(name=f"Name of {performance}", timezone="UTC"),
            "published_at": _PUBLISHED_AT,
            "attributes": tuple(_sealed_ref(performance, version, raw) for raw in sealed),
        }
        manifest = Manifest(**plain | fields)
        return SignedList(manifest, self.sign(manifest), snapshot, key, sealed=sealed)

    def update(
        self,
        known: SignedList,
        tickets: Iterable[ListedNumber | str] = (),
        removed: Iterable[str] = (),
        version: int | None = None,
        **fields: Any,
    ) -> SignedList:
        """Sign the next version of a list, which differs by one more segment.

        Args:
            known: the version before.
            tickets: new ones, and listed ones as they are now.
            removed: numbers that are on the list no more.
            version: of the list; None is the next one.
            fields: further ones of the manifest, or others than would be.
        """
        old, key = known.manifest, known.list_key
        listed = [one if isinstance(one, ListedNumber) else ListedNumber(one) for one in tickets]
        rows = list(dict.fromkeys([*old.classes, *(one.row for one in listed)]))
        changes = [
            Change(identify(key, one.number), rows.index(one.row), one.state) for one in listed
        ]
        changes += [Change(identify(key, number), 0, None) for number in removed]
        *_, base = bases(old.snapshot, old.segments)
        raw = pack_segment(old.performance, base, changes)
        number = version or old.version + 1
        ref = SegmentRef(
            version=number,
            size=len(raw),
            sha256=hashlib.sha256(raw).hexdigest(),
            count=len(changes),
        )
        segments = (*old.segments, ref)
        sealed = _sealed(old.performance, key, listed)
        plain: dict[str, Any] = {name: getattr(old, name) for name in old.__struct_fields__}
        plain |= {
            "version": number,
            "chain": chain_of(old.snapshot, segments),
            "segments": segments,
            "classes": tuple(rows),
            "attributes": (
                *old.attributes,
                *(_sealed_ref(old.performance, number, file) for file in sealed),
            ),
        }
        manifest = Manifest(**plain | fields)
        return SignedList(
            manifest,
            self.sign(manifest),
            known.snapshot,
            key,
            (*known.segments, raw),
            (*known.sealed, *sealed),
        )

    def sign(self, manifest: Manifest) -> bytes:
        """Sign a manifest."""
        return seal_envelope(MANIFEST_TYPE, encode_manifest(manifest), [self.key(Role.LIST)])

    def assign(
        self,
        gate: str,
        performances: Sequence[str],
        version: int = 1,
        *,
        held: Sequence[str] = (),
        checkpoint: str = "checkpoint",
        **fields: Any,
    ) -> bytes:
        """Sign what a gate is to do.

        Args:
            gate: its id.
            performances: those that its checkpoint controls.
            version: of the assignment.
            held: further ones, whose lists it holds.
            checkpoint: id of the checkpoint.
            fields: `capacity` and `allowed_categories` of the checkpoint, `exit_policy`.
        """
        names = ("capacity", "allowed_categories")
        row = CheckpointRow(
            id=checkpoint,
            name=f"Name of {checkpoint}",
            performances=tuple(performances),
            **{name: fields.pop(name) for name in names if name in fields},
        )
        assignment = Assignment(
            gate=gate,
            gate_name=f"Name of {gate}",
            version=version,
            checkpoint=row,
            held=tuple(held),
            **fields,
        )
        return seal_envelope(
            ASSIGNMENT_TYPE, encode_assignment(assignment), [self.key(Role.STATUS)]
        )

    @staticmethod
    def list_key(performance: str) -> bytes:
        """Give the performance's key."""
        return hashlib.sha256(b"list key of " + performance.encode()).digest()


def _sealed(performance: str, key: bytes, listed: list[ListedNumber]) -> tuple[bytes, ...]:
    """Give the file of what these tickets say, none where they say nothing."""
    records = [
        (identify(key, one.number), seal_record(pack_record(one.said), key, one.number))
        for one in listed
        if one.said != NOTHING
    ]
    return (pack_sealed(performance, records),) if records else ()


def _sealed_ref(performance: str, version: int, raw: bytes) -> AttributesRef:
    digest = hashlib.sha256(raw).hexdigest()
    count = len(SealedFile(raw, performance))
    return AttributesRef(version=version, size=len(raw), sha256=digest, count=count)
