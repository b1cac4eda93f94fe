"""Says whose signed tickets count, which codes rotate, which numbers are blocked; issues tickets.

Called by web. Every call is in a user's name and leaves an audit line, without numbers or keys.
Gates learn of it with the next published list.
"""

import csv
import hmac
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from admission.proof.compact import (
    NUMBER_BYTES,
    CompactTicket,
    number_of,
    ticket_number,
    write_ticket,
)
from admission.proof.proving import ClassCode, Issuer, IssuerFormat
from admission.proof.public_keys import read_public_key
from admission.proof.rotation import Rotation, rotation_keys
from admission.scan import is_well_formed, strip
from admission.ticketlist.identifiers import identify
from admission.ticketlist.issuers import ISSUERS_MAX
from admission.trust.keys import public_key
from sync_server.account_ports import User
from sync_server.branches import find_performance
from sync_server.entities import Performance, instant
from sync_server.errors import ConflictError, InvalidError, NotFoundError
from sync_server.issuer_lines import read_classes, read_subevents
from sync_server.ledger import Ledger
from sync_server.ports import News, Store, Transaction
from sync_server.proving import UNNAMED_CLASS
from sync_server.proving_ports import KnownIssuer
from sync_server.reconciling import refold_tickets

ISSUED_AT_ONCE_MAX: Final = 1_000
BLOCKED_AT_ONCE_MAX: Final = 100_000
_KEY_LABEL: Final = b"portillon-ticket-issuer-1\0"


@dataclass(frozen=True, slots=True)
class ProvingSetUp:
    """What a performance accepts besides its list.

    Attributes:
        issuers: oldest first, those no longer accepted too.
        rotation: its rotating codes, or None.
        blocked: how many numbers that no list holds are blocked.
        own_key: public key that this server issues the organization's tickets with.
    """

    issuers: tuple[KnownIssuer, ...]
    rotation: Rotation | None
    blocked: int
    own_key: bytes


@dataclass(frozen=True, slots=True)
class Blocked:
    """What became of numbers to block or to release.

    Attributes:
        changed: numbers of which it was news.
        listed: numbers that a list holds: its entry alone counts, so change its state instead.
    """

    changed: int
    listed: int


@dataclass(frozen=True, slots=True)
class IssuedTicket:
    """A ticket that was just made.

    Attributes:
        number: what lists, journals and people know it by.
        text: what its code holds.
    """

    number: str
    text: str


class Issuing:
    """The service."""

    def __init__(self, store: Store, ledger: Ledger, news: News, master_key: bytes) -> None:
        """Take what it works with.

        Args:
            store: the database.
            ledger: time, chance, audit.
            news: told when the live report is another.
            master_key: 32 secret bytes; each organization's signing key is derived from them.
        """
        self._store = store
        self._ledger = ledger
        self._news = news
        self._master_key = master_key

    async def set_up(self, user: User, performance_id: str) -> ProvingSetUp:
        """Give what a performance accepts.

        Raises:
            NotFoundError: if the performance is out of reach.
        """
        async with self._store.read() as transaction:
            performance = await find_performance(transaction, user, performance_id)
            return ProvingSetUp(
                tuple(await transaction.proving.issuers(performance.id)),
                await transaction.proving.rotation(performance.id),
                len(await transaction.proving.blocked(performance.id)),
                public_key(await self._own_key(transaction, performance)),
            )

    async def add_issuer(
        self,
        user: User,
        performance_id: str,
        ticket_format: IssuerFormat,
        *,
        key: str = "",
        classes: Sequence[str],
        subevents: Sequence[str] | None = None,
    ) -> str:
        """Accept the signed tickets of somebody; give the record's id.

        Args:
            user: who asks.
            performance_id: of the performance.
            ticket_format: how they are written.
            key: the public key, in one of the forms of `read_public_key`; "" is this server's own.
            classes: lines `code[/variation];category;rule[;total[;per day]]`.
            subevents: ids of pretix's dates that are this performance; None is no restriction.

        Raises:
            ConflictError: if it has too many issuers.
            InvalidError: for a key or line that cannot be.
            NotFoundError: if the performance is out of reach.
        """
        table = read_classes(classes, ticket_format)
        dates = None if subevents is None else read_subevents(subevents)
        async with self._store.write() as transaction:
            performance = await find_performance(transaction, user, performance_id)
            public = await self._public_key(transaction, performance, ticket_format, key)
            known = await transaction.proving.issuers(performance.id)
            if sum(one.accepted for one in known) >= ISSUERS_MAX:
                raise ConflictError(
                    "too_many_issuers",
                    f"a performance accepts {ISSUERS_MAX} issuers at most; withdraw one first",
                )
            added = KnownIssuer(
                self._ledger.new_id(),
                performance.id,
                Issuer(ticket_format, public, table, dates),
                True,
                self._ledger.now_ms(),
            )
            await transaction.tickets.class_keys(performance.id, list(table.values()))
            await transaction.proving.add_issuer(added)
            await self._refold_proven(transaction, performance.id)
            await self._ledger.note(
                transaction,
                user.id,
                "issuer_added",
                performance.id,
                issuer=added.id,
                format=ticket_format.value,
                key=public.hex()[:16],
            )
        self._news.report_changed()
        return added.id

    async def withdraw_issuer(self, user: User, performance_id: str, issuer_id: str) -> None:
        """Accept an issuer's tickets no longer; what has passed with them stays as it was.

        Raises:
            NotFoundError: if performance or issuer are out of reach.
        """
        async with self._store.write() as transaction:
            performance = await find_performance(transaction, user, performance_id)
            known = await transaction.proving.issuers(performance.id)
            if issuer_id not in [one.id for one in known]:
                raise NotFoundError("issuer")
            await transaction.proving.withdraw_issuer(issuer_id)
            await self._ledger.note(
                transaction, user.id, "issuer_withdrawn", performance.id, issuer=issuer_id
            )

    async def set_rotation(
        self, user: User, performance_id: str, rotation: Rotation | None
    ) -> None:
        """Have a performance's entries ask for rotating codes, or no longer (None).

        Raises:
            NotFoundError: if the performance is out of reach.
        """
        async with self._store.write() as transaction:
            performance = await find_performance(transaction, user, performance_id)
            await transaction.proving.save_rotation(performance.id, rotation)
            await self._ledger.note(
                transaction,
                user.id,
                "rotation_set",
                performance.id,
                on=rotation is not None,
                allows_static=rotation is not None and rotation.allows_static,
            )

    async def block(
        self, user: User, performance_id: str, lines: Sequence[str], *, blocked: bool = True
    ) -> Blocked:
        """Block numbers of tickets that prove themselves, or release them again.

        Args:
            user: who asks.
            performance_id: of the performance.
            lines: a number, or the whole text of a signed ticket, each; empty ones are passed over.
            blocked: False releases.

        Raises:
            InvalidError: if a line cannot be a number.
            NotFoundError: if the performance is out of reach.
        """
        numbers = _numbers(lines)
        async with self._store.write() as transaction:
            performance = await find_performance(transaction, user, performance_id)
            pairs = {_identifier(performance, number): number for number in numbers}
            await transaction.tickets.class_keys(performance.id, [UNNAMED_CLASS])
            changed = await transaction.proving.block(
                performance.id, list(pairs.items()), self._ledger.now_us(), blocked=blocked
            )
            await refold_tickets(transaction, performance.id, changed)
            listed = await transaction.proving.listed_among(list(pairs))
            await self._ledger.note(
                transaction,
                user.id,
                "numbers_blocked" if blocked else "numbers_released",
                performance.id,
                count=len(changed),
            )
        self._news.report_changed()
        return Blocked(len(changed), listed)

    async def issue(
        self,
        user: User,
        performance_id: str,
        class_code: int,
        *,
        count: int = 1,
        valid_from_us: int | None = None,
        valid_until_us: int | None = None,
    ) -> list[IssuedTicket]:
        """Make signed tickets with this server's own key. They are kept nowhere.

        Raises:
            ConflictError: if the performance does not accept the own key for this class.
            InvalidError: for a value that cannot be.
            NotFoundError: if the performance is out of reach.
        """
        if not 1 <= count <= ISSUED_AT_ONCE_MAX:
            raise InvalidError("count", f"count is a number from 1 to {ISSUED_AT_ONCE_MAX}")
        async with self._store.write() as transaction:
            performance = await find_performance(transaction, user, performance_id)
            private_key = await self._own_key(transaction, performance)
            await _require_accepted(transaction, performance, public_key(private_key), class_code)
            tickets = [
                CompactTicket(
                    number_of(self._ledger.random(NUMBER_BYTES)),
                    class_code,
                    None if valid_from_us is None else instant(valid_from_us),
                    None if valid_until_us is None else instant(valid_until_us),
                )
                for _ in range(count)
            ]
            try:
                issued = [
                    IssuedTicket(one.number, write_ticket(private_key, performance.id, one))
                    for one in tickets
                ]
            except ValueError as exc:
                raise InvalidError("valid_until", str(exc)) from None
            await self._ledger.note(
                transaction,
                user.id,
                "tickets_issued",
                performance.id,
                class_code=class_code,
                count=count,
            )
        return issued

    async def rotating_patterns(self, user: User, performance_id: str) -> str:
        """Give the patterns and keys of a performance's tickets, for who makes the phones' passes.

        Returns:
            CSV, one line a ticket: number, pattern, period in milliseconds, then key (in base 16)
            and length of each value. Whoever has it can show any ticket's codes.

        Raises:
            ConflictError: if the performance has no rotating codes, or a number has braces.
            NotFoundError: if the performance is out of reach.
        """
        written = io.StringIO()
        rows = csv.writer(written)
        async with self._store.write() as transaction:
            performance = await find_performance(transaction, user, performance_id)
            rotation = await transaction.proving.rotation(performance.id)
            if rotation is None:
                raise ConflictError("no_rotation", "this performance has no rotating codes")
            values = range(len(rotation.lengths))
            names = [f"{name}_{place}" for place in values for name in ("key", "length")]
            rows.writerow(["number", "value_pattern", "period_millis", *names])
            count = 0
            async for batch in transaction.proving.numbers(performance.id):
                for number, identifier in batch:
                    rows.writerow(_pattern_row(rotation, performance.list_key, number, identifier))
                count += len(batch)
            await self._ledger.note(
                transaction, user.id, "rotation_exported", performance.id, count=count
            )
        return written.getvalue()

    async def _own_key(self, transaction: Transaction, performance: Performance) -> bytes:
        owner = await transaction.performances.organization_of_performance(performance.id)
        return hmac.digest(self._master_key, _KEY_LABEL + (owner or "").encode(), "sha256")

    async def _public_key(
        self,
        transaction: Transaction,
        performance: Performance,
        ticket_format: IssuerFormat,
        key: str,
    ) -> bytes:
        if not key.strip() and ticket_format is IssuerFormat.COMPACT:
            return public_key(await self._own_key(transaction, performance))
        try:
            return read_public_key(key)
        except ValueError as exc:
            raise InvalidError("public_key", str(exc)) from None

    async def _refold_proven(self, transaction: Transaction, performance_id: str) -> None:
        proven = await transaction.proving.proven(performance_id)
        await refold_tickets(transaction, performance_id, proven)


def _numbers(lines: Sequence[str]) -> list[str]:
    numbers = [strip(line) for line in lines if strip(line)]
    if len(numbers) > BLOCKED_AT_ONCE_MAX:
        raise InvalidError("numbers", f"at most {BLOCKED_AT_ONCE_MAX:,} numbers at once")
    for place, number in enumerate(numbers, 1):
        if not is_well_formed(number):
            raise InvalidError("numbers", f"number {place} cannot be a ticket number")
    return numbers


def _identifier(performance: Performance, number: str) -> bytes:
    return identify(performance.list_key, ticket_number(number))


def _pattern_row(
    rotation: Rotation, list_key: bytes, number: str, identifier: bytes
) -> list[str | int]:
    try:
        pattern = rotation.fill(number)
    except ValueError as exc:
        raise ConflictError("number_with_braces", str(exc)) from None
    keys = rotation_keys(list_key, identifier, len(rotation.lengths))
    values = zip(keys, rotation.lengths, strict=True)
    cells = [cell for key, length in values for cell in (key.hex().upper(), length)]
    return [number, pattern, rotation.period_ms, *cells]


async def _require_accepted(
    transaction: Transaction, performance: Performance, public: bytes, class_code: int
) -> None:
    issuers = await transaction.proving.issuers(performance.id)
    if not any(
        one.accepted
        and one.issuer.format is IssuerFormat.COMPACT
        and one.issuer.public_key == public
        and ClassCode(class_code) in one.issuer.classes
        for one in issuers
    ):
        raise ConflictError(
            "not_accepted",
            "the performance does not accept this server's tickets of that class; add the server's"
            " own key as an issuer first",
        )
