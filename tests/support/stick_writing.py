"""A stick as a server writes it, for one gate of the box office."""

from pathlib import Path

from admission.sync import stick
from admission.ticketlist.manifest import pieces_of
from admission.trust.sealing import agreement_public_key, seal
from appliance.key_cabinet import SEALED_KEY_CONTEXT


def place(folder: Path, path: stick.Path) -> Path:
    """Give where something lies, its folder made."""
    found = folder.joinpath(*path)
    found.parent.mkdir(parents=True, exist_ok=True)
    return found


def write_stick(folder, office, gate, agreement_key, signed, assignment, *, now):
    """Write roots, status, assignment, one list with its key and pieces."""
    performance = signed.manifest.performance
    for version, raw in enumerate(office.roots, start=1):
        place(folder, stick.root_path(version)).write_bytes(raw)
    status = office.status("", {performance: signed}, time=now, version=1)
    place(folder, stick.gate_path(gate, "status")).write_bytes(status)
    place(folder, stick.gate_path(gate, "assignment")).write_bytes(assignment)
    context = SEALED_KEY_CONTEXT + performance.encode()
    key = seal(signed.list_key, agreement_public_key(agreement_key), context, b"e" * 32)
    place(folder, stick.list_path(gate, performance, "key")).write_bytes(key)
    place(folder, stick.list_path(gate, performance, "manifest")).write_bytes(signed.envelope)
    for _, ref in pieces_of(signed.manifest):
        piece = place(folder, stick.piece_path(ref.sha256))
        piece.write_bytes(signed.piece(ref.sha256))
