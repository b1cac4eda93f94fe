"""Makes a machine one of our gates: a one-time code, its keys, and the digits both ends show.

Called by web. Codes are 80 random bits, kept as their digest, good once and for a quarter of an
hour. There is no default password and no shared token anywhere.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from admission.sync.enrolment_link import EnrolmentLink, write_link
from admission.sync.messages import Enrol, Enrolled
from admission.trust.keys import check_string
from sync_server.account_ports import User
from sync_server.branches import find_gate
from sync_server.entities import EnrolmentCode, Gate
from sync_server.errors import ConflictError, EnrolmentError, LockedOutError
from sync_server.ledger import Ledger
from sync_server.ports import News, Store, Transaction
from sync_server.throttling import Throttle

CODE_BYTES: Final = 10
CODE_LIFE_MS: Final = 15 * 60 * 1000
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
_GROUP: Final = 4
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_SUBJECT: Final = "enrolment"  # what failures are counted under, beside the address


@dataclass(frozen=True, slots=True)
class NewCode:
    """An enrolment code; shown once, kept nowhere in the clear.

    Attributes:
        code: what is typed on the gate.
        expires_ms: first instant at which it is void.
    """

    code: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What a gate has to know of its server before it trusts it.

    Attributes:
        addresses: under which gates reach it; () is where the operator's browser reached it.
        pins: SHA-256 of the server's certificates, the present one first; () where a web server
            before this one shows a certificate that machines trust.
        root_digest: SHA-256 of the root document, hexadecimal; "" where there is none.
    """

    addresses: tuple[str, ...] = ()
    pins: tuple[bytes, ...] = ()
    root_digest: str = ""


class Enrollment:
    """The service.

    Args:
        store: the database.
        ledger: time, chance, audit.
        news: told when a gate has enrolled.
        list_keys: public keys that sign lists, the current one first.
        whereabouts: what an enrolment link says of this server.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        news: News,
        list_keys: Sequence[bytes],
        whereabouts: Whereabouts = Whereabouts(),
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._news = news
        self._list_keys = list(list_keys)
        self._whereabouts = whereabouts
        self._throttle = Throttle()

    async def new_code(self, user: User, gate_id: str) -> NewCode:
        """Make the code that enrols a gate's appliance; earlier ones are void.

        Raises:
            NotFoundError: if the gate is out of reach.
        """
        code = write_code(self._ledger.random(CODE_BYTES))
        expires_ms = self._ledger.now_ms() + CODE_LIFE_MS
        async with self._store.write() as transaction:
            gate = await find_gate(transaction, user, gate_id)
            await transaction.gates.add_code(EnrolmentCode(_digest(code), gate.id, expires_ms))
            await self._ledger.note(transaction, user.id, "enrolment_code_made", gate.id)
        return NewCode(code, expires_ms)

    async def enrol(self, request: Enrol, address: str) -> Enrolled:
        """Spend a code: the machine that knows it is the gate from now on.

        Args:
            request: code and keys.
            address: where it comes from, for the lock-out.

        Raises:
            EnrolmentError: if the code is wrong, used or too old, or the key is another gate's.
            LockedOutError: if too many wrong codes came.
        """
        now_ms = self._ledger.now_ms()
        wait_ms = self._throttle.wait_ms(_SUBJECT, address, now_ms)
        if wait_ms > 0:
            raise LockedOutError(-(-wait_ms // 1000))
        self._throttle.failed(_SUBJECT, address, now_ms)  # counted before it is looked at
        try:
            async with self._store.write() as transaction:
                gate = await self._spend(transaction, request, now_ms)
        except ConflictError:
            raise EnrolmentError from None
        self._throttle.succeeded(_SUBJECT, address)
        self._news.report_changed()
        return Enrolled(
            gate.id,
            gate.name,
            self._list_keys,
            self.check_string(gate),
            now_ms,
        )

    def link(self, code: str, reached_by: str) -> str:
        """Give the link that says all a machine needs to become a gate.

        Args:
            code: as `new_code` made it.
            reached_by: base address under which the operator's browser reached this server; what
                the link says where no address is configured.

        Raises:
            ConflictError: if no address is configured, and that one can be no gate's.
        """
        here = self._whereabouts
        addresses = here.addresses or (reached_by,)
        try:
            return write_link(EnrolmentLink(addresses, code, here.pins, here.root_digest))
        except ValueError:
            raise ConflictError(
                "no_address",
                f"gates cannot be led to {reached_by}; name the server's address in its"
                ' configuration: addresses = ["https://HOST:PORT"]',
            ) from None

    async def revoke(self, user: User, gate_id: str) -> None:
        """Have a gate's key mean nothing any more; a new code may enrol it again.

        Raises:
            NotFoundError: if the gate is out of reach.
        """
        async with self._store.write() as transaction:
            gate = await find_gate(transaction, user, gate_id)
            await transaction.gates.save_gate(replace(gate, revoked_ms=self._ledger.now_ms()))
            await self._ledger.note(transaction, user.id, "gate_revoked", gate.id)
        self._news.lists_changed()
        self._news.report_changed()

    def check_string(self, gate: Gate) -> str:
        """Give the digits that a gate's display must show too, "" before it is enrolled."""
        if gate.public_key is None or gate.agreement_key is None:
            return ""
        here = self._whereabouts
        return check_string(
            gate.public_key,
            gate.agreement_key,
            self._list_keys[0],
            here.pins[0] if here.pins else b"",
            bytes.fromhex(here.root_digest),
        )

    async def _spend(self, transaction: Transaction, request: Enrol, now_ms: int) -> Gate:
        digest = _digest(request.code)
        match = None
        for code in await transaction.gates.codes():  # all of them: the time tells nothing
            if hmac.compare_digest(code.code_hash, digest) and now_ms < code.expires_ms:
                match = code
        if match is None or not await transaction.gates.spend_code(digest, now_ms):
            raise EnrolmentError
        gate = await transaction.gates.gate(match.gate_id)
        if gate is None:
            raise EnrolmentError
        enrolled = replace(
            gate,
            public_key=request.public_key,
            agreement_key=request.agreement_key,
            enrolled_ms=now_ms,
            revoked_ms=None,
        )
        await transaction.gates.save_gate(enrolled)
        await self._ledger.note(transaction, None, "gate_enrolled", gate.id)
        return enrolled


def write_code(secret: bytes) -> str:
    """Write random bytes as groups that people read aloud."""
    value = int.from_bytes(secret, "big")
    count = -(-len(secret) * 8 // 5)
    letters = [_ALPHABET[value >> 5 * place & 31] for place in reversed(range(count))]
    groups = range(0, count, _GROUP)
    return "-".join("".join(letters[start : start + _GROUP]) for start in groups)


def _digest(code: str) -> bytes:
    """Give what stands for a code; what people confuse is read as what was meant."""
    return hashlib.sha256(code.upper().translate(_READ_AS).encode()).digest()
