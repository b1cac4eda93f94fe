"""Signs what operators command gates to do, and brings it to those that are connected.

Called by web. Every command is in a user's name, has a reason, counts up, and is over after a day
at the most; where no network reaches the gate, its code is held before the gate's own reader. A
lock or unlock that still stands is told to a gate that comes back; `open` and `admit` are for who
stands there now, and are not.
"""

from dataclasses import dataclass, field
from typing import Final

from admission.scan import Direction
from admission.sync.command_code import write_code
from admission.trust.command import GATES_MAX, Action, Command, encode_command
from admission.trust.envelope import COMMAND_TYPE
from admission.trust.root import Role
from sync_server.account_ports import User
from sync_server.branches import find_checkpoint, find_gate, find_performance, reach
from sync_server.command_ports import Courier, SignedCommand
from sync_server.entities import Checkpoint, Gate, Standing, instant
from sync_server.errors import ConflictError, InvalidError, NotFoundError
from sync_server.ledger import Ledger
from sync_server.ports import Store, Transaction
from sync_server.reporting import reference
from sync_server.stewarding import identifier_of, require_reason
from sync_server.trusting import Trust

MINUTES: Final = 10  # long enough to walk to the gate
MINUTES_MAX: Final = 24 * 60
_MINUTE_MS: Final = 60_000
_FOR_ONE_PERSON: Final = (Action.OPEN, Action.ADMIT)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be commanded.

    Attributes:
        action: what.
        reason: why, for the journal and the audit.
        minutes: how long the command is good.
        direction: for `open` and `admit`.
        performance_id: for `admit`.
        number: for `admit`: the ticket's; it goes no further than into its identifier.
    """

    action: Action
    reason: str
    minutes: int = MINUTES
    direction: Direction = Direction.ENTRY
    performance_id: str = ""
    number: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Issued:
    """A command that was signed.

    Attributes:
        code: a text that a gate's reader takes.
        counter: of the command.
        gates: ids of those it is for.
        reached: how many of them were connected and have it.
        expires_ms: first instant at which it does nothing.
    """

    code: str
    counter: int
    gates: tuple[str, ...]
    reached: int
    expires_ms: int


class Commanding:
    """The service."""

    def __init__(self, store: Store, ledger: Ledger, trust: Trust, courier: Courier) -> None:
        self._store = store
        self._ledger = ledger
        self._trust = trust
        self._courier = courier

    async def order_gate(self, user: User, gate_id: str, order: Order) -> Issued:
        """Command one gate.

        Raises:
            ConflictError: if the operators' keys are not on this server, or the gate is not in
                force.
            InvalidError: if something of the order is out of bounds.
            NotFoundError: if gate or performance are out of reach, or the list has no such ticket.
        """
        _check(order)
        async with self._store.write() as transaction:
            gate = await find_gate(transaction, user, gate_id)
            checkpoint = await transaction.checkpoints.checkpoint(gate.checkpoint_id)
            signed = await self._sign(transaction, user, gate.id, [gate], checkpoint, order)
        return self._send(signed)

    async def order_checkpoint(self, user: User, checkpoint_id: str, order: Order) -> Issued:
        """Command every gate of a checkpoint, to be locked or unlocked.

        Raises: as `order_gate`.
        """
        _check(order)
        if order.action in _FOR_ONE_PERSON:
            raise InvalidError("action", "one person goes through one gate: command that gate")
        async with self._store.write() as transaction:
            checkpoint = await find_checkpoint(transaction, user, checkpoint_id)
            gates = [
                gate
                for gate in await transaction.gates.gates(await reach(transaction, user))
                if gate.checkpoint_id == checkpoint.id
            ]
            signed = await self._sign(transaction, user, checkpoint.id, gates, checkpoint, order)
        return self._send(signed)

    async def standing(self, gate_id: str) -> bytes | None:
        """Give the newest lock or unlock that still stands for a gate, or None."""
        key_id = self._trust.signing_key(Role.OPERATOR)
        if key_id is None:
            return None
        async with self._store.read() as transaction:
            found = await transaction.commands.standing(key_id, self._ledger.now_ms())
        return next((one.envelope for one in found if gate_id in one.gates), None)

    async def _sign(
        self,
        transaction: Transaction,
        user: User,
        subject: str,
        gates: list[Gate],
        checkpoint: Checkpoint | None,
        order: Order,
    ) -> SignedCommand:
        """Sign and keep a command, within the caller's transaction."""
        in_force = tuple(gate.id for gate in gates if gate.standing is Standing.IN_FORCE)
        if not 0 < len(in_force) <= GATES_MAX:
            raise ConflictError("no_gate", "no enrolled gate, or too many, to be commanded")
        identifier = await self._identifier(transaction, user, checkpoint, order)
        key_id = self._trust.signing_key(Role.OPERATOR)
        if key_id is None:
            raise ConflictError(
                "key_elsewhere", "the operators' keys are not on this server; sign where they are"
            )
        now_ms = self._ledger.now_ms()  # a server that came from a backup goes on from there
        counter = max(await transaction.commands.last_counter(key_id) + 1, now_ms)
        not_after_ms = now_ms + order.minutes * _MINUTE_MS
        command = Command(
            key=key_id,
            counter=counter,
            action=order.action,
            gates=in_force,
            operator=user.login,
            reason=order.reason,
            issued_at=instant(now_ms * 1000),
            not_after=instant(not_after_ms * 1000),
            direction=order.direction,
            performance=order.performance_id if identifier else "",
            identifier=identifier,
        )
        raw = self._trust.sign(Role.OPERATOR, COMMAND_TYPE, encode_command(command))
        signed = SignedCommand(
            key_id, counter, order.action.value, in_force, raw, now_ms, not_after_ms
        )
        await transaction.commands.add(signed)
        await self._ledger.note(
            transaction,
            user.id,
            "gate_commanded",
            subject,
            action=order.action.value,
            reason=order.reason,
            counter=counter,
            ticket=reference(identifier),
        )
        return signed

    async def _identifier(
        self, transaction: Transaction, user: User, checkpoint: Checkpoint | None, order: Order
    ) -> bytes:
        if order.action is not Action.ADMIT:
            return b""
        performance = await find_performance(transaction, user, order.performance_id)
        if checkpoint is None or performance.id not in checkpoint.performances:
            raise InvalidError("performance", "the gate's checkpoint does not control it")
        identifier = identifier_of(performance, order.number)
        if not await transaction.tickets.known(performance.id, [identifier]):
            raise NotFoundError("ticket")
        return identifier

    def _send(self, signed: SignedCommand) -> Issued:
        reached = self._courier.order(signed.gates, signed.envelope)
        return Issued(
            write_code(signed.envelope), signed.counter, signed.gates, reached, signed.not_after_ms
        )


def _check(order: Order) -> None:
    require_reason(order.reason)
    if not 1 <= order.minutes <= MINUTES_MAX:
        raise InvalidError("minutes", f"minutes must be from 1 to {MINUTES_MAX}")
