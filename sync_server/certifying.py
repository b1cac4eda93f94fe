"""Writes device certificates, and has a gate's new keys take the place of its old ones.

Called by enrolment and by the device API. Old keys mean nothing from the moment in which the new
ones are kept: both happen in one transaction, together with the certificate's serial.
"""

from dataclasses import replace

from admission.sync.messages import Renew, Renewed
from admission.sync.renewal import CERTIFICATE_LIFE, check_proof
from admission.trust.certificate import DeviceCertificate, encode_certificate
from admission.trust.envelope import CERTIFICATE_TYPE
from admission.trust.root import Role
from sync_server.entities import Gate, Standing, instant
from sync_server.errors import NotFoundError
from sync_server.ledger import Ledger
from sync_server.ports import Store, Transaction
from sync_server.trusting import Trust


class Certifying:
    """The service.

    Args:
        store: the database.
        ledger: time, audit.
        trust: signs for the role `enrol`.
    """

    def __init__(self, store: Store, ledger: Ledger, trust: Trust) -> None:
        self._store = store
        self._ledger = ledger
        self._trust = trust

    async def issue(self, transaction: Transaction, gate: Gate) -> bytes:
        """Keep a gate with the next serial, and certify its keys.

        Raises:
            ConflictError: if its key is another gate's, or the role's keys are elsewhere.
            NotFoundError: if the gate has no keys.
        """
        if gate.public_key is None or gate.agreement_key is None:
            raise NotFoundError("gate")
        serial = gate.certificate_serial + 1
        now = instant(self._ledger.now_us())
        certificate = DeviceCertificate(
            gate=gate.id,
            gate_name=gate.name,
            device_key=gate.public_key,
            agreement_key=gate.agreement_key,
            serial=serial,
            issued_at=now,
            not_after=now + CERTIFICATE_LIFE,
        )
        signed = self._trust.sign(Role.ENROL, CERTIFICATE_TYPE, encode_certificate(certificate))
        await transaction.gates.save_gate(replace(gate, certificate_serial=serial))
        return signed

    async def renew(self, gate_id: str, request: Renew) -> Renewed:
        """Certify a gate's keys anew; new ones take the place of the old ones.

        Raises:
            ConflictError: if its new key is another gate's, or the role's keys are elsewhere.
            NotFoundError: if the gate is none that is in force.
            SignatureError: if the new key did not sign for itself.
        """
        async with self._store.write() as transaction:
            gate = await transaction.gates.gate(gate_id)
            if gate is None or gate.standing is not Standing.IN_FORCE or gate.public_key is None:
                raise NotFoundError("gate")
            check_proof(request, gate.id, gate.public_key)
            changed = replace(
                gate, public_key=request.public_key, agreement_key=request.agreement_key
            )
            signed = await self.issue(transaction, changed)
            what = "gate_key_changed" if changed != gate else "gate_certified"
            await self._ledger.note(transaction, None, what, gate.id)
        return Renewed(signed)
