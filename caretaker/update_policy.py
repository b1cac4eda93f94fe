"""Which version may follow which, and when a gate may be taken from people. Pure; knows no clock.

Called by `updating`. A version is `MAJOR.MINOR.PATCH+BUILD`, compared as numbers; the build is the
image's own and may be absent. The lock on updates is what the gate says of itself: nobody is let in
while it restarts, so it is not restarted while a performance is on, nor soon after somebody came.
"""

import re
from datetime import UTC, datetime
from typing import Final

from caretaker.gate_status import GateStatus

QUIET_MS: Final = 15 * 60 * 1000  # since somebody came, before the gate is taken away
SILENT_MS: Final = 10 * 60 * 1000  # a gate that says nothing for so long serves nobody
# Boot loaders from this day on start a slot by the one-shot flag, also from the partition that
# autoboot.txt names; of those of 2021 it is known that they forget it (docs/adr/0034-updates.md).
LOADER_S_MIN: Final = 1_672_531_200  # 2023-01-01
VERSION_CHARACTERS_MAX: Final = 40
_VERSION: Final = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:\+(\d{1,9}))?", re.ASCII)


def parse_version(text: str) -> tuple[int, int, int, int]:
    """Give a version as numbers.

    Raises:
        ValueError: if it is none.
    """
    found = _VERSION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:VERSION_CHARACTERS_MAX]!r} is no version, as 1.2.3 or 1.2.3+4")
    major, minor, patch, build = found.groups(default="0")
    return int(major), int(minor), int(patch), int(build)


def version_refusal(
    offered: str, running: str, blocked: tuple[str, ...], may_go_back: bool
) -> str | None:
    """Tell why a version may not follow the one that runs; None where it may.

    Args:
        offered: what the bundle's signed manifest says.
        running: what runs now.
        blocked: versions that did not hold.
        may_go_back: whether the signed manifest allows an older version.
    """
    try:
        new, old = parse_version(offered), parse_version(running)
    except ValueError as exc:
        return str(exc)
    if offered in blocked:
        return f"version {offered} did not hold before and is blocked"
    if new == old:
        return f"version {offered} runs already"
    if new < old and not may_go_back:
        return f"version {offered} is older than {running}, and its bundle does not allow that"
    return None


def lock(status: GateStatus | None, now_ms: int, quiet_ms: int = QUIET_MS) -> str | None:
    """Tell why the gate may not be taken from people now; None where it may.

    A gate that says nothing, or said nothing for a while, serves nobody: an update may be what it
    needs. A clock that went back makes what was said look new, which locks: the safe side.

    Args:
        status: what the gate says of itself; None for nothing.
        now_ms: the wall clock.
        quiet_ms: how long nobody must have come.
    """
    if status is None or now_ms - status.written_ms > SILENT_MS:
        return None
    if status.on_until_ms is not None and status.on_until_ms > now_ms:
        return "a performance is on"
    if status.last_scan_ms is not None and now_ms - status.last_scan_ms < quiet_ms:
        return f"somebody came less than {quiet_ms // 60_000} minutes ago"
    return None


def loader_refusal(built_s: int) -> str | None:
    """Tell why a board's boot loader starts nothing on trial; None where it may.

    Args:
        built_s: when it was built, seconds since 1970; 0 where nobody knows, which hinders nothing:
            a trial that never comes about leaves the machine on the version that runs.
    """
    if not 0 < built_s < LOADER_S_MIN:
        return None
    day = datetime.fromtimestamp(built_s, UTC).date()
    return f"the board's boot loader is of {day} and forgets trials; bring it up to date first"
