"""Makes a machine one of our gates: a one-time code, its keys, and the digits both ends show.

Called by web. Codes are 80 random bits, kept as their digest, good once and for a quarter of an
hour. There is no default password and no shared token anywhere.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from admission.scan import Direction
from admission.sync.enrolment_link import EnrolmentLink, write_link
from admission.sync.messages import Enrol, Enrolled
from admission.trust.keys import check_string
from sync_server.account_ports import User
from sync_server.branches import find_checkpoint, find_gate
from sync_server.certifying import Certifying
from sync_server.entities import EnrolmentCode, Gate, GroupCode, SiteCode, Standing
from sync_server.errors import ConflictError, EnrolmentError, InvalidError, LockedOutError
from sync_server.ledger import Ledger
from sync_server.ports import News, Store, Transaction
from sync_server.throttling import Throttle
from sync_server.trusting import Trust

CODE_BYTES: Final = 10
CODE_LIFE_MS: Final = 15 * 60 * 1000
LIFE_MS_MIN: Final = 5 * 60 * 1000
LIFE_MS_MAX: Final = 7 * 24 * 3600 * 1000  # a delivery of machines that are set up over a week
USES_MAX: Final = 200
NAME_CHARACTERS_MAX: Final = 50
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
    """

    addresses: tuple[str, ...] = ()
    pins: tuple[bytes, ...] = ()


class Enrollment:
    """The service.

    Args:
        store: the database.
        ledger: time, chance, audit.
        news: told when a gate has enrolled.
        trust: names the root that a gate's trust begins with.
        whereabouts: what an enrolment link says of this server.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        news: News,
        trust: Trust,
        whereabouts: Whereabouts = Whereabouts(),
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._news = news
        self._trust = trust
        self._whereabouts = whereabouts
        self._certifying = Certifying(store, ledger, trust)
        self._throttle = Throttle()

    @property
    def pins(self) -> tuple[bytes, ...]:
        """By which gates know this server, the present one first."""
        return self._whereabouts.pins

    async def new_code(self, user: User, gate_id: str, life_ms: int = CODE_LIFE_MS) -> NewCode:
        """Make the code that enrols a gate's appliance; earlier ones are void.

        Args:
            user: who asks.
            gate_id: of the gate.
            life_ms: how long it is good.

        Raises:
            InvalidError: if the life is out of bounds.
            NotFoundError: if the gate is out of reach.
        """
        expires_ms = self._expiry(life_ms)
        code = write_code(self._ledger.random(CODE_BYTES))
        async with self._store.write() as transaction:
            gate = await find_gate(transaction, user, gate_id)
            await transaction.gates.add_code(EnrolmentCode(code_digest(code), gate.id, expires_ms))
            await self._ledger.note(transaction, user.id, "enrolment_code_made", gate.id)
        return NewCode(code, expires_ms)

    async def new_group_code(
        self, user: User, checkpoint_id: str, direction: Direction, uses: int, life_ms: int
    ) -> NewCode:
        """Make a code with which several machines become new gates of a checkpoint.

        Each gets nothing until an operator has compared its digits: whoever has seen the code
        could be among them.

        Args:
            user: who asks.
            checkpoint_id: where the gates stand.
            direction: the way they let people go.
            uses: how many gates it makes.
            life_ms: how long it is good.

        Raises:
            InvalidError: if uses or life are out of bounds.
            NotFoundError: if the checkpoint is out of reach.
        """
        if not 1 <= uses <= USES_MAX:
            raise InvalidError("uses", f"uses must be from 1 to {USES_MAX}")
        expires_ms = self._expiry(life_ms)
        code = write_code(self._ledger.random(CODE_BYTES))
        async with self._store.write() as transaction:
            checkpoint = await find_checkpoint(transaction, user, checkpoint_id)
            made = GroupCode(code_digest(code), checkpoint.id, direction, uses, expires_ms)
            await transaction.gates.add_group_code(made)
            await self._ledger.note(
                transaction, user.id, "group_code_made", checkpoint.id, uses=uses
            )
        return NewCode(code, expires_ms)

    async def confirm(self, user: User, gate_id: str) -> None:
        """Take a machine that waits in: an operator has compared its digits.

        Raises:
            ConflictError: if it does not wait.
            NotFoundError: if the gate is out of reach.
        """
        async with self._store.write() as transaction:
            gate = await find_gate(transaction, user, gate_id)
            if gate.standing is not Standing.PENDING or gate.revoked_ms is not None:
                raise ConflictError("not_pending", "this gate does not wait to be confirmed")
            await transaction.gates.save_gate(replace(gate, pending_ms=None))
            await self._ledger.note(transaction, user.id, "gate_confirmed", gate.id)
        self._news.lists_changed()
        self._news.report_changed()

    def _expiry(self, life_ms: int) -> int:
        if not LIFE_MS_MIN <= life_ms <= LIFE_MS_MAX:
            bounds = f"{LIFE_MS_MIN // 60_000} to {LIFE_MS_MAX // 60_000}"
            raise InvalidError("minutes", f"minutes must be from {bounds}")
        return self._ledger.now_ms() + life_ms

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
                made = await self._made_before(transaction, request)
                gate, certificate = made or await self._spend(transaction, request, now_ms)
        except ConflictError:
            raise EnrolmentError from None
        self._throttle.succeeded(_SUBJECT, address)
        self._news.lists_changed()  # a site server has a gate more to serve
        self._news.report_changed()
        return Enrolled(
            gate.id,
            gate.name,
            self._trust.raw,
            self.check_string(gate),
            now_ms,
            pending=gate.pending_ms is not None,
            certificate=certificate,
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
            return write_link(EnrolmentLink(addresses, code, here.pins, self._trust.digest))
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
        return check_string(
            gate.public_key,
            gate.agreement_key,
            bytes.fromhex(self._trust.digest),
            self._whereabouts.pins[0] if self._whereabouts.pins else b"",
        )

    async def _made_before(
        self, transaction: Transaction, request: Enrol
    ) -> tuple[Gate, bytes] | None:
        """Give the gate that this code has made of this very machine, None for no such.

        The answer was lost, or the machine's supply: its code is spent, and nobody is at hand who
        could make another. The keys are the same, so whoever asks learns nothing that is new.
        """
        digest = code_digest(request.code)
        gate_id = await transaction.gates.made_by(digest, request.public_key)
        gate = await transaction.gates.gate(gate_id) if gate_id else None
        if gate is None or gate.revoked_ms or gate.agreement_key != request.agreement_key:
            return None
        if gate.pending_ms is not None:
            return gate, b""
        return gate, await self._certifying.issue(transaction, gate)

    async def _spend(
        self, transaction: Transaction, request: Enrol, now_ms: int
    ) -> tuple[Gate, bytes]:
        """Make the gate of a good code, and certify it unless it waits."""
        digest = code_digest(request.code)
        single = match_code(digest, await transaction.gates.codes(), now_ms)
        group = match_code(digest, await transaction.gates.group_codes(), now_ms)
        if single is not None and await transaction.gates.spend_code(digest, now_ms):
            gate = await transaction.gates.gate(single.gate_id)
            gate = gate and replace(gate, pending_ms=None)  # the code was made for this very gate
        elif group is not None and await transaction.gates.spend_group_code(digest):
            gate = await self._new_gate(transaction, group, request.name, now_ms)
        else:
            gate = None
        if gate is None:
            raise EnrolmentError
        enrolled = replace(
            gate,
            public_key=request.public_key,
            agreement_key=request.agreement_key,
            enrolled_ms=now_ms,
            revoked_ms=None,
        )
        if enrolled.pending_ms is None:
            certificate = await self._certifying.issue(transaction, enrolled)
        else:
            await transaction.gates.save_gate(enrolled)
            certificate = b""  # it asks for one once it is confirmed
        await self._ledger.note(transaction, None, "gate_enrolled", gate.id)
        return enrolled, certificate

    async def _new_gate(
        self, transaction: Transaction, code: GroupCode, name: str, now_ms: int
    ) -> Gate | None:
        """Make the gate of a machine that nobody has prepared; it waits to be confirmed."""
        checkpoint = await transaction.checkpoints.checkpoint(code.checkpoint_id)
        if checkpoint is None:
            return None
        gate_id = self._ledger.new_id()
        called = "".join(letter for letter in name if letter.isprintable()).strip()
        gate = Gate(
            gate_id,
            checkpoint.venue_id,
            called[:NAME_CHARACTERS_MAX] or gate_id[-6:],
            checkpoint.id,
            code.direction,
            pending_ms=now_ms,
        )
        await transaction.gates.add_gate(gate)
        return gate


_Code = TypeVar("_Code", EnrolmentCode, GroupCode, SiteCode)


def match_code(digest: bytes, codes: Sequence[_Code], now_ms: int) -> _Code | None:
    """Find the code that a digest is of, if it is still good."""
    match = None
    for code in codes:  # all of them: the time tells nothing
        if hmac.compare_digest(code.code_hash, digest) and now_ms < code.expires_ms:
            match = code
    return match


def write_code(secret: bytes) -> str:
    """Write random bytes as groups that people read aloud."""
    value = int.from_bytes(secret, "big")
    count = -(-len(secret) * 8 // 5)
    letters = [_ALPHABET[value >> 5 * place & 31] for place in reversed(range(count))]
    groups = range(0, count, _GROUP)
    return "-".join("".join(letters[start : start + _GROUP]) for start in groups)


def code_digest(code: str) -> bytes:
    """Give what stands for a code; what people confuse is read as what was meant."""
    return hashlib.sha256(code.upper().translate(_READ_AS).encode()).digest()
