"""What a lying gate makes of a piece that it hands on."""

import msgspec

from admission import journal
from admission.sync.peer_messages import PIECE_RECORDS_MAX
from admission.sync.sealed_head import seal


def altered(message, **fields):
    return msgspec.structs.replace(message, **fields)


def with_batch(piece, **fields):
    return altered(piece, batch=altered(piece.batch, **fields))


def without_a_record(piece, _):
    return with_batch(piece, blobs=piece.batch.blobs[:-1])


def with_a_record_more(piece, _):
    return with_batch(piece, blobs=[*piece.batch.blobs, piece.batch.blobs[0]])


def with_an_altered_record(piece, _):
    return with_batch(piece, blobs=[b"invented", *piece.batch.blobs[1:]])


def in_another_order(piece, _):
    return with_batch(piece, blobs=piece.batch.blobs[::-1])


def without_a_seal(piece, _):
    return with_batch(piece, seal=None)


def sealed_by_the_liar(piece, liar):
    batch = with_an_altered_record(piece, liar).batch
    chain = batch.previous_chain
    for blob in batch.blobs:
        chain = journal.chain(chain, blob)
    forged = seal(liar.own.sign, "a", batch.journal, len(batch.blobs), chain)
    return altered(piece, batch=altered(batch, seal=forged))


def from_further_on(piece, _):
    return with_batch(piece, first=3, blobs=piece.batch.blobs[2:])


def of_another_journal(piece, _):
    return with_batch(piece, journal="another")


def nothing_but_a_seal(piece, _):
    return with_batch(piece, blobs=[])


def too_much(piece, _):
    return with_batch(piece, blobs=[b""] * (PIECE_RECORDS_MAX + 1))


LIES = [
    without_a_record,
    with_a_record_more,
    with_an_altered_record,
    in_another_order,
    without_a_seal,
    sealed_by_the_liar,
    from_further_on,
    of_another_journal,
    nothing_but_a_seal,
    too_much,
]
