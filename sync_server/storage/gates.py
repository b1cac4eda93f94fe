"""Gates and the codes they are enrolled with, in the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, delete, exists, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from admission.rules import ClockPolicy, ExitPolicy
from admission.scan import Direction
from sync_server.entities import EnrolmentCode, Gate, GroupCode
from sync_server.errors import ConflictError
from sync_server.storage.tables import enrolment_codes, former_keys, gates, group_codes, venues


class SqlGates:
    """The `Gates` of `ports`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_gate(self, gate: Gate) -> None:
        """Keep a new one."""
        await self._connection.execute(
            insert(gates).values(
                id=gate.id,
                venue_id=gate.venue_id,
                last_seen_ms=gate.last_seen_ms,
                last_status=gate.last_status,
                assignment_version=gate.assignment_version,
                assignment_sha256=gate.assignment_sha256,
                **_changeable(gate),
            )
        )

    async def save_gate(self, gate: Gate) -> None:
        """Replace what is kept of one, except what `note_gate` and `note_assignment` keep.

        Raises:
            ConflictError: if its public key is another gate's.
        """
        await self._keep_former_key(gate)
        try:
            await self._connection.execute(
                update(gates).where(gates.c.id == gate.id).values(_changeable(gate))
            )
        except IntegrityError as exc:
            raise ConflictError("key_taken", "another gate has this key already") from exc

    async def _keep_former_key(self, gate: Gate) -> None:
        """Keep the key that a gate gives up, if it does."""
        was = await self.gate(gate.id)
        if was is None or was.public_key is None or was.public_key == gate.public_key:
            return
        if was.public_key not in (await self.keys(gate.id, but_present=True)):
            await self._connection.execute(
                insert(former_keys).values(
                    gate_id=gate.id,
                    public_key=was.public_key,
                    revoked=was.revoked_ms is not None,
                )
            )

    async def keys(self, gate_id: str, *, but_present: bool = False) -> dict[bytes, bool]:
        """Give the device keys that a gate has and had, and whether each is to be believed."""
        rows = await self._connection.execute(
            select(former_keys).where(former_keys.c.gate_id == gate_id)
        )
        keys = {row.public_key: not row.revoked for row in rows}
        gate = None if but_present else await self.gate(gate_id)
        if gate is not None and gate.public_key is not None:
            keys = {gate.public_key: gate.revoked_ms is None} | {
                key: good for key, good in keys.items() if key != gate.public_key
            }
        return keys

    async def note_gate(
        self,
        gate_id: str,
        seen_ms: int,
        status: Mapping[str, object] | None,
    ) -> None:
        """Note that a gate was heard, and what it said of itself (None: nothing new)."""
        values: dict[str, Any] = {"last_seen_ms": seen_ms}
        if status is not None:
            values["last_status"] = dict(status)
        await self._connection.execute(update(gates).where(gates.c.id == gate_id).values(values))

    async def note_assignment(self, gate_id: str, version: int, sha256: bytes) -> None:
        """Note which assignment a gate was given."""
        await self._connection.execute(
            update(gates)
            .where(gates.c.id == gate_id)
            .values(assignment_version=version, assignment_sha256=sha256)
        )

    async def gate(self, gate_id: str) -> Gate | None:
        """Give one, or None."""
        rows = await self._connection.execute(select(gates).where(gates.c.id == gate_id))
        row = rows.mappings().one_or_none()
        return None if row is None else _gate(row)

    async def gates(self, organization_ids: Sequence[str]) -> list[Gate]:
        """Give those of some organizations, by name."""
        rows = await self._connection.execute(
            select(gates)
            .join(venues, venues.c.id == gates.c.venue_id)
            .where(venues.c.organization_id.in_(organization_ids))
            .order_by(gates.c.name, gates.c.id)
        )
        return [_gate(row) for row in rows.mappings()]

    async def organization_of_gate(self, gate_id: str) -> str | None:
        """Give the id of the organization it belongs to, or None where it does not exist."""
        found: str | None = await self._connection.scalar(
            select(venues.c.organization_id)
            .join(gates, gates.c.venue_id == venues.c.id)
            .where(gates.c.id == gate_id)
        )
        return found

    async def revoked(self) -> list[str]:
        """Give the ids of revoked gates, those revoked last first."""
        rows = await self._connection.execute(
            select(gates.c.id)
            .where(gates.c.revoked_ms.is_not(None))
            .order_by(gates.c.revoked_ms.desc(), gates.c.id)
        )
        return [row.id for row in rows]

    async def add_code(self, code: EnrolmentCode) -> None:
        """Keep a new enrolment code; earlier unused ones of its gate are dropped."""
        await self._connection.execute(
            delete(enrolment_codes).where(
                enrolment_codes.c.gate_id == code.gate_id, enrolment_codes.c.used_ms.is_(None)
            )
        )
        await self._connection.execute(
            insert(enrolment_codes).values(
                code_hash=code.code_hash,
                gate_id=code.gate_id,
                expires_ms=code.expires_ms,
                used_ms=code.used_ms,
            )
        )

    async def add_group_code(self, code: GroupCode) -> None:
        """Keep a new code that makes several gates."""
        await self._connection.execute(
            insert(group_codes).values(
                code_hash=code.code_hash,
                checkpoint_id=code.checkpoint_id,
                direction=code.direction.value,
                uses_left=code.uses_left,
                expires_ms=code.expires_ms,
            )
        )

    async def group_codes(self) -> list[GroupCode]:
        """Give the codes that have uses left."""
        rows = await self._connection.execute(
            select(group_codes).where(group_codes.c.uses_left > 0)
        )
        return [
            GroupCode(**(dict(row) | {"direction": Direction(row["direction"])}))
            for row in rows.mappings()
        ]

    async def spend_group_code(self, code_hash: bytes) -> bool:
        """Use a code once; False where none of its uses was left."""
        spent = await self._connection.execute(
            update(group_codes)
            .where(group_codes.c.code_hash == code_hash, group_codes.c.uses_left > 0)
            .values(uses_left=group_codes.c.uses_left - 1)
        )
        return spent.rowcount == 1

    async def codes(self) -> list[EnrolmentCode]:
        """Give the unused codes."""
        rows = await self._connection.execute(
            select(enrolment_codes).where(enrolment_codes.c.used_ms.is_(None))
        )
        return [EnrolmentCode(**row) for row in rows.mappings()]

    async def spend_code(self, code_hash: bytes, used_ms: int) -> bool:
        """Mark a code used; False where it was used before."""
        spent = await self._connection.execute(
            update(enrolment_codes)
            .where(enrolment_codes.c.code_hash == code_hash, enrolment_codes.c.used_ms.is_(None))
            .values(used_ms=used_ms)
        )
        return spent.rowcount == 1

    async def made_by(self, code_hash: bytes, public_key: bytes) -> str | None:
        """Give the id of the gate that this code has made of the machine with this key."""
        one = exists().where(
            enrolment_codes.c.code_hash == code_hash,
            enrolment_codes.c.gate_id == gates.c.id,
            enrolment_codes.c.used_ms.is_not(None),
        )
        several = exists().where(
            group_codes.c.code_hash == code_hash,
            group_codes.c.checkpoint_id == gates.c.checkpoint_id,
        )
        found = await self._connection.execute(
            select(gates.c.id).where(gates.c.public_key == public_key, or_(one, several))
        )
        return found.scalar_one_or_none()


def _changeable(gate: Gate) -> Mapping[str, Any]:
    return {
        "name": gate.name,
        "checkpoint_id": gate.checkpoint_id,
        "direction": gate.direction.value,
        "exit_policy": gate.exit_policy.value,
        "clock_policy": gate.clock_policy.value,
        "strict": gate.strict,
        "public_key": gate.public_key,
        "agreement_key": gate.agreement_key,
        "enrolled_ms": gate.enrolled_ms,
        "revoked_ms": gate.revoked_ms,
        "pending_ms": gate.pending_ms,
        "certificate_serial": gate.certificate_serial,
    }


def _gate(row: RowMapping) -> Gate:
    values = dict(row)
    values["direction"] = Direction(values["direction"])
    values["exit_policy"] = ExitPolicy(values["exit_policy"])
    values["clock_policy"] = ClockPolicy(values["clock_policy"])
    return Gate(**values)
