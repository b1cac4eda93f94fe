"""What a gate says of its machine, as it is kept with the gate, and as it is read again.

Called by `gate_reports` when a status comes, by the rollout and by the fleet's page.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from admission.sync.machine_messages import Machine
from sync_server.entities import JsonValue

FETCHING: Final = "fetching"  # what of it changes with every chunk, and is no news by itself


@dataclass(frozen=True, slots=True)
class MachineKnowledge:
    """What a gate's machine ran when the gate last spoke. "" and 0: it did not say.

    Attributes:
        version: of the image that runs.
        slot: in which half.
        compatible: which bundles are for it.
        update: state of the last update, as `Machine` has it.
        update_version: of that update.
        update_reason: why it is so, in the machine's words.
        blocked: versions that it takes no more.
        fetch_version: of the bundle that it was offered last.
        fetch_state: how far it has come with that.
        fetch_have: bytes of it that it has.
        fetch_size: bytes that it has in all.
        free_mb: room on its card, -1 where it is not known.
        provision: what became of its last `gate.toml`: "applied" or "refused".
        provision_reason: what is wrong with one that was refused.
        firmware_s: when its boot loader was built, seconds since 1970.
    """

    version: str = ""
    slot: str = ""
    compatible: str = ""
    update: str = ""
    update_version: str = ""
    update_reason: str = ""
    blocked: tuple[str, ...] = ()
    fetch_version: str = ""
    fetch_state: str = ""
    fetch_have: int = 0
    fetch_size: int = 0
    free_mb: int = -1
    provision: str = ""
    provision_reason: str = ""
    firmware_s: int = 0


def said_of_machine(machine: Machine | None, free_mb: int) -> dict[str, JsonValue]:
    """Give what is kept of it: what is steady under `machine`, the rest under FETCHING."""
    if machine is None:
        return {"machine": None, FETCHING: None}
    fetching = machine.fetching
    return {
        "machine": {
            "version": machine.version,
            "slot": machine.slot,
            "compatible": machine.compatible,
            "update": machine.update,
            "update_version": machine.update_version,
            "update_reason": machine.update_reason,
            "blocked": list(machine.blocked),
            "fetch_version": fetching.version,
            "fetch_state": fetching.state,
            "provision": machine.provision,
            "provision_reason": machine.provision_reason,
            "firmware_s": machine.firmware_s,
        },
        FETCHING: {"have": fetching.have, "size": fetching.size, "free_mb": free_mb},
    }


def machine_knowledge_of(said: Mapping[str, JsonValue] | None) -> MachineKnowledge | None:
    """Read what is kept of a machine; None where nothing is, or the gate has no caretaker."""
    kept = (said or {}).get("machine")
    if not isinstance(kept, dict):
        return None
    moving = (said or {}).get(FETCHING)
    moving = moving if isinstance(moving, dict) else {}
    blocked = kept.get("blocked")
    return MachineKnowledge(
        version=_text(kept, "version"),
        slot=_text(kept, "slot"),
        compatible=_text(kept, "compatible"),
        update=_text(kept, "update"),
        update_version=_text(kept, "update_version"),
        update_reason=_text(kept, "update_reason"),
        blocked=tuple(str(one) for one in blocked) if isinstance(blocked, list) else (),
        fetch_version=_text(kept, "fetch_version"),
        fetch_state=_text(kept, "fetch_state"),
        fetch_have=_whole(moving, "have", 0),
        fetch_size=_whole(moving, "size", 0),
        free_mb=_whole(moving, "free_mb", -1),
        provision=_text(kept, "provision"),
        provision_reason=_text(kept, "provision_reason"),
        firmware_s=_whole(kept, "firmware_s", 0),
    )


def _text(kept: Mapping[str, JsonValue], name: str) -> str:
    value = kept.get(name)
    return value if isinstance(value, str) else ""


def _whole(kept: Mapping[str, JsonValue], name: str, otherwise: int) -> int:
    value = kept.get(name)
    return value if isinstance(value, int) else otherwise
