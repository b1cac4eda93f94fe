"""A gate's signature on the head of its journal, for whoever carries the journal on.

One chain value stands for every record before it. Who holds records 1 to n and the seal of n can
prove to anybody that the gate wrote just these, without being trusted: a site server, another gate,
a stick.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from admission.errors import RemoteProtocolError, SignatureError
from admission.journal import chain as chain_after
from admission.sync.messages import Batch, Seal
from admission.trust.envelope import pre_authentication_encoding
from admission.trust.keys import verify

_TYPE: Final = "application/vnd.portillon.journal-head.v1"


class Signs(Protocol):
    """A gate's device key, wherever it is kept."""

    def sign(self, message: bytes) -> bytes:
        """Sign a message."""
        ...


def sealed_text(gate: str, journal: str, sequence: int, chain: bytes) -> bytes:
    """Give the bytes that a seal's signature covers."""
    fields = (gate, journal, str(sequence), chain.hex())
    body = b"".join(len(raw).to_bytes(4) + raw for raw in (text.encode() for text in fields))
    return pre_authentication_encoding(_TYPE, body)


def seal(
    sign: Callable[[bytes], bytes], gate: str, journal: str, sequence: int, chain: bytes
) -> Seal:
    """Seal a journal's head.

    Args:
        sign: signs with the gate's device key, wherever that is kept.
        gate: id of the gate.
        journal: id of its journal.
        sequence: of the record.
        chain: chain value after it.
    """
    return Seal(gate, journal, sequence, chain, sign(sealed_text(gate, journal, sequence, chain)))


def sealing(signer: Signs, gate: str, journal: str) -> Callable[[int, bytes], Seal]:
    """Give what seals the records of one journal, by their sequence and the chain after them."""
    return lambda sequence, chain: seal(signer.sign, gate, journal, sequence, chain)


def check_seal(sealed: Seal, *, gate: str, journal: str, public_key: bytes) -> None:
    """Make sure that a gate sealed this.

    Args:
        sealed: the seal.
        gate: whose it must be.
        journal: whose head it must be.
        public_key: of the gate.

    Raises:
        RemoteProtocolError: if it speaks of another gate or journal.
        SignatureError: if the key did not sign it.
    """
    if (sealed.gate, sealed.journal) != (gate, journal):
        raise RemoteProtocolError(
            f"the seal is of journal {sealed.journal} of gate {sealed.gate},"
            f" not of {journal} of {gate}"
        )
    text = sealed_text(sealed.gate, sealed.journal, sealed.sequence, sealed.chain)
    verify(public_key, sealed.signature, text)


def check_batch(batch: Batch, *, gate: str, keys: Iterable[bytes]) -> None:
    """Make sure that a batch's seal is its gate's, and of one of its records or the one before.

    Args:
        batch: with a seal.
        gate: whose journal it is.
        keys: that the gate has or had.

    Raises:
        RemoteProtocolError: if not.
    """
    sealed = batch.seal
    if sealed is None:
        raise RemoteProtocolError(f"records from {batch.first} on come without a seal")
    place, value = batch.first - 1, batch.previous_chain
    for blob in batch.blobs:
        if place >= sealed.sequence:
            break
        place, value = place + 1, chain_after(value, blob)
    if (place, value) != (sealed.sequence, sealed.chain):
        raise RemoteProtocolError(f"the seal of record {sealed.sequence} is not of these records")
    for key in keys:
        try:
            check_seal(sealed, gate=gate, journal=batch.journal, public_key=key)
        except SignatureError:
            continue  # it may be by the gate's key of before
        return
    raise RemoteProtocolError(f"the seal of record {sealed.sequence} is not by gate {gate}")


def check_carried(batch: Batch, *, gate: str, keys: Iterable[bytes]) -> None:
    """Make sure that a gate wrote all of a batch that somebody else brings.

    Raises:
        RemoteProtocolError: if not: it is empty, or its last record is not sealed by the gate.
    """
    last = batch.first + len(batch.blobs) - 1
    if not batch.blobs or batch.seal is None or batch.seal.sequence != last:
        raise RemoteProtocolError(f"what others bring must be sealed up to its last record, {last}")
    check_batch(batch, gate=gate, keys=keys)
