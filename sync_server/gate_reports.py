"""What a gate says of itself, as it is kept with the gate: in the server's own time.

Called by the gates' desk when a status comes, and by reporting when it is shown. Ages become
instants here, so that they go on ageing while the gate says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from admission.sync.messages import Status
from sync_server.entities import JsonValue
from sync_server.machine_reports import FETCHING, said_of_machine

DRIFT_AFTER_MS: Final = 600_000  # before, the time on the way says more than the clock
_PER_MILLION: Final = 1_000_000
# what differs from status to status and is no news by itself
UNSTEADY: Final = frozenset({"list_known_ms", "queued_since_ms", "clock", FETCHING})


@dataclass(frozen=True, slots=True)
class GateKnowledge:
    """What a gate knew when it last spoke, and its clock.

    Attributes:
        causes: why it is degraded, most telling first.
        list_known_ms: when its oldest list was last known to be the newest; None for no list.
        queued_since_ms: since when its oldest record waits; None for none.
        clock_offset_ms: how far its clock was ahead of the server's; None before the first word.
        clock_drift_ppm: how fast its machine's clock runs, beside the server's, in parts of a
            million; None until that can be told.
        battery: percent left in a handheld's; None where there is none or nobody knows.
        is_charging: whether its charger gives power.
    """

    causes: tuple[str, ...] = ()
    list_known_ms: int | None = None
    queued_since_ms: int | None = None
    clock_offset_ms: int | None = None
    clock_drift_ppm: int | None = None
    battery: int | None = None
    is_charging: bool = False


def said_of(
    status: Status, via: str, now_ms: int, before: Mapping[str, JsonValue] | None
) -> dict[str, JsonValue]:
    """Give what is kept of a status.

    Args:
        status: as it came.
        via: name of the site server that the gate is behind, "" for none.
        now_ms: when it came, milliseconds since 1970.
        before: what was kept of the one before.
    """
    known_ms = None if status.list_age_s < 0 else now_ms - 1000 * status.list_age_s
    since_ms = now_ms - 1000 * status.queued_s if status.queue else None
    return {
        "mode": status.mode,
        "causes": list(status.causes),
        "queue": status.queue,
        "lists": dict(status.lists),
        "software": status.software,
        "faults": list(status.faults),
        "pins": list(status.pins),
        "keys": dict(status.keys),
        "site": via,
        "checkpoint": status.checkpoint,
        "peers": status.peers,
        "battery": None if status.battery < 0 else status.battery,
        "charging": status.charging,
        "list_known_ms": known_ms,
        "queued_since_ms": since_ms,
        "clock": _clock(status, now_ms, (before or {}).get("clock")),
        **said_of_machine(status.machine, status.free_mb),
    }


def is_news(said: Mapping[str, JsonValue], before: Mapping[str, JsonValue] | None) -> bool:
    """Tell whether a gate is otherwise than it was."""
    steady = said.keys() - UNSTEADY
    return before is None or any(said[name] != before.get(name) for name in steady)


def knowledge_of(said: Mapping[str, JsonValue]) -> GateKnowledge:
    """Read what is kept of a status; one of an older program says less."""
    causes, clock = said.get("causes"), said.get("clock")
    clock = clock if isinstance(clock, dict) else {}
    return GateKnowledge(
        causes=tuple(str(cause) for cause in causes) if isinstance(causes, list) else (),
        list_known_ms=_whole(said.get("list_known_ms")),
        queued_since_ms=_whole(said.get("queued_since_ms")),
        clock_offset_ms=_whole(clock.get("offset_ms")),
        clock_drift_ppm=_whole(clock.get("drift_ppm")),
        battery=_whole(said.get("battery")),
        is_charging=said.get("charging") is True,
    )


def _clock(status: Status, now_ms: int, before: JsonValue) -> dict[str, JsonValue]:
    """Measure a gate's clock at this contact, from the first contact of its machine's start on."""
    sent, boot = status.sent, status.sent.boot_id.hex()
    first = before if isinstance(before, dict) and before.get("boot") == boot else {}
    at_ms, boot_ms = _whole(first.get("at_ms")), _whole(first.get("boot_ms"))
    if at_ms is None or boot_ms is None:
        at_ms, boot_ms = now_ms, sent.boot_ms
    elapsed_ms = now_ms - at_ms
    ran_ms = sent.boot_ms - boot_ms
    is_told = elapsed_ms >= DRIFT_AFTER_MS
    return {
        "boot": boot,
        "at_ms": at_ms,
        "boot_ms": boot_ms,
        "offset_ms": sent.wall_ms - now_ms,
        "drift_ppm": (ran_ms - elapsed_ms) * _PER_MILLION // elapsed_ms if is_told else None,
    }


def _whole(value: JsonValue) -> int | None:
    return value if isinstance(value, int) else None
